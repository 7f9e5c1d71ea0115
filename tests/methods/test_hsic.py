import numpy as np
import pytest

from agnostic.errors import UsageError


def by_definition(drawn, scores, width):
    """Trace of the centred kernel matrices, from their definition."""
    n = len(scores)
    centre = np.eye(n) - 1 / n
    output = np.exp(-((scores[:, None] - scores[None]) ** 2) / 2 / width**2)
    return np.array([np.trace((on[:, None] == on[None]) @ centre @ output @ centre) / (n - 1) ** 2 for on in drawn.T])


def test_the_criterion_is_its_definition(perceptron, explain):
    x = np.linspace(-1, 2, 6, dtype=np.float32)
    found = explain("hsic", perceptron, x, (0, 1), masks=600)
    drawn = np.random.default_rng(0).integers(0, 2, (600, 6), dtype=np.bool_)
    scores = perceptron.score((drawn * x).astype(np.float32), tuple(map(perceptron.target, (0, 1))))
    for at in (0, 1):
        distances = np.abs(scores[:, at, None] - scores[None, :, at])
        upper = distances[np.triu_indices(600, 1)]
        width = np.median(upper[upper > 0])
        np.testing.assert_allclose(found.weights[at], by_definition(drawn, scores[:, at], width), rtol=1e-4)


def test_a_score_of_one_feature_depends_on_it_alone(linear, explain):
    found = explain("hsic", linear([[3.0], [0.0], [0.0]]), np.ones(3, np.float32), masks=4000)
    # Two scores one width apart: (1 - e^-1/2) / 4.
    assert found.weights[0, 0] == pytest.approx((1 - np.exp(-0.5)) / 4, rel=0.02)
    assert found.weights[0, 1:].max() < 1e-3
    assert found.facts[0] == {"by": "features", "masks": 4000}


def test_an_offset_or_another_unit_of_the_score_changes_nothing(linear, explain):
    coefficients = np.array([[2.0, 200.0], [-1.0, -100.0], [0.5, 50.0]])
    found = explain("hsic", linear(coefficients), np.ones(3, np.float32), (0, 1), masks=300)
    np.testing.assert_allclose(found.weights[0], found.weights[1], rtol=1e-4)


def test_what_only_counts_together_is_seen_by_sobol_alone(opened, explain):
    """A score that is 1 where one feature or another one is on, but not both, and depends on neither alone."""
    model = opened(
        "g (float[n,3] x) => (float[n,1] y) "
        "{ a, b, c = Split <axis = 1> (x)  s = Sub(a, b)  q = Mul(s, s)  y = Sub(q, c) }"
    )
    found = explain("hsic", model, np.ones(3, np.float32), masks=4000)
    assert found.weights[0, 2] > 10 * found.weights[0, :2].max()
    sobol = explain("sobol", model, np.ones(3, np.float32), designs=4096)
    np.testing.assert_allclose(sobol.weights[0], [0.5, 0.5, 0.5], atol=0.04)


def test_the_patch_is_found(two_patches, explain, patches_picture):
    first, second = explain("hsic", two_patches, patches_picture, (0, 1), fill="black", masks=600).values
    assert 4 <= first.argmax() // 32 < 12
    assert 4 <= first.argmax() % 32 < 12
    assert second[20:28, 20:28].mean() > 3 * second.mean()


@pytest.mark.parametrize("settings", [{"masks": 0}, {"masks": 1}, {"cells": -1}])
def test_senseless_settings_are_refused(linear, explain, settings):
    with pytest.raises(UsageError, match="expected"):
        explain("hsic", linear(np.ones((3, 1))), np.ones(3, np.float32), **settings)
