"""Permutation importance: how much the model's answers, and its errors, change when a feature is shuffled.

The arrays of such a summary are (F, repeats) float64 each: `change`, the mean size of the change of the score, and
where the right answers are known what is lost: `loss` and, for classes, `accuracy`.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from agnostic.engine.target import Floats, Target
from agnostic.methods.registry import check_positive
from agnostic.summary.columns import Swap
from agnostic.summary.judging import Judge, judge_of
from agnostic.summary.record import Row, Summary
from agnostic.summary.registry import DataSet, global_method


@global_method("permutation_importance", summary="How much scores and errors change when a feature is shuffled.")
def permutation_importance(data: DataSet, *, repeats: int = 5) -> list[Summary]:
    """Shuffle one feature at a time among the inputs (Breiman 2001; Fisher, Rudin & Dominici, JMLR 2019).

    Its importance is the mean size of the change of the score; where the right answers are given, also the rise of the
    loss (cross-entropy for classes, squared error for a number) and the fall of the accuracy. A feature that others
    stand in for changes little: the model can read it off them. Shuffled rows may be rows that cannot be.

    Args:
        data: the question.
        repeats: how often each feature is shuffled.
    """
    check_positive(repeats=repeats)
    columns, targets = data.columns, data.targets
    judge = judge_of(columns.model, data.truth)
    everything = (*targets, *(judge.targets if judge else ()))
    before = np.concatenate([scores for _, _, scores in columns.scores(everything, len(columns), _untouched)])
    moved = _moved(data, everything, repeats)
    lost, facts = _lost(judge, before[:, len(targets) :], moved[..., len(targets) :])
    meta = {**(data.meta or {}), "settings": {"repeats": repeats}, "rows": len(columns), **facts}
    changes = [np.abs(moved[..., at] - before[:, at]).mean(axis=2) for at in range(len(targets))]
    return [
        Summary(
            "importance", "permutation_importance", target.name, columns.identities, {"change": change, **lost}, meta
        )
        for target, change in zip(targets, changes, strict=True)
    ]


def _moved(data: DataSet, targets: tuple[Target, ...], repeats: int) -> Floats:
    """Score all rows with each feature shuffled, several times: (F, repeats, n, targets)."""
    columns, count = data.columns, len(data.columns)
    features = len(columns.identities)
    # One order for each feature and repeat, so that a batch may ask for any part of them.
    orders = np.stack(
        [_order(data.seed, feature, repeat, count) for feature in range(features) for repeat in range(repeats)]
    )

    def swaps(start: int, stop: int) -> Swap:
        turn, row = np.divmod(np.arange(start, stop), count)
        return Swap(row, turn // repeats, orders[turn, row])

    scores = np.empty((features * repeats * count, len(targets)))
    for start, stop, found in columns.scores(
        targets, len(scores), swaps, batch_size=data.batch_size, progress=data.progress
    ):
        scores[start:stop] = found
    return scores.reshape(features, repeats, count, -1)


def _untouched(start: int, stop: int) -> Swap:
    rows = np.arange(start, stop)
    return Swap(rows, np.zeros_like(rows), rows)


def _order(seed: int, feature: int, repeat: int, count: int) -> npt.NDArray[np.intp]:
    return np.random.default_rng((seed, feature, repeat)).permutation(count)


def _lost(judge: Judge | None, before: Floats, moved: Floats) -> tuple[dict[str, Floats], Mapping[str, float]]:
    """What shuffling costs, (F, repeats) by measure, and the measures of the untouched rows."""
    if judge is None:
        return {}, {}
    own = judge.measure(before)
    lost: dict[str, Floats] = {}
    for name, sign in (("loss", 1), ("accuracy", -1)):
        if name in own:
            each = [[judge.measure(scores)[name] for scores in repeats] for repeats in moved]
            lost[name] = sign * (np.array(each) - own[name])
    return lost, own


def rows(summary: Summary) -> list[Row]:
    """The table: means over the repeats and their standard deviations, the largest loss or change first."""
    measures = [name for name in ("loss", "accuracy", "change") if name in summary.arrays]
    values = {name: summary.arrays[name].astype(np.float64) for name in measures}
    order = np.argsort(-values[measures[0]].mean(axis=1), kind="stable")
    return [{"feature": summary.identities[at], **_figures(values, at)} for at in order]


def _figures(values: Mapping[str, Floats], at: int) -> Row:
    figures: Row = {}
    steps: dict[str, Callable[[Floats], np.floating]] = {"": np.mean, "_spread": np.std}
    for name, held in values.items():
        figures |= {f"{name}{ending}": float(step(held[at])) for ending, step in steps.items()}
    return figures
