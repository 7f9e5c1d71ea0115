"""Bring a model to the form that differentiators read: one opset, no functions, nothing computed from constants alone.

``normalise(ModelProto) -> ModelProto`` is pure: values keep their ONNX names, so a tensor of the original model can be
asked for by name in the normalised one. The steps, in order:

1. initialisers leave the list of graph inputs, so that inputs are what a caller must give;
2. model-local functions are inlined;
3. the default domain is upgraded to `OPSET` (a newer model stays as it is);
4. whatever does not depend on a graph input is folded into initialisers.
"""

from graphlib import CycleError, TopologicalSorter
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import (
    AttributeProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    defs,
    helper,
    inliner,
    numpy_helper,
    shape_inference,
    version_converter,
)
from onnx.reference import ReferenceEvaluator

from agnostic.errors import ConversionError

#: Upgrading to this opset keeps the meaning of practically every model; downgrading does not.
OPSET = 26

# Weights above this many elements are kept out of the passes that serialise the whole model (2 GB is their limit).
_LIGHT = 1024
_PARKED = "parked"
_SCAN_OPSET = 9  # before it, Scan carried a batch axis
_BROADCAST_OPSET = 7  # before it, a PRelu's slope was per channel, not broadcast
_DEFAULT_DOMAIN = ("", "ai.onnx")
_RANDOM = frozenset(
    {"RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial", "Dropout"}
)

Array = npt.NDArray[Any]


def normalise(proto: ModelProto, *, dequantise: bool = True) -> ModelProto:
    """Return the model as one flat graph of one opset in which only input-dependent nodes are left.

    Args:
        proto: any ONNX model; it is not changed.
        dequantise: fold constant DequantizeLinear nodes into float weights. False keeps the stored integers, which
            take a quarter of the memory, and dequantises at every run.
    """
    model, heavy = set_aside(proto)
    if model.functions:
        model = inliner.inline_local_functions(model, convert_version=True)
    model = upgraded(model)
    put_back(model.graph, heavy)
    _fold(model, _RANDOM if dequantise else _RANDOM | {"DequantizeLinear"})
    return model


def upgraded(model: ModelProto) -> ModelProto:
    """Upgrade the default domain to `OPSET`; a model that is there or beyond is returned as it is."""
    version = next((entry.version for entry in model.opset_import if entry.domain in _DEFAULT_DOMAIN), None)
    if version is None:
        model.opset_import.append(helper.make_opsetid("", OPSET))
        return model
    if version >= OPSET:
        return model
    if version < _SCAN_OPSET and any(node.op_type == "Scan" for node in model.graph.node):
        raise ConversionError(f"opset {version} has a Scan of another meaning; export the model at opset 9 or later")
    if version < _BROADCAST_OPSET:
        _spread_slopes(model)
    parked = _park(model, version)
    try:
        converted = version_converter.convert_version(model, OPSET)
        return _unparked(converted) if parked else converted
    except (RuntimeError, ValueError, shape_inference.InferenceError) as error:
        reason = str(error).strip().splitlines()[-1]
        message = f"opset {version} cannot be upgraded to {OPSET} ({reason}); export the model at a newer opset"
        raise ConversionError(message) from error


def _park(model: ModelProto, version: int) -> bool:
    """Take operators that only a runtime knows, though in the default domain, out of the converter's way."""
    strange = [
        node
        for node in model.graph.node
        if node.domain in _DEFAULT_DOMAIN and not defs.has(node.op_type, max_inclusive_version=version)
    ]
    for node in strange:
        node.domain = _PARKED
    if strange:
        model.opset_import.append(helper.make_opsetid(_PARKED, 1))
    return bool(strange)


def _unparked(model: ModelProto) -> ModelProto:
    for node in model.graph.node:
        if node.domain == _PARKED:
            node.domain = ""
    imports = [entry for entry in model.opset_import if entry.domain != _PARKED]
    del model.opset_import[:]
    model.opset_import.extend(imports)
    return model


def _spread_slopes(model: ModelProto) -> None:
    """Give the slopes of old PRelu nodes, one per channel, the axes that make them broadcast so."""
    slopes = {node.input[1] for node in model.graph.node if node.op_type == "PRelu"}
    if not slopes:
        return
    graph = shape_inference.infer_shapes(model).graph
    ranks = {v.name: len(v.type.tensor_type.shape.dim) for v in [*graph.input, *graph.value_info, *graph.output]}
    for node in [node for node in model.graph.node if node.op_type == "PRelu"]:
        stored = next((t for t in model.graph.initializer if t.name == node.input[1]), None)
        rank = ranks.get(node.input[0], 0)
        if stored is None or not rank:
            raise ConversionError(
                f"PRelu {node.name!r} of opset 6 has a slope of unknown axes; export at opset 7 or later"
            )
        if len(stored.dims) == 1 and stored.dims[0] > 1 and rank > 2:
            stored.dims.extend([1] * (rank - 2))


