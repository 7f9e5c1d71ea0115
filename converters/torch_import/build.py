"""Compile a normalised model into a `Graph` of bound operator functions, or raise one error that names every gap."""

from collections.abc import Iterator, Mapping
from functools import cache, partial
from typing import Any, NamedTuple

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, defs, helper, inliner, shape_inference

import agnostic.converters.torch_import.ops  # noqa: F401  (registers the operators)
from agnostic.converters.normalise import put_back, set_aside
from agnostic.converters.torch_import.graph import Graph
from agnostic.converters.torch_import.precision import Precision
from agnostic.converters.torch_import.registry import Node, Operator, find, refusal
from agnostic.converters.torch_import.step import Step
from agnostic.errors import ConversionError

#: Operators whose gradient is replaced by the identity's when straight-through estimates are asked for.
_ROUNDING = frozenset({"QuantizeLinear", "DynamicQuantizeLinear", "DynamicQuantizeMatMul", "QGemm", "Round"})
_DEEPEST = 8


class _Settings(NamedTuple):
    precision: Precision
    straight_through: bool
    problems: dict[str, list[str]]
    surrogates: list[str]
    types: dict[str, int]


def expanded(model: ModelProto) -> ModelProto:
    """Write operators that are not in the table out as the function bodies their schemas carry, where they do."""
    for _ in range(_DEEPEST):
        kinds = {(_domain(node), node.op_type) for node in walk(model.graph)}
        bodies = sorted(kind for kind in kinds if find(*kind) is None and _has_body(*kind))
        if not bodies:
            break
        try:
            model = _written_out(model, bodies)
        except RuntimeError:  # a body that cannot be written out is reported as missing
            break
    return model


def _written_out(model: ModelProto, bodies: list[tuple[str, str]]) -> ModelProto:
    """Replace operators by their bodies, which depend on the types of what the operators read."""
    light, heavy = set_aside(model)
    _write_defaults(light.graph, set(bodies))
    typed = [helper.make_tensor_value_info(t.name, t.data_type, list(t.dims)) for t in light.graph.initializer]
    light = shape_inference.infer_shapes(light)
    light.graph.value_info.extend(typed)
    light = inliner.inline_selected_functions(light, bodies, inline_schema_functions=True)
    put_back(light.graph, heavy)
    return light


def build(model: ModelProto, precision: Precision, straight_through: bool) -> tuple[Graph, list[str]]:
    """Compile the model's graph; also name the nodes whose gradient is a straight-through estimate."""
    settings = _Settings(precision, straight_through, {}, [], {})
    graph = _graph(model.graph, settings)
    if settings.problems:
        listed = "; ".join(f"{what} ({', '.join(nodes[:5])})" for what, nodes in settings.problems.items())
        raise ConversionError(f"the model cannot be differentiated in torch: {listed}")
    return graph, settings.surrogates


def walk(graph: GraphProto) -> Iterator[NodeProto]:
    """Yield every node of a graph and of its subgraphs."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in attribute.graphs:
                yield from walk(inner)
            if attribute.HasField("g"):
                yield from walk(attribute.g)


def _domain(node: NodeProto) -> str:
    return "" if node.domain == "ai.onnx" else node.domain


@cache
def _bodies() -> frozenset[tuple[str, str]]:
    return frozenset((schema.domain, schema.name) for schema in defs.get_function_ops())


def _has_body(domain: str, name: str) -> bool:
    if refusal(domain, name):
        return False
    return (domain, name) in _bodies()


def _write_defaults(graph: GraphProto, kinds: set[tuple[str, str]]) -> None:
    """Give nodes that are about to be written out the default attributes that their bodies refer to."""
    for node in walk(graph):
        if (node.domain, node.op_type) in kinds:
            given = {attribute.name for attribute in node.attribute}
            for name, attribute in defs.get_schema(node.op_type, node.domain).attributes.items():
                if name not in given and attribute.default_value.name:
                    node.attribute.append(attribute.default_value)


def _graph(proto: GraphProto, settings: _Settings) -> Graph:
    settings.types.update((tensor.name, tensor.data_type) for tensor in proto.initializer)
    settings.types.update((value.name, value.type.tensor_type.elem_type) for value in proto.input)
    constants = {tensor.name: settings.precision.load(tensor) for tensor in proto.initializer}
    steps = [_step(node, index, settings) for index, node in enumerate(proto.node)]
    names = [[value.name for value in values] for values in (proto.input, proto.output)]
    return Graph([step for step in steps if step is not None], constants, *names)


def _step(node: NodeProto, index: int, settings: _Settings) -> Step | None:
    name = node.name or f"{node.op_type}_{index}"
    found = find(_domain(node), node.op_type)
    attributes = {attribute.name: attribute for attribute in node.attribute}
    problem = _problem(node, found, attributes)
    if found is None or problem:
        settings.problems.setdefault(problem, []).append(name)
        return None
    subgraphs = {key: _graph(a.g, settings) for key, a in attributes.items() if a.type == AttributeProto.GRAPH}
    values: dict[str, Any] = {k: _value(a, settings.precision) for k, a in attributes.items() if k not in subgraphs}
    if found.wants_node:
        wanted = tuple(bool(output) for output in node.output)
        types = tuple(settings.types.get(read, 0) for read in node.input)
        values["node"] = Node(name, wanted, types, settings.precision, settings.straight_through)
    if settings.straight_through and (node.op_type in _ROUNDING or node.op_type.startswith("QLinear")):
        settings.surrogates.append(name)
    captured = tuple(dict.fromkeys(free for graph in subgraphs.values() for free in graph.free))
    function = partial(found.function, **values) if values else found.function
    kind = (_domain(node), node.op_type)
    return Step(name, kind, function, tuple(node.input), tuple(node.output), subgraphs, captured)


def _problem(node: NodeProto, found: Operator | None, attributes: Mapping[str, AttributeProto]) -> str:
    """Say what keeps a node from being imported; nothing does where this is empty."""
    kind = f"{node.domain}.{node.op_type}" if _domain(node) else node.op_type
    if found is None:
        reason = refusal(_domain(node), node.op_type)
        return f"{kind}: {reason}" if reason else f"no operator {kind}"
    extra = sorted(attributes.keys() - found.attributes)
    if extra:
        return f"{kind} with the attribute {', '.join(extra)}"
    if len(node.input) > found.inputs:
        return f"{kind} with {len(node.input)} inputs"
    return ""


def _value(attribute: AttributeProto, precision: Precision) -> Any:
    """Decode an attribute: numbers, text, lists of them, tensors in the type of computation."""
    if attribute.type == AttributeProto.TENSOR:
        return precision.load(attribute.t)
    value = helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode()
    if attribute.type == AttributeProto.STRINGS:
        return [text.decode() for text in value]
    return list(value) if attribute.type in (AttributeProto.INTS, AttributeProto.FLOATS) else value
