"""Superpixels: a picture cut into compact pieces of similar colour, and what is done with the pieces.

Labels are int32, numbered from 0 without gaps, in the order in which a raster scan meets the pieces.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agnostic.kernels._checks import Array, has_shape, is_numbering
from agnostic.kernels._jit import jit
from agnostic.kernels._lab import Planes, grey_planes, lab_planes
from agnostic.kernels._tiles import in_tiles

Labels = NDArray[np.int32]


def slic(picture: Array, segments: int = 50, compactness: float = 10.0, iterations: int = 10) -> Labels:
    """Cut a picture into about `segments` superpixels by k-means over colour and place.

    The labels are those of ``skimage.segmentation.slic(sigma=0, start_label=0)`` on a uint8 or float64 picture, pixel
    by pixel, and do not depend on the number of threads. Pieces under half the usual size join a neighbour.

    Args:
        picture: (H, W, 3) sRGB or (H, W) grey; uint8, or floats of any finite range. It is stretched to 0..1 first.
        segments: how many pieces to aim at; the grid of seeds makes the number a little different.
        compactness: weight of place against colour: larger gives squarer pieces. Grey levels run over 0..1 but L*a*b*
            over 0..100, so grey pictures want about a hundredth of the value that suits colour.
        iterations: rounds of k-means.

    Returns:
        (H, W) labels.

    Paper: Achanta et al., "SLIC Superpixels Compared to State-of-the-art Superpixel Methods", TPAMI 2012.

    >>> picture = np.zeros((4, 8, 3), np.uint8)
    >>> picture[:, 5:] = 255
    >>> slic(picture, segments=2)[0]
    array([0, 0, 0, 0, 0, 1, 1, 1], dtype=int32)
    """
    _check(picture, segments, compactness, iterations)
    planes = grey_planes(picture) if picture.ndim == 2 else lab_planes(picture)
    grid = _grid(planes.shape[1], planes.shape[2], segments)
    labels = _cluster(planes * (1.0 / compactness), grid, iterations)
    size = labels.size / len(grid.seeds)
    return _connected(labels, int(0.5 * size), int(3 * size))


def boundaries(labels: Array) -> NDArray[np.bool_]:
    """Mark inner contours, one pixel wide: pixels whose right or lower neighbour lies in another segment.

    >>> boundaries(np.array([[0, 0, 1], [0, 0, 1]])).astype(int)
    array([[0, 1, 0],
           [0, 1, 0]])
    """
    has_shape("labels", labels, (None, None))
    marked = np.zeros(labels.shape, np.bool_)
    marked[:, :-1] = labels[:, :-1] != labels[:, 1:]
    marked[:-1] |= labels[:-1] != labels[1:]
    return marked


def segment_means(x: Array, labels: Array) -> NDArray[np.float32]:
    """Replace every value of x (C, H, W) by the mean of its segment in its channel.

    >>> segment_means(np.array([[[0, 2, 9]]], np.float32), np.array([[0, 0, 1]]))
    array([[[1., 1., 9.]]], dtype=float32)
    """
    has_shape("labels", labels, x.shape[1:])
    is_numbering("labels", labels, max(labels.size, 1))
    means = np.empty(x.shape, np.float32)
    flat = np.ascontiguousarray(x, np.float32).reshape(len(x), -1)
    numbers = np.ascontiguousarray(labels, np.int32).ravel()
    pieces = int(numbers.max(initial=-1)) + 1
    in_tiles(_mean_by_label, len(x), flat, numbers, pieces, means.reshape(flat.shape), work=x.size)
    return means


class _Grid(NamedTuple):
    """Where k-means starts and how far a cluster reaches."""

    seeds: Planes  # (K, 5): y, x and a colour that starts black
    reach: tuple[int, int]  # a cluster takes pixels up to twice this far away, down and across
    pitch: float  # distance between seeds, by which places are measured


def _check(picture: Array, segments: int, compactness: float, iterations: int) -> None:
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[2] != 3) or not picture.size:
        raise ValueError(f"picture has shape {picture.shape}, expected (H, W, 3) or (H, W)")
    if picture.dtype != np.uint8 and picture.dtype.kind != "f":
        raise ValueError(f"picture is {picture.dtype}, expected uint8 or floats")
    if picture.dtype.kind == "f" and not np.isfinite(picture).all():
        raise ValueError("picture holds NaN or infinite values, expected finite ones")
    for name, value in (("segments", segments), ("compactness", compactness), ("iterations", iterations)):
        if not 0 < value < np.inf:
            raise ValueError(f"{name} is {value}, expected a positive number")


def _grid(height: int, width: int, segments: int) -> _Grid:
    (first_y, step_y), (first_x, step_x) = _spacing(height, width, segments)
    y, x = np.mgrid[first_y:height:step_y, first_x:width:step_x]
    seeds = np.zeros((y.size, 5))
    seeds[:, 0], seeds[:, 1] = y.ravel(), x.ravel()
    # The grid rarely holds exactly `segments` seeds; reach follows the number there is, pitch the number asked for.
    (_, reach_y), (_, reach_x) = _spacing(height, width, len(seeds))
    return _Grid(seeds, (reach_y, reach_x), float(max(step_y, step_x)))


def _spacing(height: int, width: int, points: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """First index and step, down and across, of a square grid of about `points` points."""
    if height * width <= points:
        return (0, 1), (0, 1)
    short, long = sorted((height, width))
    step = (height * width / points) ** 0.5
    along_short, along_long = (step, step) if short >= step else (float(short), long / points)
    starts_and_steps = [(int(step // 2), round(step)) for step in (along_short, along_long)]
    down, across = starts_and_steps if height <= width else reversed(starts_and_steps)
    return down, across


def _cluster(planes: Planes, grid: _Grid, iterations: int) -> Labels:
    """Alternate between giving pixels to their nearest cluster and moving clusters to the mean of their pixels."""
    _, height, width = planes.shape
    labels = np.zeros((height, width), np.int32)
    nearest = np.empty((height, width))
    columns = np.arange(width, dtype=np.float64)
    centres = grid.seeds.copy()
    weight = 1.0 / grid.pitch**2
    work = labels.size * 16  # every pixel lies within reach of about 16 clusters
    for _ in range(iterations):
        in_tiles(_assign, height, planes, columns, centres, *grid.reach, weight, labels, nearest, work=work)
        _recentre(planes, labels, centres)
    return labels


@jit
def _assign(
    start: int,
    stop: int,
    planes: Planes,
    columns: Planes,
    centres: Planes,
    reach_y: int,
    reach_x: int,
    weight: float,
    labels: Labels,
    nearest: Planes,
) -> None:
    """Give the pixels of rows `start` to `stop` to the nearest cluster in reach, the first of equals."""
    nearest[start:stop] = np.inf
    height, width = nearest.shape
    for k in range(len(centres)):
        cy, cx, c0, c1, c2 = centres[k]
        if np.isnan(cy):  # a cluster that lost all its pixels
            continue
        left, right = int(max(cx - 2 * reach_x, 0)), int(min(cx + 2 * reach_x + 1, width))
        top, bottom = int(max(cy - 2 * reach_y, 0)), int(min(cy + 2 * reach_y + 1, height))
        for y in range(max(top, start), min(bottom, stop)):
            dy = (cy - y) * (cy - y)
            row0, row1, row2 = planes[0, y, left:right], planes[1, y, left:right], planes[2, y, left:right]
            known, owner, column = nearest[y, left:right], labels[y, left:right], columns[left:right]
            for x in range(right - left):
                dx, d0, d1, d2 = cx - column[x], row0[x] - c0, row1[x] - c1, row2[x] - c2
                distance = (dy + dx * dx) * weight + (d0 * d0 + d1 * d1 + d2 * d2)
                # Both stores happen either way, so that the loop has no branch and becomes vector code.
                before, whose = known[x], owner[x]
                known[x] = distance if distance < before else before
                owner[x] = np.int32(k) if distance < before else whose


@jit
def _recentre(planes: Planes, labels: Labels, centres: Planes) -> None:
    """Move the centres to the means of their pixels, summed in raster order."""
    centres[:] = 0.0
    sizes = np.zeros(len(centres), np.int64)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            k = labels[y, x]
            sizes[k] += 1
            centres[k, 0] += y
            centres[k, 1] += x
            for colour in range(3):
                centres[k, 2 + colour] += planes[colour, y, x]
    for k in range(len(centres)):
        for feature in range(5):
            centres[k, feature] /= sizes[k]  # NaN where the cluster is empty


@jit
def _connected(labels: Labels, smallest: int, largest: int) -> Labels:
    """Renumber connected pieces in raster order, cut at `largest` pixels; those under `smallest` join a neighbour."""
    height, width = labels.shape
    pieces = np.full((height, width), -1, np.int32)
    queue = np.empty((largest, 2), np.int32)
    number = 0
    for y in range(height):
        for x in range(width):
            if pieces[y, x] < 0:
                size, neighbour = _flood(labels, pieces, queue, y, x, number)
                if size < smallest:
                    for i in range(size):
                        pieces[queue[i, 0], queue[i, 1]] = neighbour
                else:
                    number += 1
    return pieces


@jit
def _flood(labels: Labels, pieces: Labels, queue: Labels, y: int, x: int, number: int) -> tuple[int, int]:
    """Number the piece around (y, x), breadth first; return its size and the last other piece seen beside it."""
    label, neighbour = labels[y, x], number
    pieces[y, x] = number
    queue[0, 0], queue[0, 1] = y, x
    size, done = 1, 0
    while done < size < len(queue):
        for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            ny, nx = queue[done, 0] + dy, queue[done, 1] + dx
            if 0 <= ny < labels.shape[0] and 0 <= nx < labels.shape[1]:
                piece = pieces[ny, nx]
                if piece < 0 and labels[ny, nx] == label:
                    pieces[ny, nx] = number
                    queue[size, 0], queue[size, 1] = ny, nx
                    size += 1
                    if size == len(queue):
                        break
                elif piece >= 0 and piece != number:
                    neighbour = piece
        done += 1
    return size, neighbour


@jit
def _mean_by_label(start: int, stop: int, x: Array, labels: Labels, pieces: int, means: Array) -> None:
    for channel in range(start, stop):
        sums, sizes = np.zeros(pieces), np.zeros(pieces)
        for i in range(len(labels)):
            sums[labels[i]] += x[channel, i]
            sizes[labels[i]] += 1
        for i in range(len(labels)):
            means[channel, i] = sums[labels[i]] / sizes[labels[i]]
