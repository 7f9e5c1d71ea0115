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
        values: (C, h, w) float32; h is 1 where its places lie along one axis.
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
        UsageError: the layer is unknown, or has no places that fit the sample's positions.
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
        UsageError: it is unknown, or has no places that fit the sample's positions.
    """
    layer = task.model.layer(task.at or default_layer(task.model, task.targets))
    is_line = task.sample.features.is_grid and not task.sample.features.is_plane
    if not (_is_line(layer) if is_line else _is_spread(layer)):
        axes = "one axis" if is_line else "two axes"
        raise UsageError(
            f"layer {layer.name!r} is no map over {axes}; take one that `agnostic inspect` lists as map or tokens"
        )
    return layer


def grid_of(task: Task, layer: Layer, shape: tuple[int, ...], rows: int = 1) -> TokenGrid | None:
    """Find the places among a layer's tokens, from the shape that it has on `rows` inputs; None for a map.

    Raises:
        UsageError: the tokens have no places on the input.
    """
    if shape[0] != rows:
        raise UsageError(
            f"layer {layer.name!r} holds one input in {shape[0] // rows} pieces; name another layer with --at"
        )
    if layer.kind == "map":
        return None
    height, width = task.sample.features.shape
    return token_grid(task.model.proto, layer.name, shape[1], (height, width))


def as_maps(stored: Array, layer: Layer, grid: TokenGrid | None) -> Array:
    """View what a layer holds, (n, ...) in its own axis order, as maps (n, C, h, w)."""
    if grid is None:
        return _as_plane(np.moveaxis(stored, layer.channel_axis, 1))
    places = stored[:, grid.places]
    return np.moveaxis(places, -1, 1).reshape(len(stored), -1, grid.height, grid.width)


def as_stored(values: Array32, found: LayerMap) -> Array:
    """Bring (n, C, h, w) back to the layer's own axes and type; special tokens stay as they are."""
    if found.grid is None:
        sizes = np.moveaxis(found.stored, found.layer.channel_axis, 1).shape[2:]
        moved = np.moveaxis(values.reshape(*values.shape[:2], *sizes), 1, found.layer.channel_axis)
        return np.ascontiguousarray(moved.astype(found.stored.dtype))
    rows: Array = np.repeat(found.stored, len(values), axis=0)
    rows[:, found.grid.places] = np.moveaxis(values.reshape(*values.shape[:2], -1), 1, -1)
    return rows


def _as_plane(maps: Array) -> Array:
    """View maps over one axis, (n, C, w), as maps of one line each, (n, C, 1, w)."""
    return maps[:, :, None] if maps.ndim == 3 else maps


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


def _is_line(layer: Layer) -> bool:
    """Tell maps whose places lie along one axis, also where another one of size 1 stands before it."""
    return layer.kind == "map" and (len(layer.shape) == 2 or (len(layer.shape) == 3 and layer.shape[1] == 1))


def _has_places(model: Model, layer: Layer) -> bool:
    """Tell layers whose units each have a place on a grid of two axes."""
    if layer.kind == "tokens":
        # Products inside an attention are no features of a token yet, and tokens have places only on two axes.
        return layer.op not in PRODUCTS and any(len(item.shape) == 4 for item in model.inputs)
    spread = _is_spread(layer) if _has_planes(model) else _is_line(layer)
    return spread and any(size != 1 for size in layer.shape[1:])


def _has_planes(model: Model) -> bool:
    """Whether positions of the model's inputs form grids of two axes, as far as their own axes tell."""
    return model.preprocess is not None or any(len(item.shape) >= 4 for item in model.inputs)


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
    """Enlarge maps (n, h, w) to the positions (n, H, W), or those of one line, (n, 1, w), to (n, W)."""
    from agnostic.kernels.resize import bilinear

    enlarged: Array32 = bilinear(np.ascontiguousarray(maps, np.float32), plane(shape))
    return enlarged.reshape(len(maps), *shape)


def plane(shape: tuple[int, ...]) -> tuple[int, int]:
    """Take positions along one axis for a plane of one line.

    >>> plane((28,)), plane((7, 9))
    ((1, 28), (7, 9))
    """
    return (1, shape[0]) if len(shape) == 1 else (shape[0], shape[1])
