import numpy as np
import pytest

import agnostic
from agnostic.errors import InputError, UsageError


def test_the_change_is_that_of_the_formula(additive, table):
    found = agnostic.summarize(additive, table, "permutation_importance", 0, repeats=3, seed=4).summaries[0]
    change = found.arrays["change"]
    assert change.shape == (3, 3)
    for feature, repeat in ((0, 0), (0, 2), (1, 1)):
        order = np.random.default_rng((4, feature, repeat)).permutation(60)
        moved = table[order, feature].astype(np.float64)
        terms = (2 * moved - 2 * table[:, 0], table[:, 1] ** 2 - moved**2)[feature]
        assert change[feature, repeat] == pytest.approx(np.abs(terms).mean(), rel=1e-5)
    np.testing.assert_allclose(change[2], 0, atol=1e-6)


def test_many_shuffles_come_to_the_closed_form(additive, table):
    found = agnostic.summarize(additive, table, "permutation_importance", 0, repeats=200).summaries[0]
    pairs = np.abs(2 * table[:, 0, None] - 2 * table[None, :, 0])
    assert found.arrays["change"][0].mean() == pytest.approx(pairs.mean(), rel=0.03)


def test_the_rise_of_a_squared_error(additive, table):
    truth = 2 * table[:, 0] - table[:, 1] ** 2 + 3
    found = agnostic.summarize(additive, table, "permutation_importance", 0, truth=truth, repeats=100).summaries[0]
    assert found.meta["loss"] == pytest.approx(0, abs=1e-9)
    # Twice the variance of the term that is shuffled.
    assert found.arrays["loss"][0].mean() == pytest.approx(2 * np.var(2 * table[:, 0]), rel=0.05)
    assert "accuracy" not in found.arrays
    assert [row["feature"] for row in found.rows()][:2] == ["feature 0", "feature 1"]


def test_the_fall_of_the_accuracy(linear, rng):
    x = rng.normal(size=(400, 2)).astype(np.float32)
    model = linear([[-3.0, 3.0], [0.0, 0.0]])
    truth = (x[:, 0] > 0).astype(int)
    found = agnostic.summarize(model, x, "permutation_importance", 1, truth=truth).summaries[0]
    assert found.meta["accuracy"] == 1.0
    share = truth.mean()
    # A shuffled answer is right as often as two rows are of one class.
    assert found.arrays["accuracy"][0].mean() == pytest.approx(2 * share * (1 - share), abs=0.03)
    np.testing.assert_allclose(found.arrays["accuracy"][1], 0)


def test_cross_entropy_is_that_of_the_probabilities(linear, rng):
    x = rng.normal(size=(50, 2)).astype(np.float32)
    weights = np.array([[1.0, -1.0, 0.5], [0.3, 0.2, -1.0]])
    truth = rng.integers(0, 3, 50)
    found = agnostic.summarize(linear(weights), x, "permutation_importance", 0, truth=list(map(str, truth))).summaries[
        0
    ]
    scores = x @ weights
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert found.meta["loss"] == pytest.approx(-np.log(p[np.arange(50), truth]).mean(), rel=1e-5)


def test_the_batch_size_changes_nothing(crossed, table):
    one, other = (
        agnostic.summarize(crossed, table, "permutation_importance", 0, batch_size=size).summaries[0]
        for size in (7, 500)
    )
    np.testing.assert_allclose(one.arrays["change"], other.arrays["change"], rtol=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"repeats": 0}, "--repeats 0: expected"),
        ({"truth": [1.0]}, "1 right answers for 60 inputs"),
        ({"truth": ["x"] * 60}, "'x' is no number"),
        ({"truth": "price"}, "unknown column of right answers 'price'"),
        ({"repeat": 3}, "unknown option of permutation_importance 'repeat'"),
        ({"clusters": 3}, "asks about columns; drop --clusters"),
    ],
)
def test_what_makes_no_sense_is_refused(additive, table, options, said):
    with pytest.raises((UsageError, InputError), match=said):
        agnostic.summarize(additive, table, "permutation_importance", 0, **options)


def test_one_input_and_pictures_are_refused(additive, table, squeezenet_model, cat_and_coffee):
    with pytest.raises(UsageError, match="says nothing of others"):
        agnostic.summarize(additive, table[:1], "permutation_importance", 0)
    with pytest.raises(UsageError, match="has no columns that other inputs have too"):
        agnostic.summarize(squeezenet_model, [cat_and_coffee, cat_and_coffee], "permutation_importance")
