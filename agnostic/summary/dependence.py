"""Partial dependence and its single curves: the score as one feature takes one value after another.

The arrays of such a summary: `grid` (F, G) float64, the values along each feature (their numbers from 0 where they are
no numbers), NaN behind the last; `mean` (F, G) float64; `own` (F, n) float64, where each sample lies; and for `ice`
`curves` (F, n, G) float32. The names of values that are no numbers are in the meta, `categories`.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.methods.registry import check_positive
from agnostic.summary.columns import Columns, Indices, Swap
from agnostic.summary.record import Row, Summary
from agnostic.summary.registry import DataSet, global_method

MOST_CATEGORIES = 30


@global_method("pdp", summary="The mean score as one feature takes one value after another: partial dependence.")
def pdp(data: DataSet, *, only: tuple[str, ...] = (), points: int = 20, rows: int = 200) -> list[Summary]:
    """Give every input one feature's values in turn and average the scores (Friedman, Annals of Statistics 2001).

    Values are those that occur, spread evenly over their ranks. Where features go together, the mean is partly over
    inputs that cannot be; and a flat mean may hide curves that rise and fall, which `ice` shows.

    Args:
        data: the question.
        only: the features, by name; all by default.
        points: how many values of a feature of numbers at most.
        rows: how many inputs at most, drawn at random.
    """
    return [_dropped(item) for item in _dependence(data, "pdp", only, points, rows, False)]


@global_method("ice", summary="The score of every input as one feature takes one value after another.")
def ice(
    data: DataSet, *, only: tuple[str, ...] = (), points: int = 20, rows: int = 200, centred: bool = False
) -> list[Summary]:
    """Give every input one feature's values in turn, and keep each curve (Goldstein et al., JCGS 2015).

    Where the curves are not parallel, what the feature does depends on the others.

    Args:
        data: the question.
        only: the features, by name; all by default.
        points: how many values of a feature of numbers at most.
        rows: how many inputs at most, drawn at random.
        centred: let every curve start at zero, so that only its course is seen.
    """
    return _dependence(data, "ice", only, points, rows, centred)


class _Axis(NamedTuple):
    """The values that one feature takes: the rows that have them, how they are drawn, and their names if no numbers."""

    donors: Indices
    grid: Floats
    own: Floats
    categories: list[str] | None


def _dependence(
    data: DataSet, name: str, only: tuple[str, ...], points: int, rows: int, centred: bool
) -> list[Summary]:
    check_positive(points=points - 1, rows=rows)
    columns = data.columns
    features = [columns.at(item) for item in only] or list(range(len(columns.identities)))
    chosen = np.sort(np.random.default_rng(data.seed).permutation(len(columns))[:rows])
    axes = [_axis(columns, feature, points) for feature in features]
    moved = _moved(data, features, axes, chosen)
    longest = max(len(axis.donors) for axis in axes)
    settings = {"only": list(only), "points": points, "rows": rows} | ({"centred": centred} if name == "ice" else {})
    identities = tuple(columns.identities[feature] for feature in features)
    named = {key: axis.categories for key, axis in zip(identities, axes, strict=True) if axis.categories is not None}
    meta = {**(data.meta or {}), "settings": settings, "rows": len(chosen), "categories": named}
    grid = np.stack([_padded(axis.grid, longest) for axis in axes])
    own = np.stack([axis.own[chosen] for axis in axes])
    found = []
    for at, target in enumerate(data.targets):
        curves = _curves([scores[..., at] for scores in moved], longest, centred)
        arrays = {"grid": grid, "mean": curves.astype(np.float64).mean(axis=1), "own": own, "curves": curves}
        found.append(Summary("dependence", name, target.name, identities, arrays, meta))
    return found


def _curves(moved: list[Floats], longest: int, centred: bool) -> npt.NDArray[np.float32]:
    """Put curves of several lengths together, NaN behind the last value: (F, n, longest)."""
    curves = np.full((len(moved), len(moved[0]), longest), np.nan, np.float32)
    for place, scores in enumerate(moved):
        curves[place, :, : scores.shape[1]] = scores - scores[:, :1] if centred else scores
    return curves


def _dropped(item: Summary) -> Summary:
    """Leave the single curves out."""
    arrays = {name: value for name, value in item.arrays.items() if name != "curves"}
    return Summary(item.kind, item.method, item.target, item.identities, arrays, item.meta)


def _moved(data: DataSet, features: list[int], axes: list[_Axis], chosen: Indices) -> list[Floats]:
    """Score the chosen rows with each value of each feature: per feature (rows, values, targets)."""
    sizes = [len(chosen) * len(axis.donors) for axis in axes]
    starts = np.concatenate([[0], np.cumsum(sizes)])
    scores = np.empty((starts[-1], len(data.targets)))

    def swaps(start: int, stop: int) -> Swap:
        numbers = np.arange(start, stop)
        place = np.searchsorted(starts, numbers, side="right") - 1
        values = np.array([len(axis.donors) for axis in axes])[place]
        row, step = np.divmod(numbers - starts[place], values)
        donors = np.array([axes[at].donors[item] for at, item in zip(place, step, strict=True)], np.intp)
        return Swap(chosen[row], np.asarray(features)[place], donors)

    count = int(starts[-1])
    for start, stop, found in data.columns.scores(
        data.targets, count, swaps, batch_size=data.batch_size, progress=data.progress
    ):
        scores[start:stop] = found
    parts = np.split(scores, starts[1:-1])
    return [part.reshape(len(chosen), len(axis.donors), -1) for part, axis in zip(parts, axes, strict=True)]


def _axis(columns: Columns, feature: int, points: int) -> _Axis:
    """Choose the values of a feature among those that occur."""
    values = columns.values[:, feature]
    if np.isfinite(values).all():
        grid, donors = np.unique(values, return_index=True)
        if len(grid) > points:
            # Spread over the ranks of all rows, so that where many lie the curve is fine.
            ranked = np.sort(values)[np.linspace(0, len(values) - 1, points).round().astype(int)]
            kept = np.searchsorted(grid, np.unique(ranked))
            grid, donors = grid[kept], donors[kept]
        return _Axis(donors, grid, values, None)
    names, donors, own = np.unique(columns.words[:, feature].astype(str), return_index=True, return_inverse=True)
    if len(names) > MOST_CATEGORIES:
        raise UsageError(
            f"the feature {columns.identities[feature]!r} has {len(names)} values that are no numbers, expected at "
            f"most {MOST_CATEGORIES}; name others with --only"
        )
    return _Axis(donors, np.arange(len(names), dtype=np.float64), own.astype(np.float64), names.tolist())


def _padded(values: Floats, size: int) -> Floats:
    padded: npt.NDArray[np.float64] = np.full(size, np.nan)
    padded[: len(values)] = values
    return padded


def rows(summary: Summary) -> list[Row]:
    """The table: one line per feature and value, features whose mean moves most first (Greenwell et al. 2018)."""
    categories = summary.meta.get("categories", {})
    return [
        {
            "feature": summary.identities[at],
            "value": categories[summary.identities[at]][step] if summary.identities[at] in categories else float(value),
            "score": float(summary.arrays["mean"][at, step]),
        }
        for at in ranked(summary)
        for step, value in enumerate(summary.arrays["grid"][at].astype(np.float64))
        if np.isfinite(value)
    ]


def ranked(summary: Summary) -> list[int]:
    """Order features by how much their mean curve moves, the most first."""
    spread = np.nanstd(summary.arrays["mean"].astype(np.float64), axis=1)
    return [int(at) for at in np.argsort(-spread, kind="stable")]
