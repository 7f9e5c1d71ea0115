"""Where the tokens of a vision transformer lie in the picture, and which of them are no places at all.

A token layer is a list: (n, tokens, channels). Its places are found from the graph: a convolution that cut the picture
into patches leaves their number per row and column, and what is more than that are class, distillation or register
tokens, before or behind the places. Where no convolution tells, the tokens are taken for square patches.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from onnx import ModelProto, NodeProto

from agnostic.converters.graph import Constants, attribute, needed_nodes, real_inputs
from agnostic.converters.layers import live_tensors
from agnostic.converters.layout import CONVOLUTIONS
from agnostic.converters.shapes import Shape, infer, shape_of, without_weights
from agnostic.errors import UsageError

# More tokens than these beside the places have to be seen in the graph to be believed.
_MOST_SPECIAL = 16
# How often a hierarchy such as Swin's may halve its grid behind the convolution.
_HALVINGS = 5
_ATTENTION = frozenset({"Attention", "GroupQueryAttention", "MultiHeadAttention"})


class TokenGrid(NamedTuple):
    """The places among tokens: height x width of them, row by row, behind `first` special tokens."""

    height: int
    width: int
    first: int

    @property
    def places(self) -> slice:
        """The tokens that are places."""
        return slice(self.first, self.first + self.height * self.width)


def token_grid(proto: ModelProto, name: str, count: int, picture: tuple[int, int]) -> TokenGrid:
    """Find the places among the tokens of a tensor.

    Args:
        proto: the model.
        name: the tensor: a token layer, or the attention between tokens.
        count: how many tokens it has.
        picture: height and width of the model's input.

    Raises:
        UsageError: no grid of places fits that number of tokens.
    """
    nodes = needed_nodes(proto.graph.node, [name])
    shapes = _shapes(proto, picture)
    behind, special = _added(nodes, shapes, live_tensors(proto.graph))
    allowed = max(_MOST_SPECIAL, special)
    for grids in (_convolved(nodes, shapes), _halved(_convolved(nodes, shapes)), _patched(picture)):
        # One place is no grid; of several grids the one that leaves the fewest tokens over.
        fitting = [grid for grid in grids if 0 <= count - grid[0] * grid[1] <= allowed and grid[0] * grid[1] > 1]
        if fitting:
            height, width = min(fitting, key=lambda grid: count - grid[0] * grid[1])
            extra = count - height * width
            return TokenGrid(height, width, extra - behind if extra >= behind else extra)
    raise UsageError(
        f"{name!r} has {count} tokens, which are no grid of patches of a {picture[0]} x {picture[1]} picture; "
        "name another layer with --at"
    )


def before_choice(proto: ModelProto, names: Iterable[str]) -> set[str] | None:
    """Name what lies before the last attention, where the named tensors are read off a single token behind it.

    Behind the last attention all other tokens are without effect. None where no single token is chosen.
    """
    nodes = needed_nodes(proto.graph.node, names)
    shapes = {name: shape for name, value in infer(proto).items() if (shape := shape_of(value)) is not None}
    mixing = [place for place, node in enumerate(nodes) if _mixes(node, shapes)]
    if not mixing:
        return None
    constants, last = Constants(proto.graph), nodes[mixing[-1]]
    if not any(_chooses(node, constants, shapes) for node in nodes[mixing[-1] :]):
        return None
    return {name for node in needed_nodes(nodes, last.input) for name in node.output}


def _mixes(node: NodeProto, shapes: dict[str, Shape]) -> bool:
    # A softmax over two axes is the classifier's.
    spread = len(shapes.get(node.output[0], ())) > 2
    return node.op_type in _ATTENTION or (node.op_type == "Softmax" and spread)


def _chooses(node: NodeProto, constants: Constants, shapes: dict[str, Shape]) -> bool:
    """Tell whether a node takes a single token, and only that, out of (n, tokens, channels)."""
    if node.op_type not in ("Gather", "Slice") or len(shapes.get(node.input[0], ())) != 3:
        return False
    if node.op_type == "Gather":
        taken = constants.get(node.input[1])
        return attribute(node, "axis", 0) == 1 and taken is not None and taken.size == 1
    shape = shapes.get(node.output[0], ())
    return len(shape) == 3 and shape[1] == 1


def _shapes(proto: ModelProto, picture: tuple[int, int]) -> dict[str, Shape]:
    """Infer the shapes of every tensor for one picture of that size."""
    skeleton = without_weights(proto)
    for value in real_inputs(skeleton.graph):
        dims = value.type.tensor_type.shape.dim
        free = [dim for dim in list(dims)[1:] if not dim.HasField("dim_value")]
        if len(dims) == 4 and len(free) == 2:
            free[0].dim_value, free[1].dim_value = picture
    return {name: shape for name, value in infer(skeleton, 1).items() if (shape := shape_of(value)) is not None}


def _added(nodes: list[NodeProto], shapes: dict[str, Shape], live: set[str]) -> tuple[int, int]:
    """Count the learnt tokens that were joined on behind the places, and all that were joined on."""
    made = {name: node for node in nodes for name in node.output}
    behind = total = 0
    for node in nodes:
        joined = shapes.get(node.output[0], ()) if node.op_type == "Concat" else ()
        if len(joined) != 3 or attribute(node, "axis") not in (1, -2):
            continue
        sizes = [_length(name, shapes, made) for name in node.input]
        alive = [place for place, name in enumerate(node.input) if name in live]
        if alive:
            behind += sum(sizes[alive[-1] + 1 :])
            total += sum(size for place, size in enumerate(sizes) if place not in alive)
    return behind, total


def _length(name: str, shapes: dict[str, Shape], made: dict[str, NodeProto]) -> int:
    """Count the tokens of a tensor; of one that was spread over the batch, those of what was spread."""
    shape = shapes.get(name, ())
    if len(shape) == 3 and shape[1] is not None:
        return shape[1]
    return _length(made[name].input[0], shapes, made) if name in made and made[name].input else 0


def _convolved(nodes: list[NodeProto], shapes: dict[str, Shape]) -> Iterator[tuple[int, int]]:
    """Yield the sizes of the maps that convolutions made, the nearest first."""
    for node in reversed(nodes):
        shape = shapes.get(node.output[0], ()) if node.op_type in CONVOLUTIONS else ()
        if len(shape) == 4 and shape[2] is not None and shape[3] is not None:
            yield shape[2], shape[3]


def _halved(grids: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for height, width in grids:
        for times in range(1, _HALVINGS + 1):
            yield -(-height >> times), -(-width >> times)


def _patched(picture: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the grids that square patches cut a picture into without a rest."""
    for side in range(2, min(picture) + 1):
        if picture[0] % side == 0 == picture[1] % side:
            yield picture[0] // side, picture[1] // side
