"""Makes an exporter's graph readable: names, one copy of each weight, a free batch axis, nothing of the machine.

Every function changes the model it is given, which is the exporter's own and nobody else's.
"""

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256

from onnx import GraphProto, ModelProto, TensorProto

from agnostic.converters.batch import free_batch
from agnostic.converters.graph import Constants, all_names, attribute, every_graph, every_node, fresh, real_inputs
from agnostic.converters.shapes import name_batch

_CODED = re.compile(r"^(onnx::|val_|_val_|const_|const_fold|fold_|ortshared|new_|\d+$)|__\d+$|ReadVariableOp|:\d+$|;")
_SYMBOL = re.compile(r"^(s|u|unk__)\d+$")
_PARTS = {1: "weight", 2: "bias"}
_WEIGHTED = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "LayerNormalization"})


def tidy(proto: ModelProto, names: Mapping[str, str] | None = None) -> ModelProto:
    """Return the model readable: renamed, each weight kept once, its batch axis free where the graph allows it.

    Args:
        proto: the exporter's model; it is changed.
        names: new names of tensors by their old ones.
    """
    _forget_machine(proto)
    rename(proto, names or {})
    share_weights(proto)
    name_weights(proto)
    for node in proto.graph.node:
        node.name = node.output[0] if node.output else node.name
    _plain_reshapes(proto)
    freed = free_batch(proto)
    if freed is None:
        return proto
    _name_batches(freed)
    return freed


def rename(proto: ModelProto, names: Mapping[str, str]) -> None:
    """Rename tensors everywhere, in place; a name that another tensor has is numbered."""
    taken = all_names(proto) - set(names)
    unique = {old: fresh(new, taken) for old, new in names.items() if old}
    for graph in every_graph(proto):
        for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
            value.name = unique.get(value.name, value.name)
    for node in every_node(proto):
        for entries in (node.input, node.output):
            entries[:] = [unique.get(name, name) for name in entries]


def share_weights(proto: ModelProto) -> None:
    """Keep one copy of weights that are equal, and none that nothing reads."""
    first: dict[tuple[object, ...], str] = {}
    same: dict[str, str] = {}
    for tensor in proto.graph.initializer:
        same[tensor.name] = first.setdefault(_content(tensor), tensor.name)
    inputs = {value.name for value in proto.graph.input}
    same = {name: kept for name, kept in same.items() if name != kept and not {name, kept} & inputs}
    for node in every_node(proto):
        node.input[:] = [same.get(name, name) for name in node.input]
    read = {name for node in every_node(proto) for name in node.input}
    read |= {value.name for graph in every_graph(proto) for value in graph.output}
    kept = [tensor for tensor in proto.graph.initializer if tensor.name in read or tensor.name in inputs]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)


def _content(tensor: TensorProto) -> tuple[object, ...]:
    bare = TensorProto()
    bare.CopyFrom(tensor)
    bare.ClearField("name")
    return tensor.data_type, tuple(tensor.dims), sha256(bare.SerializeToString(deterministic=True)).hexdigest()


def name_weights(proto: ModelProto) -> None:
    """Name weights that carry an exporter's number after the layer that reads them."""
    stored = {tensor.name for tensor in proto.graph.initializer}
    names: dict[str, str] = {}
    for node in proto.graph.node:
        for place, name in enumerate(node.input):
            if name in stored and name not in names and _CODED.search(name) and node.output:
                names[name] = f"{node.output[0]}/{_part(node.op_type, place)}"
    rename(proto, names)


def _part(op: str, place: int) -> str:
    return _PARTS.get(place, f"input{place}") if op in _WEIGHTED else f"input{place}"


def slashed(proto: ModelProto) -> dict[str, str]:
    """Propose names for a graph whose tensors are paths: `/features/0/Conv_output_0` is `features/0/Conv`."""
    ends = {value.name for value in (*proto.graph.input, *proto.graph.output)}
    names = [name for node in proto.graph.node for name in node.output if name and name not in ends]
    return {name: short for name in names if (short := re.sub(r"_output_0$", "", name).strip("/")) != name and short}


def ends(proto: ModelProto, inputs: Iterable[str] = (), outputs: Iterable[str] = ()) -> dict[str, str]:
    """Propose names for the inputs and outputs, by place."""
    found = zip((value.name for value in real_inputs(proto.graph)), inputs, strict=False)
    made = zip((value.name for value in proto.graph.output), outputs, strict=False)
    return {old: new for old, new in (*found, *made) if old != new}


def _plain_reshapes(proto: ModelProto) -> None:
    """Drop `allowzero` from reshapes whose target has no zero: it says nothing there, and keeps the batch fixed."""
    constants = Constants(proto.graph)
    for node in proto.graph.node:
        is_marked = node.op_type == "Reshape" and attribute(node, "allowzero", 0)
        if is_marked and 0 not in (constants.ints(node.input[1]) or [0]):
            kept = [item for item in node.attribute if item.name != "allowzero"]
            del node.attribute[:]
            node.attribute.extend(kept)


def _forget_machine(proto: ModelProto) -> None:
    """Drop stack traces and paths of the machine that exporters write beside nodes and values."""
    proto.ClearField("doc_string")
    for graph in every_graph(proto):
        _bare(graph)
    for node in every_node(proto):
        node.ClearField("doc_string")
        del node.metadata_props[:]
    for function in proto.functions:
        function.ClearField("doc_string")
        del function.metadata_props[:]


def _bare(graph: GraphProto) -> None:
    graph.ClearField("doc_string")
    del graph.metadata_props[:]
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.ClearField("doc_string")
        del value.metadata_props[:]


def _name_batches(proto: ModelProto) -> None:
    """Call a free first axis `batch`, whatever symbol the exporter made up."""
    free = [value for value in real_inputs(proto.graph) if _leads_free(value)]
    symbols = {value.type.tensor_type.shape.dim[0].dim_param for value in free}
    for value in (*free, *(v for v in proto.graph.output if _leads_free(v))):
        symbol = value.type.tensor_type.shape.dim[0].dim_param
        if symbol in symbols or not symbol or symbol.startswith("unk_"):
            name_batch(value)
    _name_lengths(proto)


def _name_lengths(proto: ModelProto) -> None:
    """Call other free axes `length`, numbered where there are several, instead of an exporter's symbols."""
    values = [*real_inputs(proto.graph), *proto.graph.output]
    dims = [dim for value in values for dim in value.type.tensor_type.shape.dim if _SYMBOL.match(dim.dim_param)]
    names = {symbol: place for place, symbol in enumerate(dict.fromkeys(dim.dim_param for dim in dims))}
    for dim in dims:
        dim.dim_param = f"length_{names[dim.dim_param] + 1}" if names[dim.dim_param] else "length"


def _leads_free(value: object) -> bool:
    dims = value.type.tensor_type.shape.dim  # type: ignore[attr-defined]
    return bool(dims) and not dims[0].HasField("dim_value")
