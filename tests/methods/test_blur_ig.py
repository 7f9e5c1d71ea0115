import numpy as np
import pytest

from agnostic.errors import UsageError


def test_of_a_linear_model_the_values_are_its_terms_off_the_blur(opened, explain, rng):
    weights = rng.normal(size=(3 * 16 * 16, 1)).astype(np.float32)
    facts = {"scale": 1 / 255, "mean": [0.0], "std": [1.0], "size": [16, 16]}
    model = opened(
        "g (float[n,3,16,16] x) => (float[n,1] y) { f = Flatten(x) y = MatMul(f, w) }", {"w": weights}, preprocess=facts
    )
    picture = rng.integers(0, 256, (16, 16, 3)).astype(np.uint8)
    # So strong a blur leaves the mean of each channel, whose mirror image is itself.
    found = explain("blur_ig", model, picture, sigma=20.0, steps=60)
    x = (picture / 255).transpose(2, 0, 1)
    terms = (x - x.mean(axis=(1, 2), keepdims=True)) * weights.reshape(3, 16, 16)
    np.testing.assert_allclose(found.detail[0], terms, atol=1e-4)
    assert found.facts[0]["completeness_error"] < 1e-3


def test_it_is_complete_and_starts_from_the_blurred_picture(averaged, explain, averaged_picture):
    found = explain("blur_ig", averaged, averaged_picture, (0, 1), steps=200)
    assert max(fact["completeness_error"] for fact in found.facts) < 2e-2
    assert np.abs(found.values).max() > 1e-2


def test_the_path_may_run_through_the_maps_of_a_layer(averaged, explain, averaged_picture):
    found = explain("blur_ig", averaged, averaged_picture, (0, 1), steps=40, sigma=10.0, task={"at": "map"})
    # The score sees a map's mean only, which no blur with mirrored borders changes.
    np.testing.assert_allclose(found.detail.sum(axis=(1, 2, 3)), 0, atol=1e-3)


def test_what_is_no_map_is_refused(perceptron, averaged, averaged_picture, explain):
    with pytest.raises(UsageError, match="no map over two axes"):
        explain("blur_ig", perceptron, np.ones(6, np.float32), task={"at": "hidden"})
    with pytest.raises(UsageError, match="--sigma"):
        explain("blur_ig", averaged, averaged_picture, sigma=0.0)
