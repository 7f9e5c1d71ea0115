"""Any layer as a map (C, h, w), and back: tokens on the grid of their picture, channels first, vectors at one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.converters.layers import Layer
from agnostic.engine.model import Model
from agnostic.engine.target import Array
from agnostic.inputs.reading import read_sample
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

    @property
    def has_more(self) -> bool:
        """Whether some of what the layer holds is at no place, as a class token is."""
        return self.maps.size < self.stored.size

    def to_maps(self, stored: Array) -> Array32:
        """View (n, ...) in the layer's own axis order as (n, C, h, w)."""
        if self._map is None:
            return stored.reshape(len(stored), -1, 1, 1).astype(np.float32)
        return _planar(as_maps(stored, self._map.layer, self._map.grid))

    def to_stored(self, maps: Array32) -> Array32:
        """Bring (n, C, h, w) to the layer's own axis order; special tokens get zero."""
        if self._map is None:
            return maps.reshape(len(maps), *self.stored.shape[1:]).astype(np.float32)
        empty = self._map._replace(stored=np.zeros_like(self.stored, np.float32))
        axes = maps.reshape(len(maps), maps.shape[1], -1) if self.stored.ndim == 3 else maps
        return np.ascontiguousarray(as_stored(axes, empty), np.float32)


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
    maps = _planar(as_maps(stored, found, grid))[0]
    return Held(found, maps, stored, LayerMap(found, maps, stored, grid))


def layer_maps(model: Model, sample: Sample, layer: str) -> Array32:
    """What a layer holds on one sample, as a map whatever its kind: (C, h, w) float32.

    Raises:
        UsageError: there is no such layer, or its tokens are no places.
    """
    return held(model, sample, layer).maps


def as_sample(model: Model, given: Any) -> Sample:
    """Make a sample of a picture or an array where nobody asks for its pieces; a sample is handed back as it is.

    Raises:
        InputError: it cannot be read or does not fit the model.
    """
    if isinstance(given, Sample):
        return given
    # One piece for the whole picture: superpixels would cost more than the pass.
    pictures = any(len(tensor.shape) == 4 for tensor in model.inputs)
    return read_sample(model, given, features="grid:1" if pictures else None, fill="zero")


def stacked(model: Model, samples: Sequence[Sample]) -> dict[str, Array]:
    """Put samples into one batch: (n, ...) for every input that has a batch axis."""
    first = samples[0].arrays
    return {
        name: np.concatenate([sample.arrays[name] for sample in samples]) if name in model.batched_inputs else value
        for name, value in first.items()
    }


def _planar(maps: Array) -> Array32:
    """Give maps over one axis, (n, C, w), a height of one."""
    flat = maps.reshape(*maps.shape[:2], 1, -1) if maps.ndim == 3 else maps
    return np.ascontiguousarray(flat, np.float32)
