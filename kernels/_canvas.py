"""Seeing a batch (n, *channels, *positions) as rows of memory, whether a model keeps its channels first or last.

A picture of an NHWC model reaches the kernels as a transposed view. Walking it in the order of its axes would jump
through memory, so arrays are walked in the order of the batch they are written to: ``planes`` separate planes, in which
``repeat`` neighbours share one position. Channels first means (C, 1), channels last (1, C).
"""

from math import prod
from typing import NamedTuple

import numpy as np

from agnostic.kernels._checks import Array


class Canvas(NamedTuple):
    """A batch as C-contiguous rows, and how to lay other arrays out like it."""

    rows: Array  # (n, planes, positions * repeat)
    repeat: int
    channels: int  # how many axes of a sample are channels

    def like(self, sample: Array) -> Array:
        """Lay a sample (*channels, *positions) out as (planes, positions * repeat)."""
        if self.repeat > 1:
            sample = np.moveaxis(sample, range(self.channels), range(-self.channels, 0))
        return np.ascontiguousarray(sample).reshape(self.rows.shape[1:])

    def commit(self, out: Array) -> None:
        """Bring the rows home where `out` could not be seen as rows."""
        if not np.may_share_memory(self.rows, out):
            out[...] = self.rows.reshape(out.shape)


def canvas(out: Array, positions: int) -> Canvas:
    """See `out`, whose last `positions` axes are positions, as rows; in other layouts the rows are a copy to commit.

    >>> pictures = np.zeros((8, 5, 5, 3))
    >>> canvas(np.moveaxis(pictures, -1, 1), positions=2).rows.shape
    (8, 1, 75)
    """
    channels = out.ndim - 1 - positions
    count = prod(out.shape[1 : 1 + channels])
    last = np.moveaxis(out, range(1, 1 + channels), range(-channels, 0))
    if last.flags.c_contiguous and not out.flags.c_contiguous:
        return Canvas(last.reshape(len(out), 1, prod(out.shape[1:])), count, channels)
    sizes = (len(out), count, prod(out.shape[1 + channels :]))
    return Canvas(np.ascontiguousarray(out).reshape(sizes), 1, channels)


def as_bits(array: Array) -> Array:
    """See the elements as unsigned integers: copying moves bits, whatever they mean.

    >>> as_bits(np.zeros(2, np.float32)).dtype
    dtype('uint32')
    """
    return array.view(f"u{array.dtype.itemsize}")


def sample_and_fill(x: Array, fill: Array | float, out: Array) -> tuple[Array, Array]:
    """Check that `x` fits one item of `out` and stretch `fill` to its shape."""
    if out.ndim != x.ndim + 1 or out.shape[1:] != x.shape:
        raise ValueError(f"out has shape {out.shape}, expected {('n', *x.shape)} to hold copies of x")
    fill = np.asarray(fill, x.dtype) if np.isscalar(fill) else np.asarray(fill)
    for name, array in (("fill", fill), ("out", out)):
        if array.dtype != x.dtype:
            raise ValueError(f"{name} is {array.dtype}, expected {x.dtype} as x")
    try:
        return x, np.broadcast_to(fill, x.shape)
    except ValueError:
        raise ValueError(
            f"fill has shape {fill.shape}, expected {x.shape} as x, or one that broadcasts to it"
        ) from None
