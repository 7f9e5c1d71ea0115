"""The layers that an index looks at: how many units, on which grid of places, and what each place sees."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from agnostic.converters.layers import Layer
from agnostic.converters.receptive import Axis, Field, receptive_fields
from agnostic.converters.tokens import TokenGrid, token_grid
from agnostic.engine.model import Model
from agnostic.engine.preprocess import Preprocess
from agnostic.engine.target import Array
from agnostic.errors import UsageError
from agnostic.inputs.array import complete

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Grid:
    """A layer's units and places.

    Attributes:
        name: the layer.
        units: how many it has.
        shape: height and width of its map, 1 x 1 for a vector; special tokens are no places.
        picture: height and width of the model's input.
        field: what a place sees; None where the graph tells no field, or the whole picture matters.
    """

    name: str
    units: int
    shape: tuple[int, int]
    picture: tuple[int, int]
    field: Field | None

    def box(self, y: int, x: int) -> Box:
        """The pixels of the model's input behind a place: top, left, bottom, right; it may leave the picture.

        That is its receptive field, or its share of the picture where there is none.
        """
        if self.field is not None:
            return self.field.box(y, x)
        (height, width), (rows, columns) = self.picture, self.shape
        return height * y // rows, width * x // columns, -(-height * (y + 1) // rows), -(-width * (x + 1) // columns)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        field = [list(self.field.down), list(self.field.across)] if self.field is not None else None
        return {"name": self.name, "units": self.units, "shape": list(self.shape), "picture": list(self.picture), "field": field}  # fmt: skip # noqa: E501

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Grid":
        """Read them back."""
        field = values["field"] and Field(Axis(*values["field"][0]), Axis(*values["field"][1]))
        (height, width), (rows, columns) = values["picture"], values["shape"]
        return cls(values["name"], values["units"], (rows, columns), (height, width), field)


@dataclass(frozen=True)
class Watched:
    """A layer and how to find its places in what the model hands out."""

    grid: Grid
    layer: Layer
    tokens: TokenGrid | None

    def maps(self, stored: Array) -> Array:
        """View (n, ...) in the layer's own axis order as (n, places, units)."""
        if self.layer.kind == "vector":
            return stored[:, None, :]
        places = stored if self.tokens is None else stored[:, self.tokens.places]
        axis = self.layer.channel_axis
        moved = places.transpose(0, axis, *(other for other in range(1, places.ndim) if other != axis))
        # Seen from the channels, the places of a channels-last map lie in one piece too: no reshape copies.
        return moved.reshape(*moved.shape[:2], -1).transpose(0, 2, 1)


def outputs_of(model: Model, layers: Iterable[str]) -> tuple[str, ...]:
    """The tensors that one pass hands out: the layers and the scores."""
    return tuple(dict.fromkeys((*layers, model.scores_tensor)))


def watch(model: Model, names: Iterable[str], source: str, preprocess: Preprocess) -> tuple[Watched, ...]:
    """Look at layers, by running the model once on an empty picture.

    Raises:
        UsageError: there is no such layer, or none is named, or it has no places that belong to one picture.
    """
    layers = [model.layer(name) for name in dict.fromkeys(names)]
    if not layers:
        raise UsageError("no layers were named; give at least one, as `agnostic inspect` lists them")
    empty = np.zeros((1, *preprocess.size, preprocess.depth), np.uint8)
    feeds = complete(model, {source: preprocess.apply(empty)})[0]
    held = model.run(feeds, outputs_of(model, [layer.name for layer in layers]))
    axes = (2, 3) if preprocess.layout == "NCHW" else (1, 2)
    fields = receptive_fields(model.proto, source, preprocess.size, axes)
    return tuple(_watched(model, layer, held[layer.name].shape, preprocess.size, fields) for layer in layers)


def _watched(
    model: Model, layer: Layer, shape: tuple[int, ...], picture: tuple[int, int], fields: Mapping[str, Field]
) -> Watched:
    if shape[0] != 1 or len(shape) > 4:
        raise UsageError(
            f"layer {layer.name!r} holds one picture as {list(shape)}, which is no map of it; name another"
        )
    tokens = token_grid(model.proto, layer.name, shape[1], picture) if layer.kind == "tokens" else None
    units = shape[layer.channel_axis]
    sizes = [size for axis, size in enumerate(shape) if axis not in (0, layer.channel_axis)]
    rows, columns = (tokens.height, tokens.width) if tokens else (1, 1, *sizes)[-2:]
    field = fields.get(layer.name) if layer.kind == "map" and len(sizes) == 2 else None
    return Watched(Grid(layer.name, units, (rows, columns), picture, field), layer, tokens)
