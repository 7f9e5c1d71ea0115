"""Quantised models as plain float ONNX: what their gradients are held to.

A quantised model has no gradient of its own. Its straight-through estimate is the derivative of the graph in which each
rounding is replaced by what it does to the values at hand: keep them (shifted by the rounding error) or, where they
saturate, hold them. `unpacked` writes integer operators as floats between roundings, `relaxed` replaces the roundings.
"""

from collections.abc import Iterator

import numpy as np
import onnx
import torch
from artefact import Array
from onnx import NodeProto, TensorProto, helper, numpy_helper

from agnostic.converters.normalise import normalise
from agnostic.converters.torch_import import to_torch

#: Integer operators: the float one, and how many (x, scale, zero) triples it takes.
_PACKED = {
    "QLinearConv": ("Conv", 2), "QLinearMatMul": ("MatMul", 2), "QGemm": ("Gemm", 2), "QLinearAdd": ("Add", 2),
    "QLinearMul": ("Mul", 2), "QLinearLeakyRelu": ("LeakyRelu", 1), "QLinearSoftmax": ("Softmax", 1),
    "QLinearAveragePool": ("AveragePool", 1), "QLinearGlobalAveragePool": ("GlobalAveragePool", 1),
}  # fmt: skip
_FOREIGN = {"channels_last", "opset"}


def unpacked(model: onnx.ModelProto) -> onnx.ModelProto:
    """Write every integer operator as DequantizeLinear, the float operator, QuantizeLinear."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.node[:]
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type in _PACKED or node.op_type == "QLinearConcat":
            copy.graph.node.extend(_unpacked(node, constants, copy))
        else:
            copy.graph.node.append(node)
    return copy


def _unpacked(node: NodeProto, constants: dict[str, TensorProto], model: onnx.ModelProto) -> Iterator[NodeProto]:
    name, taken = node.output[0], list(node.input)
    if node.op_type == "QLinearConcat":
        kind, result, parts = "Concat", taken[:2], taken[2:]
        rest: list[str] = []
    else:
        kind, count = _PACKED[node.op_type]
        parts, rest = taken[: 3 * count], taken[3 * count :]
        # QGemm has its bias before the scale of its result, QLinearConv after it.
        result = rest[-2:] if kind == "Gemm" else rest[:2]
        rest = rest[:-2] if kind == "Gemm" else rest[2:]
    floats = []
    for index in range(0, len(parts), 3):
        floats.append(f"{name}/float{index}")
        yield helper.make_node("DequantizeLinear", parts[index : index + 3], floats[-1:], axis=_axis(node))
    for bias in filter(None, rest):
        scale = numpy_helper.to_array(constants[parts[1]]) * numpy_helper.to_array(constants[parts[4]])
        real = numpy_helper.to_array(constants[bias]).astype(np.float32) * scale.astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(real.astype(np.float32), f"{name}/bias"))
        floats.append(f"{name}/bias")
    plain = helper.make_node(kind, floats, [f"{name}/real"])
    plain.attribute.extend(item for item in node.attribute if item.name not in _FOREIGN)
    yield plain
    yield helper.make_node("QuantizeLinear", [f"{name}/real", *result], [name])


def _axis(node: NodeProto) -> int:
    return 0 if node.op_type == "QLinearConv" else 1


def relaxed(model: onnx.ModelProto, feeds: dict[str, Array]) -> onnx.ModelProto:
    """Replace every rounding of an activation by keep-or-hold at the values of these feeds, in float64."""
    model = normalise(model, dequantise=False)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    steps = {n.output[0]: n for n in model.graph.node if n.op_type == "QuantizeLinear" and n.input[0] not in constants}
    names = list(dict.fromkeys(step.input[0] for step in steps.values()))
    with torch.no_grad():
        found = to_torch(model, dtype=torch.float64).run({"x": torch.from_numpy(feeds["x"]).double()}, names)
    nodes: list[NodeProto] = []
    for node in model.graph.node:
        if node.output[0] in steps:
            nodes += _kept(node, found[node.input[0]].numpy(), constants, model)
        elif node.op_type == "DequantizeLinear" and node.input[0] not in constants:
            nodes.append(helper.make_node("Identity", node.input[:1], node.output))
        else:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _kept(node: NodeProto, value: Array, constants: dict[str, Array], model: onnx.ModelProto) -> list[NodeProto]:
    """Write y = keep * (x - value) + level: at the value exactly its level, so that ties are broken as in the model."""
    scale, zero = (constants[name].astype(np.float64) for name in node.input[1:3])
    low, high = (-128, 127) if constants[node.input[2]].dtype == np.int8 else (0, 255)
    steps = np.round(value / scale) + zero
    keep = ((steps >= low) & (steps <= high)).astype(np.float64)
    level = (np.clip(steps, low, high) - zero) * scale
    name = node.output[0]
    arrays = {f"{name}/value": value, f"{name}/keep": keep, f"{name}/level": level}
    model.graph.initializer.extend(numpy_helper.from_array(array, key) for key, array in arrays.items())
    return [
        helper.make_node("Sub", [node.input[0], f"{name}/value"], [f"{name}/moved"]),
        helper.make_node("Mul", [f"{name}/moved", f"{name}/keep"], [f"{name}/kept"]),
        helper.make_node("Add", [f"{name}/kept", f"{name}/level"], [name]),
    ]
