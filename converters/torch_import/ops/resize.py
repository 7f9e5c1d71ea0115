"""Resampling on regular and on given grids.

Every mode of Resize is separable: along each axis an output cell is a weighted sum of a few input cells. The cells and
weights are computed once per axis (`taps`), whatever the mode; only the plainest linear case goes to torch directly.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.registry import operator

Floats = npt.NDArray[np.float64]
_LINEAR = {3: "linear", 4: "bilinear", 5: "trilinear"}


class Kernel(NamedTuple):
    """How cells are weighted: the attributes of Resize that do not depend on the axis."""

    mode: str
    coordinates: str
    nearest: str
    cubic: float
    exclude_outside: bool
    antialias: bool


class Axis(NamedTuple):
    """How one axis changes: lengths, the exact scale, and the part of it that is read (tf_crop_and_resize)."""

    before: int
    after: int
    scale: float
    start: float = 0.0
    end: float = 1.0


class Taps(NamedTuple):
    """For each output cell (rows) the input cells it reads, their weights, and whether it lies outside."""

    cells: npt.NDArray[np.int64]
    weights: Floats
    outside: npt.NDArray[np.bool_]


@operator("Resize")
def resize(
    x: Tensor,
    roi: Tensor | None = None,
    scales: Tensor | None = None,
    sizes: Tensor | None = None,
    *,
    antialias: int = 0,
    axes: list[int] | None = None,
    coordinate_transformation_mode: str = "half_pixel",
    cubic_coeff_a: float = -0.75,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    mode: str = "nearest",
    nearest_mode: str = "round_prefer_floor",
) -> Tensor:
    """Resample axes to new sizes or by scales."""
    chosen = [axis % x.ndim for axis in axes] if axes else list(range(x.ndim))
    plans = _axes(x, chosen, roi, scales, sizes, keep_aspect_ratio_policy)
    crops = coordinate_transformation_mode == "tf_crop_and_resize"
    kernel = Kernel(
        mode, coordinate_transformation_mode, nearest_mode, cubic_coeff_a, bool(exclude_outside), bool(antialias)
    )
    if _is_plain_linear(x, kernel, plans):
        size = [plan.after for plan in _spread(x, plans)[2:]]
        return F.interpolate(x, size, mode=_LINEAR[x.ndim], align_corners=kernel.coordinates == "align_corners")
    y = x if x.is_floating_point() or mode == "nearest" else x.float()
    outside = torch.zeros((), dtype=torch.bool, device=x.device)
    for axis, plan in plans.items():
        if crops or plan.after != plan.before or plan.scale != 1:
            found = taps(plan, kernel)
            y = _weighted(y, axis, found)
            beyond = torch.from_numpy(found.outside).to(x.device)
            outside = outside | beyond.reshape([-1 if i == axis else 1 for i in range(x.ndim)])
    return torch.where(outside, extrapolation_value, y).to(x.dtype) if crops else y.to(x.dtype)


def _axes(
    x: Tensor, chosen: list[int], roi: Tensor | None, scales: Tensor | None, sizes: Tensor | None, policy: str
) -> dict[int, Axis]:
    """Work out the lengths and scale of every resized axis."""
    before = [x.shape[axis] for axis in chosen]
    if sizes is not None and sizes.numel():
        after = sizes.tolist()
        factors = [b / a for a, b in zip(before, after, strict=True)]
        if policy != "stretch":
            common = min(factors) if policy == "not_larger" else max(factors)
            factors = [common] * len(factors)
            after = [int(np.floor(common * n + 0.5)) for n in before]
    elif scales is not None:
        factors = scales.tolist()
        after = [int(np.floor(n * f)) for n, f in zip(before, factors, strict=True)]
    else:
        raise ValueError("Resize has neither scales nor sizes")
    count = len(chosen)
    region = roi.tolist() if roi is not None and roi.numel() == 2 * count else [0.0] * count + [1.0] * count
    return {axis: Axis(before[i], after[i], factors[i], region[i], region[count + i]) for i, axis in enumerate(chosen)}


def _spread(x: Tensor, plans: dict[int, Axis]) -> list[Axis]:
    return [plans.get(axis, Axis(n, n, 1.0)) for axis, n in enumerate(x.shape)]


def _is_plain_linear(x: Tensor, kernel: Kernel, plans: dict[int, Axis]) -> bool:
    """Say whether torch's own interpolation is exactly what is asked for."""
    if kernel.mode != "linear" or kernel.antialias or not x.is_floating_point() or x.ndim not in _LINEAR:
        return False
    if kernel.coordinates not in ("half_pixel", "pytorch_half_pixel", "align_corners") or kernel.exclude_outside:
        return False
    full = _spread(x, plans)
    exact = all(plan.after == plan.before * plan.scale and plan.after > 1 for plan in full[2:])
    return exact and all(plan.after == plan.before and plan.scale == 1 for plan in full[:2])


