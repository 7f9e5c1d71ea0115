import numpy as np
import pytest

from agnostic.errors import UsageError

X = np.array([1.0, 2.0, -1.0, 3.0], np.float32)
COEFFICIENTS = np.array([[2.0, 0.0], [-1.0, 1.0], [0.5, 4.0], [0.0, -3.0]])


def test_the_weights_are_the_papers_with_their_sign(linear, explain):
    found = explain("normlime", linear(COEFFICIENTS), X, (0, 1), penalty=0.0, stop=0.0, samples=300)
    slopes = (COEFFICIENTS * X[:, None]).T
    expected = np.sign(slopes) * slopes**2 / np.abs(slopes).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.weights, expected, atol=1e-4)
    assert found.weights.min() < 0
    assert np.isnan(found.base_values).all()


def test_it_normalises_the_weights_of_lime(perceptron, explain):
    x = np.linspace(-1, 2, 6, dtype=np.float32)
    plain, found = (explain(name, perceptron, x, (0, 1), samples=300) for name in ("lime", "normlime"))
    w = plain.weights.astype(np.float64)
    np.testing.assert_allclose(found.weights, w * np.abs(w) / np.abs(w).sum(axis=1, keepdims=True), rtol=1e-4)
    assert found.facts == plain.facts


@pytest.mark.parametrize("settings", [{"samples": 0}, {"kernel_width": 0.0}, {"penalty": -1.0}, {"stop": 1.0}])
def test_senseless_settings_are_refused(linear, explain, settings):
    with pytest.raises(UsageError, match="expected"):
        explain("normlime", linear(np.ones((3, 1))), np.ones(3, np.float32), **settings)
