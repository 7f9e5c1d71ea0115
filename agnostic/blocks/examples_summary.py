"""What is kept of one layer over many pictures, in a form that can be merged.

Every picture counts with one number per unit: the largest activation over all places, its peak. Of the peaks are kept
the k largest and the k smallest, those of a fixed sample of pictures, their sum, their sum per predicted class, and
their counts in bins of equal relative width.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array32 = npt.NDArray[np.float32]
Ints = npt.NDArray[Any]

# Of a float's bits, in an order that sorts as the numbers do: sign, exponent, and five of the mantissa. A bin is never
# wider than 1/32 of the values in it, and the bins are the same for every unit, so that counts can be added.
_DROPPED = 18
_SIGN = np.uint32(1 << 31)
# Units whose bins are counted at a time: bounds the table of all their bins.
_SOME = 64


class Extremes(NamedTuple):
    """The k most extreme peaks of each unit, the most extreme first and of equal ones the earlier picture."""

    values: Array32  # (k, units)
    pictures: Ints  # (k, units)
    places: Ints  # (k, units), row by row over the layer's map


class Bins(NamedTuple):
    """How many peaks of a unit fall into a bin, for those where any do: three arrays of equal length."""

    units: Ints
    codes: Ints
    counts: Ints


class Summary(NamedTuple):
    """One layer over some pictures."""

    top: Extremes
    bottom: Extremes
    sample_values: Array32  # (sample, units)
    sample_places: Ints
    total: npt.NDArray[np.float64]  # (units,)
    active: Ints  # (units,) pictures whose peak is above 0
    bins: Bins
    class_sums: Array32  # (classes seen, units), of the peaks above 0


def peaks_of(maps: npt.NDArray[np.generic]) -> tuple[Array32, Ints]:
    """Find the largest value of each map and its place, the first of equal ones.

    Args:
        maps: (n, places, units) as a view of whatever memory; the cheaper way is chosen by its strides.

    Returns:
        Values and places, each (n, units); a map with NaN in it has the value NaN.
    """
    given: Array32 = maps.astype(np.float32, copy=False)
    if given.shape[1] == 1:
        return given[:, 0], np.zeros(given[:, 0].shape, np.int32)
    if given.strides[1] < given.strides[2]:
        shape = (len(given), given.shape[2])
        rows = given.transpose(0, 2, 1).reshape(-1, given.shape[1])
        places = rows.argmax(axis=1)
        return rows[_numbers_to(len(rows)), places].reshape(shape), places.astype(np.int32).reshape(shape)
    values = given.max(axis=1)
    # Along an axis that does not lie together in memory argmax is many times slower than max.
    later = np.arange(given.shape[1], 0, -1, dtype=np.float32)[None, :, None]
    ranks = ((given == values[:, None]) * later).max(axis=1)
    return values, np.minimum(given.shape[1] - ranks, given.shape[1] - 1).astype(np.int32)


@lru_cache(64)
def _numbers_to(count: int) -> Ints:
    return np.arange(count)


def summarise(
    values: Array32,
    places: Ints,
    pictures: Ints,
    *,
    count: int,
    sample: Ints,
    classes: Ints,
) -> Summary:
    """Reduce the peaks of some pictures.

    Args:
        values: (n, units) the peaks.
        places: (n, units) where they are.
        pictures: (n,) the numbers of the pictures, ascending.
        count: how many of the largest and smallest to keep.
        sample: the rows that are kept whole.
        classes: (n,) for each row its place among the classes seen; all -1 without classes.
    """
    every = Extremes(values, np.broadcast_to(pictures[:, None], values.shape), places)
    return Summary(
        select(every, count, largest=True),
        select(every, count, largest=False),
        values[sample],
        places[sample],
        values.sum(axis=0, dtype=np.float64),
        (values > 0).sum(axis=0),
        counted(values),
        _class_sums(values, classes),
    )


def select(candidates: Extremes, count: int, *, largest: bool) -> Extremes:
    """Pick the most extreme of candidates (n, units): at most `count`, ties by the number of the picture."""
    order = ordered(candidates.values)
    keys = (~order if largest else order).astype(np.uint64) << np.uint64(32) | candidates.pictures.astype(np.uint64)
    lines = np.ascontiguousarray(keys.T)
    if count < len(keys):
        kept = np.argpartition(lines, count - 1, axis=1)[:, :count]
    else:
        kept = np.broadcast_to(np.arange(len(keys)), lines.shape)
    inner = np.argsort(np.take_along_axis(lines, kept, axis=1), axis=1)
    rows = np.take_along_axis(kept, inner, axis=1).T
    values, pictures, places = (np.take_along_axis(part, rows, axis=0) for part in candidates)
    return Extremes(values, pictures, places)


def ordered(values: Array32) -> npt.NDArray[np.uint32]:
    """Turn floats into unsigned integers of the same order; both zeros become one.

    >>> np.argsort(ordered(np.array([2.0, -1.0, 0.0, -3.0], np.float32))).tolist()
    [3, 1, 2, 0]
    """
    bits = (values + np.float32(0)).view(np.uint32)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def counted(values: Array32) -> Bins:
    """Count the peaks (n, units) bin by bin."""
    codes = (ordered(values) >> np.uint32(_DROPPED)).astype(np.int64)
    parts = [_counted(codes[:, start : start + _SOME], start) for start in range(0, codes.shape[1], _SOME)]
    return Bins(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _counted(codes: Ints, first: int) -> Bins:
    low = int(codes.min(initial=1 << (32 - _DROPPED)))
    width = max(int(codes.max(initial=0)) - low, 0) + 1
    slots = (codes - low + np.arange(codes.shape[1]) * width).ravel()
    table = np.bincount(slots, minlength=codes.shape[1] * width)
    found = np.flatnonzero(table)
    return Bins(
        (found // width + first).astype(np.uint32),
        (found % width + low).astype(np.uint16),
        table[found].astype(np.uint32),
    )


def edges(codes: Ints) -> tuple[Array32, Array32]:
    """The smallest value of each bin, and the first one above it."""
    starts = codes.astype(np.uint32) << np.uint32(_DROPPED)
    return _numbers(starts), _numbers(starts + np.uint32(1 << _DROPPED))


def _numbers(order: npt.NDArray[np.uint32]) -> Array32:
    bits: npt.NDArray[np.uint32] = np.where(order & _SIGN, order ^ _SIGN, ~order)
    return bits.view(np.float32)


def _class_sums(values: Array32, classes: Ints) -> Array32:
    seen = int(classes.max(initial=-1)) + 1
    sums = np.zeros((seen, values.shape[1]))
    for place in range(seen):
        sums[place] = np.maximum(values[classes == place], 0).sum(axis=0, dtype=np.float64)
    return sums.astype(np.float32)
