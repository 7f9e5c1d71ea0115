from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from agnostic.blocks import as_sample, attribute, layer_maps, trust
from agnostic.blocks.badges import correlation, judged, overlap, spearman
from agnostic.blocks.groups import groups
from agnostic.blocks.maps import held
from agnostic.blocks.probes import _curve
from agnostic.errors import UsageError


def test_ranks_correlate_as_in_scipy(rng):
    for _ in range(5):
        one, other = rng.integers(0, 6, 30).astype(float), rng.integers(0, 6, 30).astype(float)
        assert spearman(one, other) == pytest.approx(stats.spearmanr(one, other).statistic)
        assert correlation(one, other) == pytest.approx(stats.pearsonr(one, other).statistic)
    assert np.isnan(spearman(np.ones(4), np.arange(4.0))) and np.isnan(correlation(np.ones(4), np.arange(4.0)))


def test_the_overlap_counts_shared_leaders_by_size():
    assert overlap(np.array([5, -4, 1, 0.0]), np.array([0, 9, 2, 1.0]), 2) == 1


@pytest.mark.parametrize(
    ("value", "bounds", "level"),
    [
        (0.95, (0.9, 0.5), "good"),
        (0.7, (0.9, 0.5), "fair"),
        (0.1, (0.9, 0.5), "poor"),
        (1e-5, (1e-4, 1e-2), "good"),
        (1e-3, (1e-4, 1e-2), "fair"),
        (1.0, (1e-4, 1e-2), "poor"),
        (float("nan"), (0.9, 0.5), "poor"),
    ],
)
def test_bounds_may_run_either_way(value, bounds, level):
    badge = judged("b", value, bounds, ("good it is", "fair it is", "poor it is"))
    assert (badge.level, badge.sentence) == (level, f"{level} it is")


def test_completeness_judges_the_sum(smooth, on_smooth):
    (found,) = attribute(smooth, on_smooth, "early", [0])
    badge = trust.completeness(found)
    assert badge.level == "good" and badge.value == pytest.approx(1, abs=0.01) and badge.text == f"{badge.value:.3f}"
    assert trust.completeness(replace(found, values=found.values * 1.5)).level == "poor"
    assert trust.completeness(replace(found, base=found.score)).level == "poor"


def test_the_tail_is_replayed(squeezenet_model, cat):
    badge = trust.parity(squeezenet_model, cat, "fire6/concat")
    assert badge.level == "good" and set(badge.facts) == {"reimport", "replay"}
    assert badge.value == max(badge.facts.values()) < 1e-4


def test_a_tail_that_answers_otherwise_is_noticed(squeezenet_model, cat, monkeypatch):
    whole = squeezenet_model.run_from
    monkeypatch.setattr(
        squeezenet_model, "run_from", lambda *a, **k: {key: value + 1 for key, value in whole(*a, **k).items()}
    )
    badge = trust.parity(squeezenet_model, cat, "fire6/concat")
    assert badge.level == "poor" and badge.facts["replay"] > 0.01 > badge.facts["reimport"]


def test_on_a_linear_tail_no_path_matters(smooth, on_smooth):
    badge = trust.path_dependence(smooth, on_smooth, "late", 0, k=3)
    assert badge.value == pytest.approx(1) and badge.level == "good"
    assert badge.facts["shared"] == 3 and badge.facts["spread"] < 1e-4 and badge.facts["curved"] == pytest.approx(1)


def test_curved_paths_are_complete_and_differ(smooth, on_smooth):
    (straight,) = attribute(smooth, on_smooth, "early", [1])
    found = trust.curved(smooth, on_smooth, "early", 1, paths=3, steps=64)
    np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), straight.score - straight.base, rtol=1e-2)
    units = found.sum(axis=(2, 3))
    assert np.abs(units[0] - units[1]).max() > 1e-3
    again = trust.curved(smooth, on_smooth, "early", 1, paths=1, steps=64)
    np.testing.assert_array_equal(again[0], found[0])


def test_early_layers_depend_more_on_the_path(squeezenet_model, cat):
    early, late = (
        trust.path_dependence(squeezenet_model, cat, layer, "coffee mug", steps=6)
        for layer in ("pool5", "fire9/concat")
    )
    assert early.facts["spread"] > late.facts["spread"] and early.value < late.value


def test_units_taken_out_of_a_linear_tail_cost_what_was_said(smooth, on_smooth):
    (found,) = attribute(smooth, on_smooth, "late", [0], how="linear")
    badge = trust.ablation(smooth, on_smooth, found, 0)
    assert badge.level == "good" and badge.facts["ranks"] == pytest.approx(1)
    assert badge.facts["measured"] == pytest.approx(badge.facts["predicted"], rel=1e-4)
    wrong = replace(found, values=-found.values)
    assert trust.ablation(smooth, on_smooth, wrong, 0).level == "poor"


