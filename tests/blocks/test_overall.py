"""Groups over many pictures: directions that were put in are found again, and every place is mixed of them."""

import numpy as np
import pytest
from sklearn.decomposition import NMF

from agnostic.blocks import overall_groups
from agnostic.blocks.maps import layer_maps
from agnostic.blocks.overall import mixed_of
from agnostic.errors import InputError, UsageError

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def photos(squeezenet_model):
    """Crops of two photographs: cats in some, cups in others."""
    from PIL import Image

    from agnostic import models

    crops = []
    for name in ("chelsea", "coffee"):
        whole = Image.open(models.picture(name)).convert("RGB")
        side = min(whole.size)
        crops += [whole.crop((x, 0, x + side, side)) for x in np.linspace(0, whole.width - side, 3, dtype=int).tolist()]
    return crops


def test_mixtures_of_directions_are_found_again():
    directions = np.abs(RNG.normal(size=(3, 7))).astype(np.float32)
    shares = np.abs(RNG.normal(size=(20, 3))) * (RNG.random((20, 3)) < 0.6)
    np.testing.assert_allclose(mixed_of(shares @ directions, directions), shares, atol=1e-5)


def test_a_vector_against_all_directions_holds_none():
    assert not mixed_of(-np.ones((2, 4)), np.eye(2, 4, dtype=np.float32)).any()


def test_with_all_places_the_factors_are_scikit_learns(squeezenet_model, photos):
    found = overall_groups(squeezenet_model, photos, "fire9/concat", 4, places=10_000)
    rows = [layer_maps(squeezenet_model, _sample(squeezenet_model, photo), "fire9/concat") for photo in photos]
    matrix = np.concatenate([values.reshape(len(values), -1).T for values in rows]).astype(np.float64)
    theirs = NMF(4, init="nndsvda", random_state=0, max_iter=500).fit(matrix / matrix.max()).components_
    unit = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
    np.testing.assert_allclose(found.channels, unit, atol=1e-5)
    assert 0.3 < found.explained < 1


def _sample(model, photo):
    from agnostic.blocks import as_sample

    return as_sample(model, photo)


def test_groups_part_cats_from_cups_and_say_where(squeezenet_model, photos):
    found = overall_groups(squeezenet_model, photos, "fire9/concat", 4)
    assert found.strengths.shape == (6, 4)
    owners = {frozenset(item.picture < 3 for item in found.top(group, 3)) for group in range(4)}
    assert {frozenset({True}), frozenset({False})} <= owners  # a group of one kind of picture each
    values = layer_maps(squeezenet_model, _sample(squeezenet_model, photos[2]), "fire9/concat")
    maps = found.maps(values)
    assert maps.shape == (4, 13, 13)
    assert maps.min() >= 0
    for group in range(4):
        assert maps[group].max() == pytest.approx(found.strengths[2, group], rel=1e-4)
        assert maps[group].argmax() == np.ravel_multi_index(tuple(found.places[2, group]), (13, 13))


def test_attributions_have_signs_and_groups_for_both(squeezenet_model, photos):
    found = overall_groups(
        squeezenet_model, photos[::3], "fire9/concat", 3, of="attributions", target="Egyptian cat", how="linear"
    )
    assert (found.channels < 0).any()
    assert (found.channels > 0).any()
    np.testing.assert_allclose(np.linalg.norm(found.channels, axis=1), 1, rtol=1e-5)


def test_the_seed_and_the_number_of_a_picture_decide_its_places(squeezenet_model, photos):
    steps = []
    one = overall_groups(
        squeezenet_model, photos[:2], "fire9/concat", 2, places=9, progress=lambda *told: steps.append(told)
    )
    other = overall_groups(squeezenet_model, photos[:2], "fire9/concat", 2, places=9)
    np.testing.assert_array_equal(one.channels, other.channels)
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    third = overall_groups(squeezenet_model, photos[:2], "fire9/concat", 2, places=9, seed=1)
    assert not np.array_equal(one.channels, third.channels)


def test_errors(squeezenet_model, photos):
    with pytest.raises(InputError, match="no picture"):
        overall_groups(squeezenet_model, [], "fire9/concat")
    with pytest.raises(UsageError, match="'activations' or 'attributions'"):
        overall_groups(squeezenet_model, photos, "fire9/concat", of="gradients")
    with pytest.raises(UsageError, match="99 groups"):
        overall_groups(squeezenet_model, photos[:1], "fire9/concat", 99, places=4)
