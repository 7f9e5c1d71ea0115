"""The layers of a model as a drawing wants them: which lead to which, and how deep they lie."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from onnx import ModelProto

from agnostic.converters.graph import reads
from agnostic.converters.layers import Layer
from agnostic.converters.twins import ACTIVATIONS
from agnostic.engine.model import Model

# What finishes the layer before it: nobody looks at both.
_FINISHING = ACTIVATIONS | {"BatchNormalization", "Mul"}
_JOINS = ("Add", "Concat")
#: Places on a side of the maps that pictures are looked at with.
FINEST = 32
# More layers than that in one block say nothing of a model's parts.
_LARGEST_BLOCK = 12


class Drawn(NamedTuple):
    """The layers that are shown.

    Attributes:
        layers: in the order of the graph.
        up: the layers that lead to each directly, by name.
        down: those that each leads to.
        column: how many layers lie before each, on the longest way.
        row: its number among those of its column.
    """

    layers: tuple[Layer, ...]
    up: Mapping[str, tuple[str, ...]]
    down: Mapping[str, tuple[str, ...]]
    column: Mapping[str, int]
    row: Mapping[str, int]


def drawn(model: Model, wanted: Sequence[str] = ()) -> Drawn:
    """Choose the layers that are shown, and find how they hang together.

    A layer that only goes into an activation function is left out, unless it is wanted: its units are those behind.
    """
    everything = _parents(model.proto, [layer.name for layer in model.layers])
    kept = _kept(model.layers, everything, set(wanted))
    up = _parents(model.proto, [layer.name for layer in kept])
    down: dict[str, list[str]] = {layer.name: [] for layer in kept}
    column: dict[str, int] = {}
    for layer in kept:
        column[layer.name] = 1 + max((column[parent] for parent in up[layer.name]), default=-1)
        for parent in up[layer.name]:
            down[parent].append(layer.name)
    seen: Counter[int] = Counter()
    row = {}
    for layer in kept:
        row[layer.name] = seen[column[layer.name]]
        seen[column[layer.name]] += 1
    return Drawn(kept, up, {name: tuple(children) for name, children in down.items()}, column, row)


def nodes_and_edges(found: Drawn, slugs: Mapping[str, str]) -> dict[str, Any]:
    """Write the drawing of the model page."""
    blocks = _blocks([layer.name for layer in found.layers])
    numbers = {layer.name: number for number, layer in enumerate(found.layers)}
    nodes = [
        {
            "slug": slugs[layer.name], "name": layer.name, "op": layer.op, "shape": layer.shape,
            "column": found.column[layer.name], "row": found.row[layer.name], "width": layer.unit_count or 1,
            "block": blocks.get(layer.name),
        }
        for layer in found.layers
    ]  # fmt: skip
    edges = [[numbers[parent], numbers[name]] for name in numbers for parent in found.up[name]]
    return {"nodes": nodes, "edges": sorted(edges)}


def spread_over_depth(
    found: Drawn, sizes: Mapping[str, tuple[int, int]], classes: int | None = None, count: int = 4
) -> list[str]:
    """Choose layers that stand for the depth of a model.

    These are the last layer of each stage, which is all that has maps of the same size, filled up with the joins that
    lie farthest from what is chosen. Maps with more than `FINEST` places on a side are left out where others are left:
    a page would take long to make and hold more than can be pointed at. So are those whose units are the classes.

    Args:
        found: the layers.
        sizes: height and width of those that have places.
        classes: how many classes there are.
        count: how many layers.
    """
    places = [layer for layer in found.layers if sizes.get(layer.name, (1, 1)) != (1, 1)]
    fit = [x for x in places if max(sizes[x.name]) <= FINEST and x.unit_count != classes]
    usable = fit or places or list(found.layers)
    stages = {sizes.get(layer.name): layer.name for layer in usable}
    chosen = list(stages.values())[-count:]
    joins = [layer.name for layer in usable if layer.op in _JOINS] or [layer.name for layer in usable]
    while len(chosen) < count and (left := [name for name in joins if name not in chosen]):
        chosen.append(max(left, key=lambda name: min(abs(found.column[name] - found.column[it]) for it in chosen)))
    order = {layer.name: number for number, layer in enumerate(found.layers)}
    return sorted(chosen, key=order.__getitem__)


def _kept(layers: Sequence[Layer], up: Mapping[str, tuple[str, ...]], wanted: set[str]) -> tuple[Layer, ...]:
    by_name = {layer.name: layer for layer in layers}
    children: dict[str, list[str]] = defaultdict(list)
    for name, parents in up.items():
        for parent in parents:
            children[parent].append(name)

    def finished(layer: Layer) -> bool:
        if len(children[layer.name]) != 1 or layer.name in wanted:
            return False
        child = by_name[children[layer.name][0]]
        return child.op in _FINISHING and up[child.name] == (layer.name,) and child.shape == layer.shape

    return tuple(layer for layer in layers if not finished(layer))


def _parents(proto: ModelProto, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The nearest named tensors that each named tensor depends on, in the order of `names`."""
    order = {name: number for number, name in enumerate(names)}
    nearest: dict[str, frozenset[str]] = {}
    found: dict[str, tuple[str, ...]] = {}
    for node in proto.graph.node:
        sources = frozenset().union(*(nearest.get(name, frozenset()) for name in reads(node)))
        for name in node.output:
            if name in order:
                found[name] = tuple(sorted(sources, key=order.__getitem__))
            nearest[name] = frozenset({name}) if name in order else sources
    return found


def _blocks(names: Sequence[str]) -> dict[str, str]:
    """Name the block of each layer by the beginning of its path, as long as blocks would be too large."""
    paths = {name: [part for part in name.split("/") if part] for name in names}
    if not any(len(parts) > 1 for parts in paths.values()):
        return {}
    found: dict[str, str] = {}
    for depth in range(1, 6):
        counts = Counter(tuple(parts[:depth]) for name, parts in paths.items() if name not in found)
        for name, parts in paths.items():
            if name not in found and (counts[tuple(parts[:depth])] <= _LARGEST_BLOCK or len(parts) <= depth):
                found[name] = "/".join(parts[:depth])
    return found