def test_a_unit_is_taken_out_at_all_places_and_the_class_token_stays(tokens):
    sample = as_sample(tokens, np.random.default_rng(0).normal(size=(1, 3, 4, 6)).astype(np.float32))
    (found,) = attribute(tokens, sample, "tokens", [0])
    badge = trust.ablation(tokens, sample, found, 0, k=4)
    stored = tokens.activations(sample.arrays, "tokens").copy()
    full = tokens.run(sample.arrays)["scores"][0, 0]
    stored[:, 1:] = 0
    gone = tokens.run_from("tokens", stored, sample.arrays)["scores"][0, 0]
    assert badge.facts["measured"] == pytest.approx(full - gone, rel=1e-4)


def test_unlearning_changes_what_depends_on_learning(squeezenet_model, cat):
    badge = trust.randomisation(squeezenet_model, cat, "fire8/concat", "Egyptian cat", how="linear", stages=2)
    assert badge.level == "good" and set(badge.facts) == {"1 unlearned", "4 unlearned"}
    with pytest.raises(UsageError, match="no weights lie behind 'conv10'"):
        trust.randomisation(squeezenet_model, cat, "conv10", "Egyptian cat")


def test_groups_are_judged(smooth, on_smooth):
    found = groups(smooth, on_smooth, "late", 5)
    assert trust.fidelity(found).level == "good" and trust.fidelity(found).value == found.explained
    assert trust.fidelity(replace(found, explained=0.2)).level == "poor"
    assert trust.stability(replace(found, stability=0.95)).level == "good"
    assert trust.stability(replace(found, stability=0.2)).text == "0.20"


def test_consistency_is_the_entropy_of_labels():
    same = trust.unit_consistency(["cat"] * 8)
    assert (same.value, same.facts["entropy"], same.level) == (1, 0, "good")
    mixed = trust.unit_consistency(["cat", "cat", "dog", "cup"])
    expected = stats.entropy([2, 1, 1]) / np.log(4)
    assert mixed.facts["entropy"] == pytest.approx(expected) and mixed.value == 0.5 and mixed.level == "fair"
    assert trust.unit_consistency([*range(9)]).level == "poor"


def test_an_icon_is_compared_with_real_pictures():
    badge = trust.robust_activation([4, 6], [1, 2, 4, 10])
    assert (badge.value, badge.facts["percentile"], badge.level) == (0.5, 0.75, "fair")
    assert trust.robust_activation([20], [1, 2]).level == "good"
    assert trust.robust_activation([1], [-2, 0]).level == "poor"


def test_an_icon_that_goes_the_natural_way_scores_one_and_a_random_one_zero(rng):
    kind = rng.normal(size=(2, 200))
    examples = [row + rng.normal(0, 0.3, (6, 200)) for row in kind]
    others = [rng.normal(size=(6, 200)) for _ in kind]
    natural = trust.natural_path([row + rng.normal(0, 0.3, 200) for row in kind], examples, others)
    assert natural.value == pytest.approx(1, abs=0.1) and natural.level == "good" and len(natural.facts) == 2
    strange = trust.natural_path([rng.normal(size=200) for _ in kind], examples, others)
    assert strange.value == pytest.approx(0, abs=0.15) and strange.level == "poor"


def test_errors(smooth, on_smooth):
    with pytest.raises(UsageError, match="expected 2 or more"):
        trust.unit_consistency(["cat"])
    with pytest.raises(UsageError, match="no activations of the icon"):
        trust.robust_activation([], [1])
    with pytest.raises(UsageError, match="1, 2 and 1 layers"):
        trust.natural_path([np.ones(3)], [np.ones((2, 3))] * 2, [np.ones((2, 3))])
    with pytest.raises(UsageError, match="2 or more, C"):
        trust.natural_path([np.ones(3)], [np.ones((1, 3))], [np.ones((2, 3))])
    with pytest.raises(UsageError, match="paths=1"):
        trust.path_dependence(smooth, on_smooth, "late", 0, paths=1)
    (found,) = attribute(smooth, on_smooth, "late", [0], how="linear")
    with pytest.raises(UsageError, match="ranks need 2"):
        trust.ablation(smooth, on_smooth, found, 0, k=1)
    assert layer_maps(smooth, on_smooth, "late").shape == found.values.shape


def test_every_entry_goes_all_the_way_tokens_without_a_place_included(tokens):
    sample = as_sample(tokens, np.random.default_rng(0).normal(size=(1, 3, 4, 6)).astype(np.float32))
    middles, steps = _curve(held(tokens, sample, "tokens"), np.random.default_rng(1), np.linspace(0, 1, 9))
    np.testing.assert_allclose(steps.sum(axis=0), np.ones((7, 4)), rtol=1e-12)
    assert np.ptp(middles[3]) > 0.05 and (np.diff(middles, axis=0) > 0).all()
