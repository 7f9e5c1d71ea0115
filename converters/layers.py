"""Which tensors of a graph are layers: the hidden tensors a person would name.

Outputs of convolutions, matrix products, activations, pools, norms, attention, embeddings, and of the joins where
branches meet. A scale or bias by constants belongs to the layer before it, so a MatMul followed by its Add is one
layer, named by the Add's tensor. Reshapes, transposes, casts, dropout, shape arithmetic, weights and the model's last
outputs are no layers; nor are recurrent states, whose first axis is not the batch.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from onnx import GraphProto, ModelProto, NodeProto, TensorProto

from agnostic.converters.cam import CamTail, analytic_cam
from agnostic.converters.graph import Constants, consumers, producers, real_inputs
from agnostic.converters.layout import CONVOLUTIONS, NO_CHANNELS, POOLS, PRODUCTS, Layout
from agnostic.converters.shapes import Shape, element_type, infer, shape_of
from agnostic.converters.twins import ACTIVATIONS, Tracer
from agnostic.errors import unknown

__all__ = ["CamTail", "Layer", "analytic_cam", "find", "layers"]

Kind = Literal["map", "tokens", "vector"]

_NORMS = frozenset({"BatchNormalization", "GroupNormalization", "InstanceNormalization", "LRN", "LayerNormalization"})
_NORMS |= {"LpNormalization", "RMSNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization"}
_ATTENTION = frozenset({"Attention", "EmbedLayerNormalization", "GroupQueryAttention", "MultiHeadAttention"})
_JOINS = frozenset({"Add", "Concat", "Div", "Max", "Mul", "Sum"})
_REDUCTIONS = frozenset({"ReduceMax", "ReduceMean", "ReduceSum"})
_NAMED = CONVOLUTIONS | POOLS | PRODUCTS | _NORMS | _ATTENTION | ACTIVATIONS | {"LogSoftmax", "Softmax"}
_TAKES_BIAS = CONVOLUTIONS | PRODUCTS | _NORMS | _JOINS | {"Gather"}
_AFFINE = frozenset({"Add", "Div", "Mul", "Sub"})
_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16})


@dataclass(frozen=True)
class Layer:
    """A hidden tensor a person would name.

    Attributes:
        name: The ONNX tensor's name.
        op: The operator that does its work.
        shape: Without the batch axis: channels first for a map (C,H,W) or (C,L), last for tokens (T,C), alone for a
            vector (C,); None where a size is not fixed.
        kind: ``map`` (channels over places), ``tokens`` (places, each with channels) or ``vector``.
        channel_axis: The axis of the channels in the ONNX tensor, the batch axis counted.
    """

    name: str
    op: str
    shape: Shape
    kind: Kind
    channel_axis: int

    @property
    def unit_count(self) -> int | None:
        """How many units the layer has: the size of its channel axis."""
        return self.shape[-1] if self.kind == "tokens" else self.shape[0]


def layers(proto: ModelProto) -> tuple[Layer, ...]:
    """List the layers of a model in the order they are computed; the model is not run."""
    order = {name: place for place, name in enumerate(producers(proto.graph))}
    return tuple(sorted(_Lister(proto).layers(), key=lambda layer: order[layer.name]))


def find(layers: Iterable[Layer], name: str) -> Layer:
    """Return the layer of that name.

    Raises:
        UsageError: There is none; the message offers the nearest names.
    """
    by_name = {layer.name: layer for layer in layers}
    if name not in by_name:
        raise unknown("layer", name, by_name)
    return by_name[name]


class _Lister:
    """Everything that is known about one graph while its layers are listed."""

    def __init__(self, proto: ModelProto) -> None:
        self.graph = proto.graph
        values = infer(proto)
        self.floats = {name for name, value in values.items() if element_type(value) in _FLOATS}
        self.shapes = {name: shape for name, value in values.items() if (shape := shape_of(value)) is not None}
        self.live = live_tensors(proto.graph)
        self.readers = consumers(proto.graph)
        self.layout = Layout(proto.graph, self.shapes, self.live)
        # An output that other nodes read is a hidden tensor as well.
        self.ends = {value.name for value in proto.graph.output} - self.readers.keys()

    def layers(self) -> Iterator[Layer]:
        inner = self._inside_gates()
        for node in self.graph.node:
            name = node.output[0] if node.output else ""
            if name in self.live and name not in inner and self._is_named(node):
                layer = self._layer(self._biased(node), node.op_type)
                if layer is not None and layer.name not in self.ends:
                    yield layer

    def _is_named(self, node: NodeProto) -> bool:
        live_inputs = [name for name in node.input if name in self.live]
        if node.op_type in _JOINS:
            return len(live_inputs) > 1 or (node.op_type == "Concat" and bool(live_inputs))
        if node.op_type == "Gather":
            return node.input[0] not in self.live
        return node.op_type in _NAMED or (node.op_type in _REDUCTIONS and self._pools(node))

    def _pools(self, node: NodeProto) -> bool:
        """Tell whether a reduction leaves the channels standing."""
        axis = self.layout.axis(node.output[0])
        source = self.layout.axis(node.input[0])
        if axis is None or source is None or NO_CHANNELS in (axis, source):
            return False
        return self.shapes[node.output[0]][axis] == self.shapes[node.input[0]][source] != 1

    def _biased(self, node: NodeProto) -> str:
        """Follow a layer through the constants it is scaled and shifted by; return the last tensor's name."""
        name = str(node.output[0])
        while node.op_type in _TAKES_BIAS and len(self.readers.get(name, ())) == 1:
            following = self.readers[name][0]
            if following.op_type not in _AFFINE or self.live.intersection(following.input) != {name}:
                break
            if following.op_type in ("Div", "Sub") and following.input[0] != name:
                break
            name = str(following.output[0])
        return name

    def _inside_gates(self) -> set[str]:
        """Name the steps inside written-out activations, as the sigmoid in x * Sigmoid(x)."""
        made = producers(self.graph)
        tracer = Tracer(made, Constants(self.graph))
        inner: set[str] = set()
        for node in self.graph.node:
            joins = node.op_type == "Mul" and len(self.live.intersection(node.input)) == 2
            # A scale after the product is followed by _biased instead, or the product itself would count as inside.
            start = tracer.gated(node) if joins else None
            if start is not None:
                inner |= _between(made, node, start) & self.live
        return inner

    def _layer(self, name: str, op: str) -> Layer | None:
        shape = self.shapes.get(name)
        if name not in self.floats or shape is None or len(shape) < 2:
            return None
        axis = self.layout.axis(name)
        if axis == NO_CHANNELS:
            return None
        # Nothing tells where the channels are: ONNX itself means channels first for maps and last for sequences.
        if axis is None or axis == 0:
            axis = 2 if len(shape) == 3 else 1
        sizes = shape[1:axis] + shape[axis + 1 :]
        if len(shape) == 2:
            return Layer(name, op, shape[1:], "vector", 1)
        if len(shape) == 3 and axis == 2:
            return Layer(name, op, (*sizes, shape[axis]), "tokens", axis)
        return Layer(name, op, (shape[axis], *sizes), "map", axis)


def live_tensors(graph: GraphProto) -> set[str]:
    """Name the tensors that are computed from the inputs' values, not from weights or shapes alone."""
    live = {value.name for value in real_inputs(graph)}
    for node in graph.node:
        if node.op_type not in ("ConstantOfShape", "Shape", "Size") and not live.isdisjoint(node.input):
            live.update(filter(None, node.output))
    return live


def _between(made: dict[str, NodeProto], node: NodeProto, start: str) -> set[str]:
    found: set[str] = set()
    todo: Sequence[str] = list(node.input)
    while todo:
        name, *todo = todo
        if name != start and name not in found and name in made:
            found.add(name)
            todo = [*todo, *made[name].input]
    return found
