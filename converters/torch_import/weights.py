"""Which constants of a re-imported graph are weights that were learned, and the linear layers that they make up."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from agnostic.converters.torch_import.graph import Graph
from agnostic.converters.torch_import.step import Step

#: The inputs of operators that are weights wherever they are constant.
_SLOTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "ConvTranspose": (1, 2),
    "Einsum": (0, 1, 2),
    "GRU": (1, 2, 3),
    "Gather": (0,),
    "Gemm": (0, 1, 2),
    "GroupNormalization": (1, 2),
    "InstanceNormalization": (1, 2),
    "BatchNormalization": (1, 2),
    "LSTM": (1, 2, 3, 7),
    "LayerNormalization": (1, 2),
    "MatMul": (0, 1),
    "PRelu": (1,),
    "RMSNormalization": (1,),
    "RNN": (1, 2, 3),
}
#: What adds a bias or applies a scale, once something with weights has come before: earlier it prepares the input.
_ELEMENTWISE = frozenset({"Add", "Mul"})


class LinearLayer(NamedTuple):
    """A product with weights, and where its factors are: output = weight * input + bias.

    Attributes:
        step: the node: Conv, Gemm or MatMul.
        source: the name of what it reads.
        output: the name of what it gives, the bias included.
        weight: the name of its weights.
        bias: the name of its bias; None where it has none.
    """

    step: Step
    source: str
    output: str
    weight: str
    bias: str | None


def weights(graph: Graph) -> tuple[str, ...]:
    """Name the learned weights, in the order in which they are first used.

    They are the floating constants that operators with weights read as such, and those of more than one number that are
    added or multiplied behind such an operator.
    """
    found: dict[str, None] = {}
    behind: set[str] = set()
    for step in graph.steps:
        learned = [name for at, name in enumerate(step.inputs) if at in _SLOTS.get(step.kind[1], ())]
        moved = any(name in behind for name in step.inputs)
        if step.kind[1] in _ELEMENTWISE and moved:
            learned = [name for name in step.inputs if _many(graph.constants.get(name))]
        held = [name for name in learned if _floating(graph.constants.get(name))]
        found |= dict.fromkeys(held)
        if held or moved:
            behind |= set(step.outputs)
    return tuple(found)


def _floating(value: Any) -> bool:
    return isinstance(value, Tensor) and value.is_floating_point() and value.numel() > 0


def _many(value: Any) -> bool:
    return _floating(value) and value.numel() > 1


def linear_layers(graph: Graph) -> tuple[LinearLayer, ...]:
    """Find the products with weights: convolutions and matrix products whose second factor is constant."""
    readers: dict[str, list[Step]] = {}
    for step in graph.steps:
        for name in step.inputs:
            readers.setdefault(name, []).append(step)
    found = (_layer(step, graph, readers) for step in graph.steps if step.kind[1] in ("Conv", "Gemm", "MatMul"))
    return tuple(layer for layer in found if layer is not None)


def _layer(step: Step, graph: Graph, readers: Mapping[str, list[Step]]) -> LinearLayer | None:
    source, weight = step.inputs[:2]
    if source in graph.constants or not _floating(graph.constants.get(weight)):
        return None
    if len(step.inputs) > 2 and step.inputs[2]:
        bias = step.inputs[2] if _floating(graph.constants.get(step.inputs[2])) else None
        return LinearLayer(step, source, step.outputs[0], weight, bias)
    after = readers.get(step.outputs[0], [])
    if step.kind[1] == "MatMul" and len(after) == 1 and after[0].kind[1] == "Add":
        other = next((name for name in after[0].inputs if _many(graph.constants.get(name))), None)
        if other is not None and graph.constants[other].ndim == 1:
            return LinearLayer(step, source, after[0].outputs[0], weight, other)
    return LinearLayer(step, source, step.outputs[0], weight, None)
