"""What the methods of the CAM family share: which layer they look at, its map, and painting over the input."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.converters.graph import needed_nodes
from agnostic.converters.layers import Layer
from agnostic.engine.model import Model
from agnostic.engine.target import Array, Floats, Target
from agnostic.errors import ItemError, UsageError
from agnostic.methods.registry import Task

Array32 = npt.NDArray[np.float32]


class LayerMap(NamedTuple):
    """A layer's map on the sample: values (C, h, w) float32, and the type the model keeps them in."""

    layer: Layer
    values: Array32
    dtype: np.dtype[Any]


def read_map(task: Task) -> LayerMap:
    """Run the model up to the layer that the task names, or else up to the best one for a class activation map.

    Raises:
        UsageError: the layer is unknown or no map over two axes.
        ItemError: its map is constant.
    """
    layer = task.model.layer(task.at or default_layer(task.model, task.targets))
    if layer.kind != "map" or len(layer.shape) != 3:
        raise UsageError(f"layer {layer.name!r} is no map over two axes; take one that `agnostic inspect` lists as map")
    stored = task.model.activations(task.sample.arrays, layer.name)
    values = np.moveaxis(stored, layer.channel_axis, 1)[0]
    if not np.ptp(values, axis=(1, 2)).any():
        raise ItemError(
            f"layer {layer.name!r} is the same at every place on this input: it shows nothing; name another"
        )
    return LayerMap(layer, np.ascontiguousarray(values, np.float32), stored.dtype)


def as_stored(values: Array32, found: LayerMap) -> Array:
    """Bring (n, C, h, w) back to the layer's own axes and type."""
    moved: Array = np.ascontiguousarray(np.moveaxis(values, 1, found.layer.channel_axis).astype(found.dtype))
    return moved


def default_layer(model: Model, targets: tuple[Target, ...]) -> str:
    """Find the last map that every target is computed from and that is not the map of the classes itself.

    Raises:
        UsageError: there is none.
    """
    before = set.intersection(*(upstream(model, target) for target in targets))
    for layer in reversed(model.layers):
        is_spread = layer.kind == "map" and len(layer.shape) == 3 and layer.shape[1:] != (1, 1)
        if is_spread and layer.name in before and layer.unit_count != model.names.class_count:
            return layer.name
    raise UsageError("no map lies before the target; name a layer with --at")


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
