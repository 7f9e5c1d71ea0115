"""Forgetting, TIDY, AUM, maps and confident learning on histories written by hand, and beside slow second versions."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from agnostic.errors import InputError, UsageError
from agnostic.training import aum, confident, forgetting, tidy
from agnostic.training.callbacks import TorchCallback
from agnostic.training.checkpoints import record_checkpoints
from agnostic.training.data import arrays
from agnostic.training.dynamics import REGIONS, Dynamics, measure
from agnostic.training.ranking import Ranking, combined, found
from agnostic.training.recorder import Recorder
from agnostic.training.run import Run, open_run

Write = Callable[..., Run]
# Epochs by samples, all labelled 0: always right, forgotten twice, learned late, never, skipped twice, never seen.
HISTORY = [
    [0, 0, 1, 1, 0, -1],
    [0, 1, 2, 1, -1, -1],
    [0, 0, 1, 2, 1, -1],
    [0, 2, 1, 1, -1, -1],
    [0, 0, 0, 1, 0, -1],
]


@pytest.fixture
def history(written: Write) -> Dynamics:
    return measure(written(HISTORY, [0] * 6))


def test_counts_of_a_known_history(history: Dynamics) -> None:
    assert history.seen.tolist() == [5, 5, 5, 5, 3, 0]
    assert history.right.tolist() == [5, 3, 1, 0, 2, 0]
    assert history.forgotten.tolist() == [0, 2, 0, 0, 1, -1]
    assert history.first_right.tolist() == [0, 0, 4, -1, 0, -1]
    assert history.learned.tolist() == [0, 4, 4, -1, 4, -1]
    assert history.predicted.tolist() == [0, 0, 0, 1, 0, -1]
    np.testing.assert_array_equal(history.mean_epoch, [2, 2, 4, np.nan, 2, np.nan])
    np.testing.assert_array_equal(history.margin, [2, 0.4, -1.2, -2, 2 / 3, np.nan])
    right, wrong = np.exp(2) / (np.exp(2) + 2), 1 / (np.exp(2) + 2)
    np.testing.assert_allclose(
        history.confidence[:4], [right, (3 * right + 2 * wrong) / 5, (right + 4 * wrong) / 5, wrong]
    )
    assert np.isnan(history.confidence[5]) and history.labels[5] == -1
    np.testing.assert_allclose(history.variability[1], np.std([right, wrong, right, wrong, right]), rtol=1e-6)


def test_never_learned_samples_come_first_and_unseen_ones_nowhere(history: Dynamics) -> None:
    for ranking in (forgetting.forgetting(history), tidy.tidy(history), aum.aum(history)):
        assert ranking.order[0] == 3
        assert sorted(ranking.order) == [0, 1, 2, 3, 4]
        assert np.isnan(ranking.score[5]) and ranking.ranks()[5] == -1 and not ranking.flagged[5]
    assert forgetting.forgetting(history).order.tolist() == [3, 1, 4, 2, 0]
    assert tidy.tidy(history).order.tolist()[:2] == [3, 2]


def test_tidy_flags_what_is_far_above_the_mean(written: Write) -> None:
    predicted = np.zeros((8, 200), int)
    predicted[:7, 17] = 1
    ranking = tidy.tidy(measure(written(predicted, [0] * 200)))
    # 199 samples at 3.5 and one at 7: mean + 5 deviations lies at 4.75.
    scores = np.r_[[3.5] * 199, 7]
    assert ranking.threshold == pytest.approx(scores.mean() + 5 * scores.std())
    assert np.flatnonzero(ranking.flagged).tolist() == [17]
    with pytest.raises(UsageError, match="deviations=0"):
        tidy.tidy(measure(written(predicted, [0] * 200)), deviations=0)


def test_random_histories_agree_with_a_loop_in_plain_python(tmp_path: Path, rng: np.random.Generator) -> None:
    count, classes, epochs = 60, 4, 9
    labels, logits = rng.integers(0, classes, count), rng.normal(size=(epochs, count, classes))
    with Recorder(tmp_path / "run", count, classes) as recorder:
        for scores in logits:
            recorder.epoch(np.arange(count), scores, labels)
    run = open_run(tmp_path / "run")
    dynamics = measure(run)
    for sample in range(count):
        events, before, margins = 0, False, []
        for epoch in range(epochs):
            scores = logits[epoch, sample]
            now = scores.argmax() == labels[sample]
            events += before and not now
            before = now
            margins.append(scores[labels[sample]] - max(np.delete(scores, labels[sample])))
        assert dynamics.forgotten[sample] == events
        assert dynamics.margin[sample] == pytest.approx(np.mean(margins), abs=3e-3)
    chances = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    means = chances.mean(axis=0)
    rivals = np.where(np.eye(classes, dtype=bool)[labels], 0, means).max(axis=1)
    np.testing.assert_allclose(dynamics.rival_confidence, rivals, atol=1e-3)
    # Samples in blocks of any size give the same.
    parts = [block.margins() for block in run.blocks(most=7 * epochs * classes)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), next(run.blocks()).margins())


def test_confident_learning_counts_as_the_paper_does(tmp_path: Path) -> None:
    chances = np.array([[0.9, 0.1], [0.8, 0.2], [0.2, 0.8], [0.1, 0.9], [0.3, 0.7], [0.55, 0.45]])
    labels = np.array([0, 0, 0, 1, 1, 1])
    with Recorder(tmp_path / "run", 6, 2) as recorder:
        recorder.epoch(np.arange(6), np.log(chances), labels)
    run = open_run(tmp_path / "run")
    dynamics = measure(run)
    # Means of the labels' own: (.9 + .8 + .2) / 3 = .633 and (.9 + .7 + .45) / 3 = .683.
    np.testing.assert_allclose(confident.thresholds(dynamics, 2), [1.9 / 3, 2.05 / 3], atol=1e-3)
    ranking = confident.confident(dynamics, run)
    assert ranking.columns["counted_in"].tolist() == [0, 0, 1, 1, 1, -1]
    assert np.flatnonzero(ranking.flagged).tolist() == [2]
    assert ranking.order.tolist()[:2] == [2, 5]
    np.testing.assert_allclose(ranking.score[2], 0.6, atol=1e-3)


def test_aum_learns_its_threshold_from_samples_of_no_class(written: Write) -> None:
    labels = np.repeat([0, 1, 2], 20)
    chosen = aum.threshold_samples(labels, 3, seed=4)
    other = aum.threshold_samples(labels, 3, seed=4, part=1)
    assert len(chosen.ids) == 15 and not set(chosen.ids) & set(other.ids)
    assert (chosen.labels[chosen.ids] == 3).all() and (
        np.delete(chosen.labels, chosen.ids) == np.delete(labels, chosen.ids)
    ).all()
    predicted = chosen.labels.copy()
    predicted[chosen.ids] = 0
    wrong = int(np.setdiff1d(np.flatnonzero(labels == 2), chosen.ids)[0])
    predicted[wrong] = 1
    ranking = aum.aum(measure(written([predicted], chosen.labels, 4)), threshold_ids=chosen.ids)
    assert ranking.threshold == pytest.approx(2)
    assert np.flatnonzero(ranking.flagged).size == 0  # its margin is that of the threshold samples, and not below
    assert ranking.order[0] == wrong and len(ranking.order) == 45
    with pytest.raises(UsageError, match="no such part"):
        aum.threshold_samples(labels, 3, part=4)
    with pytest.raises(InputError, match="threshold samples"):
        aum.aum(measure(written([predicted], chosen.labels, 4, name="again")), threshold_ids=[99])


def test_regions_of_the_map_are_thirds(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", 9, 2) as recorder:
        for epoch in range(4):
            scores = np.r_[[4.0] * 3, [-4.0] * 3, [4.0 if epoch % 2 else -4.0] * 3]
            recorder.epoch(np.arange(9), scores, [1] * 9)
    found_there = [REGIONS[number] for number in measure(open_run(tmp_path / "run")).region]
    assert found_there == ["easy"] * 3 + ["hard"] * 3 + ["ambiguous"] * 3


def test_average_precision_is_that_of_scikit_learn(rng: np.random.Generator) -> None:
    score, known = rng.normal(size=100), np.sort(rng.permutation(100)[:13])
    ranking = Ranking("any", score, np.argsort(-score), score > 1)
    result = found(ranking, known)
    mask = np.isin(np.arange(100), known)
    assert result.average_precision == pytest.approx(average_precision_score(mask, score))
    assert result.precision == pytest.approx((mask & (score > 1)).sum() / (score > 1).sum())
    assert result.recall == pytest.approx((mask & (score > 1)).sum() / 13)
    assert result.at_known == pytest.approx(mask[np.argsort(-score)[:13]].mean())
    for bad in ([100], [-1], [3, 3], [], [0.5]):
        with pytest.raises(InputError, match="known"):
            found(ranking, bad)


def test_combined_is_the_mean_place(history: Dynamics) -> None:
    singles = [tidy.tidy(history), aum.aum(history), forgetting.forgetting(history)]
    ranking = combined(singles)
    places = np.mean([item.ranks()[:5] for item in singles], axis=0)
    assert ranking.order.tolist() == np.argsort(places, kind="stable").tolist()
    with pytest.raises(UsageError, match="two or more rankings"):
        combined(singles[:1])


def test_wrong_labels_of_real_digits_are_found_and_checkpoints_tell_the_same(
    cnn: SimpleNamespace, tmp_path: Path
) -> None:
    """A scaled-down `make training-experiment`: 1,200 digits, 5 % with a wrong label, 12 epochs.

    With a quarter of the digits the network is wrong more often by itself; all 5,000 reach 0.98.
    """
    data = cnn.digits(1200, wrong=0.05, seed=0)
    x, net = cnn.inputs_of(data.pictures), cnn.network((8, 16), 32)
    files = []
    with Recorder(tmp_path / "run", len(x), cnn.CLASSES) as recorder:
        after = TorchCallback(recorder, net, torch.from_numpy(x), data.labels)
        for epoch in cnn.trained(net, x, data.labels, epochs=12, rate=3e-3):
            after()
            files.append(tmp_path / f"{epoch}.onnx")
            files[-1].write_bytes(cnn.to_onnx(net).SerializeToString())
    run = open_run(tmp_path / "run")
    dynamics = measure(run)
    rankings = [
        tidy.tidy(dynamics),
        aum.aum(dynamics),
        confident.confident(dynamics, run),
        forgetting.forgetting(dynamics),
    ]
    scores = {item.name: found(item, data.flipped).average_precision for item in rankings}
    shuffled = np.random.default_rng(0).permutation(1200)
    by_chance = found(Ranking("random", np.zeros(1200), shuffled, np.zeros(1200, bool)), data.flipped).average_precision
    assert max(scores.values()) >= 0.88 and min(scores.values()) > 5 * by_chance, scores
    # Easy and wrong samples lie apart in TIDY's two features.
    wrong = np.isin(np.arange(1200), data.flipped)
    late = np.where(np.isnan(dynamics.mean_epoch), run.epochs, dynamics.mean_epoch)
    assert np.median(dynamics.share_right[~wrong]) > 0.9 > 0.6 > np.median(dynamics.share_right[wrong])
    assert np.median(late[wrong]) > np.median(late[~wrong]) + 2

    again = measure(record_checkpoints(files, arrays(data.pictures, data.labels), tmp_path / "again"))
    for name in ("right", "forgotten", "first_right", "learned", "predicted"):
        np.testing.assert_array_equal(getattr(again, name), getattr(dynamics, name))
    np.testing.assert_allclose(again.margin, dynamics.margin, atol=2e-3)
