"""Types and shapes of every tensor, from onnx's shape inference on a copy without the weights' bytes.

The model is never run. Where inference gives up (an operator onnx does not know), a tensor keeps its number type and
loses its shape.
"""

from typing import TypeAlias

import onnx
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, version_converter

from agnostic.converters.graph import attribute, opset, real_inputs

Shape: TypeAlias = tuple[int | None, ...]

# Shape arithmetic needs the values of short constants (sizes, axes, the factors of a Resize) and nothing else.
_LONGEST_SHAPE = 64
_PICTURE, _SEQUENCE = 224, 16
# Before this version of ONNX a Reshape to a computed shape loses even its rank.
_FOLLOWED = 14
_TO_INT64 = frozenset({"ArgMax", "ArgMin", "NonZero", "Shape", "Size"})
_TO_BOOL = frozenset({"And", "Equal", "Greater", "GreaterOrEqual", "IsNaN", "Less", "LessOrEqual", "Not", "Or"})


def infer(proto: ModelProto, batch: int | None = None) -> dict[str, ValueInfoProto]:
    """Return the typed value of every tensor whose type can be known, by name.

    Args:
        proto: The model.
        batch: Infer anew as if every input had this many samples along its first axis, and a common size along every
            other axis that is not fixed; None keeps what is declared.
    """
    skeleton = _upgraded(without_weights(proto))
    if batch is not None:
        _assume_batch(skeleton.graph, batch)
    try:
        graph = onnx.shape_inference.infer_shapes(skeleton, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError, ValueError):
        # What the file itself declares is better than nothing.
        graph = skeleton.graph
    values = {value.name: value for value in (*graph.value_info, *graph.output, *graph.input)}
    values |= {t.name: helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in graph.initializer}
    return _with_guessed_types(graph, values)


def shape_of(value: ValueInfoProto | None) -> Shape | None:
    """Return a tensor's shape with None for every size that is not fixed; None when even the rank is unknown."""
    if value is None or not value.type.tensor_type.HasField("shape"):
        return None
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in dims)


def element_type(value: ValueInfoProto | None) -> int:
    """Return the ONNX number of a tensor's element type; 0 when unknown."""
    return value.type.tensor_type.elem_type if value is not None else 0


def name_batch(value: ValueInfoProto) -> None:
    """Make the first axis of a value the symbolic ``batch``, in place."""
    dims = value.type.tensor_type.shape.dim
    if dims:
        dims[0].Clear()
        dims[0].dim_param = "batch"


def without_weights(proto: ModelProto) -> ModelProto:
    """Copy a model, leaving out the bytes of everything but short constants."""
    graph = GraphProto(name=proto.graph.name, node=proto.graph.node, value_info=proto.graph.value_info)
    graph.input.extend(proto.graph.input)
    graph.output.extend(proto.graph.output)
    graph.initializer.extend(map(_hollow, proto.graph.initializer))
    shell = ModelProto(ir_version=proto.ir_version, graph=graph, functions=proto.functions)
    shell.opset_import.extend(proto.opset_import)
    return shell


def _upgraded(skeleton: ModelProto) -> ModelProto:
    """Lift an old model to a version whose reshapes inference can follow; as it is where that cannot be done."""
    if opset(skeleton) >= _FOLLOWED or all(node.op_type != "Reshape" for node in skeleton.graph.node):
        return skeleton
    try:
        return version_converter.convert_version(skeleton, _FOLLOWED)
    except (version_converter.ConvertError, RuntimeError, ValueError):
        return skeleton


def _hollow(tensor: TensorProto) -> TensorProto:
    count = 1
    for size in tensor.dims:
        count *= size
    if count <= _LONGEST_SHAPE and tensor.data_type in (TensorProto.INT64, TensorProto.INT32, TensorProto.FLOAT):
        return tensor
    return TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)


def _assume_batch(graph: GraphProto, batch: int) -> None:
    del graph.value_info[:]
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    for value in real_inputs(graph):
        dims = value.type.tensor_type.shape.dim
        for place, dim in enumerate(dims):
            if place == 0 or not dim.HasField("dim_value"):
                dim.dim_value = batch if place == 0 else _PICTURE if len(dims) > 3 else _SEQUENCE


def _with_guessed_types(graph: GraphProto, values: dict[str, ValueInfoProto]) -> dict[str, ValueInfoProto]:
    for node in graph.node:
        for name in node.output:
            if name and not _typed(values.get(name)):
                guess = _guess(node, values)
                if guess:
                    values[name] = helper.make_tensor_value_info(name, guess, None)
    return values


def _typed(value: ValueInfoProto | None) -> bool:
    return value is not None and (
        bool(element_type(value)) or value.type.WhichOneof("value") not in (None, "tensor_type")
    )


def _guess(node: NodeProto, values: dict[str, ValueInfoProto]) -> int:
    """Guess the type of an operator onnx knows nothing about: most hand on the type of their first input."""
    if node.op_type == "Cast":
        return int(attribute(node, "to", 0))
    if node.op_type in _TO_INT64:
        return int(TensorProto.INT64)
    if node.op_type in _TO_BOOL:
        return int(TensorProto.BOOL)
    return next(filter(None, (element_type(values.get(name)) for name in node.input)), 0)
