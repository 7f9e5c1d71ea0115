import numpy as np
import pytest

X = np.linspace(-1, 2, 6, dtype=np.float32)


def test_of_a_linear_model_the_values_are_its_terms(linear, explain, rng):
    weights = rng.normal(size=(6, 2)).astype(np.float32)
    found = explain("deeplift", linear(weights), X, (0, 1))
    np.testing.assert_allclose(found.values, (weights * X[:, None]).T, rtol=1e-5)
    np.testing.assert_allclose(found.base_values, 0.5, rtol=1e-6)


def test_of_a_perceptron_they_are_the_rescale_rule_by_hand(perceptron, explain):
    random = np.random.default_rng(7)
    w, b, v = random.normal(size=(6, 9)), random.normal(size=9), random.normal(size=(9, 2))
    before = X @ w + b
    slope = (np.maximum(before, 0) - np.maximum(b, 0)) / (before - b)
    found = explain("deeplift", perceptron, X, (0, 1))
    np.testing.assert_allclose(found.values, (v.T * slope) @ w.T * X, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.base_values, np.maximum(b, 0) @ v, rtol=1e-5)


@pytest.mark.parametrize("of", ["logit", "probability", "loss"])
def test_the_values_add_up_to_the_difference_of_the_scores(averaged, explain, averaged_picture, of):
    found = explain(
        "deeplift", averaged, averaged_picture, (0, 1, 2), gradient_of=of, baselines=("black", "white", "noise", "zero")
    )
    scores = averaged.run(_as_input(averaged_picture))["scores"][0].astype(np.float64)
    chances = np.exp(scores) / np.exp(scores).sum()
    expected = {"logit": scores, "probability": chances, "loss": -np.log(chances)}[of]
    np.testing.assert_allclose(found.values.sum(axis=(1, 2)), expected - found.base_values, atol=1e-4)
    assert max(fact["completeness_error"] for fact in found.facts) < 1e-4


def _as_input(picture):
    return ((picture / 255 - 0.5) / 0.25).transpose(2, 0, 1)[None].astype(np.float32)


def test_on_squeezenet_they_add_up_through_pools_and_joins(squeezenet, explain):
    for at in (None, "fire6/concat"):
        found = explain("deeplift", squeezenet, "cat_and_coffee.png", ("Egyptian cat", "coffee mug"), task={"at": at})
        assert max(fact["completeness_error"] for fact in found.facts) < 1e-3
        assert found.values.shape == (2, 224, 224)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_references_and_samples_stay_together_whatever_the_batch(perceptron, explain, batch_size):
    kinds = ("fill", "noise", "noise", "zero", "noise")
    whole = explain("deeplift", perceptron, X, (0, 1), baselines=kinds, task={"batch_size": 10})
    found = explain("deeplift", perceptron, X, (0, 1), baselines=kinds, task={"batch_size": batch_size})
    np.testing.assert_allclose(found.values, whole.values, rtol=1e-4, atol=1e-6)
    assert found.facts[0]["completeness_error"] < 1e-5
