"""Which axis of a tensor holds the channels, told by the operators around it and never by sizes.

Convolutions, pools and batch norms have their channels on axis 1, matrix products with a weight on the last axis. From
there the answer is carried through transposes, entry-by-entry operators and the like, forwards and then backwards, so
that the NHWC parts of a graph that came from TensorFlow are known as such.
"""

from collections.abc import Mapping

from onnx import GraphProto, NodeProto

from agnostic.converters.graph import Constants, attribute, first_input
from agnostic.converters.shapes import Shape

# The axis of a tensor whose axes have no channel meaning: a product of two computed matrices, as in attention.
NO_CHANNELS = -1

CONVOLUTIONS = frozenset({"Conv", "ConvTranspose", "DeformConv", "FusedConv", "QLinearConv"})
POOLS = frozenset({"AveragePool", "GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool", "LpPool", "MaxPool"})
PRODUCTS = frozenset({"FusedGemm", "FusedMatMul", "Gemm", "MatMul"})
_AXIS_ONE = CONVOLUTIONS | POOLS | {"BatchNormalization", "GroupNormalization", "InstanceNormalization", "LRN"}
_LAST_AXIS = frozenset({"Attention", "Gather", "GroupQueryAttention", "LayerNormalization", "MultiHeadAttention"})
_LAST_AXIS |= {"EmbedLayerNormalization", "RMSNormalization", "SimplifiedLayerNormalization", "SkipLayerNormalization"}
_MOVES = frozenset({"Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})


class Layout:
    """The channel axes of the tensors of one graph."""

    def __init__(self, graph: GraphProto, shapes: Mapping[str, Shape], live: set[str]) -> None:
        """Work out the axes.

        Args:
            graph: The graph.
            shapes: The shapes of its tensors, where known.
            live: The tensors that are computed from the inputs' values; all others count as weights.
        """
        self._shapes = shapes
        self._live = live
        self._constants = Constants(graph)
        self._axes: dict[str, int] = {}
        for node in graph.node:
            self._forward(node)
        # What was learnt backwards, say from a convolution further on, holds for the branches beside it too.
        for node in reversed(graph.node):
            self._backward(node)
        for node in graph.node:
            self._forward(node)

    def axis(self, name: str) -> int | None:
        """Return the channel axis of a tensor, NO_CHANNELS if it has none; None when nothing tells."""
        return self._axes.get(name)

    def _rank(self, name: str) -> int:
        return len(self._shapes.get(name, ()))

    def _set(self, name: str, axis: int | None) -> None:
        if axis is not None and (axis == NO_CHANNELS or 0 <= axis < self._rank(name)):
            self._axes.setdefault(name, axis)

    def _forward(self, node: NodeProto) -> None:
        for name in filter(None, node.output):
            self._set(name, self._made(node, self._rank(name)))

    def _made(self, node: NodeProto, rank: int) -> int | None:
        if node.op_type in _AXIS_ONE:
            return 1
        if node.op_type in PRODUCTS:
            computed = sum(name in self._live for name in node.input[:2])
            return rank - 1 if rank < 3 or computed == 1 else NO_CHANNELS
        known = self._first_known(node, rank)
        if node.op_type in _LAST_AXIS:
            return rank - 1 if known is None else known
        if node.op_type in _MOVES:
            return 1 if rank == 2 else self._moved(node)
        if node.op_type.startswith("Reduce"):
            return self._reduced(node, rank)
        return known

    def _first_known(self, node: NodeProto, rank: int) -> int | None:
        """Return the axis of the first input that has one, counted from the right as broadcasting does."""
        for name in node.input:
            axis = self._axes.get(name)
            if axis is not None and name in self._live:
                shifted = axis + rank - self._rank(name)
                return axis if axis == NO_CHANNELS else shifted if shifted >= 0 else None
        return None

    def _moved(self, node: NodeProto) -> int | None:
        axis = self._axes.get(first_input(node))
        if axis is None or axis == NO_CHANNELS:
            return None if axis is None or node.op_type == "Reshape" else NO_CHANNELS
        if node.op_type == "Transpose":
            order = _permutation(node, self._rank(first_input(node)))
            return order.index(axis) if axis in order else None
        if node.op_type == "Unsqueeze":
            return _after_insertion(axis, self._places(node, self._rank(node.output[0])))
        return (
            self._without(axis, self._places(node, self._rank(first_input(node))))
            if node.op_type == "Squeeze"
            else None
        )

    def _reduced(self, node: NodeProto, rank: int) -> int | None:
        source = first_input(node)
        axis = self._axes.get(source)
        places = self._places(node, self._rank(source))
        if axis is None and len(places) == self._rank(source) - 2:
            # All but two axes are averaged away: the batch and the channels stay.
            axis = next(a for a in range(1, self._rank(source)) if a not in places)
        if axis is None or axis == NO_CHANNELS or rank == self._rank(source):
            return axis
        return self._without(axis, places)

    def _without(self, axis: int, places: set[int]) -> int | None:
        return None if axis in places else axis - sum(place < axis for place in places)

    def _places(self, node: NodeProto, rank: int) -> set[int]:
        """Return the axes a node names, in its attribute or its second input."""
        axes = attribute(node, "axes")
        if axes is None and len(node.input) > 1:
            axes = self._constants.ints(node.input[1])
        return {axis % rank for axis in axes or ()} if rank else set()

    def _backward(self, node: NodeProto) -> None:
        source = first_input(node)
        if source not in self._live:
            return
        if node.op_type in _AXIS_ONE:
            self._set(source, 1)
            return
        axis = self._axes.get(node.output[0]) if node.output else None
        if axis is None or axis == NO_CHANNELS or node.op_type in _MOVES - {"Transpose"} or node.op_type in PRODUCTS:
            return
        if node.op_type == "Transpose":
            self._set(source, dict(enumerate(_permutation(node, self._rank(source)))).get(axis))
            return
        for name in node.input:
            if name in self._live and self._rank(name) == self._rank(node.output[0]):
                self._set(name, axis)


def _permutation(node: NodeProto, rank: int) -> list[int]:
    return list(attribute(node, "perm", range(rank)[::-1]))


def _after_insertion(axis: int, places: set[int]) -> int:
    for place in sorted(places):
        axis += place <= axis
    return axis
