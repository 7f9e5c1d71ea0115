import numpy as np
import pytest

from agnostic import methods

X = np.linspace(-1, 2, 6, dtype=np.float32)


@pytest.mark.parametrize(("name", "sees_inactive"), [("guided_backprop", False), ("deconvolution", True)])
def test_only_positive_signals_pass_the_relus(perceptron, explain, name, sees_inactive):
    random = np.random.default_rng(7)
    w, b, v = random.normal(size=(6, 9)), random.normal(size=9), random.normal(size=(9, 2))
    active = (X @ w + b > 0) | sees_inactive
    found = explain(name, perceptron, X, (0, 1))
    np.testing.assert_allclose(found.detail, (np.maximum(v.T, 0) * active) @ w.T, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found.values, np.abs(found.detail))


@pytest.mark.parametrize("name", ["guided_backprop", "deconvolution"])
def test_a_model_without_relus_is_told_why_not(linear, name):
    model = linear(np.ones((3, 2)))
    assert "would equal the gradient" in methods.get(name).obstacle(model)


def test_on_a_picture_the_map_lies_where_the_score_looks(two_patches, patches_picture, explain):
    found = explain("guided_backprop", two_patches, patches_picture, (0, 1))
    assert found.values[0, 4:12, 4:12].min() > 0 == found.values[0, 16:].max()
    assert found.values[1, 20:28, 20:28].min() > 0 == found.values[1, :16].max()
