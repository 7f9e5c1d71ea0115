import numpy as np


def test_of_a_linear_model_the_values_are_its_terms(linear, explain, rng):
    weights = rng.normal(size=(6, 2)).astype(np.float32)
    x = np.linspace(-1, 2, 6, dtype=np.float32)
    found = explain("input_x_gradient", linear(weights), x, (0, 1))
    np.testing.assert_allclose(found.values, (weights * x[:, None]).T, rtol=1e-6)
    np.testing.assert_allclose(found.values.sum(axis=1) + 0.5, x @ weights + 0.5, rtol=1e-5)


def test_at_a_layer_it_is_the_layer_times_its_gradient(averaged, explain, averaged_picture):
    found = explain("input_x_gradient", averaged, averaged_picture, (0, 1), task={"at": "map"})
    # Behind the map everything is linear, so that the terms add up to the score but for the bias.
    random = np.random.default_rng(11)
    random.normal(size=(5, 3, 3, 3)), random.normal(size=5), random.normal(size=(5, 3))
    bias = random.normal(size=3)
    scores = explain(
        "integrated_gradients", averaged, averaged_picture, (0, 1), baselines=("zero",), task={"at": "map"}
    )
    total = found.detail.sum(axis=(1, 2, 3))
    np.testing.assert_allclose(total, scores.detail.sum(axis=(1, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(scores.base_values, bias[:2], rtol=1e-5)
