"""Label maps, (h, w) of integers: the number of the piece that each pixel belongs to."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from agnostic.draw.light import Floats

Labels = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]


def edges(segments: Labels) -> Mask:
    """Mark both pixels of every two neighbours that belong to different pieces, (h, w) to (h, w)."""
    marked = np.zeros(segments.shape, np.bool_)
    beside = segments[:, 1:] != segments[:, :-1]
    below = segments[1:] != segments[:-1]
    marked[:, 1:] |= beside
    marked[:, :-1] |= beside
    marked[1:] |= below
    marked[:-1] |= below
    return marked


def smooth_labels(segments: Labels, shape: tuple[int, int]) -> Labels:
    """Double a label map, (h, w), until it covers the shape, each time rounding the corners of its stairs."""
    while segments.shape[0] < shape[0] or segments.shape[1] < shape[1]:
        segments = _doubled(segments)
    return segments


def shrunk(fine: Floats | Mask, shape: tuple[int, int]) -> Floats:
    """Average a fine map down to the picture, so that its lines come out smooth."""
    image = Image.fromarray(fine.astype(np.float32))
    return np.asarray(image.resize(shape[::-1], Image.Resampling.BOX), np.float32)


def middle(mask: Mask) -> tuple[int, int, int]:
    """Find the pixel of a piece that is farthest from its rim, as row, column and that distance in steps.

    The centre of gravity of a bent piece may lie outside it; this never does.

    >>> middle(np.pad(np.ones((5, 9), bool), 1))
    (3, 5, 3)
    """
    rows, columns = np.nonzero(mask)
    origin = rows.min(), columns.min()
    core = np.pad(mask[origin[0] : rows.max() + 1, origin[1] : columns.max() + 1], 1)
    depth = 0
    while core.any():
        depth, last = depth + 1, core
        core = eroded(core)
    inner = np.argwhere(last)
    y, x = inner[np.argmin(((inner - inner.mean(axis=0)) ** 2).sum(axis=1))]
    return int(origin[0] + y - 1), int(origin[1] + x - 1), depth


def eroded(mask: Mask) -> Mask:
    """Take away every pixel with a neighbour outside; what lies beyond the array counts as outside."""
    inner = np.zeros_like(mask)
    inner[1:-1, 1:-1] = mask[1:-1, 1:-1] & mask[:-2, 1:-1] & mask[2:, 1:-1] & mask[1:-1, :-2] & mask[1:-1, 2:]
    return inner


def _doubled(labels: Labels) -> Labels:
    """Double a label map: a corner takes the label of its two outer neighbours where only these two agree."""
    padded = np.pad(labels, 1, mode="edge")
    up, down, left, right = padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]
    bends = (up != down) & (left != right)
    twice = np.repeat(np.repeat(labels, 2, axis=0), 2, axis=1)
    for y, vertical in ((0, up), (1, down)):
        for x, horizontal in ((0, left), (1, right)):
            twice[y::2, x::2] = np.where(bends & (vertical == horizontal), vertical, labels)
    return twice
