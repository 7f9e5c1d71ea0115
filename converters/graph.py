"""Reading an ONNX graph: who makes a tensor, who reads it, what is constant, what shape it has.

Every function here only reads; the functions that build new graphs are in ``surgery`` and ``batch``.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

Array: TypeAlias = NDArray[Any]

_FOLDABLE = ("Constant", "ConstantOfShape", "Identity", "Reshape", "Transpose")


def subgraphs(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the graphs a node carries in its attributes: the branches of an If, the body of a Loop."""
    for attribute in node.attribute:
        if attribute.type == AttributeProto.GRAPH:
            yield attribute.g
        elif attribute.type == AttributeProto.GRAPHS:
            yield from attribute.graphs


def walk(nodes: Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Yield the nodes and, after each one, those of its subgraphs."""
    for node in nodes:
        yield node
        for graph in subgraphs(node):
            yield from walk(graph.node)


def every_node(proto: ModelProto) -> Iterator[NodeProto]:
    """Yield every node of the model: of its graph, of all subgraphs and of its functions."""
    yield from walk(proto.graph.node)
    for function in proto.functions:
        yield from walk(function.node)


def every_graph(proto: ModelProto) -> Iterator[GraphProto]:
    """Yield the model's graph and every graph inside it or inside its functions."""
    yield proto.graph
    for node in every_node(proto):
        yield from subgraphs(node)


def every_tensor(proto: ModelProto) -> Iterator[TensorProto]:
    """Yield every tensor stored in the model: initializers, sparse ones, and node attributes."""
    for graph in every_graph(proto):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in every_node(proto):
        for attribute in node.attribute:
            if attribute.type == AttributeProto.TENSOR:
                yield attribute.t
            elif attribute.type == AttributeProto.SPARSE_TENSOR:
                yield from (attribute.sparse_tensor.values, attribute.sparse_tensor.indices)
            yield from attribute.tensors


def reads(node: NodeProto) -> set[str]:
    """Name every tensor a node needs, those its subgraphs take from outside included."""
    names = {name for name in node.input if name}
    for graph in subgraphs(node):
        names |= captured(graph)
    return names


def captured(graph: GraphProto) -> set[str]:
    """Name the tensors a graph reads but does not make."""
    made = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    made |= {name for node in graph.node for name in node.output}
    needed = {value.name for value in graph.output}.union(*map(reads, graph.node))
    return needed - made


def first_input(node: NodeProto) -> str:
    """Name what a node reads first; empty for a node that reads nothing."""
    return str(node.input[0]) if node.input else ""


def producers(graph: GraphProto) -> dict[str, NodeProto]:
    """Map every tensor that a node makes to that node."""
    return {name: node for node in graph.node for name in node.output if name}


def consumers(graph: GraphProto) -> dict[str, list[NodeProto]]:
    """Map every tensor to the nodes that read it."""
    readers: dict[str, list[NodeProto]] = {}
    for node in graph.node:
        for name in reads(node):
            readers.setdefault(name, []).append(node)
    return readers


def needed_nodes(nodes: Sequence[NodeProto], outputs: Iterable[str]) -> list[NodeProto]:
    """List, in their order, the nodes that the outputs depend on."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            kept.append(node)
            wanted |= reads(node)
    return kept[::-1]


def dependents(nodes: Iterable[NodeProto], name: str) -> set[str]:
    """Name the tensor and everything computed from it."""
    reached = {name}
    for node in nodes:
        if not reached.isdisjoint(reads(node)):
            reached.update(filter(None, node.output))
    return reached


def all_names(proto: ModelProto) -> set[str]:
    """Name every tensor of the model, in whatever graph."""
    names: set[str] = set()
    for graph in every_graph(proto):
        names |= {item.name for item in (*graph.input, *graph.output, *graph.initializer)}
    return names.union(*(set(node.output) for node in every_node(proto)))


def fresh(wish: str, taken: set[str]) -> str:
    """Return the wish, numbered if it is taken, and take it.

    >>> taken = {"y"}
    >>> fresh("y", taken), fresh("y", taken)
    ('y_1', 'y_2')
    """
    candidates = (f"{wish}_{number}" if number else wish for number in count())
    name = next(name for name in candidates if name not in taken)
    taken.add(name)
    return name


def real_inputs(graph: GraphProto) -> list[ValueInfoProto]:
    """List the inputs a caller feeds: models before IR 4 also list every weight as an input."""
    weights = {tensor.name for tensor in graph.initializer}
    return [value for value in graph.input if value.name not in weights]


def opset(proto: ModelProto) -> int:
    """Return the version of the standard operators the model uses."""
    return max((entry.version for entry in proto.opset_import if entry.domain in ("", "ai.onnx")), default=1)


def attribute(node: NodeProto, name: str, default: Any = None) -> Any:
    """Return a node's attribute as a Python value, or the default."""
    for found in node.attribute:
        if found.name == name:
            return helper.get_attribute_value(found)
    return default


class Constants:
    """The constants of a graph by name, decoded only when asked for."""

    def __init__(self, graph: GraphProto) -> None:
        """Index the initializers and the nodes whose result no input can change."""
        self._tensors = {tensor.name: tensor for tensor in graph.initializer}
        self._nodes = {node.output[0]: node for node in graph.node if node.op_type in _FOLDABLE and node.output}

    def get(self, name: str) -> Array | None:
        """Return the value of a constant, or None for anything that is computed from an input."""
        if name in self._tensors:
            return numpy_helper.to_array(self._tensors[name])
        node = self._nodes.get(name)
        return None if node is None else self._fold(node)

    def __contains__(self, name: str) -> bool:
        """Tell whether a tensor is constant, without decoding it."""
        node = self._nodes.get(name)
        return name in self._tensors or (node is not None and all(source in self for source in node.input))

    def ints(self, name: str) -> list[int] | None:
        """Return a constant shape or list of axes as Python integers."""
        value = self.get(name)
        return None if value is None or value.dtype.kind not in "iu" else [int(v) for v in value.ravel()]

    def _fold(self, node: NodeProto) -> Array | None:
        if node.op_type == "Constant":
            return constant_value(node)
        value = self.get(node.input[0])
        if value is None or node.op_type == "Identity":
            return value
        if node.op_type == "Transpose":
            return value.transpose(attribute(node, "perm", range(value.ndim)[::-1]))
        if node.op_type == "Reshape":
            return self._reshaped(value, self.ints(node.input[1]) if len(node.input) > 1 else None)
        fill = attribute(node, "value")
        filled = np.zeros(1, np.float32) if fill is None else numpy_helper.to_array(fill)
        return np.broadcast_to(filled.reshape(()), [int(size) for size in value])

    @staticmethod
    def _reshaped(value: Array, sizes: list[int] | None) -> Array | None:
        """Reshape as ONNX does, where 0 keeps a size; None for sizes that do not fit."""
        kept = [
            value.shape[place] if size == 0 and place < value.ndim else size for place, size in enumerate(sizes or ())
        ]
        try:
            return None if sizes is None else value.reshape(kept)
        except ValueError:
            return None


def constant_value(node: NodeProto) -> Array | None:
    """Return what a Constant node holds, in whichever of its attributes; None for sparse or odd ones."""
    for found in node.attribute:
        value = helper.get_attribute_value(found)
        if found.name == "value":
            return numpy_helper.to_array(value)
        if found.name in ("value_int", "value_ints"):
            return np.array(value, np.int64)
        if found.name in ("value_float", "value_floats"):
            return np.array(value, np.float32)
    return None
