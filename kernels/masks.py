"""Perturbed inputs from masks, and maps from the scores they got: the inner loops of LIME, SHAP and RISE.

All of them stream: a batch is written into the model's own input buffer, and scores are folded into running totals.
"""

import numpy as np
from numpy.typing import NDArray

from agnostic.kernels._canvas import as_bits, canvas, sample_and_fill
from agnostic.kernels._checks import Array, has_dtype, has_shape, is_numbering
from agnostic.kernels._jit import jit
from agnostic.kernels._tiles import in_tiles

# Elements per step: a few rows of that length stay in the fast caches.
_BLOCK = 4096


def compose(x: Array, fill: Array | float, labels: Array, keep: Array, out: Array) -> None:
    """Write one copy of `x` per row of `keep`, in which the segments that are not kept are replaced by `fill`.

    Bits are moved, never computed with, so any type of element will do. Strides are free; contiguous buffers, channels
    first or last, are written directly.

    Args:
        x: (*channels, *positions), such as (C, H, W).
        fill: an array that broadcasts to x, or a number.
        labels: (*positions) integers, each position's segment.
        keep: (n, segments) bool or 0/1.
        out: (n, *channels, *positions), written.

    >>> out = np.empty((2, 4))
    >>> compose(np.array([1.0, 2, 3, 4]), 0.0, np.array([0, 0, 1, 2]), np.array([[1, 0, 1], [0, 1, 0]]), out)
    >>> out
    array([[1., 2., 0., 4.],
           [0., 0., 3., 0.]])
    """
    x, fill = sample_and_fill(x, fill, out)
    has_shape("labels", labels, x.shape[x.ndim - labels.ndim :])
    has_shape("keep", keep, (len(out), None))
    is_numbering("labels", labels, keep.shape[1])
    rows = canvas(as_bits(out), labels.ndim)
    numbers = np.ascontiguousarray(labels, np.uint32).ravel()
    kept = np.ascontiguousarray(keep, np.bool_)
    on, off = rows.like(as_bits(x)), rows.like(as_bits(fill))
    in_tiles(_compose, len(out), on, off, numbers, kept, rows.repeat, rows.rows, work=out.size)
    rows.commit(as_bits(out))


def mix(x: Array, fill: Array | float, masks: Array, out: Array) -> None:
    """Write one copy of `x` per mask, faded into `fill`: mask * x + (1 - mask) * fill.

    Args:
        x: (*channels, *positions) float32.
        fill: an array that broadcasts to x, or a number.
        masks: (n, *positions) float32 in 0..1.
        out: (n, *channels, *positions) float32, written.

    >>> out = np.empty((1, 2), np.float32)
    >>> mix(np.ones(2, np.float32), 0.0, np.array([[0.25, 1]], np.float32), out)
    >>> out
    array([[0.25, 1.  ]], dtype=float32)
    """
    has_dtype("x", x, np.float32)
    has_dtype("masks", masks, np.float32)
    x, fill = sample_and_fill(x, fill, out)
    has_shape("masks", masks, (len(out), *x.shape[x.ndim - masks.ndim + 1 :]))
    rows = canvas(out, masks.ndim - 1)
    flat = np.ascontiguousarray(masks).reshape(len(masks), masks[:1].size)
    in_tiles(_mix, len(out), rows.like(x), rows.like(fill), flat, rows.repeat, rows.rows, work=out.size)
    rows.commit(out)


def accumulate(masks: Array, weights: Array, total: Array) -> None:
    """Add every mask, times its weight, to the running totals: total[t] += sum of weights[i, t] * masks[i] over i.

    Masks are added one after another, in float64, so cutting a run into other batches changes no bit of the result.

    Args:
        masks: (n, *positions) float32.
        weights: (n, T) float64, such as the scores of T targets.
        total: (T, *positions) float64, C-contiguous, updated in place.

    >>> total = np.zeros((1, 2))
    >>> accumulate(np.array([[1, 0], [1, 1]], np.float32), np.array([[0.5], [2.0]]), total)
    >>> total
    array([[2.5, 2. ]])
    """
    has_dtype("masks", masks, np.float32)
    has_dtype("total", total, np.float64)
    has_shape("weights", weights, (len(masks), None))
    has_shape("total", total, (weights.shape[1], *masks.shape[1:]))
    if not total.flags.c_contiguous:
        raise ValueError("total is not C-contiguous, expected an array of its own, such as np.zeros(...)")
    flat = np.ascontiguousarray(masks).reshape(len(masks), masks[:1].size)
    sums = total.reshape(len(total), total[:1].size)
    scores = np.ascontiguousarray(weights, np.float64)
    blocks = -(-flat.shape[1] // _BLOCK)
    in_tiles(_accumulate, blocks, flat, scores, sums, work=flat.size * len(total))


@jit
def _compose(
    start: int, stop: int, x: Array, fill: Array, labels: Array, keep: NDArray[np.bool_], repeat: int, out: Array
) -> None:
    """Write items `start` to `stop`, block by block: which elements are on, then every plane."""
    step = max(1, _BLOCK // repeat)
    on = np.empty(step * repeat, np.bool_)
    for first in range(0, len(labels), step):
        positions = labels[first : first + step]
        for i in range(start, stop):
            kept_here = keep[i]
            for p in range(len(positions)):
                for channel in range(repeat):
                    on[p * repeat + channel] = kept_here[positions[p]]
            for plane in range(len(x)):
                begin, end = first * repeat, (first + len(positions)) * repeat
                ours, theirs, target = x[plane, begin:end], fill[plane, begin:end], out[i, plane, begin:end]
                for j in range(end - begin):
                    # Both are read either way, so that the loop has no branch and becomes vector code.
                    kept, replaced = ours[j], theirs[j]
                    target[j] = kept if on[j] else replaced


@jit
def _mix(start: int, stop: int, x: Array, fill: Array, masks: Array, repeat: int, out: Array) -> None:
    """Write items `start` to `stop`, block by block, as `_compose` does."""
    step = max(1, _BLOCK // repeat)
    share = np.empty(step * repeat, np.float32)
    for first in range(0, masks.shape[1], step):
        for i in range(start, stop):
            mask = masks[i, first : first + step]
            for p in range(len(mask)):
                for channel in range(repeat):
                    share[p * repeat + channel] = mask[p]
            for plane in range(len(x)):
                begin, end = first * repeat, (first + len(mask)) * repeat
                ours, theirs, target = x[plane, begin:end], fill[plane, begin:end], out[i, plane, begin:end]
                for j in range(end - begin):
                    target[j] = share[j] * ours[j] + (np.float32(1) - share[j]) * theirs[j]


@jit
def _accumulate(start: int, stop: int, masks: Array, weights: Array, total: Array) -> None:
    """Add all masks to blocks `start` to `stop` of the positions; a block of totals stays in the cache meanwhile."""
    for block in range(start, stop):
        begin, end = block * _BLOCK, min((block + 1) * _BLOCK, masks.shape[1])
        for t in range(len(total)):
            sums = total[t, begin:end]
            for i in range(len(masks)):
                mask, weight = masks[i, begin:end], weights[i, t]
                for p in range(len(sums)):
                    sums[p] += weight * mask[p]
