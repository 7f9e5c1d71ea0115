from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper

from agnostic import methods
from agnostic.errors import UsageError
from agnostic.inputs.image import image_sample

PICTURE = Path(__file__).resolve().parents[2] / "models" / "pictures" / "cat_and_coffee.png"


def weights_of(model, name):
    return next(numpy_helper.to_array(item) for item in model.proto.graph.initializer if item.name == name)


def enlarged(image, size):
    for axis in (0, 1):
        places = (np.arange(size) + 0.5) * image.shape[axis] / size - 0.5
        image = np.apply_along_axis(lambda row, at=places: np.interp(at, np.arange(len(row)), row), axis, image)
    return image


def test_squeezenets_map_is_the_map_of_the_class(squeezenet, explain):
    found = explain("cam", squeezenet, "cat_and_coffee.png", (285, 504))
    sample = image_sample(squeezenet, PICTURE)
    maps = squeezenet.activations(sample.arrays, "conv10")[0]
    for at, row in enumerate((285, 504)):
        np.testing.assert_allclose(found.values[at], enlarged(maps[row], 224), atol=1e-3)
    assert found.facts[0] == {"layer": "conv10"}


def test_the_map_is_the_classifier_at_each_place(averaged, explain, averaged_picture):
    x = ((averaged_picture.astype(np.float32) / 255 - 0.5) / 0.25).transpose(2, 0, 1)[None]
    maps = averaged.activations(x, "map")[0]
    places = np.tensordot(weights_of(averaged, "v").T, maps, 1)
    found = explain("cam", averaged, averaged_picture, (0, 1, 2))
    for at in range(3):
        np.testing.assert_allclose(found.values[at], enlarged(places[at], 12), atol=1e-4)
    scores = averaged.run(x)["scores"][0]
    np.testing.assert_allclose(places.mean(axis=(1, 2)) + found.base_values, scores, atol=1e-4)


def test_channels_may_come_last(channels_last, explain, averaged_picture):
    pixels = averaged_picture[:11, :11]
    maps = channels_last.activations((pixels.astype(np.float32) / 255)[None], "map")[0]
    places = np.tensordot(maps, weights_of(channels_last, "v"), 1)
    found = explain("cam", channels_last, pixels, (0, 1))
    for at in range(2):
        np.testing.assert_allclose(found.values[at], enlarged(places[..., at], 11), atol=1e-4)


def test_targets_mix_as_their_maps_do(averaged, explain, averaged_picture):
    one, two, mixed = explain("cam", averaged, averaged_picture, (0, 1, "scores[0] - 2*scores[1]")).values
    np.testing.assert_allclose(mixed, one - 2 * two, atol=1e-4)
    whole = explain("cam", averaged, averaged_picture, ("scores[:]",)).values[0]
    np.testing.assert_allclose(
        whole, explain("cam", averaged, averaged_picture, (0, 1, 2)).values.mean(axis=0), atol=1e-4
    )


def test_what_is_no_class_score_is_refused(averaged, explain, averaged_picture):
    with pytest.raises(UsageError, match="not map\\[1"):
        explain("cam", averaged, averaged_picture, ("map:1",))
    with pytest.raises(UsageError, match="exact at 'map' only"):
        explain("cam", averaged, averaged_picture, task={"at": "map/pre"})


def test_a_network_that_ends_otherwise_says_why(two_patches, averaged, explain, patches_picture):
    rows = {row.name: row for row in methods.availability(two_patches)}
    assert not rows["cam"].runs
    assert "does not end in a mean" in rows["cam"].reason
    assert {row.name: row for row in methods.availability(averaged)}["cam"].runs
    with pytest.raises(UsageError, match="cannot run on this model"):
        explain("cam", two_patches, patches_picture)
