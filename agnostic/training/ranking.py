"""A ranking of the training samples, most suspect first, and how well it finds what is known to be wrong.

Each kind of score is a function ``(Dynamics) -> Ranking`` in a module of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.errors import InputError, UsageError
from agnostic.training.dynamics import Doubles
from agnostic.training.run import Bools
from agnostic.training.store import Ints


@dataclass(frozen=True, eq=False)
class Ranking:
    """Samples in the order of a score.

    Attributes:
        name: the score's.
        score: (n,) float64, the higher the more suspect; infinite for a sample never learned, NaN for one never seen.
        order: the numbers of the samples that were seen, most suspect first.
        flagged: (n,) whether the method itself calls a sample wrong.
        threshold: the score above which it does so; NaN where it has none.
        columns: further facts for each sample, (n,) each.
        note: how ties are broken and what flags a sample, in a sentence.
    """

    name: str
    score: Doubles
    order: Ints
    flagged: Bools
    threshold: float = float("nan")
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    note: str = ""

    def __len__(self) -> int:
        """How many samples the run has."""
        return len(self.score)

    def ranks(self) -> Ints:
        """The place of each sample, from 0; -1 for one never seen: (n,)."""
        places = np.full(len(self.score), -1)
        places[self.order] = np.arange(len(self.order))
        return places


class Found(NamedTuple):
    """How well a ranking finds the samples that are known to be wrong.

    Attributes:
        known: how many these are.
        flagged: how many samples the method itself calls wrong.
        precision: the share of those that are (NaN where none is flagged).
        recall: the share of the known ones that are among them.
        at_known: the share of the first `known` samples that are known to be wrong (R-precision).
        average_precision: the mean, over the known ones, of the precision at their places.
    """

    known: int
    flagged: int
    precision: float
    recall: float
    at_known: float
    average_precision: float


def ranked(score: Doubles, there: Bools, *ties: npt.NDArray[Any]) -> Ints:
    """Order the samples that are there by falling score; then by each of `ties`, rising; then by number.

    >>> ranked(np.array([1.0, 2.0, 2.0, 9.0]), np.array([True, True, True, False]), np.array([0, 5, 4, 0]))
    array([2, 1, 0])
    """
    order = np.lexsort((*reversed(ties), -score))
    return order[there[order]]


def found(ranking: Ranking, known: npt.ArrayLike) -> Found:
    """Compare a ranking with the samples that are known to be wrong.

    Args:
        ranking: the ranking.
        known: their numbers.

    Raises:
        InputError: a number is out of range or comes twice, or none was ever seen.
    """
    wrong = _mask(ranking, known)
    hits = wrong[ranking.order]
    if not hits.any():
        raise InputError("none of the samples known to be wrong was seen in the run")
    flagged = ranking.flagged & wrong
    count = int(ranking.flagged.sum())
    return Found(
        known=int(wrong.sum()),
        flagged=count,
        precision=float(flagged.sum() / count) if count else float("nan"),
        recall=float(flagged.sum() / wrong.sum()),
        at_known=float(hits[: wrong.sum()].mean()),
        average_precision=average_precision(hits),
    )


def average_precision(hits: Bools) -> float:
    """The mean of the precision at each hit of a ranked list.

    >>> round(average_precision(np.array([True, False, True])), 4)
    0.8333
    """
    places = np.flatnonzero(hits)
    return float(np.mean(np.arange(1, len(places) + 1) / (places + 1)))


def _mask(ranking: Ranking, known: npt.ArrayLike) -> Bools:
    numbers = np.asarray(known)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not numbers.size:
        raise InputError("known: expected the numbers of the samples known to be wrong")
    if numbers.min() < 0 or numbers.max() >= len(ranking):
        raise InputError(f"known: {numbers[(numbers < 0) | (numbers >= len(ranking))][0]} is out of range")
    mask = np.zeros(len(ranking), bool)
    mask[numbers] = True
    if mask.sum() != numbers.size:
        raise InputError("known: a number comes twice")
    return mask


def combined(rankings: Sequence[Ranking], name: str = "combined") -> Ranking:
    """Rank by the mean place in several rankings, which need no common scale; flagged is what most of them flag.

    Raises:
        UsageError: there are fewer than two, or they are of different runs.
    """
    if len(rankings) < 2 or len({(len(item), len(item.order)) for item in rankings}) > 1:
        raise UsageError("combined: expected two or more rankings of the same run")
    places = np.stack([item.ranks() for item in rankings]).astype(np.float64)
    there = places[0] >= 0
    score = np.where(there, 1 - places.mean(axis=0) / max(len(rankings[0].order), 1), np.nan)
    flagged = np.mean([item.flagged for item in rankings], axis=0) > 0.5
    columns = {f"{item.name}_rank": item.ranks() for item in rankings}
    note = f"the mean place in {', '.join(item.name for item in rankings)}; flagged where most of these flag"
    return Ranking(name, score, ranked(score, there), flagged, columns=columns, note=note)
