"""Where the numbers of tokens become vectors: the tensor that gradients can be taken by in their place."""

from collections.abc import Mapping

from onnx import ModelProto, NodeProto, TensorProto

from agnostic.converters.graph import consumers, producers
from agnostic.converters.shapes import element_type, infer, shape_of
from agnostic.converters.tables import SAME, lookups

_FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE})
# What rows that were looked up may pass before they are the vectors of the tokens.
_BEHIND = SAME | {"DequantizeLinear"}


def embedding_of(proto: ModelProto, source: str) -> str | None:
    """Name the vectors of an input's tokens, (n, tokens, channels), floating.

    They come of a Gather from a stored table that the input feeds, also through a Cast or a Reshape. Tables that other
    inputs or the places of the tokens feed are other embeddings.

    Args:
        proto: the model.
        source: an input of integers, (n, tokens).

    Returns:
        None where there is no such table, or several.
    """
    readers, made = consumers(proto.graph), producers(proto.graph)
    stored = {item.name for item in proto.graph.initializer}
    tables = [node for node in lookups(source, readers) if _is_stored(node.input[0], stored, made)]
    if not tables:
        return None
    vectors = _vectors_of(proto)
    found = {name for node in tables if (name := _first(node.output[0], readers, vectors)) is not None}
    return found.pop() if len(found) == 1 else None


def _is_stored(name: str, stored: set[str], made: Mapping[str, NodeProto]) -> bool:
    """Whether a table is part of the file: a weight, a constant, or either of them rounded."""
    node = made.get(name)
    if node is not None and node.op_type == "DequantizeLinear":
        return _is_stored(node.input[0], stored, made)
    return name in stored or (node is not None and node.op_type == "Constant")


def _vectors_of(proto: ModelProto) -> set[str]:
    """Name the floating tensors of three axes."""
    values = infer(proto).items()
    return {name for name, value in values if element_type(value) in _FLOATS and len(shape_of(value) or ()) == 3}


def _first(name: str, readers: Mapping[str, list[NodeProto]], vectors: set[str]) -> str | None:
    """Follow rows from the table to where they are vectors of tokens."""
    while name not in vectors:
        following = readers.get(name, [])
        if len(following) != 1 or following[0].op_type not in _BEHIND or following[0].input[0] != name:
            return None
        name = str(following[0].output[0])
    return name
