"""Cut a series where it changes: the segments within which it strays least from its mean.

The best cuts into a given number of segments are found exactly, by dynamic programming over where the last one begins
(Auger and Lawrence, "Algorithms for the optimal identification of segment neighborhoods", 1989).
"""

import numpy as np
from numpy.typing import NDArray

from agnostic.kernels._checks import has_shape
from agnostic.kernels._jit import jit

Starts = NDArray[np.int64]

# The programme takes segments x steps^2 operations; longer series are cut on means of neighbours.
_LONGEST = 4096


def changes(series: NDArray[np.floating], segments: int) -> Starts:
    """Find where each of the best segments starts: (at most segments,) rising from 0.

    Channels count alike where their values have the same spread; cuts are shared by all. Where fewer cuts do as well,
    as on a series of plain steps, there are no more than it takes. A series of more than 4096 steps is cut between
    groups of neighbours.

    Args:
        series: (channels, steps) numbers.
        segments: how many at most.

    >>> changes(np.array([[0.0, 0, 0, 5, 5, 1, 1, 1]]), 3)
    array([0, 3, 5])
    >>> changes(np.array([[0.0, 0, 0, 5, 5, 5]]), 4)
    array([0, 3])
    """
    has_shape("series", series, (None, None))
    channels, steps = series.shape
    if segments < 1 or not steps or not channels:
        raise ValueError(f"{segments} segments of {steps} steps in {channels} channels: expected at least one of each")
    size = -(-steps // _LONGEST)
    grouped = np.add.reduceat(series.astype(np.float64), np.arange(0, steps, size), axis=1)
    grouped /= np.diff(np.append(np.arange(0, steps, size), steps))
    # Around the mean, so that large offsets leave their digits to the differences.
    centred = np.ascontiguousarray(grouped - grouped.mean(axis=1, keepdims=True))
    costs, begins = _programme(centred, min(segments, centred.shape[1]))
    enough = costs <= costs[-1] + 1e-9 * costs[0]
    found: Starts = _traced(begins, int(np.argmax(enough))) * size
    return found


def _traced(begins: NDArray[np.int64], last: int) -> Starts:
    """Follow the last segments' beginnings back to the first."""
    stop, found = begins.shape[1] - 1, []
    for number in range(last, -1, -1):
        stop = int(begins[number, stop])
        found.append(stop)
    return np.array(found[::-1], np.int64)


@jit
def _programme(series: NDArray[np.float64], segments: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return the least cost of 1, 2, ... segments, and where the last of them begins for every length."""
    channels, steps = series.shape
    sums, squares = np.zeros((channels, steps + 1)), np.zeros(steps + 1)
    for step in range(steps):
        squares[step + 1] = squares[step]
        for channel in range(channels):
            sums[channel, step + 1] = sums[channel, step] + series[channel, step]
            squares[step + 1] += series[channel, step] ** 2
    costs = np.full((segments, steps + 1), np.inf)
    begins = np.zeros((segments, steps + 1), np.int64)
    for stop in range(1, steps + 1):
        for begin in range(stop):
            cost = squares[stop] - squares[begin]
            for channel in range(channels):
                cost -= (sums[channel, stop] - sums[channel, begin]) ** 2 / (stop - begin)
            cost = max(cost, 0.0)
            if begin == 0:
                costs[0, stop] = cost
            for number in range(1, segments):
                total = costs[number - 1, begin] + cost
                if begin > 0 and total < costs[number, stop]:
                    costs[number, stop] = total
                    begins[number, stop] = begin
    return costs[:, steps].copy(), begins
