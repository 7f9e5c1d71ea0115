"""Inputs that look rows up in a table, as tokens do in an embedding, and how many rows there are."""

from collections.abc import Mapping

from onnx import GraphProto, NodeProto, TensorProto

from agnostic.converters.graph import attribute, consumers

# Numbers stay what they are behind these.
SAME = frozenset({"Cast", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})


def table_sizes(graph: GraphProto) -> dict[str, int]:
    """Name the inputs that index stored tables, with the rows of the smallest one.

    An input that also indexes something else, whose size is not known, is left out.
    """
    tables, readers = {item.name: item for item in graph.initializer}, consumers(graph)
    found = {}
    for value in graph.input:
        rows = [_rows(node, tables) for node in lookups(value.name, readers)]
        if rows and all(rows):
            found[value.name] = min(rows)
    return found


def lookups(name: str, readers: Mapping[str, list[NodeProto]]) -> list[NodeProto]:
    """List the Gather nodes that read a tensor as their indices."""
    found, names = [], [name]
    while names:
        name = names.pop()
        for node in readers.get(name, []):
            if node.op_type in SAME and node.input[0] == name:
                names.append(node.output[0])
            elif node.op_type == "Gather" and node.input[1] == name:
                found.append(node)
    return found


def _rows(node: NodeProto, tables: Mapping[str, TensorProto]) -> int:
    """The size of what a Gather picks from; 0 where it is not stored."""
    table = tables.get(node.input[0])
    return 0 if table is None else int(table.dims[attribute(node, "axis", 0)])
