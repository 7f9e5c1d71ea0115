import numpy as np
import pytest

from agnostic.errors import UsageError

X = np.linspace(-1, 2, 6, dtype=np.float32)


@pytest.mark.parametrize("quadrature", ["adaptive", "gauss-legendre", "riemann"])
def test_of_a_linear_model_the_values_are_its_terms(linear, explain, rng, quadrature):
    weights = rng.normal(size=(6, 2)).astype(np.float32)
    found = explain("integrated_gradients", linear(weights), X, (0, 1), steps=3, quadrature=quadrature)
    np.testing.assert_allclose(found.values, (weights * X[:, None]).T, rtol=1e-5)
    np.testing.assert_allclose(found.base_values, 0.5, rtol=1e-6)
    assert max(fact["completeness_error"] for fact in found.facts) < 1e-5


def test_of_a_polynomial_gauss_legendre_is_exact_and_riemann_is_near(opened, explain):
    model = opened(
        "g (float[n,2] x) => (float[n,1] y) { s = Mul(x, x) c = Mul(s, x) y = ReduceSum <keepdims = 1> (c, one) }",
        {"one": np.array([1])},
    )
    x = np.array([1.5, -2], np.float32)
    exact = explain("integrated_gradients", model, x, steps=2, quadrature="gauss-legendre")
    np.testing.assert_allclose(exact.values[0], x**3, rtol=1e-5)
    near = explain("integrated_gradients", model, x, steps=2, quadrature="riemann")
    np.testing.assert_allclose(near.values[0], x**3 * 15 / 16, rtol=1e-5)
    np.testing.assert_allclose(near.facts[0]["completeness_error"], abs((x**3).sum()) / 16, rtol=1e-4)


def test_it_is_complete_on_a_perceptron_for_any_baseline(perceptron, explain):
    for kinds in (("zero",), ("noise",), ("fill", "noise", "noise")):
        found = explain(
            "integrated_gradients", perceptron, X, (0, 1), steps=300, baselines=kinds, quadrature="gauss-legendre"
        )
        score = explain("integrated_gradients", perceptron, X, (0, 1), steps=1, baselines=kinds)
        np.testing.assert_allclose(found.base_values, score.base_values, rtol=1e-5)
        assert max(fact["completeness_error"] for fact in found.facts) < 2e-2
        assert found.facts[0]["baselines"] == list(kinds)


def test_several_baselines_are_the_mean_of_each(averaged, explain, averaged_picture):
    black, white, both = (
        explain("integrated_gradients", averaged, averaged_picture, steps=5, baselines=kinds, quadrature="riemann")
        for kinds in (("black",), ("white",), ("black", "white"))
    )
    np.testing.assert_allclose(both.values, (black.values + white.values) / 2, atol=1e-5)
    np.testing.assert_allclose(both.base_values, (black.base_values + white.base_values) / 2, rtol=1e-5)
    assert np.abs(black.values - white.values).max() > 1e-2


def test_the_base_value_is_the_score_of_the_fill(averaged, explain, averaged_picture):
    found = explain("integrated_gradients", averaged, averaged_picture, fill="black", steps=5)
    black = np.full((1, 3, 12, 12), -0.5 / 0.25, np.float32)
    np.testing.assert_allclose(found.base_values, averaged.run(black)["scores"][0, :1], rtol=1e-5)


@pytest.mark.parametrize("of", ["probability", "loss"])
def test_it_is_complete_in_the_units_of_what_is_differentiated(averaged, explain, averaged_picture, of):
    found = explain("integrated_gradients", averaged, averaged_picture, (0, 1), steps=200, gradient_of=of)
    scores = averaged.run(np.full((1, 3, 12, 12), -2, np.float32))["scores"][0].astype(np.float64)
    chances = np.exp(scores) / np.exp(scores).sum()
    expected = chances if of == "probability" else -np.log(chances)
    np.testing.assert_allclose(found.base_values, expected[:2], rtol=1e-4)
    assert max(fact["completeness_error"] for fact in found.facts) < 1e-2


def test_on_squeezenet_it_is_complete_to_a_thousandth_at_a_layer_in_fifty_steps(squeezenet, explain):
    found = explain(
        "integrated_gradients", squeezenet, "cat_and_coffee.png", ("Egyptian cat",), task={"at": "fire6/concat"},
        quadrature="gauss-legendre",
    )  # fmt: skip
    risen = found.detail.sum(axis=(1, 2, 3), dtype=np.float64)
    errors = np.array([fact["completeness_error"] for fact in found.facts])
    assert found.values.shape == (1, 224, 224)
    assert (errors < 1e-3 * risen).all()


def test_a_baseline_that_the_sample_does_not_have_is_refused(perceptron, averaged, averaged_picture, explain):
    with pytest.raises(UsageError, match="no such fill; expected fill, zero, noise"):
        explain("integrated_gradients", perceptron, X, baselines=("black",))
    with pytest.raises(UsageError, match="unknown fill 'blakc'"):
        explain("integrated_gradients", averaged, averaged_picture, baselines=("blakc",))
    with pytest.raises(UsageError, match="empty"):
        explain("integrated_gradients", perceptron, X, baselines=())
    with pytest.raises(UsageError, match="--steps 0"):
        explain("integrated_gradients", perceptron, X, steps=0)


def test_a_batch_of_any_size_gives_the_same(perceptron, explain):
    one, other = (explain("integrated_gradients", perceptron, X, task={"batch_size": size}) for size in (1, 7))
    np.testing.assert_allclose(one.values, other.values, rtol=1e-5)
