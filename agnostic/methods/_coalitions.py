"""Which coalitions of features KernelSHAP asks about, and what each one counts."""

from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.target import Floats


class Coalitions(NamedTuple):
    """Proper coalitions: neither nobody nor everybody.

    Attributes:
        keep: (n, players) bool, who is in.
        weights: (n,) float64, the Shapley kernel's, up to a factor.
        exact: whether these are all there are.
    """

    keep: npt.NDArray[np.bool_]
    weights: Floats
    exact: bool


def choose(players: int, samples: int, random: np.random.Generator) -> Coalitions:
    """Take all coalitions where `samples` allows it, else a sample stratified by size.

    Coalitions come in pairs with their complement. Whole strata are enumerated from the outside in (sizes 1 and
    players - 1 first, which weigh most) as long as they fit their share of the samples; the others are drawn from, each
    in proportion to its weight.

    >>> choose(3, 6, np.random.default_rng(0)).keep.sum(axis=1)
    array([1, 2, 1, 2, 1, 2])
    """
    strata = list(range(1, players // 2 + 1))
    shares = np.array([_share(players, size) for size in strata])
    parts: list[tuple[npt.NDArray[np.bool_], Floats]] = []
    left = samples
    while strata:
        size, share = strata[0], shares[0]
        if _count(players, size) > left * share / shares.sum() * (1 + 1e-9):
            break
        parts.append(_weighed(_all_of(players, size), share))
        left -= _count(players, size)
        strata, shares = strata[1:], shares[1:]
    exact = not strata
    pairs = _portions(shares, max(1, left // 2)) if strata else np.zeros(0, np.int64)
    for size, share, count in zip(strata, shares, pairs, strict=True):
        if count:
            parts.append(_weighed(_some_of(players, size, int(count), random), share))
    if not parts:
        return Coalitions(np.zeros((0, players), np.bool_), np.zeros(0), True)
    return Coalitions(np.concatenate([keep for keep, _ in parts]), np.concatenate([w for _, w in parts]), exact)


def _share(players: int, size: int) -> float:
    """The kernel's total weight of all coalitions of a size and of its complement's."""
    both = 1 if 2 * size == players else 2
    return both * (players - 1) / (size * (players - size))


def _count(players: int, size: int) -> int:
    return comb(players, size) * (1 if 2 * size == players else 2)


def _weighed(keep: npt.NDArray[np.bool_], share: float) -> tuple[npt.NDArray[np.bool_], Floats]:
    return keep, np.full(len(keep), share / len(keep))


def _all_of(players: int, size: int) -> npt.NDArray[np.bool_]:
    """Every coalition of a size, each followed by its complement unless that is one of them too."""
    members = np.array(list(combinations(range(players), size)))
    keep = np.zeros((len(members), players), np.bool_)
    np.put_along_axis(keep, members, True, axis=1)
    return keep if 2 * size == players else _with_complements(keep)


def _some_of(players: int, size: int, count: int, random: np.random.Generator) -> npt.NDArray[np.bool_]:
    """Random coalitions of a size, each followed by its complement."""
    members = np.argsort(random.random((count, players)), axis=1)[:, :size]
    keep = np.zeros((count, players), np.bool_)
    np.put_along_axis(keep, members, True, axis=1)
    return _with_complements(keep)


def _with_complements(keep: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    return np.stack([keep, ~keep], axis=1).reshape(-1, keep.shape[1])


def _portions(shares: Floats, total: int) -> npt.NDArray[np.int64]:
    """Split a whole number in proportion to shares, by largest remainders."""
    ideal = shares / shares.sum() * total
    whole: npt.NDArray[np.int64] = np.floor(ideal).astype(np.int64)
    whole[np.argsort(whole - ideal, kind="stable")[: total - whole.sum()]] += 1
    return whole
