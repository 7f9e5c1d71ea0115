"""Non-negative factors of a matrix, which may have a sign: scikit-learn's NMF on what is above and below zero.

Lee & Seung, "Learning the parts of objects by non-negative matrix factorization", Nature 1999.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.target import Floats
from agnostic.errors import ItemError, UsageError, missing_extra

MOST_ITERATIONS = 500
RESTARTS = 3


class Factors(NamedTuple):
    """A matrix (rows, columns) as a sum of n products.

    Attributes:
        left: (rows, n), none negative.
        right: (n, columns), of length one each where not zero; negative where the matrix is.
        explained: 1 less the squared residual over the squared length of the matrix.
    """

    left: Floats
    right: Floats
    explained: float


def factorise(matrix: npt.NDArray[np.floating[Any]], n: int, seed: int = 0, init: str = "nndsvda") -> Factors:
    """Find n non-negative factors; where entries are negative, those count as columns of their own.

    Args:
        matrix: (rows, columns).
        n: how many factors.
        seed: of what is random.
        init: how scikit-learn's NMF begins.

    Raises:
        UsageError: n does not fit, or scikit-learn is not installed.
        ItemError: the matrix is zero.
    """
    numbers = matrix.astype(np.float64)
    if not 1 <= n <= min(numbers.shape):
        rows, columns = numbers.shape
        raise UsageError(f"{n} groups of {rows} positions and {columns} units: expected 1 to {min(rows, columns)}")
    if not numbers.any():
        raise ItemError("every entry is zero: there is nothing to group; take another layer")
    signed = bool((numbers < 0).any())
    parts = np.hstack([np.maximum(numbers, 0), np.maximum(-numbers, 0)]) if signed else numbers
    left, right = _nmf(parts, n, seed, init)
    lengths = np.linalg.norm(right, axis=1)
    right = np.divide(right, lengths[:, None], out=np.zeros_like(right), where=lengths[:, None] > 0)
    if signed:
        above, below = np.hsplit(right, 2)
        right = above - below
    return _measured(numbers, left * lengths, right)


def stability(
    matrix: npt.NDArray[np.floating[Any]], factors: Factors, seed: int = 0, restarts: int = RESTARTS
) -> float:
    """Compare factors with those of other, random beginnings: 1 where all find the same ones.

    Each factor is matched with the one most like it; alike are two whose products are, by their cosine.
    """
    from scipy.optimize import linear_sum_assignment

    means = []
    for restart in range(restarts):
        other = factorise(matrix, factors.left.shape[1], seed + 1 + restart, "random")
        alike = _cosines(factors.left.T, other.left.T) * _cosines(factors.right, other.right)
        means.append(float(alike[linear_sum_assignment(-alike)].mean()))
    return float(np.mean(means))


def _nmf(parts: Floats, n: int, seed: int, init: str) -> tuple[Floats, Floats]:
    try:
        from sklearn.decomposition import NMF
        from sklearn.exceptions import ConvergenceWarning
    except ImportError as error:
        raise missing_extra("scikit-learn", "microscope", "grouping") from error

    # NMF's scale depends on that of its matrix: layers with small numbers would stop early.
    scale = parts.max()
    model = NMF(n_components=n, init=init, random_state=seed, max_iter=MOST_ITERATIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # what is left is measured and told
        left = model.fit_transform(parts / scale)
    return left * scale, model.components_


def _measured(numbers: Floats, left: Floats, right: Floats) -> Factors:
    residual = numbers - left @ right
    return Factors(left, right, 1 - float((residual**2).sum() / (numbers**2).sum()))


def _cosines(rows: Floats, others: Floats) -> Floats:
    products: Floats = _unit(rows) @ _unit(others).T
    return products


def _unit(rows: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit
