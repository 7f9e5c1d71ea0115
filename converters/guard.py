"""Is this parsed model one we are willing to run: complete, known, and of bearable size.

Each check raises with a reason that reads on after the model's name; ``loader.load`` puts the name in front.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

import onnx
from google.protobuf.message import Message  # type: ignore[import-untyped]
from onnx import ModelProto, NodeProto, TensorProto, helper

from agnostic.converters.external import elements, size_in_bytes
from agnostic.converters.graph import Constants, attribute, every_graph, every_node, every_tensor, real_inputs
from agnostic.errors import LimitError, ModelError

_AGAIN = "export the model again"
_DOMAINS = frozenset(
    {"", "ai.onnx", "ai.onnx.ml", "com.microsoft", "com.microsoft.nchwc", "com.microsoft.experimental"}
)
_PREVIEW = "ai.onnx.preview"
# Operators whose output has the size that one constant input spells out, and that input's place.
_SPELLED = {"ConstantOfShape": 0, "Expand": 1, "Tile": 1, "Resize": 3, "Reshape": 1}


@dataclass(frozen=True)
class Limits:
    """How large a model may be.

    Attributes:
        file_bytes: The model file and its external weights together; protobuf itself stops at 2 GiB.
        nodes: Nodes in the graph, its subgraphs and its functions.
        initializers: Stored tensors.
        elements: Numbers in all tensors whose size the file spells out.
    """

    file_bytes: int = 2**31 - 1
    nodes: int = 200_000
    initializers: int = 100_000
    elements: int = 2**30


def check(proto: ModelProto, limits: Limits, *, allow_custom_ops: bool) -> None:
    """Refuse a model that is incomplete, too new, too large, or needs foreign code."""
    _check_text(proto)
    _check_complete(proto)
    _check_versions(proto)
    _check_counts(proto, limits)
    if not allow_custom_ops:
        _check_domains(proto)
    _check_sizes(proto, limits)


def check_with_onnx(data: bytes) -> None:
    """Ask onnx's own checker; it sees bytes only, so it can open no file."""
    try:
        onnx.checker.check_model(data)
    except onnx.checker.ValidationError as error:
        reason = " ".join(str(error).split("\n\n")[0].split())[:160]
        raise ModelError(f"breaks a rule of ONNX ({reason}); {_AGAIN}") from None


def _check_text(message: Message) -> None:
    """Refuse text that is not UTF-8: protobuf hands it out as bytes, which no code expects."""
    for field, value in message.ListFields():
        if field.type not in (field.TYPE_STRING, field.TYPE_MESSAGE):
            continue
        for part in [value] if isinstance(value, str | bytes | Message) else value:
            if isinstance(part, TensorProto):
                part = part.name  # its other fields are numbers, many of them
            if isinstance(part, Message):
                _check_text(part)
            elif not isinstance(part, str):
                raise ModelError(f"holds a {field.name} that is not text; {_AGAIN}")


def _check_complete(proto: ModelProto) -> None:
    if not proto.graph.node:
        raise ModelError("holds no graph (its list of nodes is empty); give the .onnx file of the whole model")
    if not real_inputs(proto.graph):
        raise ModelError(f"has no input: everything in it is constant; {_AGAIN} with its inputs")
    if not proto.graph.output:
        raise ModelError(f"has no output; {_AGAIN} with its outputs")


def _check_versions(proto: ModelProto) -> None:
    here = f"onnx {onnx.__version__} here knows up to"
    remedy = "pip install -U onnx onnxruntime, or export for an older opset"
    if proto.ir_version > onnx.IR_VERSION:
        raise ModelError(f"has IR version {proto.ir_version}; {here} {onnx.IR_VERSION}: {remedy}")
    newest = onnx.defs.onnx_opset_version()
    for entry in proto.opset_import:
        if entry.domain in ("", "ai.onnx") and entry.version > newest:
            raise ModelError(f"has opset {entry.version}; {here} {newest}: {remedy}")


def _check_counts(proto: ModelProto, limits: Limits) -> None:
    nodes = sum(1 for _ in every_node(proto))
    if nodes > limits.nodes:
        raise ModelError(
            f"has {nodes:,} nodes; at most {limits.nodes:,} are allowed: raise Limits.nodes if you trust it"
        )
    tensors = sum(1 for _ in every_tensor(proto))
    if tensors > limits.initializers:
        raise ModelError(
            f"has {tensors:,} stored tensors; at most {limits.initializers:,} are allowed: "
            "raise Limits.initializers if you trust it"
        )


def _check_domains(proto: ModelProto) -> None:
    # A function of the model is made of operators that are checked themselves.
    own = {(function.domain, function.name) for function in proto.functions}
    for node in every_node(proto):
        known = node.domain in _DOMAINS or node.domain.startswith(_PREVIEW)
        if not known and (node.domain, node.op_type) not in own:
            raise ModelError(
                f"needs the custom operator {node.domain}.{node.op_type}, which is code from elsewhere; "
                "allow_custom_ops=True (--allow-custom-ops) lets it pass"
            )


def _check_sizes(proto: ModelProto, limits: Limits) -> None:
    total = 0
    for name, count, size in _declared(proto):
        total += count
        if total > limits.elements:
            raise LimitError(
                f"asks for {_readable(size)} of memory in {name!r} alone ({count:,} numbers); "
                f"at most {limits.elements:,} numbers are allowed in all"
            )


def _check_stored(tensor: TensorProto) -> None:
    """Refuse a tensor that holds more or fewer numbers than its shape says."""
    size = size_in_bytes(tensor)
    if size is None and tensor.data_type != TensorProto.STRING:
        raise ModelError(f"has a tensor {tensor.name!r} of the unknown type {tensor.data_type}; pip install -U onnx")
    if tensor.HasField("raw_data"):
        held, due = len(tensor.raw_data), size
    else:
        held, due = len(getattr(tensor, helper.tensor_dtype_to_field(tensor.data_type))), _entries(tensor)
    if held != due:
        raise ModelError(f"is cut off: tensor {tensor.name!r} of shape {list(tensor.dims)} is not whole; {_AGAIN}")


def _entries(tensor: TensorProto) -> int:
    """Return how many entries a tensor's typed field must have: complex numbers take two, small ones share one."""
    if tensor.data_type in (TensorProto.COMPLEX64, TensorProto.COMPLEX128):
        return 2 * elements(tensor)
    return min(elements(tensor), size_in_bytes(tensor) or elements(tensor))


def _declared(proto: ModelProto) -> Iterator[tuple[str, int, int]]:
    """Yield name, element count and bytes of everything whose size the file itself states."""
    for tensor in every_tensor(proto):
        # A size of zero beside a huge one empties the tensor and still overflows whoever multiplies them.
        count = prod(size or 1 for size in tensor.dims)
        yield tensor.name, count, size_in_bytes(tensor) or count
    for tensor in every_tensor(proto):
        _check_stored(tensor)
    for graph in every_graph(proto):
        constants = Constants(graph)
        for node in graph.node:
            if node.op_type in _SPELLED or node.op_type in ("RandomNormal", "RandomUniform"):
                count = prod(size for size in _spelled_shape(node, constants) if size > 0)
                yield node.output[0] if node.output else node.name, count, 4 * count


def _spelled_shape(node: NodeProto, constants: Constants) -> list[int]:
    place = _SPELLED.get(node.op_type)
    if place is None:
        return list(attribute(node, "shape", ()))
    return (constants.ints(node.input[place]) if place < len(node.input) else None) or []


def _readable(size: int) -> str:
    if size >= 10**18:
        return "over 1,000 PB"
    amount, units = float(size), ["bytes", "kB", "MB", "GB", "TB", "PB"]
    while amount >= 1000 and len(units) > 1:
        amount, units = amount / 1000, units[1:]
    return f"{amount:.3g} {units[0]}"
