"""Spatial bases of coarse cells: pyramids of one picture, and coarse parts that several pictures share.

Pictures that share their coarse parts resemble each other in all that the objective leaves open: so they can be
compared and blended (Mordvintsev, Pezzotti, Schubert & Olah 2018, *Differentiable Image Parameterizations*).
"""

from collections.abc import Sequence
from functools import partial
from itertools import combinations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.draws import Draws
from agnostic.optvis.params.basis import Basis, Store, Stored, basis
from agnostic.optvis.params.spatial import fft

#: The coarse parts that aligned pictures share: cells along the batch, and pixels per cell along each side.
SHARED = ((1, 2), (1, 4), (1, 8), (2, 8), (1, 16), (2, 16))
_LEVELS = (1, 2, 4, 8)
# Each picture of a way is a sum of fourteen parts, all of which step.
_WAYS_LEARNING_RATE = 0.015


def lowres_tensor(cells: Tensor, shape: Sequence[int], offset: bool | int | Sequence[bool | int] = False) -> Tensor:
    """Spread a tensor over a larger shape, linearly along every axis.

    Args:
        cells: the smaller tensor; the centres of its cells lie evenly, as those of larger pixels do.
        shape: to spread over, with as many axes.
        offset: how far to shift it, mirroring what is then missing in front; True for half a cell. One for all axes, or
            one for each.

    Raises:
        UsageError: the shapes have different numbers of axes, or there are more cells than places.
    """
    if cells.ndim != len(shape) or any(few > many for few, many in zip(cells.shape, shape, strict=True)):
        raise UsageError(
            f"cells {list(cells.shape)} cannot be spread over {list(shape)}: expected fewer along each axis"
        )
    offsets = [offset] * cells.ndim if isinstance(offset, int) else list(offset)
    for axis, (size, shift) in enumerate(zip(shape, offsets, strict=True)):
        cells = _spread(cells, axis, size, size // (2 * cells.shape[axis]) if shift is True else int(shift))
    return cells


def _spread(cells: Tensor, axis: int, size: int, shift: int) -> Tensor:
    """Spread along one axis; only sums and products of single numbers, so that batching changes no rounding."""
    count = cells.shape[axis]
    if count == size and not shift:
        return cells
    places = torch.arange(size)
    places = torch.where(places >= shift, places - shift, shift - 1 - places)
    centres = ((places + 0.5) * count / size - 0.5).clamp(0, count - 1)
    before = centres.long()
    weights = (centres - before).view(-1, *[1] * (cells.ndim - axis - 1))
    low = cells.index_select(axis, before)
    return low + (cells.index_select(axis, (before + 1).clamp(max=count - 1)) - low) * weights


@basis
def lowres(space: int = 8, batch: int | None = None, *, offset: bool | int = False, sd: float = 0.01) -> Store:
    """Store cells of space x space pixels.

    Args:
        space: the sides of a cell in pixels.
        batch: how many cells there are along the batch, which pictures between them blend; None for one per picture.
        offset: shifts the cells down and to the right; True for half a cell.
        sd: of the starting values.
    """
    if space < 1 or (batch is not None and batch < 1):
        raise UsageError(f"lowres({space}, {batch}): expected cells of at least one pixel and one picture")

    def stored(draws: Draws, channels: int, height: int, width: int) -> Stored:
        streams = draws if batch is None else draws.common(min(batch, len(draws)))
        variable = streams.normal(channels, max(1, height // space), max(1, width // space)) * sd
        variable.requires_grad_()
        shape = (len(draws), channels, height, width)
        raw = partial(lowres_tensor, variable, shape, (False, False, offset, offset))
        return Stored({"cells": variable}, raw, couples=batch is not None)

    return stored


@basis
def laplacian_pyramid(n_levels: int = 4, sd: float = 0.01) -> Store:
    """Store a sum of ever coarser pictures: cells of 1, 2, 4, … pixels (Burt & Adelson 1983)."""
    if n_levels < 1:
        raise UsageError(f"laplacian_pyramid({n_levels}): expected at least one level")
    return Basis.sum([lowres(2**level, sd=sd) for level in range(n_levels)]).store


@basis
def aligned(own: Basis | None = None, shared: Sequence[tuple[int, int]] = SHARED, sd: float = 0.01) -> Store:
    """Store pictures that share coarse parts, so that the same things come to lie in the same places.

    Args:
        own: what each picture has to itself; `fft` by default.
        shared: for each shared part its cells along the batch and its pixels per cell.
        sd: of the shared parts' starting values.
    """
    parts = [lowres(space, batch, sd=sd) for batch, space in shared]
    return Basis.sum([own or fft(), *parts]).store


@basis
def grouped(weights: npt.ArrayLike, of: Basis | None = None) -> Store:
    """Store one picture per group; picture i is their sum, weighed by row i.

    ``0.7 * fft() + 0.5 * grouped(weights)`` are the cells of an activation grid whose neighbours look alike.

    Args:
        weights: (n, groups), how much each picture has of each group, such as factors of a layer's activations.
        of: how groups are stored; `fft` by default.
    """
    rows = np.asarray(weights, np.float32)
    if rows.ndim != 2 or not rows.size:
        raise UsageError(f"weights {list(rows.shape)}: expected one row for each picture and a column for each group")

    def stored(draws: Draws, channels: int, height: int, width: int) -> Stored:
        if len(draws) != len(rows):
            raise UsageError(f"{len(rows)} rows of weights for {len(draws)} pictures: expected one each")
        groups = (of or fft())(draws.common(rows.shape[1]), channels, height, width)
        mix = torch.from_numpy(rows)
        return Stored(
            groups.variables, lambda: torch.einsum("ng,gchw->nchw", mix, groups.raw()), couples=True,
            learning_rate=groups.learning_rate, constrain=groups.constrain,
        )  # fmt: skip

    return stored


@basis
def aligned_pairs(objectives: int, steps: int, sd: float = 0.01) -> Store:
    """Store the ways from each of N objectives to each other, M pictures each, that meet and mirror.

    Picture number (a N + b) M + m is step m of the way from a to b, and that from b to a is the same backwards. All
    pictures share one part; each objective has one that fades along every way from it.
    """
    if objectives < 1 or steps < 1:
        raise UsageError(f"aligned_pairs({objectives}, {steps}): expected at least one objective and one step")
    pairs = list(combinations(range(objectives), 2))

    def stored(draws: Draws, channels: int, height: int, width: int) -> Stored:
        if len(draws) != objectives * objectives * steps:
            raise UsageError(
                f"{len(draws)} pictures for {objectives} x {objectives} ways of {steps} steps: "
                f"expected {objectives * objectives * steps}"
            )
        make = partial(_way, draws, (channels, height, width), sd)
        common = {f"common.{space}": make(1, space) for space in _LEVELS}
        ends = {f"from.{a}.{space}": make(2, space) for a in range(objectives) for space in _LEVELS}
        ways = {f"way.{a}.{b}.{space}": make(steps, space) for a, b in pairs for space in _LEVELS[:2]}
        raw = partial(_ways, common, ends, ways, objectives, (steps, channels, height, width))
        return Stored(common | ends | ways, raw, couples=True, learning_rate=_WAYS_LEARNING_RATE)

    return stored


def _way(draws: Draws, size: tuple[int, int, int], sd: float, cells: int, space: int) -> Tensor:
    channels, height, width = size
    streams = draws.common(cells)
    return (streams.normal(channels, max(1, height // space), max(1, width // space)) * sd).requires_grad_()


def _ways(
    common: dict[str, Tensor], ends: dict[str, Tensor], ways: dict[str, Tensor], count: int, shape: tuple[int, ...]
) -> Tensor:
    """Draw all ways: (N N M, c, h, w)."""

    def total(parts: dict[str, Tensor], prefix: str) -> Tensor:
        found = [lowres_tensor(_few(cells, shape), shape) for name, cells in parts.items() if name.startswith(prefix)]
        return torch.stack(found).sum(dim=0)

    whole = total(common, "")
    fading = [total(ends, f"from.{a}.") for a in range(count)]
    between = {(a, b): total(ways, f"way.{a}.{b}.") for a, b in combinations(range(count), 2)}
    between |= {(b, a): way.flip(0) for (a, b), way in between.items()}
    return torch.cat(
        [
            whole + fading[a] + fading[b].flip(0) + (between[a, b] if a != b else 0.0)
            for a in range(count)
            for b in range(count)
        ]
    )


def _few(cells: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Drop cells that a way of one step has no place for."""
    return cells[: shape[0]]
