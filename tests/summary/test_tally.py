from dataclasses import replace

import numpy as np
import pytest

import agnostic
from agnostic.errors import UsageError
from agnostic.explanation import Explanation
from agnostic.inputs.features import NumericFeatures
from agnostic.inputs.sample import Sample
from agnostic.summary.tally import Tally, average, numbers_of, on_presence


def words(names):
    """A sample whose features are words, as far as a tally sees."""
    x = np.zeros((1, len(names)), np.float32)
    labels = np.arange(len(names), dtype=np.int32)
    features = NumericFeatures(
        source="x", x=x, fill=x, labels=labels, view=lambda out: out, names=tuple(names), identities=tuple(names)
    )
    return Sample({"x": x}, "x", features, " ".join(names), shown={"numbers": [None] * len(names)})


def found(weights, score=0.0):
    weights = np.asarray(weights, np.float32)
    return Explanation(weights, 0.0, "good", "lime", {"score": score}, weights=weights)


@pytest.fixture
def reviews():
    tally = Tally()
    tally.add(found([1.0, 3.0], 4.0), words(["a", "good"]))
    tally.add(found([-2.0, 1.0, 0.5], -1.0), words(["bad", "good", "bad"]))
    tally.add(found([0.8, -0.5], 0.0), words(["a", "bad"]))
    return tally.summary("lime", "good", {"model": "m"})


def test_weights_are_averaged_over_the_samples_in_which_a_word_occurs(reviews):
    rows = {row["feature"]: row for row in reviews.rows()}
    assert rows["good"] == {"feature": "good", "samples": 2, "size": 2.0, "weight": 2.0, "for": 2.0, "against": 0.0}
    # The second review says it twice: -2 + 0.5 there, -0.5 in the third.
    assert rows["bad"]["samples"] == 2
    assert rows["bad"]["weight"] == pytest.approx(-1.0)
    assert average(reviews) == pytest.approx({"good": 2.0, "bad": -1.0, "a": 0.9})


def test_what_matters_to_the_data_set_comes_first(reviews):
    assert [row["feature"] for row in reviews.rows()] == ["good", "bad", "a"]


def test_positive_and_negative_are_told_apart():
    tally = Tally()
    for weight in (2.0, -1.0, -1.0, 0.0):
        tally.add(found([weight]), words(["odd"]))
    (row,) = tally.summary("normlime", "good", {}).rows()
    assert row == {"feature": "odd", "samples": 4, "size": 1.0, "weight": 0.0, "for": 0.5, "against": 0.5}


def test_the_regression_on_presence_is_the_normal_equations(reviews):
    present = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0]], float)  # a, bad, good
    score = np.array([4.0, -1.0, 0.0])
    x, y = present - present.mean(axis=0), score - score.mean()
    slopes = np.linalg.solve(x.T @ x + np.eye(3), x.T @ y)
    assert on_presence(reviews) == pytest.approx(dict(zip(["a", "bad", "good"], slopes, strict=True)))


def test_where_all_features_always_occur_there_is_nothing_to_regress_on(summary):
    assert on_presence(summary) == {}


def test_shapley_values_of_an_additive_model_are_its_terms(summary, table):
    weight = summary.arrays["weight"].reshape(60, 3)
    np.testing.assert_allclose(
        weight, np.column_stack([2 * table[:, 0], -(table[:, 1] ** 2), 0 * table[:, 0]]), atol=1e-4
    )
    np.testing.assert_allclose(summary.arrays["value"].reshape(60, 3), table)
    rows = {row["feature"]: row for row in summary.rows()}
    assert rows["feature 0"]["size"] == pytest.approx(np.abs(2 * table[:, 0]).mean(), rel=1e-4)
    assert rows["feature 1"]["for"] == pytest.approx(0, abs=1e-5)
    assert rows["feature 1"]["against"] == pytest.approx((table[:, 1] ** 2).mean(), rel=1e-4)


def test_a_method_that_scores_positions_is_summed_over_features(additive, table):
    by_windows = agnostic.summarize(additive, table[:4], "occlusion", 0, by="windows").summaries[0]
    np.testing.assert_allclose(by_windows.arrays["weight"].reshape(4, 3)[:, 0], 2 * table[:4, 0], atol=1e-4)


def test_normlime_over_a_data_set_is_the_papers_mean(additive, table):
    one = agnostic.summarize(additive, table[:8], "normlime", 0, samples=200).summaries[0]
    plain = agnostic.summarize(additive, table[:8], "lime", 0, samples=200).summaries[0]
    w = plain.arrays["weight"].reshape(8, 3).astype(np.float64)
    published = (w**2 / np.abs(w).sum(axis=1, keepdims=True)).mean(axis=0)
    sizes = {row["feature"]: row["size"] for row in one.rows()}
    np.testing.assert_allclose([sizes[f"feature {i}"] for i in range(3)], published, rtol=1e-3, atol=1e-6)


def test_numbers_are_what_is_shown_or_what_the_array_holds(named, additive, table):
    (sample,) = named(additive, table[:1])
    np.testing.assert_allclose(numbers_of(sample), table[0])
    np.testing.assert_allclose(numbers_of(replace(sample, shown={})), table[0])
    assert np.isnan(numbers_of(words(["a", "b"]))).all()


def test_pieces_without_names_are_refused():
    sample = words(["a"])
    sample = replace(sample, features=replace(sample.features, identities=None))
    with pytest.raises(UsageError, match="give --clusters N"):
        Tally().add(found([1.0]), sample)