def set_aside(proto: ModelProto) -> tuple[ModelProto, list[TensorProto]]:
    """Copy the model with its heavy initialisers declared as inputs, and return these beside it."""
    graph = proto.graph
    initialisers = [*graph.initializer, *map(_dense, graph.sparse_initializer)]
    heavy = [tensor for tensor in initialisers if np.prod(tensor.dims, dtype=np.int64) > _LIGHT]
    given = {tensor.name for tensor in initialisers}
    moved = {tensor.name for tensor in heavy}
    inputs = [value for value in graph.input if value.name not in given]
    inputs += [helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims)) for tensor in heavy]
    light = GraphProto(name=graph.name or "graph", node=_ordered(graph), input=inputs, output=graph.output)
    light.value_info.extend(graph.value_info)
    light.initializer.extend(tensor for tensor in initialisers if tensor.name not in moved)
    # Before IR version 4 an initialiser had to be an input as well.
    model = ModelProto(ir_version=max(proto.ir_version, 4), opset_import=proto.opset_import, graph=light)
    model.functions.extend(proto.functions)
    model.metadata_props.extend(proto.metadata_props)
    return model, heavy


def _ordered(graph: GraphProto) -> list[NodeProto]:
    """Put every node after what it reads: some tools append nodes anywhere, and runtimes sort for themselves."""
    makers = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    needs = {i: {makers[name] for name in _reads(node) & makers.keys()} - {i} for i, node in enumerate(graph.node)}
    if all(max(before, default=-1) < index for index, before in needs.items()):
        return list(graph.node)
    try:
        return [graph.node[index] for index in TopologicalSorter(needs).static_order()]
    except CycleError:  # only an inner name that hides an outer one looks like a circle in a graph that runs
        return list(graph.node)


def put_back(graph: GraphProto, heavy: list[TensorProto]) -> None:
    """Undo, in place, what `set_aside` did."""
    names = {tensor.name for tensor in heavy}
    inputs = [value for value in graph.input if value.name not in names]
    del graph.input[:]
    graph.input.extend(inputs)
    graph.initializer.extend(heavy)


def _dense(sparse: SparseTensorProto) -> TensorProto:
    """Write a sparse initialiser out; its indices are flat, or one row of coordinates per value."""
    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    dense = np.zeros(tuple(sparse.dims), values.dtype)
    if indices.ndim == 1:
        dense.reshape(-1)[indices] = values
    else:
        dense[tuple(indices.T)] = values
    return numpy_helper.from_array(dense, sparse.values.name)


def _fold(model: ModelProto, kept: frozenset[str]) -> None:
    """Evaluate, in place, every node of the main graph whose inputs are all constant."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    live: list[NodeProto] = []
    for node in graph.node:
        outputs = _evaluated(node, stored, model) if _foldable(node, stored, kept) else None
        if outputs is None:
            live.append(node)
        else:
            stored.update(outputs)
    del graph.node[:]
    graph.node.extend(live)
    used = _used(graph)
    del graph.initializer[:]
    graph.initializer.extend(tensor for name, tensor in stored.items() if name in used)


def _foldable(node: NodeProto, stored: dict[str, TensorProto], kept: frozenset[str]) -> bool:
    if node.domain not in _DEFAULT_DOMAIN or node.op_type in kept:
        return False
    if any(attribute.type in (AttributeProto.GRAPH, AttributeProto.GRAPHS) for attribute in node.attribute):
        return False
    return all(name in stored for name in node.input if name)


def _evaluated(node: NodeProto, stored: dict[str, TensorProto], model: ModelProto) -> dict[str, TensorProto] | None:
    """Compute one node with the reference implementation; None where that has no tensor to offer."""
    names = [name for name in node.output if name]
    outputs = [onnx.ValueInfoProto(name=name) for name in names]
    inputs = [stored[name] for name in dict.fromkeys(node.input) if name]
    graph = GraphProto(name="fold", node=[node], output=outputs)
    graph.input.extend(helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in inputs)
    one = ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, graph=graph)
    try:
        arrays = ReferenceEvaluator(one).run(None, {t.name: numpy_helper.to_array(t) for t in inputs})
        return {name: _tensor(array, name) for name, array in zip(names, arrays, strict=True)}
    except Exception:  # whatever the reference cannot do is left for the run, which reports its own errors
        return None


def _tensor(value: Any, name: str) -> TensorProto:
    if not isinstance(value, np.ndarray | np.generic):
        raise TypeError("a sequence or an optional cannot be an initialiser")
    return numpy_helper.from_array(np.asarray(value), name)


def _used(graph: GraphProto) -> set[str]:
    """Collect every name that nodes, their subgraphs, or the outputs read."""
    names = {value.name for value in graph.output}
    return names.union(*map(_reads, graph.node))


def _reads(node: NodeProto) -> set[str]:
    """Collect every name that a node reads, in its subgraphs too."""
    names = set(node.input)
    for attribute in node.attribute:
        for inner in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
            names |= _used(inner)
    return names
