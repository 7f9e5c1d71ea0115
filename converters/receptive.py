"""Which pixels a cell of a hidden map can see: its receptive field, worked out from the graph and not by running it.

Cell i along an axis sees `size` pixels from `offset + stride * i` on; at the border part of them is padding. Through a
convolution or a pool of kernel k, step s, dilation d and padding p in front this becomes

    size + stride * d * (k - 1),  stride * s,  offset - stride * p

Where branches meet, the field is the smallest that holds both. What looks at the whole map (global pools, attention,
squeeze-and-excitation, instance norms) has no field of its own and leaves none to what follows, and neither do
reshapes and upsampling.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from onnx import GraphProto, ModelProto, NodeProto

from agnostic.converters.graph import Constants, attribute, real_inputs
from agnostic.converters.shapes import Shape, infer, shape_of, without_weights
from agnostic.converters.twins import ACTIVATIONS

_WINDOWS = frozenset({"AveragePool", "Conv", "FusedConv", "LpPool", "MaxPool", "QLinearConv"})
_POINTWISE = ACTIVATIONS | {"Add", "BatchNormalization", "Cast", "Concat", "Div", "Dropout", "Identity", "LRN", "Max"}
_POINTWISE |= {"Mean", "Min", "Mul", "Pow", "Sqrt", "Sub", "Sum", "Abs", "Neg", "Exp", "QuantizeLinear"}
_POINTWISE |= {"DequantizeLinear"}


class Axis(NamedTuple):
    """The field along one axis, in pixels of the model's input."""

    size: int
    stride: int
    offset: int

    def span(self, cell: int) -> tuple[int, int]:
        """The pixels that a cell sees, as a half-open range; it may leave the picture.

        >>> Axis(size=7, stride=2, offset=-3).span(1)
        (-1, 6)
        """
        start = self.offset + self.stride * cell
        return start, start + self.size

    def through(self, kernel: int, step: int, dilation: int, padding: int) -> "Axis":
        """The field behind a sliding window."""
        size = self.size + self.stride * dilation * (kernel - 1)
        return Axis(size, self.stride * step, self.offset - self.stride * padding)

    def join(self, other: "Axis") -> "Axis | None":
        """The smallest field that holds both; None where the steps differ."""
        if self.stride != other.stride:
            return None
        offset = min(self.offset, other.offset)
        return Axis(max(self.offset + self.size, other.offset + other.size) - offset, self.stride, offset)


@dataclass(frozen=True)
class Field:
    """The receptive field of every cell of a map, down and across."""

    down: Axis
    across: Axis

    def box(self, y: int, x: int) -> tuple[int, int, int, int]:
        """The pixels a cell sees: top, left, bottom, right, the last two not included; it may leave the picture."""
        (top, bottom), (left, right) = self.down.span(y), self.across.span(x)
        return top, left, bottom, right


class _Held(NamedTuple):
    field: Field
    axes: tuple[int, int]  # where down and across are in the tensor


def receptive_fields(
    proto: ModelProto, source: str, size: tuple[int, int], axes: tuple[int, int] = (2, 3)
) -> dict[str, Field]:
    """Work out the field of every tensor that has one.

    Args:
        proto: the model.
        source: the input that is the picture.
        size: its height and width.
        axes: which axes of the input these are, the batch axis counted: (1, 2) for channels last.
    """
    tracer = _Tracer(proto.graph, _shapes(proto, source, size, axes))
    start = Axis(1, 1, 0)
    tracer.held[source] = _Held(Field(start, start), axes)
    for node in proto.graph.node:
        if any(name in tracer.held for name in node.input):
            found = tracer.behind(node)
            tracer.held.update({name: found if place == 0 else None for place, name in enumerate(node.output)})
    return {name: held.field for name, held in tracer.held.items() if held is not None}


def _shapes(proto: ModelProto, source: str, size: tuple[int, int], axes: tuple[int, int]) -> dict[str, Shape]:
    skeleton = without_weights(proto)
    picture = next((value for value in real_inputs(skeleton.graph) if value.name == source), None)
    if picture is not None:
        for axis, length in zip(axes, size, strict=True):
            picture.type.tensor_type.shape.dim[axis].dim_value = length
    return {name: shape for name, value in infer(skeleton, 1).items() if (shape := shape_of(value)) is not None}


