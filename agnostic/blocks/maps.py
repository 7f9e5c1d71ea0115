"""Any layer as a map (C, h, w), and back: tokens on the grid of their picture, channels first, vectors at one place."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agnostic.converters.layers import Layer
from agnostic.engine.model import Model
from agnostic.engine.target import Array
from agnostic.inputs.sample import Sample
from agnostic.methods._maps import LayerMap, as_maps, as_stored, grid_of
from agnostic.methods.registry import Task

Array32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Held:
    """What a layer holds on one sample.

    Attributes:
        layer: the layer.
        maps: (C, h, w) float32; (C, 1, 1) for a vector.
        stored: (1, ...) the same as the model keeps it, special tokens included.
    """

    layer: Layer
    maps: Array32
    stored: Array
    _map: LayerMap | None

    def to_maps(self, stored: Array) -> Array32:
        """View (n, ...) in the layer's own axis order as (n, C, h, w)."""
        if self._map is None:
            return stored.reshape(len(stored), -1, 1, 1).astype(np.float32)
        return np.ascontiguousarray(as_maps(stored, self._map.layer, self._map.grid), np.float32)

    def to_stored(self, maps: Array32) -> Array32:
        """Bring (n, C, h, w) to the layer's own axis order; special tokens get zero."""
        if self._map is None:
            return maps.reshape(len(maps), *self.stored.shape[1:]).astype(np.float32)
        empty = self._map._replace(stored=np.zeros_like(self.stored, np.float32))
        return np.ascontiguousarray(as_stored(maps, empty), np.float32)


def held(model: Model, sample: Sample, layer: str) -> Held:
    """Run the model up to a layer.

    Raises:
        UsageError: there is no such layer, or its tokens are no places.
    """
    found = model.layer(layer)
    stored = model.activations(sample.arrays, found.name)
    if found.kind == "vector":
        return Held(found, stored.reshape(-1, 1, 1).astype(np.float32), stored, None)
    task = Task(model, sample, (), at=layer)
    grid = grid_of(task, found, stored.shape)
    maps = np.ascontiguousarray(as_maps(stored, found, grid)[0], np.float32)
    return Held(found, maps, stored, LayerMap(found, maps, stored, grid))
