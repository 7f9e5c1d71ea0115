"""Permutation importance: how much the model's answers, and its errors, change when a feature is shuffled.

The arrays of such a summary are (F, repeats) float64 each: `change`, the mean size of the change of the score, and
where the right answers are known what is lost: `loss` and, for classes, `accuracy`.
"""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from agnostic.engine.target import Floats
from agnostic.methods.registry import check_positive
from agnostic.summary.columns import Columns, Swap
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
    count, features = len(columns), len(columns.identities)
    before = np.concatenate([scores for _, _, scores in columns.scores(everything, count, _untouched)])
    after = np.empty((features * repeats * count, len(everything)))
    # One order for each feature and repeat, so that a batch may ask for any part of them.
    orders = [_order(data.seed, feature, repeat, count) for feature in range(features) for repeat in range(repeats)]

    def swaps(start: int, stop: int) -> Swap:
        turn, row = np.divmod(np.arange(start, stop), count)
        donors = np.array([orders[at][place] for at, place in zip(turn, row, strict=True)], np.intp)
        return Swap(row, turn // repeats, donors)

    how = {"batch_size": data.batch_size, "progress": data.progress}
    for start, stop, scores in columns.scores(everything, len(after), swaps, **how):  # type: ignore[arg-type]
        after[start:stop] = scores
    moved = after.reshape(features, repeats, count, -1)
    judged = _judged(judge, before[:, len(targets) :], moved[..., len(targets) :])
    return [
        Summary(
            "importance",
            "permutation_importance",
            target.name,
            columns.identities,
            {"change": np.abs(moved[..., at] - before[:, at]).mean(axis=2), **judged.arrays},
            {**(data.meta or {}), "settings": {"repeats": repeats}, "rows": count, **judged.facts},
        )
        for at, target in enumerate(targets)
    ]


def _untouched(start: int, stop: int) -> Swap:
    rows = np.arange(start, stop)
    return Swap(rows, np.zeros_like(rows), rows)


def _order(seed: int, feature: int, repeat: int, count: int) -> npt.NDArray[np.intp]:
    return np.random.default_rng((seed, feature, repeat)).permutation(count)


class _Judged:
    """What was lost by shuffling, (F, repeats) by measure, and the measures of the untouched rows."""

    def __init__(self, arrays: Mapping[str, Floats], facts: Mapping[str, float]) -> None:
        self.arrays, self.facts = arrays, facts


def _judged(judge: Judge | None, before: Floats, moved: Floats) -> _Judged:
    if judge is None:
        return _Judged({}, {})
    own = judge.measure(before)
    lost: dict[str, Floats] = {}
    for name, sign in (("loss", 1), ("accuracy", -1)):
        if name in own:
            each = [[judge.measure(scores)[name] for scores in repeats] for repeats in moved]
            lost[name] = sign * (np.array(each) - own[name])
    return _Judged(lost, own)


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


__all__ = ["Columns", "permutation_importance", "rows"]
