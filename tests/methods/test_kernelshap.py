from itertools import combinations
from math import factorial

import numpy as np
import pytest

from agnostic.errors import UsageError


def shapley(score, players):
    """Shapley values by their definition: mean gain over all orders in which players join."""
    values = np.zeros(players)
    for player in range(players):
        others = [other for other in range(players) if other != player]
        for size in range(players):
            share = factorial(size) * factorial(players - size - 1) / factorial(players)
            for group in combinations(others, size):
                values[player] += share * (score({*group, player}) - score(set(group)))
    return values


def test_linear_coefficients_are_recovered(linear, explain):
    coefficients, x = np.array([[2.0, 0.0], [-1.0, 1.0], [0.5, 4.0]]), np.array([1.0, 2.0, -1.0], np.float32)
    found = explain("kernelshap", linear(coefficients), x, (0, 1))
    np.testing.assert_allclose(found.values, (coefficients * x[:, None]).T, atol=1e-6)
    np.testing.assert_allclose(found.base_values, 0.5, atol=1e-6)
    assert found.facts[0] == {"coalitions": 6, "exact": True}


def test_interactions_are_shared_by_the_definition(perceptron, explain):
    x = np.linspace(-1, 2, 6, dtype=np.float32)
    found = explain("kernelshap", perceptron, x, (0, 1))
    for at in (0, 1):

        def score(group, at=at):
            kept = np.array([x[i] if i in group else 0 for i in range(6)], np.float32)
            return perceptron.score(kept[None], (perceptron.target(at),))[0, 0]

        np.testing.assert_allclose(found.values[at], shapley(score, 6), atol=1e-5)


@pytest.mark.parametrize("samples", [1, 4, 20, 40, 100])
def test_the_values_always_add_up(perceptron, explain, samples):
    x = np.linspace(-1, 2, 6, dtype=np.float32)
    found = explain("kernelshap", perceptron, x, (0, 1), samples=samples)
    score = perceptron.score(x[None], tuple(map(perceptron.target, (0, 1))))[0]
    np.testing.assert_allclose(found.weights.sum(axis=1) + found.base_values, score, atol=1e-6 * np.abs(score).max())


def test_a_sample_comes_close_to_all_coalitions(two_patches, explain, patches_picture):
    found = explain("kernelshap", two_patches, patches_picture, fill="black", samples=600)
    x = patches_picture.astype(np.float64) / 255
    cells = x.reshape(8, 4, 8, 4, 3).sum(axis=(1, 3, 4)) / 16
    read = np.zeros((8, 8))
    read[1:3, 1:3] = 1
    # The score is linear in the cells, so even a sample solves it exactly.
    np.testing.assert_allclose(found.weights[0], (cells * read).ravel(), atol=1e-4)


def test_a_single_feature_takes_all(linear, explain):
    np.testing.assert_allclose(explain("kernelshap", linear([[3.0]]), np.ones(1, np.float32)).values, [[3]], atol=1e-6)


def test_no_samples_are_refused(linear, explain):
    with pytest.raises(UsageError, match="samples"):
        explain("kernelshap", linear([[3.0]]), np.ones(1, np.float32), samples=0)


def test_two_features_of_equal_worth_share_alike(linear, explain):
    found = explain("kernelshap", linear([[2.0], [2.0]]), np.ones(2, np.float32))
    np.testing.assert_allclose(found.values, [[2, 2]], rtol=1e-6)
