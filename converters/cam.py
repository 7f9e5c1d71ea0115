"""The closed form of class activation maps, where a graph has one.

In a network that ends with map -> global average -> linear classifier, the score of a class is the mean over all places
of a weighted sum of the map's channels (Zhou et al., *Learning Deep Features for Discriminative Localization*, CVPR
2016), so what each place contributes is exact. Where the last map has one channel per class (SqueezeNet), it is the
answer itself.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from agnostic.converters.graph import Constants, attribute, first_input, producers
from agnostic.converters.shapes import Shape, infer, shape_of

_NEUTRAL = frozenset({"Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
_SQUASHES = frozenset({"LogSoftmax", "Sigmoid", "Softmax"})
Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class CamTail:
    """The linear end of a network: logits = weights @ mean(layer) + bias.

    Attributes:
        layer: The name of the map that is averaged.
        logits: The name of the tensor of class scores.
        weights: float32 (classes, C); None where channel k of the map is class k.
        bias: float32 (classes,); None along with the weights.
    """

    layer: str
    logits: str
    weights: Floats | None = field(default=None, repr=False)
    bias: Floats | None = field(default=None, repr=False)


def analytic_cam(proto: ModelProto) -> CamTail | None:
    """Find the closed-form class activation map of a classifier.

    The average may be a GlobalAveragePool, a ReduceMean over both spatial axes or an AveragePool over everything; the
    classifier a Gemm, a MatMul with or without its Add, or a 1x1 convolution. Dropout and reshapes are looked through.

    Returns:
        The structure of the first output that has one; None for a network that ends in another way.
    """
    reader = _Reader(proto)
    tails = (reader.tail(value.name) for value in proto.graph.output)
    with np.errstate(all="ignore"):  # weights that are not finite are the model's affair
        return next((tail for tail in tails if tail is not None), None)


class Linear(NamedTuple):
    """A linear layer: scores = weights @ source + bias.

    Attributes:
        source: the name of what it reads.
        weights: float32 (classes, C).
        bias: float32 (classes,), zeros where there is none.
        names: of the tensors that hold them, the weights first.
    """

    source: str
    weights: Floats
    bias: Floats
    names: tuple[str, ...]


def last_linear(proto: ModelProto, scores: str) -> Linear | None:
    """Find the linear layer that gives the class scores: a Gemm, a MatMul with or without its Add, a 1x1 convolution.

    Args:
        proto: The model.
        scores: The tensor that holds them.

    Returns:
        None where they come from something else.
    """
    reader = _Reader(proto)
    node = reader.behind(scores)
    with np.errstate(all="ignore"):
        return None if node is None else reader.linear(node)


class _Reader:
    """Reads the end of one graph backwards."""

    def __init__(self, proto: ModelProto) -> None:
        self._made = producers(proto.graph)
        self._constants = Constants(proto.graph)
        self._shapes = {name: shape_of(value) for name, value in infer(proto).items()}

    def tail(self, output: str) -> CamTail | None:
        squash = self.behind(output)
        logits = first_input(squash) if squash is not None and squash.op_type in _SQUASHES else output
        node = self.behind(logits)
        if node is None:
            return None
        if (layer := self._averaged(node)) is not None:
            return CamTail(layer, logits)
        linear = self.linear(node)
        pool = self.behind(linear.source) if linear is not None else None
        layer = self._averaged(pool) if pool is not None else None
        if linear is None or layer is None or self._channels(pool) != linear.weights.shape[1]:
            return None
        return CamTail(layer, logits, linear.weights, linear.bias)

    def behind(self, name: str) -> NodeProto | None:
        node = self._made.get(name)
        while node is not None and node.op_type in _NEUTRAL:
            node = self._made.get(first_input(node))
        return node

    def _averaged(self, node: NodeProto) -> str | None:
        """Return the map that a node averages over all its places."""
        source = first_input(node)
        shape = self._shapes.get(source)
        if node.op_type == "GlobalAveragePool":
            return source
        if node.op_type == "AveragePool" and shape is not None:
            return source if _covers_all(node, shape[2:]) else None
        if node.op_type == "ReduceMean" and shape is not None and len(shape) == 4:
            return source if self._axes(node) in ({2, 3}, {1, 2}) else None
        return None

    def _axes(self, node: NodeProto) -> set[int]:
        axes = attribute(node, "axes")
        if axes is None and len(node.input) > 1:
            axes = self._constants.ints(node.input[1])
        return {axis % 4 for axis in axes or ()}

    def _channels(self, pool: NodeProto | None) -> int | None:
        """Return how many channels a node averages."""
        shape = self._shapes.get(first_input(pool)) if pool is not None else None
        if pool is None or shape is None:
            return None
        return shape[-1] if pool.op_type == "ReduceMean" and self._axes(pool) == {1, 2} else shape[1]

    def linear(self, node: NodeProto) -> Linear | None:
        if node.op_type == "Add":
            return self._with_bias(node)
        matrix = self._constants.get(node.input[1]) if len(node.input) > 1 else None
        if matrix is None:
            return None
        if node.op_type == "MatMul" and matrix.ndim == 2:
            return _linear(first_input(node), matrix.T, np.zeros(1), (node.input[1],))
        if node.op_type == "Gemm" and not attribute(node, "transA", 0):
            scaled = matrix * attribute(node, "alpha", 1.0)
            weights = scaled if attribute(node, "transB", 0) else scaled.T
            return self._gemm_like(node, weights, attribute(node, "beta", 1.0))
        if node.op_type == "Conv" and matrix.shape[2:] == (1, 1) and attribute(node, "group", 1) == 1:
            return self._gemm_like(node, matrix[:, :, 0, 0], 1.0)
        return None

    def _gemm_like(self, node: NodeProto, weights: NDArray[Any], scale: float) -> Linear | None:
        bias = np.zeros(1) if len(node.input) < 3 else self._constants.get(node.input[2])
        return None if bias is None else _linear(first_input(node), weights, bias * scale, tuple(node.input[1:]))

    def _with_bias(self, node: NodeProto) -> Linear | None:
        for source, other in (node.input, reversed(node.input)):
            bias = self._constants.get(other)
            made = self.behind(source)
            linear = self.linear(made) if bias is not None and made is not None else None
            if bias is not None and linear is not None:
                return _linear(linear.source, linear.weights, linear.bias + bias.ravel(), (*linear.names, other))
        return None


def _linear(source: str, weights: NDArray[Any], bias: NDArray[Any], names: tuple[str, ...]) -> Linear | None:
    if bias.size not in (1, len(weights)):
        return None
    full = np.broadcast_to(bias.ravel(), len(weights))
    return Linear(source, np.ascontiguousarray(weights, np.float32), full.astype(np.float32), names)


def _covers_all(node: NodeProto, places: Shape) -> bool:
    """Tell whether an AveragePool is the plain mean: one window over every place, padding not counted in."""
    kernel = attribute(node, "kernel_shape")
    pads = attribute(node, "pads", [0] * (2 * len(places)))
    strides = attribute(node, "strides", [1] * len(places))
    if attribute(node, "auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or attribute(node, "count_include_pad", 0):
        return not any(pads) and kernel == list(places)
    sizes = zip(places, kernel, pads, pads[len(places) :], strides, strict=False)
    return all(n and k - first >= n and n + first + last - k < s for n, k, first, last, s in sizes)
