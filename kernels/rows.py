"""Rows of numbers whose entries are switched between a row and one of many others."""

import numpy as np
from numpy.typing import NDArray

from agnostic.kernels._checks import Array, has_dtype, has_shape, is_numbering
from agnostic.kernels._jit import jit
from agnostic.kernels._tiles import in_tiles


def switch(x: Array, others: Array, labels: Array, keep: Array, chosen: Array, out: Array) -> None:
    """Write one copy of `x` per row of `keep`, in which what is not kept comes from the chosen one of `others`.

    Args:
        x: (D,) float32.
        others: (rows, D) float32.
        labels: (D,) integers, the feature of each entry; the number of features where an entry is always kept.
        keep: (n, features) bool.
        chosen: (n,) integers, rows of `others`.
        out: (n, D) float32, written; contiguous.

    >>> out = np.empty((2, 3), np.float32)
    >>> x, others = np.array([1, 2, 3], np.float32), np.array([[-1, -2, -3], [7, 8, 9]], np.float32)
    >>> keep = np.array([[True, False], [False, True]])
    >>> switch(x, others, np.array([0, 1, 2]), keep, np.array([0, 1]), out)
    >>> out
    array([[ 1., -2.,  3.],
           [ 7.,  2.,  3.]], dtype=float32)
    """
    for name, array in (("x", x), ("others", others), ("out", out)):
        has_dtype(name, array, np.float32)
    has_shape("others", others, (None, x.size))
    has_shape("out", out, (len(keep), x.size))
    has_shape("keep", keep, (len(out), None))
    has_shape("labels", labels, (x.size,))
    has_shape("chosen", chosen, (len(out),))
    is_numbering("labels", labels, keep.shape[1] + 1)
    is_numbering("chosen", chosen, len(others))
    if not out.flags.c_contiguous:
        raise ValueError("out is not contiguous, expected rows one after another")
    arrays = (np.ascontiguousarray(array) for array in (x, others, labels, keep.astype(np.bool_, copy=False), chosen))
    in_tiles(_switch, len(out), *arrays, out, work=out.size)


@jit
def _switch(
    start: int,
    stop: int,
    x: NDArray[np.float32],
    others: NDArray[np.float32],
    labels: NDArray[np.integer],
    keep: NDArray[np.bool_],
    chosen: NDArray[np.integer],
    out: NDArray[np.float32],
) -> None:
    features = keep.shape[1]
    for row in range(start, stop):
        other = chosen[row]
        for entry in range(x.size):
            label = labels[entry]
            stays = label == features or keep[row, label]
            out[row, entry] = x[entry] if stays else others[other, entry]
