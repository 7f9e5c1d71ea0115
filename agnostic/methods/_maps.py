"""What the methods of the CAM family share: which layer they look at, its map, and painting over the input."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.converters.graph import needed_nodes
from agnostic.converters.layers import Layer
from agnostic.converters.layout import PRODUCTS
from agnostic.converters.tokens import TokenGrid, before_choice, token_grid
from agnostic.engine.model import Model
from agnostic.engine.target import Array, Floats, Target
from agnostic.errors import ItemError, UsageError
from agnostic.methods.registry import Task

Array32 = npt.NDArray[np.float32]


class LayerMap(NamedTuple):
    """A layer's map on the sample.

    Attributes:
        layer: the layer.
        values: (C, h, w) float32.
        stored: (1, ...) the layer as the model keeps it.
        grid: where the places are among tokens; None for a layer that is a map already.
    """

    layer: Layer
    values: Array32
    stored: Array
    grid: TokenGrid | None


def read_map(task: Task) -> LayerMap:
    """Run the model up to the layer that the task names, or else up to the best one for a class activation map.

    Raises:
        UsageError: the layer is unknown, or neither a map over two axes nor the tokens of a picture.
        ItemError: its map is constant.
    """
    layer = chosen_layer(task)
    stored = task.model.activations(task.sample.arrays, layer.name)
    grid = grid_of(task, layer, stored.shape)
    values = as_maps(stored, layer, grid)[0]
    check_varies(layer, values)
    return LayerMap(layer, np.ascontiguousarray(values, np.float32), stored, grid)


def chosen_layer(task: Task) -> Layer:
    """Find the layer that the task names, or else the best one for a class activation map.

    Raises:
        UsageError: it is unknown, or a vector, or a map over one axis.
    """
    layer = task.model.layer(task.at or default_layer(task.model, task.targets))
    if not _is_spread(layer):
        raise UsageError(
            f"layer {layer.name!r} is no map over two axes; take one that `agnostic inspect` lists as map or tokens"
        )
    return layer


def grid_of(task: Task, layer: Layer, shape: tuple[int, ...], rows: int = 1) -> TokenGrid | None:
    """Find the places among a layer's tokens, from the shape that it has on `rows` pictures; None for a map.

    Raises:
        UsageError: the tokens are no places of a picture.
    """
    if shape[0] != rows:
        raise UsageError(
            f"layer {layer.name!r} holds a picture in {shape[0] // rows} pieces; name another layer with --at"
        )
    if layer.kind == "map":
        return None
    height, width = task.sample.features.shape
    return token_grid(task.model.proto, layer.name, shape[1], (height, width))


def as_maps(stored: Array, layer: Layer, grid: TokenGrid | None) -> Array:
    """View what a layer holds, (n, ...) in its own axis order, as maps (n, C, h, w)."""
    if grid is None:
        return np.moveaxis(stored, layer.channel_axis, 1)
    places = stored[:, grid.places]
    return np.moveaxis(places, -1, 1).reshape(len(stored), -1, grid.height, grid.width)


def as_stored(values: Array32, found: LayerMap) -> Array:
    """Bring (n, C, h, w) back to the layer's own axes and type; special tokens stay as they are."""
    if found.grid is None:
        moved = np.moveaxis(values, 1, found.layer.channel_axis)
        return np.ascontiguousarray(moved.astype(found.stored.dtype))
    rows: Array = np.repeat(found.stored, len(values), axis=0)
    rows[:, found.grid.places] = np.moveaxis(values.reshape(*values.shape[:2], -1), 1, -1)
    return rows


def check_varies(layer: Layer, values: Array32) -> None:
    """Refuse maps (C, h, w) that tell no place from another.

    Raises:
        ItemError: every channel is constant.
    """
    if not np.ptp(values, axis=(1, 2)).any():
        raise ItemError(
            f"layer {layer.name!r} is the same at every place on this input: it shows nothing; name another"
        )


def no_map(model: Model) -> str | None:
    """Say why a model has no layer for a class activation map; None when it has."""
    try:
        default_layer(model, (model.names.whole,))
    except UsageError as error:
        return str(error)
    return None


def default_layer(model: Model, targets: tuple[Target, ...]) -> str:
    """Find the last map that every target is computed from and that is not the map of the classes itself.

    Where the answer is read off a class token, the last layer whose other tokens still count: what the last attention
    looks at.

    Raises:
        UsageError: there is none.
    """
    before = set.intersection(*(upstream(model, target) for target in targets))
    looked_at = before_choice(model.proto, [name for target in targets for name in target.tensors])
    if looked_at is not None:
        before &= looked_at
    for layer in reversed(model.layers):
        is_shown = _has_places(model, layer) and (looked_at is None or layer.kind == "tokens")
        if is_shown and layer.name in before and layer.unit_count != model.names.class_count:
            return layer.name
    raise UsageError("no map of more than one place lies before the target; name a layer with --at")


def _is_spread(layer: Layer) -> bool:
    return layer.kind == "tokens" or (layer.kind == "map" and len(layer.shape) == 3)


def _has_places(model: Model, layer: Layer) -> bool:
    """Tell layers whose units each have a place in a picture."""
    if layer.kind == "tokens":
        # Products inside an attention are no features of a token yet, and tokens of a text have no place.
        return layer.op not in PRODUCTS and any(len(item.shape) == 4 for item in model.inputs)
    return _is_spread(layer) and layer.shape[1:] != (1, 1)


def upstream(model: Model, target: Target) -> set[str]:
    """The tensors that a target is computed from, its own left out."""
    nodes = needed_nodes(model.proto.graph.node, target.tensors)
    return {name for node in nodes for name in node.output} - set(target.tensors)


def check_upstream(task: Task, layer: Layer) -> None:
    """Refuse a layer that a target does not depend on.

    Raises:
        UsageError: there is such a target.
    """
    for target in task.targets:
        if layer.name not in upstream(task.model, target):
            raise UsageError(f"the target {target.name!r} does not depend on {layer.name!r}; name an earlier layer")


def weigh(weights: Floats, maps: Array32, shape: tuple[int, ...]) -> Array32:
    """Sum the channels by weight and paint the sums over the input: (targets, C) and (C, h, w) to (targets, H, W).

    The sums are enlarged, not the channels: both are linear.
    """
    return paint(np.tensordot(weights, maps.astype(np.float64), axes=1), shape)


def paint(maps: npt.NDArray[np.floating], shape: tuple[int, ...]) -> Array32:
    """Enlarge maps (n, h, w) to the positions (n, H, W)."""
    from agnostic.kernels.resize import bilinear

    enlarged: Array32 = bilinear(np.ascontiguousarray(maps, np.float32), (shape[0], shape[1]))
    return enlarged
