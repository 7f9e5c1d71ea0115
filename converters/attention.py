"""Where a graph attends: softmaxes between two matrix products, found by pattern whatever the nodes are called.

The first product compares places, the softmax turns each row into shares, the second product mixes the values by
them. Scales, masks, dropout, casts and changes of layout in between are looked through. Operators that do all of this
in one node hide their shares: ``unfuse.unfused`` writes them out first.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from onnx import ModelProto, NodeProto

from agnostic.converters.graph import attribute, consumers, needed_nodes, opset, producers
from agnostic.converters.layers import live_tensors
from agnostic.converters.shapes import Shape, infer, shape_of

_LAYOUT = frozenset({"Flatten", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})
_SAME = frozenset({"Dropout", "Identity"})
_BEFORE = _LAYOUT | _SAME | {"Add", "Cast", "Clip", "Div", "Max", "Min", "Mul", "Sub", "Tanh", "Where"}
_AFTER = _LAYOUT | _SAME | {"Cast", "Mul", "Where"}
_PRODUCTS = frozenset({"Einsum", "FusedMatMul", "Gemm", "MatMul"})
# What keeps the sum of two inputs the sum of two outputs, up to a constant.
_LINEAR = _PRODUCTS | _LAYOUT | _SAME | {"Add", "Cast", "Conv", "Div", "Mul", "Sub"}
_SUMS = frozenset({"Add", "SkipLayerNormalization", "SkipSimplifiedLayerNormalization"})
_ASIDE = frozenset({"Shape", "Size"})


@dataclass(frozen=True)
class Attention:
    """One attention, by the names of its tensors.

    Attributes:
        probabilities: The shares, (n, heads, T, S) or (n * heads, T, S): each row adds up to one.
        values: What is mixed, in the layout of the product.
        output: The mixture, before its heads are joined.
        added: What comes of the mixture by linear steps and is added to the stream; empty where nothing plainly is.
        stream: The tokens that the block starts from, to which `added` is added; empty where nothing plainly is.
        shape: Of the probabilities; None where even the number of axes is unknown.
        places: How many tokens the stream has; None where that is not fixed or there is no stream.
    """

    probabilities: str
    values: str
    output: str
    added: str
    stream: str
    shape: Shape | None
    places: int | None


def attentions(proto: ModelProto) -> tuple[Attention, ...]:
    """List the attentions of a model in the order they are computed; the model is not run.

    Fused operators are not looked into: hand in what ``unfuse.unfused`` returns.
    """
    return tuple(_Finder(proto).found())


class _Finder:
    """Everything that is known about one graph while its attentions are listed."""

    def __init__(self, proto: ModelProto) -> None:
        self.graph = proto.graph
        self.made, self.readers = producers(proto.graph), consumers(proto.graph)
        self.live = live_tensors(proto.graph)
        self.shapes = {name: shape_of(value) for name, value in infer(proto).items()}
        self.default_axis = -1 if opset(proto) >= 13 else 1

    def found(self) -> Iterator[Attention]:
        for node in self.graph.node:
            if node.op_type == "Softmax" and self._is_over_last(node) and self._compares(node.input[0]):
                attention = self._attention(node)
                if attention is not None:
                    yield attention

    def _is_over_last(self, node: NodeProto) -> bool:
        axis = attribute(node, "axis", self.default_axis)
        shape = self.shapes.get(node.input[0])
        return bool(axis == -1 or (axis >= 2 if shape is None else axis == len(shape) - 1))

    def _compares(self, scores: str) -> bool:
        """Tell whether scores come from a product of two tensors that both depend on the input."""
        open_names, seen = [scores], {scores}
        while open_names:
            node = self.made.get(open_names.pop())
            if node is None:
                continue
            if node.op_type in _PRODUCTS and len(self._living(node.input)) == 2:
                return True
            if node.op_type in _BEFORE:
                fresh = set(self._living(node.input)) - seen
                seen |= fresh
                open_names += sorted(fresh)
        return False

    def _living(self, names: Iterable[str]) -> list[str]:
        return [name for name in names if name in self.live]

    def _attention(self, softmax: NodeProto) -> Attention | None:
        """Follow the shares to the product with the values."""
        # Each entry: a tensor on the way, and the last one so far that holds the shares in the softmax's own layout.
        waiting, seen = [(softmax.output[0], softmax.output[0])], {softmax.output[0]}
        while waiting:
            name, shares = waiting.pop()
            for node in self.readers.get(name, ()):
                living = self._living(node.input)
                if node.op_type in _PRODUCTS and len(living) == 2:
                    values = next((other for other in living if other != name), name)
                    return self._described(shares, values, node.output[0])
                if node.op_type in _AFTER and node.output[0] not in seen:
                    seen.add(node.output[0])
                    keeps = name == shares and node.op_type not in _LAYOUT | {"Cast"}
                    waiting.append((node.output[0], node.output[0] if keeps else shares))
        return None

    def _described(self, shares: str, values: str, output: str) -> Attention:
        added, stream = self._residual(output, shares)
        return Attention(shares, values, output, added, stream, self.shapes.get(shares), self._places(stream))

    def _places(self, stream: str) -> int | None:
        """Count the tokens of a stream: everything but its batch and its channels, the first and last axis."""
        shape = self.shapes.get(stream)
        if shape is None or len(shape) < 3 or None in shape[1:-1]:
            return None
        places = 1
        for size in shape[1:-1]:
            places *= size or 1
        return places

    def _residual(self, output: str, shares: str) -> tuple[str, str]:
        """Follow a mixture by linear steps to where it is added to what the shares were computed from."""
        before = {name for node in needed_nodes(self.graph.node, [shares]) for name in (*node.input, *node.output)}
        name = output
        while True:
            readers = [node for node in self.readers.get(name, ()) if node.op_type not in _ASIDE]
            if len(readers) != 1:
                return "", ""
            node = readers[0]
            others = [other for other in self._living(node.input) if other != name]
            if node.op_type in _SUMS and others and others[0] in before:
                return name, others[0]
            # A sum with something else, as with a parallel branch, is still on the way to the stream.
            if node.op_type not in _LINEAR or (others and node.op_type != "Add"):
                return "", ""
            name = str(node.output[0])