def _weighted(x: Tensor, axis: int, found: Taps) -> Tensor:
    """Sum the tapped cells along an axis by their weights."""
    cells = torch.from_numpy(found.cells).to(x.device)
    if cells.shape[1] == 1:
        return x.index_select(axis, cells[:, 0])
    weights = torch.from_numpy(found.weights).to(x.device, x.dtype)
    shape = [-1 if i == axis else 1 for i in range(x.ndim)]
    parts: Any = 0
    for i in range(cells.shape[1]):
        parts = parts + x.index_select(axis, cells[:, i]) * weights[:, i].reshape(shape)
    return torch.as_tensor(parts)


@lru_cache(maxsize=256)
def taps(axis: Axis, kernel: Kernel) -> Taps:
    """Find which input cells each output cell of an axis reads, and with which weights."""
    places = _places(axis, kernel.coordinates)
    outside = (places < 0) | (places > axis.before - 1)
    if kernel.mode == "nearest":
        nearest = np.clip(_nearest(places, kernel.nearest), 0, axis.before - 1)[:, None]
        return Taps(nearest.astype(np.int64), np.ones(nearest.shape), outside)
    left = np.ceil(places) - 1  # the cell on the left, so that the ratio lies in (0, 1]
    shrink = min(axis.scale, 1.0) if kernel.antialias else 1.0
    half = 1 if kernel.mode == "linear" else 2
    first = int(np.floor(-half / shrink)) + 1
    offsets = np.arange(first, 2 - first) if kernel.antialias else np.arange(1 - half, 1 + half)
    distance = (offsets[None, :] - (places - left)[:, None]) * shrink
    weights = np.clip(1 - abs(distance), 0, 1) if half == 1 else _cubic(distance, kernel.cubic)
    cells = left[:, None].astype(np.int64) + offsets
    if kernel.exclude_outside:
        weights = weights * ((cells >= 0) & (cells < axis.before))
    if kernel.exclude_outside or kernel.antialias:
        weights = weights / weights.sum(1, keepdims=True)
    return Taps(np.clip(cells, 0, axis.before - 1), weights, outside)


def _places(axis: Axis, mode: str) -> Floats:
    """Map output cells to coordinates of the input."""
    before, after, scale = axis.before, axis.after, axis.scale
    cells = np.arange(after, dtype=np.float64)
    if mode == "align_corners":
        return np.zeros(after) if scale * before == 1 else cells * (before - 1) / (scale * before - 1)
    if mode == "asymmetric":
        return cells / scale
    if mode == "tf_crop_and_resize":
        if after == 1:
            return np.array([0.5 * (axis.start + axis.end) * (before - 1)])
        return axis.start * (before - 1) + cells * (axis.end - axis.start) * (before - 1) / (after - 1)
    if mode == "pytorch_half_pixel" and after == 1:
        return np.zeros(1)
    if mode == "half_pixel_symmetric":
        offset = before / 2 * (1 - after / (scale * before))
        return offset + (cells + 0.5) / scale - 0.5
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (cells + 0.5) / scale - 0.5
    raise ValueError(f"coordinate_transformation_mode {mode!r} is unknown")


def _nearest(places: Floats, mode: str) -> Floats:
    rounding: dict[str, Callable[[Floats], Floats]] = {
        "round_prefer_floor": lambda v: np.ceil(v - 0.5),
        "round_prefer_ceil": lambda v: np.floor(v + 0.5),
        "floor": np.floor,
        "ceil": np.ceil,
    }
    return rounding[mode](places)


def _cubic(distance: Floats, a: float) -> Floats:
    """Cubic convolution kernel (Keys, 1981)."""
    t = abs(distance)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


@operator("GridSample")
def grid_sample(
    x: Tensor, grid: Tensor, *, align_corners: int = 0, mode: str = "linear", padding_mode: str = "zeros"
) -> Tensor:
    """Read a map at the positions of a grid, whose coordinates run from -1 to 1."""
    name = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    return F.grid_sample(x, grid.to(x.dtype), mode=name, padding_mode=padding_mode, align_corners=bool(align_corners))


@operator("AffineGrid")
def affine_grid(theta: Tensor, size: Tensor, *, align_corners: int = 0) -> Tensor:
    """Make the sampling grid of an affine map."""
    return F.affine_grid(theta, size.tolist(), align_corners=bool(align_corners))
