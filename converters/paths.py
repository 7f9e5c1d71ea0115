"""Which ways through a graph carry a gradient, and which end in a step function."""

from collections import defaultdict

from onnx import GraphProto, ModelProto, NodeProto, TensorProto

# Constant between jumps: their derivative is zero wherever it exists.
STEPS = frozenset(
    {
        "ArgMax", "ArgMin", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Ceil", "Equal", "Floor",
        "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "NonMaxSuppression", "NonZero", "Not",
        "OneHot", "Or", "And", "Xor", "Round", "Shape", "Sign", "Size", "Unique", "TreeEnsemble",
        "TreeEnsembleClassifier", "TreeEnsembleRegressor", "LabelEncoder", "Binarizer", "StringNormalizer",
        "TfIdfVectorizer", "Tokenizer",
        "QuantizeLinear", "DynamicQuantizeLinear",
    }
)  # fmt: skip
ROUNDING = frozenset({"QuantizeLinear", "DynamicQuantizeLinear", "Round"})
_FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE}


def reached_smoothly(proto: ModelProto, source: str, *, straight_through: bool = False) -> frozenset[str]:
    """Name every tensor that depends on `source` by at least one path without a step function.

    Args:
        proto: the model; nodes with subgraphs count as smooth.
        source: a tensor.
        straight_through: let paths through rounding count, whose gradient is then an estimate.
    """
    readers: dict[str, list[NodeProto]] = defaultdict(list)
    for node in proto.graph.node:
        for name in (*node.input, *_captured(node)):
            readers[name].append(node)
    reached, waiting = {source}, [source]
    while waiting:
        for node in readers[waiting.pop()]:
            if not _is_step(node, straight_through):
                fresh = set(node.output) - reached - {""}
                reached |= fresh
                waiting.extend(fresh)
    return frozenset(reached)


def _is_step(node: NodeProto, straight_through: bool) -> bool:
    if straight_through and node.op_type in ROUNDING:
        return False
    if node.op_type == "Cast":
        return next((item.i for item in node.attribute if item.name == "to"), 0) not in _FLOATS
    return node.op_type in STEPS


def _captured(node: NodeProto) -> set[str]:
    """What the subgraphs of a node read from around it."""
    names: set[str] = set()
    for attribute in node.attribute:
        for graph in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            names |= _free(graph)
    return names


def _free(graph: GraphProto) -> set[str]:
    made = {item.name for item in (*graph.input, *graph.initializer)} | {
        name for node in graph.node for name in node.output
    }
    read = {name for node in graph.node for name in (*node.input, *_captured(node))}
    return (read | {item.name for item in graph.output}) - made
