"""The semantic dictionary: at every position of a layer, the units that it holds the most of, in any basis."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.blocks.groups import Groups
from agnostic.blocks.maps import Array32, held
from agnostic.engine.model import Model
from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.inputs.sample import Sample


@dataclass(frozen=True, eq=False)
class Dictionary:
    """What each position of a layer is made of.

    Attributes:
        layer: its name.
        maps: (K, h, w) float32, how much of each unit, or of each direction of the basis, a position holds.
        units: (h, w, top) the numbers of those it holds most of, the most first.
        values: (h, w, top) float32, how much.
        norms: (h, w) float32, the lengths of the activation vectors.
    """

    layer: str
    maps: Array32
    units: npt.NDArray[np.intp]
    values: Array32
    norms: Array32

    @property
    def largest(self) -> float:
        """The largest value anywhere, to scale bars by."""
        return float(self.maps.max())

    @property
    def start(self) -> tuple[int, int]:
        """The position (y, x) that holds the largest value."""
        y, x = divmod(int(self.maps.max(axis=0).argmax()), self.maps.shape[2])
        return y, x


def dictionary(
    model: Model, sample: Sample, layer: str, top: int = 5, basis: npt.NDArray[np.floating[Any]] | Groups | None = None
) -> Dictionary:
    """List, at every position, what it holds most of.

    Args:
        model: the model.
        sample: the input.
        layer: the layer.
        top: how many units of each position.
        basis: None for the units themselves; (K, C) directions, brought to length one, for the inner products with
            them; or groups of that layer's activations, for how much of each a position holds.

    Raises:
        UsageError: the layer is unknown, or the basis does not fit it.
    """
    found = held(model, sample, layer)
    maps = _in_basis(found.maps, layer, basis)
    if top < 1:
        raise UsageError(f"top={top}: expected 1 or more")
    order = np.argsort(-maps, axis=0, kind="stable")[:top]
    values = np.take_along_axis(maps, order, axis=0)
    norms = np.linalg.norm(found.maps, axis=0)
    return Dictionary(layer, maps, np.moveaxis(order, 0, -1), np.moveaxis(values, 0, -1), norms)


def principal(maps: Array32, n: int) -> Floats:
    """The first principal components of a layer's activation vectors: (n, C), of length one, orthogonal.

    Each points to where more of the squared activation is; the vectors are not centred, for zero means nothing is
    there.

    Raises:
        UsageError: there are not as many.
    """
    matrix = maps.reshape(len(maps), -1).astype(np.float64)
    if not 1 <= n <= min(matrix.shape):
        raise UsageError(f"{n} components of {matrix.shape[0]} units at {matrix.shape[1]} positions: expected fewer")
    units = np.linalg.svd(matrix, full_matrices=False)[0][:, :n].T
    signs = np.where((units @ matrix).sum(axis=1) < 0, -1.0, 1.0)
    turned: Floats = units * signs[:, None]
    return turned


def _in_basis(maps: Array32, layer: str, basis: npt.NDArray[np.floating[Any]] | Groups | None) -> Array32:
    if basis is None:
        return maps
    if isinstance(basis, Groups):
        if basis.layer != layer or basis.spatial.shape[1:] != maps.shape[1:]:
            raise UsageError(f"the groups are of layer {basis.layer!r}, not of {layer!r}; group that layer")
        return basis.spatial
    if basis.ndim != 2 or basis.shape[1] != len(maps):
        raise UsageError(f"a basis of shape {list(basis.shape)} does not fit {layer!r}: expected [K, {len(maps)}]")
    lengths = np.linalg.norm(basis, axis=1, keepdims=True)
    if not lengths.all():
        raise UsageError("a direction of the basis is zero; leave it out")
    return np.tensordot((basis / lengths).astype(np.float32), maps, axes=1)