class _Tracer:
    """The fields of the tensors so far: None for what sees the picture without one, nothing for weights."""

    def __init__(self, graph: GraphProto, shapes: Mapping[str, Shape]) -> None:
        self.held: dict[str, _Held | None] = {}
        self.shapes = shapes
        self.constants = Constants(graph)

    def behind(self, node: NodeProto) -> _Held | None:
        """The field of a node's first output."""
        given = [held for name in node.input if name in self.held and (held := self.held[name]) is not None]
        if len(given) < sum(name in self.held for name in node.input):
            return None
        rule = _RULES.get(node.op_type)
        if rule is not None:
            return rule(self, node, given[0]) if node.input[0] in self.held else None
        return self._joined(node, given) if node.op_type in _POINTWISE else None

    def _joined(self, node: NodeProto, given: Sequence[_Held]) -> _Held | None:
        if node.op_type == "Concat" and attribute(node, "axis", 0) % self._rank(node.output[0]) in given[0].axes:
            return None
        found: _Held | None = given[0]
        for held in given[1:]:
            found = _meet(found, held) if found is not None else None
        return found

    def windowed(self, node: NodeProto, held: _Held) -> _Held | None:
        """Through a convolution or a pool, whose maps lie on the axes 2 and 3."""
        weights: Any = self.shapes.get(node.input[1], ())[2:] if len(node.input) > 1 else ()
        kernel = attribute(node, "kernel_shape", weights)
        if held.axes != (2, 3) or len(kernel) != 2:
            return None
        steps, dilations = attribute(node, "strides", [1, 1]), attribute(node, "dilations", [1, 1])
        paddings = self._paddings(node, kernel, steps, dilations)
        if paddings is None:
            return None
        down, across = zip(kernel, steps, dilations, paddings, strict=True)
        return _Held(Field(held.field.down.through(*down), held.field.across.through(*across)), held.axes)

    def _paddings(
        self, node: NodeProto, kernel: Sequence[int], steps: Sequence[int], dilations: Sequence[int]
    ) -> Sequence[int] | None:
        """What is put in front along each axis."""
        mode = attribute(node, "auto_pad", b"NOTSET")
        if mode in (b"NOTSET", b"VALID"):
            return [0, 0] if mode == b"VALID" else attribute(node, "pads", [0, 0, 0, 0])[:2]
        sizes = self.shapes.get(node.input[0], ())[2:]
        if len(sizes) != 2 or None in sizes:
            return None
        window = zip((size or 0 for size in sizes), kernel, steps, dilations, strict=True)
        whole = [max(0, (-(-size // s) - 1) * s + d * (k - 1) + 1 - size) for size, k, s, d in window]
        return [(pad + (mode == b"SAME_LOWER")) // 2 for pad in whole]

    def transposed(self, node: NodeProto, held: _Held) -> _Held | None:
        """Follow the two axes to where they went."""
        order = list(attribute(node, "perm", range(self._rank(node.input[0]))[::-1]))
        down, across = (order.index(axis) if axis in order else -1 for axis in held.axes)
        return held._replace(axes=(down, across)) if down > 0 and across > 0 else None

    def padded(self, node: NodeProto, held: _Held) -> _Held | None:
        """Through a Pad: cells before the first."""
        rank = self._rank(node.input[0])
        pads = attribute(node, "pads") or (self.constants.ints(node.input[1]) if len(node.input) > 1 else None)
        if pads is None or len(pads) != 2 * rank or attribute(node, "mode", b"constant") != b"constant":
            return None
        down, across = held.axes
        return held._replace(
            field=Field(_moved(held.field.down, -pads[down]), _moved(held.field.across, -pads[across]))
        )

    def along_channels(self, node: NodeProto, held: _Held) -> _Held | None:
        """Through what works along the last axis only, where that is the channels'."""
        last = self._rank(node.input[0]) - 1
        weights_behind = node.op_type != "MatMul" or node.input[1] not in self.held
        axis = attribute(node, "axis", -1)
        return held if weights_behind and last not in held.axes and axis in (-1, last) else None

    def _rank(self, name: str) -> int:
        return len(self.shapes.get(name, ())) or 4


def _moved(axis: Axis, cells: int) -> Axis:
    return axis._replace(offset=axis.offset + axis.stride * cells)


def _meet(one: _Held, other: _Held) -> _Held | None:
    down, across = one.field.down.join(other.field.down), one.field.across.join(other.field.across)
    return None if down is None or across is None or one.axes != other.axes else _Held(Field(down, across), one.axes)


_RULES: dict[str, Callable[[_Tracer, NodeProto, _Held], _Held | None]] = {
    **dict.fromkeys(_WINDOWS, _Tracer.windowed),
    **dict.fromkeys(("LayerNormalization", "LogSoftmax", "MatMul", "Softmax"), _Tracer.along_channels),
    "Pad": _Tracer.padded,
    "Transpose": _Tracer.transposed,
}
