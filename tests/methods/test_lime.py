import numpy as np
import pytest

from agnostic.errors import ItemError, UsageError


@pytest.fixture
def coefficients():
    return np.array([[2.0, 0.0], [-1.0, 1.0], [0.5, 4.0], [0.0, -3.0]])


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_linear_coefficients_are_recovered(linear, explain, coefficients, distance):
    x = np.array([1.0, 2.0, -1.0, 3.0], np.float32)
    found = explain("lime", linear(coefficients), x, (0, 1), penalty=0.0, stop=0.0, distance=distance, samples=300)
    np.testing.assert_allclose(found.values, (coefficients * x[:, None]).T, atol=1e-4)
    np.testing.assert_allclose(found.base_values, 0.5, atol=1e-4)
    assert [fact["samples"] for fact in found.facts] == [300, 300]
    assert all(fact["r2"] == pytest.approx(1, abs=1e-6) for fact in found.facts)


def test_the_penalty_shrinks_the_slopes(linear, explain):
    x = np.ones(3, np.float32)
    model = linear([[1.0], [2.0], [4.0]])
    loose, tight = (explain("lime", model, x, penalty=p, samples=200).weights for p in (1.0, 1000.0))
    assert (np.abs(tight) < 0.2 * np.abs(loose)).all()
    np.testing.assert_allclose(loose, [[1, 2, 4]], rtol=0.1)


def test_stable_slopes_end_the_sampling(linear, explain):
    x = np.ones(5, np.float32)
    found = explain("lime", linear(np.array([[3.0], [-2.0], [1.0], [0.0], [0.5]])), x, samples=5000)
    assert found.facts[0]["samples"] == 200
    assert found.facts[0]["stability"] > 0.99


def test_each_target_stops_on_its_own(perceptron, explain):
    x = np.linspace(-1, 2, 6, dtype=np.float32)
    both = explain("lime", perceptron, x, (0, 1), samples=3000, stop=0.9999)
    for at in (0, 1):
        alone = explain("lime", perceptron, x, (at,), samples=3000, stop=0.9999)
        assert alone.facts[0]["samples"] == both.facts[at]["samples"]
        np.testing.assert_allclose(alone.values[0], both.values[at], atol=1e-5)
    assert both.facts[0]["samples"] != both.facts[1]["samples"]


def test_the_stability_foretells_the_error(perceptron, explain):
    x = np.linspace(-1, 2, 6, dtype=np.float32)
    truth = explain("lime", perceptron, x, samples=20000, stop=0.0).weights[0]
    errors, foretold = [], []
    for seed in range(20):
        found = explain("lime", perceptron, x, samples=120, stop=0.0, task={"seed": seed})
        errors.append(1 - np.corrcoef(found.weights[0], truth)[0, 1])
        foretold.append(1 - found.facts[0]["stability"])
    assert 0.5 < np.mean(foretold) / np.mean(errors) < 2


def test_a_narrow_kernel_is_more_local(perceptron, explain):
    x = np.linspace(-1, 2, 6, dtype=np.float32)
    local, broad = (
        explain("lime", perceptron, x, samples=4000, stop=0.0, kernel_width=width, penalty=1e-6)
        for width in (0.05, 100.0)
    )
    score = perceptron.score(x[None], (perceptron.target(0),))[0, 0]
    off_by = [abs(item.base_values[0] + item.weights[0].sum() - score) for item in (local, broad)]
    assert off_by[0] < 0.5 * off_by[1]


def test_a_score_that_never_changes_is_reported(linear, explain):
    with pytest.raises(ItemError, match="whatever is changed"):
        explain("lime", linear(np.zeros((3, 1))), np.ones(3, np.float32), samples=300)


@pytest.mark.parametrize("settings", [{"samples": 0}, {"kernel_width": 0.0}, {"penalty": -1.0}, {"stop": 1.0}])
def test_senseless_settings_are_refused(linear, explain, settings):
    with pytest.raises(UsageError, match="expected"):
        explain("lime", linear(np.ones((3, 1))), np.ones(3, np.float32), **settings)
