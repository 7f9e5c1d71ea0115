"""The tensor behind an activation: what a softmax, a sigmoid or a ReLU was given.

Explanations and optimised inputs are sharper on these: a saturated probability has next to no gradient, and a ReLU
that is off has none. Activations are found by operator and by the ways exporters write them out, such as
``x * Sigmoid(x)``.
"""

from collections.abc import Iterator

from onnx import GraphProto, ModelProto, NodeProto, helper

from agnostic.converters.graph import Constants, all_names, attribute, first_input, fresh, producers
from agnostic.converters.shapes import infer, shape_of

_LEAVES_ORDER = frozenset({"Cast", "Dropout", "Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
_SQUASHES = frozenset({"LogSoftmax", "Sigmoid", "Softmax"})
ACTIVATIONS = frozenset(
    {"BiasGelu", "Celu", "Clip", "Elu", "FastGelu", "Gelu", "HardSigmoid", "HardSwish", "LeakyRelu"}
)
ACTIVATIONS |= {"Mish", "PRelu", "QuickGelu", "Relu", "Selu", "Sigmoid", "Softplus", "Softsign", "Swish", "Tanh"}
ACTIVATIONS |= {"ThresholdedRelu"}
_BENDS = ACTIVATIONS | {"Erf", "Exp", "Pow"}
_ARITHMETIC = frozenset({"Add", "Cast", "Div", "Identity", "Mul", "Sub"})
# A hand-written GELU with tanh is nine operators deep.
_DEEPEST = 12
# x + 0.044715 * (x * x * x) joins three times; the bound keeps hostile graphs from branching for ever.
_NESTING = 3


def before_softmax(proto: ModelProto, name: str) -> str:
    """Return the tensor that a softmax, log-softmax or sigmoid turned into this output.

    Operators that only rename or reshape are looked through; a softmax written out as exponential, sum and division is
    recognised. The answer always has the shape of the given tensor, entry for entry; where no such tensor exists, it is
    the given name itself.
    """
    graph = proto.graph
    made = producers(graph)
    node = _skip(made, name)
    if node is not None and node.op_type == "Log":
        node = _skip(made, first_input(node))
        node = node if node is not None and _squashed(made, node) else None
    twin = None if node is None else _squashed(made, node)
    return twin if twin is not None and _same_shape(proto, name, twin) else name


def before_argmax(proto: ModelProto, name: str) -> str:
    """Return the scores of which an output gives the number of the highest; the name itself where it does not."""
    node = _skip(producers(proto.graph), name)
    return first_input(node) if node is not None and node.op_type == "ArgMax" else name


def before_activation(proto: ModelProto, name: str) -> str:
    """Return the tensor an activation function was given to make this one; the name itself where none made it.

    A concatenation of activations has no such tensor: ``preactivation_twin`` makes one.
    """
    return _before(proto.graph, producers(proto.graph), name)


def entry_before_squash(
    proto: ModelProto, name: str, index: tuple[int | None, ...]
) -> tuple[str, tuple[int | None, ...]] | None:
    """Find the entry that a sigmoid or softmax turned into one of an output that joins several things.

    Detectors put boxes and probabilities of classes into one output; what a probability was computed from lies behind
    the joint.

    Args:
        proto: the model.
        name: the output.
        index: where the entry is, the batch axis not counted.

    Returns:
        The tensor and the place in it; None where no way leads there.
    """
    made, values = producers(proto.graph), infer(proto)
    at = list(index)
    for _ in range(_DEEPEST):
        node = made.get(name)
        if node is None:
            return None
        if node.op_type in _SQUASHES:
            return first_input(node), tuple(at)
        name = first_input(node)
        if node.op_type == "Transpose":
            perm = list(attribute(node, "perm", [])) or list(range(len(at) + 1))[::-1]
            if perm[0] != 0:
                return None
            at = [place for _, place in sorted(zip(perm[1:], at, strict=True), key=lambda pair: pair[0])]
        elif node.op_type == "Concat":
            axis = int(attribute(node, "axis", 1)) % (len(at) + 1) - 1
            lengths = [(shape_of(values.get(source)) or [None] * (len(at) + 1))[axis + 1] for source in node.input]
            part = _part_of(at[axis], lengths)
            if axis < 0 or part is None:
                return None
            name, at[axis] = node.input[part[0]], part[1]
        elif node.op_type != "Identity":
            return None
    return None


def _part_of(place: int | None, lengths: list[int | None]) -> tuple[int, int] | None:
    """Tell which of several joined parts a place lies in, and where in that part."""
    for number, length in enumerate(lengths):
        if place is None or length is None:
            return None
        if place < length:
            return number, place
        place -= length
    return None


def preactivation_twin(proto: ModelProto, name: str) -> tuple[ModelProto, str]:
    """Return a model and the name in it of the pre-activation of a tensor, also of a concatenation of activations.

    For a concatenation, the model is a copy with one more node that joins the pre-activations (an input that no
    activation made joins as it is). Otherwise it is the given model.
    """
    made = producers(proto.graph)
    node = made.get(name)
    if node is None or node.op_type != "Concat":
        return proto, _before(proto.graph, made, name)
    sources = [_before(proto.graph, made, source) for source in node.input]
    if sources == list(node.input):
        return proto, name
    twin = fresh(f"{name}/preactivation", all_names(proto))
    joined = helper.make_node("Concat", sources, [twin], name=twin)
    joined.attribute.extend(node.attribute)
    result = ModelProto()
    result.CopyFrom(proto)
    result.graph.node.insert(list(proto.graph.node).index(node) + 1, joined)
    return result, twin


def preactivation_parts(proto: ModelProto, name: str) -> tuple[tuple[str, ...], int]:
    """Name the tensors that, joined along an axis, are the pre-activation of a tensor; the graph stays as it is.

    One tensor, but for a concatenation of activations, whose parts are looked behind one by one.
    """
    made = producers(proto.graph)
    node = made.get(name)
    if node is None or node.op_type != "Concat":
        return (_before(proto.graph, made, name),), 1
    axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
    sources = tuple(_before(proto.graph, made, source) for source in node.input)
    return ((name,), axis) if sources == tuple(node.input) else (sources, axis)


def _skip(made: dict[str, NodeProto], name: str) -> NodeProto | None:
    """Return the node behind a tensor, looking through those that leave its entries in order."""
    node = made.get(name)
    while node is not None and node.op_type in _LEAVES_ORDER:
        node = made.get(first_input(node))
    return node


def _squashed(made: dict[str, NodeProto], node: NodeProto) -> str | None:
    if node.op_type in _SQUASHES:
        return first_input(node)
    return _written_out_softmax(made, node) if node.op_type == "Div" else None


def _written_out_softmax(made: dict[str, NodeProto], node: NodeProto) -> str | None:
    """Recognise Exp(z) / ReduceSum(Exp(z)), where z may be x - ReduceMax(x)."""
    top, bottom = (_skip(made, source) for source in node.input)
    if top is None or bottom is None or (top.op_type, bottom.op_type) != ("Exp", "ReduceSum"):
        return None
    if _skip(made, bottom.input[0]) is not top:
        return None
    shifted = made.get(top.input[0])
    if shifted is not None and shifted.op_type == "Sub":
        largest = _skip(made, shifted.input[1])
        if largest is not None and largest.op_type == "ReduceMax" and largest.input[0] == shifted.input[0]:
            return first_input(shifted)
    return first_input(top)


def _same_shape(proto: ModelProto, name: str, twin: str) -> bool:
    values = infer(proto)
    shapes = [shape_of(values.get(tensor)) for tensor in (name, twin)]
    return shapes[0] is not None and shapes[0] == shapes[1]


def _before(graph: GraphProto, made: dict[str, NodeProto], name: str) -> str:
    node = made.get(name)
    if node is None:
        return name
    if node.op_type in ACTIVATIONS:
        return first_input(node)
    return Tracer(made, Constants(graph)).gated(node) or name


class Tracer:
    """Follows tensors back through arithmetic that works entry by entry."""

    def __init__(self, made: dict[str, NodeProto], constants: Constants) -> None:
        """Take what makes each tensor and what is constant."""
        self._made = made
        self._constants = constants

    def gated(self, node: NodeProto) -> str | None:
        """Return x for a product of x and a bent x, such as x * Sigmoid(x) or the GELUs, scaled or not."""
        following: NodeProto | None = node
        while following is not None and following.op_type in ("Mul", "Div"):
            varying = self._varying(following)
            if len(varying) == 2:
                source, bent = self._meeting(varying[0], varying[1], _NESTING)
                return source if bent and following.op_type == "Mul" else None
            following = self._made.get(varying[0]) if varying else None
        return None

    def _meeting(self, left: str, right: str, nesting: int) -> tuple[str | None, bool]:
        """Return the first tensor that both were computed from, and whether a bend lies on the way."""
        bent_at = dict(self._origins(left, nesting))
        for name, bent in self._origins(right, nesting):
            if name in bent_at:
                return name, bent or bent_at[name]
        return None, False

    def _origins(self, name: str, nesting: int) -> Iterator[tuple[str, bool]]:
        """Yield a tensor and those it was computed from, nearest first, each with whether a bend lies between."""
        bent = False
        for _ in range(_DEEPEST):
            yield name, bent
            node = self._made.get(name)
            if node is None or node.op_type not in _ARITHMETIC | _BENDS:
                return
            varying = self._varying(node)
            source, more = self._source(varying, nesting)
            if source is None:
                return
            name, bent = source, bent or more or node.op_type in _BENDS

    def _source(self, varying: list[str], nesting: int) -> tuple[str | None, bool]:
        if len(varying) == 1:
            return varying[0], False
        # The two sides of x + 0.044715 * x ** 3 meet in x.
        if len(varying) == 2 and nesting:
            return self._meeting(varying[0], varying[1], nesting - 1)
        return None, False

    def _varying(self, node: NodeProto) -> list[str]:
        """Name a node's inputs that are not constant; activations count their first input only."""
        sources = node.input[:1] if node.op_type in ACTIVATIONS else node.input
        return [source for source in sources if source and source not in self._constants]
