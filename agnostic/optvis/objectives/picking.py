"""What objectives pick out of a layer, with the errors that say what there is instead."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agnostic.errors import UsageError


def unit_of(maps: Tensor, layer: str, unit: int) -> Tensor:
    """One unit on its positions: (n, C, h, w) to (n, h, w).

    Raises:
        UsageError: there is no such unit.
    """
    if not 0 <= unit < maps.shape[1]:
        raise UsageError(f"{layer!r} has the units 0 to {maps.shape[1] - 1}, not {unit}")
    return maps[:, unit]


def position_of(maps: Tensor, layer: str, x: int | None, y: int | None) -> Tensor:
    """One position, the middle by default, the lower right of the middle four on an even grid: (..., h, w) to (...).

    Raises:
        UsageError: there is no such position.
    """
    height, width = maps.shape[-2:]
    row, column = height // 2 if y is None else y, width // 2 if x is None else x
    if not (0 <= row < height and 0 <= column < width):
        raise UsageError(f"{layer!r} has {width} x {height} positions, there is none at x={column}, y={row}")
    return maps[..., row, column]


def given_array(what: str, given: npt.ArrayLike, shapes: Sequence[str]) -> Tensor:
    """Check an array that a user gives: float32.

    Args:
        what: the array is, for the message.
        given: the array.
        shapes: the shapes it may have, such as ``(C, h, w)``: as many axes as one of them has.

    Raises:
        UsageError: it has other axes, is empty, or is not finite.
    """
    values = np.array(given, np.float32)
    if values.ndim not in [1 + shape.count(", ") for shape in shapes] or not values.size:
        raise UsageError(f"{what} is {list(values.shape)}; expected {' or '.join(shapes)}")
    if not np.isfinite(values).all():
        raise UsageError(f"{what} holds NaN or infinite numbers; expected finite ones")
    return torch.from_numpy(values)


def fitting_vector(maps: Tensor, layer: str, vector: Tensor) -> Tensor:
    """Shape a direction so that it multiplies maps (n, C, ...) unit by unit: (1, C, 1, ...).

    Raises:
        UsageError: it has another number of entries than the layer has units.
    """
    if len(vector) != maps.shape[1]:
        raise UsageError(
            f"{layer!r} has {maps.shape[1]} units, the direction has {len(vector)} numbers: give one for each unit"
        )
    return vector.to(maps).view(1, -1, *[1] * (maps.ndim - 2))
