import numpy as np
import pytest

from agnostic.errors import UsageError

X = np.linspace(-1, 2, 6, dtype=np.float32)
FAMILY = ["smoothgrad", "smoothgrad_squared", "vargrad"]


def test_without_noise_it_is_saliency(perceptron, averaged, averaged_picture, explain):
    for model, given in ((perceptron, X), (averaged, averaged_picture)):
        plain = explain("saliency", model, given, (0, 1))
        found = explain("smoothgrad", model, given, (0, 1), noise=0.0, samples=3)
        np.testing.assert_allclose(found.values, plain.values, rtol=1e-5)
        np.testing.assert_allclose(found.detail, plain.detail, rtol=1e-5, atol=1e-7)


def test_squared_without_noise_it_is_the_squared_gradient_and_does_not_vary(perceptron, explain):
    plain = explain("saliency", perceptron, X)
    squared = explain("smoothgrad_squared", perceptron, X, noise=0.0, samples=3)
    np.testing.assert_allclose(squared.values, plain.values**2, rtol=1e-5)
    np.testing.assert_allclose(explain("vargrad", perceptron, X, noise=0.0, samples=3).values, 0, atol=1e-10)


def test_of_a_parabola_mean_and_variance_are_those_of_the_noise(opened, explain):
    model = opened(
        "g (float[n,6] x) => (float[n,1] y) { s = Mul(x, x) y = ReduceSum <keepdims = 1> (s, one) }",
        {"one": np.array([1])},
    )
    settings = {"samples": 4000, "noise": 0.2, "task": {"batch_size": 500}}
    sigma = 0.2 * 3  # of the range -1..2
    mean, square, variance = (explain(name, model, X, **settings).detail[0] for name in FAMILY)
    np.testing.assert_allclose(mean, 2 * X, atol=5 * 2 * sigma / 4000**0.5)
    np.testing.assert_allclose(variance, (2 * sigma) ** 2, rtol=0.12)
    np.testing.assert_allclose(square, mean.astype(np.float64) ** 2 + variance, rtol=1e-5)


@pytest.mark.parametrize("name", FAMILY)
def test_the_noise_of_a_copy_does_not_depend_on_its_batch(perceptron, explain, name):
    found = [explain(name, perceptron, X, samples=11, task={"batch_size": size}).values for size in (1, 4, 11)]
    # Gradients of some size cancel in a small mean: what a batch rounds is a share of the largest.
    rounding = 1e-6 * np.abs(found[0]).max()
    np.testing.assert_allclose(found[0], found[1], rtol=1e-5, atol=rounding)
    np.testing.assert_allclose(found[0], found[2], rtol=1e-5, atol=rounding)
    other = explain(name, perceptron, X, samples=11, task={"seed": 1}).values
    assert np.abs(other - found[0]).max() > 1e-6


@pytest.mark.parametrize("settings", [{"samples": 0}, {"noise": -0.1}, {"noise": float("nan")}])
def test_settings_that_make_no_sense_are_refused(perceptron, explain, settings):
    with pytest.raises(UsageError, match="expected"):
        explain("smoothgrad", perceptron, X, **settings)


def test_at_a_layer_the_noise_is_laid_on_the_layer(perceptron, explain):
    # Behind `hidden` the model is linear: no noise can change the gradient.
    found = explain("vargrad", perceptron, X, (0, 1), task={"at": "hidden"})
    np.testing.assert_allclose(found.values, 0, atol=1e-10)
