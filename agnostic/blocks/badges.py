"""A badge: how far a picture can be trusted, as a number and one plain sentence. It never hides the picture."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from agnostic.engine.target import Floats

Level = Literal["good", "fair", "poor"]


@dataclass(frozen=True)
class Badge:
    """How far to trust what it stands beside.

    Attributes:
        name: what was checked.
        value: the number; NaN where there is none.
        text: the number as it is shown.
        sentence: what it says, in plain words.
        level: good, fair or poor.
        facts: further numbers by name.
    """

    name: str
    value: float
    text: str
    sentence: str
    level: Level
    facts: Mapping[str, float] = field(default_factory=dict)


def judged(
    name: str,
    value: float,
    bounds: tuple[float, float],
    sentences: tuple[str, str, str],
    *,
    distance: float | None = None,
    text: str = "",
    facts: Mapping[str, float] | None = None,
) -> Badge:
    """Make a badge.

    Args:
        name: what was checked.
        value: the number that is shown.
        bounds: good up to the first, fair up to the second; where the first is the larger, good from the first on and
            fair from the second on.
        sentences: what good, fair and poor mean.
        distance: what is compared with the bounds; the value by default.
        text: how the number is shown; by three digits by default.
        facts: further numbers.
    """
    number = value if distance is None else distance
    sign = 1 if bounds[0] <= bounds[1] else -1
    # NaN is within no bound.
    rank = 0 if sign * number <= sign * bounds[0] else 1 if sign * number <= sign * bounds[1] else 2
    levels: tuple[Level, Level, Level] = ("good", "fair", "poor")
    return Badge(name, float(value), text or f"{value:.3g}", sentences[rank], levels[rank], dict(facts or {}))


def spearman(one: npt.NDArray[np.floating[Any]], other: npt.NDArray[np.floating[Any]]) -> float:
    """Correlate the ranks of two sets of numbers, equal ones sharing theirs; NaN where either is constant.

    >>> spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 8.0, 9.0]))
    1.0
    """
    left, right = (_ranks(numbers) - (numbers.size - 1) / 2 for numbers in (one, other))
    scale = np.sqrt((left**2).sum() * (right**2).sum())
    return float((left * right).sum() / scale) if scale > 0 else float("nan")


def correlation(one: npt.NDArray[np.floating[Any]], other: npt.NDArray[np.floating[Any]]) -> float:
    """Correlate two sets of numbers; NaN where either is constant."""
    left, right = (numbers.astype(np.float64).ravel() - numbers.mean(dtype=np.float64) for numbers in (one, other))
    scale = np.sqrt((left**2).sum() * (right**2).sum())
    return float((left * right).sum() / scale) if scale > 0 else float("nan")


def overlap(one: npt.NDArray[np.floating[Any]], other: npt.NDArray[np.floating[Any]], k: int) -> int:
    """Count how many of the k largest by size two sets of numbers have in common."""
    tops = [set(np.argsort(-abs(numbers.ravel()), kind="stable")[:k].tolist()) for numbers in (one, other)]
    return len(tops[0] & tops[1])


def _ranks(numbers: npt.NDArray[np.floating[Any]]) -> Floats:
    _, places, counts = np.unique(numbers.ravel(), return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middles: Floats = ends - (counts + 1) / 2
    return middles[places]
