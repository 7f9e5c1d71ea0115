"""Weighted linear regression from sums: samples stream in, and only their moments are kept.

The moments of a set of samples are one matrix, `Z.T @ W @ Z` of the rows `[1, features, scores]`. Moments of disjoint
sets add, so halves of the samples can be fitted and compared without going through the samples again.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.sweep import Block
from agnostic.engine.target import Floats
from agnostic.errors import UsageError

# The moments of this many features fill 128 MB and take seconds to solve.
MOST_FEATURES = 4096


class Fit(NamedTuple):
    """A linear fit per target.

    Attributes:
        slopes: (targets, features) float64.
        intercept: (targets,) float64, the fit where every feature is off.
        r2: (targets,) float64, the weighted share of the scores' variance that the fit explains.
    """

    slopes: Floats
    intercept: Floats
    r2: Floats


def check_size(method: str, features: int) -> None:
    """Refuse more features than a dense fit can hold.

    Raises:
        UsageError: there are too many.
    """
    if features > MOST_FEATURES:
        raise UsageError(
            f"{method} fits at most {MOST_FEATURES} features, the input has {features}; group them with --features"
        )


def in_chunks(blocks: Iterable[Block], size: int) -> Iterator[Block]:
    """Regroup blocks so that they end at multiples of `size`, whatever the batch size was.

    >>> blocks = [Block(i, i + 2, np.zeros((2, 1))) for i in (0, 2, 4)]
    >>> [(chunk.start, chunk.stop) for chunk in in_chunks(blocks, 4)]
    [(0, 4), (4, 6)]
    """
    start, held = 0, np.empty((0, 0))
    for block in blocks:
        held = np.concatenate([held, block.scores]) if held.size else block.scores
        while len(held) >= size:
            yield Block(start, start + size, held[:size])
            start, held = start + size, held[size:]
    if len(held):
        yield Block(start, start + len(held), held)


def moments(features: npt.NDArray[np.generic], scores: Floats, weights: Floats) -> Floats:
    """Sum up weighted samples: (1 + S + T, 1 + S + T) from (n, S) features, (n, T) scores and (n,) weights."""
    rows = np.concatenate([np.ones((len(scores), 1)), features.astype(np.float64), scores], axis=1)
    return np.asarray((rows * weights[:, None]).T @ rows)


def ridge(sums: Floats, features: int, penalty: float) -> Fit:
    """Solve weighted ridge regression in closed form; the intercept is not penalised.

    Args:
        sums: the samples' moments.
        features: how many of their entries are features.
        penalty: added to the diagonal of the normal equations.

    >>> on = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    >>> fit = ridge(moments(on, on @ [[2.0], [-1.0]] + 5, np.ones(4)), 2, penalty=0)
    >>> fit.slopes.round(6), fit.intercept.round(6), fit.r2
    (array([[ 2., -1.]]), array([5.]), array([1.]))
    """
    centred, means = _centred(sums)
    inputs, outputs = slice(1, 1 + features), slice(1 + features, None)
    slopes = _solve(centred[inputs, inputs] + penalty * np.eye(features), centred[inputs, outputs])
    intercept = means[outputs] - means[inputs] @ slopes
    return Fit(slopes.T, intercept, _r2(centred, slopes))


def towards(sums: Floats, prior: Floats, force: float, scale: float | None = None) -> Fit:
    """Solve weighted ridge regression that is drawn to a prior instead of to zero; the intercept is not penalised.

    Features and scores are brought to mean 0 and spread 1 first, so that `force` means the same for all.

    Args:
        sums: the samples' moments.
        prior: (targets, features), of which the sizes of a row are made to add up to `scale`.
        force: added to the diagonal of the normal equations.
        scale: in units of spread; by default what the fit without prior and force adds up to.

    >>> on = np.array([[0, 0], [1, 0], [0, 1], [1, 1]])
    >>> sums = moments(on, on @ [[2.0], [-1.0]] + 5, np.ones(4))
    >>> [towards(sums, np.array([[0.0, 5.0]]), force).slopes.round(3).tolist() for force in (1e6, 1e-6)]
    [[[0.0, 3.0]], [[2.0, -1.0]]]
    """
    features = prior.shape[1]
    centred, means = _centred(sums)
    spread = np.sqrt(np.maximum(np.diagonal(centred), 0))
    spread[spread <= 1e-12 * np.sqrt(sums[0, 0])] = 1
    unit = centred / np.outer(spread, spread)
    inputs, outputs = slice(1, 1 + features), slice(1 + features, None)
    matrix, right = unit[inputs, inputs], unit[inputs, outputs]
    whole = np.abs(prior).sum(axis=1)
    shares = np.divide(prior, whole[:, None], out=np.zeros_like(prior), where=whole[:, None] > 0).T
    reach = np.abs(_solve(matrix, right)).sum(axis=0) if scale is None else scale
    slopes = _solve(matrix + force * np.eye(features), right + force * reach * shares)
    slopes = slopes * spread[outputs] / spread[inputs, None]
    return Fit(slopes.T, means[outputs] - means[inputs] @ slopes, _r2(centred, slopes))


def _centred(sums: Floats) -> tuple[Floats, Floats]:
    """Take the means off: the moments about them, and the means."""
    means = sums[0] / sums[0, 0]
    return sums - sums[0, 0] * np.outer(means, means), means


def _solve(matrix: Floats, right: Floats) -> Floats:
    """Solve; where features never differ between samples, take the smallest solution."""
    try:
        return np.asarray(np.linalg.solve(matrix, right), np.float64)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(matrix, right, rcond=None)[0], np.float64)


def _r2(centred: Floats, slopes: Floats) -> Floats:
    features = len(slopes)
    inputs, outputs = slice(1, 1 + features), slice(1 + features, None)
    spread = np.diagonal(centred[outputs, outputs])
    crossed = np.sum(slopes * centred[inputs, outputs], axis=0)
    rest = spread - 2 * crossed + np.sum(slopes * (centred[inputs, inputs] @ slopes), axis=0)
    unexplained: Floats = np.divide(rest, spread, out=np.zeros_like(spread), where=spread > 0)
    return 1 - unexplained
