"""Cutting and opening ONNX graphs: every function takes a model and returns a new one, leaving the first as it was.

Tensors keep their names, so a name found in the original names the same tensor in every part that is cut from it.
"""

from collections.abc import Iterable, Sequence

from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

from agnostic.converters.batch import free_batch
from agnostic.converters.graph import all_names, dependents, fresh, needed_nodes, producers, reads, real_inputs
from agnostic.converters.shapes import element_type, infer, name_batch, shape_of
from agnostic.converters.twins import (
    before_activation,
    before_argmax,
    before_softmax,
    entry_before_squash,
    preactivation_twin,
)
from agnostic.errors import ModelError, UsageError, unknown

__all__ = [
    "before_activation",
    "before_argmax",
    "before_softmax",
    "entry_before_squash",
    "expose",
    "free_batch",
    "head",
    "preactivation_twin",
    "tail",
]


def expose(proto: ModelProto, names: Sequence[str], *, only: bool = False) -> ModelProto:
    """Make tensors outputs of the model.

    Args:
        proto: The model.
        names: Tensors of its main graph, by name; those that are outputs already stay as they are.
        only: Keep no other outputs, and no node, weight or input that these do not need.

    Raises:
        UsageError: There is no such tensor.
    """
    wanted = list(dict.fromkeys(names))
    _check_known(proto.graph, wanted)
    declared = {value.name: value for value in proto.graph.output}
    inferred = {} if declared.keys() >= set(wanted) else infer(proto)
    values = [declared.get(name) or inferred.get(name) or ValueInfoProto(name=name) for name in wanted]
    if only:
        return _assemble(proto, needed_nodes(proto.graph.node, wanted), values)
    # Protobuf owns what it holds: weights cannot be shared between two models, only copied.
    result = ModelProto()
    result.CopyFrom(proto)
    result.graph.output.extend(value for value in values if value.name not in declared)
    return result


def head(proto: ModelProto, at: str) -> ModelProto:
    """Return the part of the model from its inputs up to one tensor, which is its only output."""
    return expose(proto, [at], only=True)


def tail(proto: ModelProto, at: str) -> ModelProto:
    """Return the part of the model from one hidden tensor to the outputs that depend on it.

    The tensor becomes an input with its own name, type and rank and a free first axis. Inputs of the model stay where
    something other than this tensor still needs them, as beside a cut residual branch.

    Raises:
        UsageError: There is no such hidden tensor, or no output depends on it.
    """
    producer = _producer(proto.graph, at)
    nodes = [_without_output(node, at, proto) if node is producer else node for node in proto.graph.node]
    reached = dependents(nodes, at)
    outputs = [value for value in proto.graph.output if value.name in reached]
    if not outputs:
        raise UsageError(f"no output of the model depends on {at!r}; choose a tensor on the way to an output")
    entry = ValueInfoProto()
    entry.CopyFrom(_typed(proto, at))
    kept = needed_nodes(nodes, (value.name for value in outputs))
    result = _assemble(proto, kept, outputs, extra_input=entry)
    _free_outputs(result.graph, shape_of(entry))
    name_batch(result.graph.input[0])
    # What was declared for the tensors behind the cut may carry the old, fixed batch.
    del result.graph.value_info[:]
    return result


def _check_known(graph: GraphProto, names: Iterable[str]) -> None:
    known = producers(graph).keys() | {value.name for value in real_inputs(graph)}
    for name in names:
        if name not in known:
            raise unknown("tensor", name, sorted(known))


def _producer(graph: GraphProto, at: str) -> NodeProto:
    if any(value.name == at for value in graph.input):
        raise UsageError(f"{at!r} is an input of the model already; run the whole model from there")
    made = producers(graph)
    if at not in made:
        raise unknown("tensor", at, made)
    return made[at]


def _without_output(node: NodeProto, at: str, proto: ModelProto) -> NodeProto:
    """Copy a node with one output under another name: its other outputs may still be needed."""
    copy = NodeProto()
    copy.CopyFrom(node)
    unused = fresh(f"{at}/unused", all_names(proto))
    copy.output[list(copy.output).index(at)] = unused
    return copy


def _typed(proto: ModelProto, name: str) -> ValueInfoProto:
    value = infer(proto).get(name)
    if value is None or not element_type(value):
        raise ModelError(f"the number type of tensor {name!r} is unknown, so the model cannot be cut there")
    return value


def _assemble(
    proto: ModelProto,
    nodes: Sequence[NodeProto],
    outputs: Sequence[ValueInfoProto],
    extra_input: ValueInfoProto | None = None,
) -> ModelProto:
    """Build a model of some nodes of another, with the weights and inputs these need and nothing else."""
    needed = {value.name for value in outputs}.union(*map(reads, nodes))
    entry = [] if extra_input is None else [extra_input]
    made = {name for node in nodes for name in node.output} | {value.name for value in entry}
    graph = GraphProto(name=proto.graph.name, node=nodes, input=entry, output=outputs)
    graph.input.extend(value for value in proto.graph.input if value.name in needed)
    graph.initializer.extend(tensor for tensor in proto.graph.initializer if tensor.name in needed)
    graph.sparse_initializer.extend(s for s in proto.graph.sparse_initializer if s.values.name in needed)
    ends = {value.name for value in (*graph.input, *outputs)}
    graph.value_info.extend(v for v in proto.graph.value_info if v.name in made - ends)
    result = _shell(proto)
    result.graph.CopyFrom(graph)
    return result


def _shell(proto: ModelProto) -> ModelProto:
    """Copy everything of a model but its graph: versions, functions, metadata."""
    shell = ModelProto()
    for field, value in proto.ListFields():
        if field.name in ("graph", "training_info"):
            continue
        if isinstance(value, int | str):
            setattr(shell, field.name, value)
        else:
            getattr(shell, field.name).extend(value)
    return shell


def _free_outputs(graph: GraphProto, entry: tuple[int | None, ...] | None) -> None:
    """Give outputs that declare the batch the entry had a free batch too."""
    for value in graph.output:
        shape = shape_of(value)
        if shape and entry and shape[0] is not None and shape[0] == entry[0]:
            name_batch(value)
