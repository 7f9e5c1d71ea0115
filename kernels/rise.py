"""RISE's random masks: small random grids, enlarged to soft blobs and shifted by less than a cell.

Paper: Petsiuk, Das, Saenko, "RISE: Randomized Input Sampling for Explanation of Black-box Models", BMVC 2018, section
3.2.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agnostic.kernels._checks import has_shape
from agnostic.kernels.resize import Maps, crop


class Cells(NamedTuple):
    """All the randomness of a run, some hundred bytes a mask: slice it to render batch by batch."""

    grids: NDArray[np.bool_]  # (n, cells, cells), True where the input shows
    shifts: NDArray[np.float64]  # (n, 2) in 0..1, parts of a cell, down and across


def draw_cells(count: int, cells: int, probability: float, seed: int) -> Cells:
    """Draw the grids and shifts of `count` masks.

    Mask i depends on the seed and on i alone: neither on the count nor on how the run is cut into batches.

    Args:
        count: how many masks.
        cells: length of a grid's sides; the paper takes 7.
        probability: chance of a cell to show the input; the paper takes 0.5.
        seed: of NumPy's default generator.

    >>> draw_cells(100, 7, 0.5, seed=0).grids.shape
    (100, 7, 7)
    >>> bool((draw_cells(3, 7, 0.5, seed=0).grids == draw_cells(100, 7, 0.5, seed=0).grids[:3]).all())
    True
    """
    if count < 0 or cells < 1:
        raise ValueError(f"count is {count} and cells is {cells}, expected count >= 0 and cells >= 1")
    if not 0 < probability <= 1:
        raise ValueError(f"probability is {probability}, expected 0 < probability <= 1")
    draws = np.random.default_rng(seed).random((count, cells * cells + 2))
    return Cells(draws[:, :-2].reshape(count, cells, cells) < probability, draws[:, -2:])


def render(
    grids: NDArray[np.bool_], shifts: NDArray[np.float64], shape: tuple[int, int], out: Maps | None = None
) -> Maps:
    """Make masks (n, *shape) in 0..1 of grids: each is enlarged bilinearly by one cell more than needed, then cropped.

    A grid of s x s cells becomes (s + 1) ceil(H / s) x (s + 1) ceil(W / s) pixels; the mask is the H x W window whose
    corner lies `shifts` of a cell from the corner of that. Only the window's pixels are computed.

    Args:
        grids: (n, s, s) bool.
        shifts: (n, 2) in 0..1, below 1.
        shape: (H, W).
        out: (n, H, W) float32 to write to; a new array by default.

    >>> render(np.array([[[True]]]), np.zeros((1, 2)), (1, 2))
    array([[[1., 1.]]], dtype=float32)
    """
    has_shape("grids", grids, (None, None, None))
    has_shape("shifts", shifts, (len(grids), 2))
    out = np.empty((len(grids), *shape), np.float32) if out is None else out
    has_shape("out", out, (len(grids), *shape))
    if ((shifts < 0) | (shifts >= 1)).any():
        raise ValueError("shifts leave 0..1, expected 0 <= shift < 1")
    cell = np.array([-(-length // side) for length, side in zip(shape, grids.shape[1:], strict=True)])
    height, width = (cell * (np.array(grids.shape[1:]) + 1)).tolist()
    crop(grids.astype(np.float32), (shifts * cell).astype(np.int64), (height, width), out)
    return out
