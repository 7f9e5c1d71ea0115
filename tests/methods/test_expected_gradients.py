import numpy as np

X = np.linspace(-1, 2, 6, dtype=np.float32)


def test_of_a_linear_model_from_one_baseline_the_values_are_its_terms(linear, explain, rng):
    weights = rng.normal(size=(6, 2)).astype(np.float32)
    found = explain("expected_gradients", linear(weights), X, (0, 1), samples=5, baselines=("zero",))
    np.testing.assert_allclose(found.values, (weights * X[:, None]).T, rtol=1e-5)
    np.testing.assert_allclose(found.base_values, 0.5, rtol=1e-6)


def test_from_one_baseline_it_tends_to_integrated_gradients(perceptron, explain):
    exact = explain("integrated_gradients", perceptron, X, (0, 1), steps=400)
    found = explain(
        "expected_gradients", perceptron, X, (0, 1), samples=2000, baselines=("fill",), task={"batch_size": 200}
    )
    np.testing.assert_allclose(found.values, exact.values, atol=0.02)
    assert max(fact["completeness_error"] for fact in found.facts) < 0.05


def test_from_noise_it_is_the_terms_off_the_noises_mean(linear, explain, rng):
    weights = rng.normal(size=(6, 1)).astype(np.float32)
    found = explain(
        "expected_gradients", linear(weights), X, samples=3000, baselines=("noise",), task={"batch_size": 300}
    )
    # Uniform over the range -1..2: mean 0.5, standard deviation 3 / sqrt(12).
    tolerance = 5 * np.abs(weights[:, 0]) * 3 / 12**0.5 / 3000**0.5
    assert (np.abs(found.values[0] - weights[:, 0] * (X - 0.5)) < tolerance).all()


def test_the_numbers_do_not_depend_on_the_batch_but_on_the_seed(perceptron, explain):
    one, same, other = (
        explain("expected_gradients", perceptron, X, samples=9, noise=0.1, task=task).values
        for task in ({"batch_size": 1}, {"batch_size": 5}, {"seed": 3})
    )
    np.testing.assert_allclose(one, same, rtol=1e-5, atol=1e-7)
    assert np.abs(one - other).max() > 1e-4
