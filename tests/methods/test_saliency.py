import numpy as np
import pytest

X = np.linspace(-1, 2, 6, dtype=np.float32)


def test_of_a_linear_model_it_is_the_size_of_the_coefficients(linear, explain, rng):
    weights = rng.normal(size=(6, 3)).astype(np.float32)
    found = explain("saliency", linear(weights), X, (0, 2))
    np.testing.assert_allclose(found.values, np.abs(weights.T[[0, 2]]), rtol=1e-6)
    np.testing.assert_allclose(found.detail, weights.T[[0, 2]], rtol=1e-6)
    assert np.isnan(found.base_values).all()


def test_a_position_gets_its_largest_channel(averaged, explain, averaged_picture):
    found = explain("saliency", averaged, averaged_picture)
    assert found.detail.shape == (1, 3, 12, 12)
    np.testing.assert_array_equal(found.values, np.abs(found.detail).max(axis=1))


def test_channels_last_are_no_hindrance(channels_last, explain):
    pixels = np.random.default_rng(0).integers(0, 256, (11, 11, 3)).astype(np.uint8)
    found = explain("saliency", channels_last, pixels)
    np.testing.assert_array_equal(found.values, np.abs(found.detail).max(axis=3))


def test_at_a_layer_of_a_picture_the_map_is_enlarged(averaged, explain, averaged_picture):
    found = explain("saliency", averaged, averaged_picture, task={"at": "map"})
    assert found.values.shape == (1, 12, 12)
    assert found.detail.shape == (1, 5, 5, 5)


def test_at_a_hidden_vector_it_is_the_next_layers_coefficients(perceptron, explain):
    found = explain("saliency", perceptron, X, (0, 1), task={"at": "hidden"})
    weights = np.random.default_rng(7)
    weights.normal(size=(6, 9)), weights.normal(size=9)
    np.testing.assert_allclose(found.detail, weights.normal(size=(9, 2)).T, rtol=1e-6)


@pytest.mark.parametrize("of", ["probability", "loss"])
def test_of_probability_and_loss_the_slope_of_the_softmax_comes_on_top(linear, explain, rng, of):
    weights = rng.normal(size=(6, 3)).astype(np.float32)
    logits = X.astype(np.float64) @ weights + 0.5
    chances = np.exp(logits) / np.exp(logits).sum()
    slope = weights @ (np.eye(3)[1] - chances) * (chances[1] if of == "probability" else -1)
    found = explain("saliency", linear(weights), X, (1,), gradient_of=of)
    np.testing.assert_allclose(found.detail[0], slope, rtol=1e-4, atol=1e-6)
