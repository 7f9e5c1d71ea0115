"""Objectives about directions in the space of a layer's units: what a unit is when it is no axis of it."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.lens import Seen
from agnostic.optvis.objective import Function, objective
from agnostic.optvis.objectives.picking import fitting_vector, given_array, position_of

# Without a floor, a negative dot product times a negative cosine would count as likeness.
_LEAST_COSINE = 0.1
_EPSILON = 1e-4
# Directions in which activations vary less than this part of the most are taken not to vary at all.
_RANK = 1e-10


def dot_cossim(x: Tensor, y: Tensor, cossim_pow: float = 0.0) -> Tensor:
    """Weigh the dot product along axis 1 by a power of the cosine: ``(x.y) * max(0.1, cos)^p``, or ``x.y`` for p = 0.

    >>> dot_cossim(torch.tensor([[3.0, 4.0]]), torch.tensor([[2.0, 0.0]]), 1).round(decimals=3)
    tensor([3.6000])
    """
    dot = (x * y).sum(dim=1)
    if cossim_pow == 0:
        return dot
    likeness: Tensor = _cosine(dot, x, y).clamp(min=_LEAST_COSINE) ** cossim_pow
    return dot * likeness


def _cosine(dot: Tensor, x: Tensor, y: Tensor) -> Tensor:
    length, other = (_EPSILON + torch.linalg.vector_norm(values, dim=1) for values in (x, y))
    cosine: Tensor = dot / length / other
    return cosine


@objective
def direction(layer: str, vector: npt.ArrayLike, cossim_pow: float = 0.0) -> Function:
    """Maximise a combination of units over all positions.

    Args:
        layer: the layer.
        vector: (C,) the weight of each unit.
        cossim_pow: how much pointing into the direction counts beside going far; 0 for not at all.
    """
    wanted = given_array("the direction", vector, ["(C,)"])

    def function(seen: Seen) -> Tensor:
        maps = seen(layer)
        return dot_cossim(maps, fitting_vector(maps, layer, wanted), cossim_pow).mean(dim=(1, 2))

    return function


@objective
def direction_cossim(layer: str, vector: npt.ArrayLike) -> Function:
    """Maximise the cosine between the units, position by position, and a direction, however weak they are.

    Args:
        layer: the layer.
        vector: (C,) the weight of each unit.
    """
    wanted = given_array("the direction", vector, ["(C,)"])

    def function(seen: Seen) -> Tensor:
        maps = seen(layer)
        fitted = fitting_vector(maps, layer, wanted)
        return _cosine((maps * fitted).sum(dim=1), maps, fitted).mean(dim=(1, 2))

    return function


@objective
def direction_neuron(
    layer: str, vector: npt.ArrayLike, x: int | None = None, y: int | None = None, cossim_pow: float = 0.0
) -> Function:
    """Maximise a combination of units at one position, the middle by default.

    Args:
        layer: the layer.
        vector: (C,) the weight of each unit.
        x: the column of the layer's grid.
        y: the row.
        cossim_pow: see `direction`.
    """
    wanted = given_array("the direction", vector, ["(C,)"])
    return lambda seen: _at_position(seen, layer, wanted, (x, y), cossim_pow)


def _at_position(
    seen: Seen, layer: str, vector: Tensor, place: tuple[int | None, int | None], cossim_pow: float
) -> Tensor:
    units = position_of(seen(layer), layer, *place)
    return dot_cossim(units, fitting_vector(units, layer, vector), cossim_pow)


@objective
def tensor_direction(layer: str, vector: npt.ArrayLike, cossim_pow: float = 0.0) -> Function:
    """Maximise a combination of units that differs from position to position, laid on the layer's middle.

    Args:
        layer: the layer.
        vector: (C, h, w) the weight of each unit at each position.
        cossim_pow: see `direction`.
    """
    wanted = given_array("the direction", vector, ["(C, h, w)"])

    def function(seen: Seen) -> Tensor:
        part = _middle(seen(layer), layer, wanted)
        return dot_cossim(part, wanted.to(part)[None], cossim_pow).mean(dim=(1, 2))

    return function


def _middle(maps: Tensor, layer: str, vector: Tensor) -> Tensor:
    _, depth, height, width = maps.shape
    if len(vector) != depth or vector.shape[1] > height or vector.shape[2] > width:
        raise UsageError(
            f"{layer!r} is {[depth, height, width]}, the direction {list(vector.shape)}: expected as many units and no "
            "more positions"
        )
    top, left = height // 2 - vector.shape[1] // 2, width // 2 - vector.shape[2] // 2
    return maps[:, :, top : top + vector.shape[1], left : left + vector.shape[2]]


@objective
def whitened_direction(
    layer: str,
    vector: npt.ArrayLike,
    activations: npt.ArrayLike,
    x: int | None = None,
    y: int | None = None,
    cossim_pow: float = 0.0,
) -> Function:
    """Maximise what is typical of a direction and not of the layer in general (Carter, Armstrong et al. 2019).

    Args:
        layer: the layer.
        vector: (C,) the weight of each unit.
        activations: (n, C) or (n, C, h, w) of the layer on ordinary pictures; see `whitened`.
        x: the column of the layer's grid, the middle by default.
        y: the row.
        cossim_pow: see `direction`.
    """
    wanted = torch.from_numpy(whitened(vector, activations))
    return lambda seen: _at_position(seen, layer, wanted, (x, y), cossim_pow)


def whitened(vector: npt.ArrayLike, activations: npt.ArrayLike) -> npt.NDArray[np.float32]:
    """Divide a direction by how units vary together: ``v S`` with S the inverse of ``A^T A / n``: (C,) float32.

    Units that never do anything, and combinations that never occur, are left out.

    Args:
        vector: (C,).
        activations: (n, C), or (n, C, h, w) of which every position counts.

    Raises:
        UsageError: they have another number of units than the direction.
    """
    wanted = given_array("the direction", vector, ["(C,)"]).double().numpy()
    given = given_array("the activations", activations, ["(n, C)", "(n, C, h, w)"])
    rows = given.movedim(1, -1).flatten(0, -2).double().numpy()
    if rows.shape[1] != len(wanted):
        raise UsageError(f"the activations have {rows.shape[1]} units, the direction has {len(wanted)} numbers")
    together = np.linalg.pinv(rows.T @ rows / len(rows), rcond=_RANK, hermitian=True)
    return np.asarray(wanted @ together, np.float32)
