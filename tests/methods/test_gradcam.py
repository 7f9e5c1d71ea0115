import numpy as np
import pytest

from agnostic.errors import ItemError, UsageError
from agnostic.kernels.resize import bilinear
from agnostic.methods.cam import analytic_cam

PAIR = ("Egyptian cat", "coffee mug")


def enlarged(small, size):
    return bilinear(np.asarray(small, np.float32), size)


def test_at_the_averaged_layer_of_squeezenet_it_is_cam_over_the_number_of_places(squeezenet, explain):
    layer = analytic_cam(squeezenet.proto).layer
    cam = explain("cam", squeezenet, "cat_and_coffee.png", PAIR).values
    places = np.prod(squeezenet.layer(layer).shape[1:])
    found = explain("gradcam", squeezenet, "cat_and_coffee.png", PAIR, task={"at": layer}, signed=True)
    np.testing.assert_allclose(found.values * places, cam, atol=1e-5 * np.abs(cam).max())
    positive = explain("gradcam", squeezenet, "cat_and_coffee.png", PAIR, task={"at": layer}).values
    assert positive.min() >= 0 > found.values.min()
    np.testing.assert_allclose(positive[found.values > 0].sum(), found.values[found.values > 0].sum(), rtol=0.01)
    assert found.facts[0] == {"layer": layer}


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "xgradcam"])
def test_before_a_mean_and_a_linear_classifier_all_signed_maps_are_cam(averaged, explain, averaged_picture, method):
    cam = explain("cam", averaged, averaged_picture, (0, 1, 2)).values
    found = explain(method, averaged, averaged_picture, (0, 1, 2), signed=True)
    np.testing.assert_allclose(found.values * 25, cam, atol=1e-5 * np.abs(cam).max())


def test_channels_last_are_no_hindrance(channels_last, explain):
    pixels = np.random.default_rng(0).integers(0, 256, (11, 11, 3)).astype(np.uint8)
    cam = explain("cam", channels_last, pixels, (0, 1)).values
    found = explain("gradcam", channels_last, pixels, (0, 1), signed=True)
    np.testing.assert_allclose(found.values * 25, cam, atol=1e-4 * np.abs(cam).max())


@pytest.mark.parametrize("signed", [False, True])
def test_the_map_is_the_formula(curved, explain, averaged_picture, by_hand, signed):
    maps, gradients = by_hand(curved, averaged_picture)
    small = np.einsum("tchw,cab->tab", gradients, maps) / 25
    found = explain("gradcam", curved, averaged_picture, (0, 1, 2), signed=signed)
    expected = enlarged(small if signed else np.maximum(small, 0), (12, 12))
    np.testing.assert_allclose(found.values, expected, atol=1e-5)


def test_the_gradient_of_a_probability_is_the_gradient_of_contrasted_scores(curved, explain, averaged_picture, by_hand):
    maps, gradients = by_hand(curved, averaged_picture)
    x = ((averaged_picture.astype(np.float32) / 255 - 0.5) / 0.25).transpose(2, 0, 1)[None]
    powers = np.exp(curved.run(x)["scores"][0].astype(np.float64))
    chances = powers / powers.sum()
    softened = chances[:, None, None, None] * (gradients - np.tensordot(chances, gradients, axes=1))
    small = np.einsum("tchw,cab->tab", softened, maps) / 25
    found = explain("gradcam", curved, averaged_picture, (0, 1, 2), signed=True, gradient_of="probability")
    np.testing.assert_allclose(found.values, enlarged(small, (12, 12)), atol=1e-5)


def test_all_targets_share_one_pass(curved, explain, averaged_picture):
    passes = []
    for targets in ((0,), (0, 1, 2)):
        before = curved.evaluations
        explain("gradcam", curved, averaged_picture, targets)
        passes.append(curved.evaluations - before)
    assert passes[0] == passes[1]


def patch_means(pixels):
    """The tokens' channels 0 and 1: (2, 4, 6)."""
    return (pixels.reshape(4, 8, 6, 8, 3).mean(axis=(1, 3)) / 255).transpose(2, 0, 1)[:2]


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("special", [1, 2, 5])
def test_the_places_of_a_transformer_are_found(transformer, explain, landscape_picture, special, merged):
    small = patch_means(landscape_picture) / (24 + special)
    found = explain("gradcam", transformer(special, merged=merged), landscape_picture, (0, 1))
    np.testing.assert_allclose(found.values, enlarged(small, (32, 48)), atol=1e-5)
    assert found.facts[0]["layer"] == "tokens"


@pytest.mark.parametrize("merged", [False, True])
def test_where_all_tokens_are_averaged_the_last_layer_is_read(transformer, explain, landscape_picture, merged):
    means = patch_means(landscape_picture)
    small = (means + means.mean(axis=(1, 2), keepdims=True)) / 24
    found = explain("gradcam", transformer(0, "mean", merged), landscape_picture, (0, 1))
    np.testing.assert_allclose(found.values, enlarged(small, (32, 48)), atol=1e-5)
    assert found.facts[0]["layer"] == "mixed"


def test_behind_the_last_attention_places_are_without_effect(transformer, explain, landscape_picture):
    with pytest.raises(ItemError, match="no place of layer 'mixed' moves"):
        explain("gradcam", transformer(), landscape_picture, task={"at": "mixed"})


def test_a_vector_is_no_map(curved, explain, averaged_picture):
    with pytest.raises(UsageError, match="no map over two axes"):
        explain("gradcam", curved, averaged_picture, task={"at": "hidden"})


def test_a_layer_behind_the_target_is_refused(two_patches, explain, patches_picture):
    with pytest.raises(UsageError, match="does not depend on"):
        explain("gradcam", two_patches, patches_picture, ("map/pre:0",), task={"at": "map"})


def test_a_model_without_maps_says_so(perceptron):
    rows = {row.name: row for row in perceptron.methods()}
    for name in ("gradcam", "gradcam++", "fem", "guided_gradcam"):
        assert not rows[name].runs
        assert "no hidden layer that is a map" in rows[name].reason
