import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from agnostic.converters.tokens import TokenGrid, before_choice, token_grid
from agnostic.errors import UsageError


def network(nodes, weights, height=32, width=48):
    """A model of opset 17 from a picture x to the tensor y, both with a free batch."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, height, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def patches(*pieces, height=32, width=48):
    """Cut x into 8 x 8 patches and join their tokens with learnt ones: the pieces are `x` or a number of tokens."""
    nodes = [
        helper.make_node("Conv", ["x", "kernel"], ["map"], strides=[8, 8]),
        helper.make_node("Reshape", ["map", "rows"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["places"], perm=[0, 2, 1]),
        helper.make_node("Shape", ["x"], ["batch"], start=0, end=1),
    ]
    weights = {"kernel": np.zeros((4, 3, 8, 8), np.float32), "rows": np.array([0, 4, -1]), "slope": np.ones(4, "f")}
    for count in (piece for piece in pieces if piece != "x"):
        weights |= {f"learnt{count}": np.zeros((1, count, 4), np.float32), f"size{count}": np.array([count, 4])}
        nodes += [
            helper.make_node("Concat", ["batch", f"size{count}"], [f"shape{count}"], axis=0),
            helper.make_node("Expand", [f"learnt{count}", f"shape{count}"], [f"special{count}"]),
        ]
    joined = ["places" if piece == "x" else f"special{piece}" for piece in pieces]
    nodes += [
        helper.make_node("Concat", joined, ["tokens"], axis=1),
        helper.make_node("LayerNormalization", ["tokens", "slope"], ["y"]),
    ]
    return network(nodes, weights, height, width)


@pytest.mark.parametrize(
    ("pieces", "count", "expected"),
    [
        (("x",), 24, TokenGrid(4, 6, 0)),
        ((1, "x"), 25, TokenGrid(4, 6, 1)),
        ((2, "x"), 26, TokenGrid(4, 6, 2)),
        ((1, "x", 4), 29, TokenGrid(4, 6, 1)),
        ((1, "x", 100), 125, TokenGrid(4, 6, 1)),
        (("x", 5), 29, TokenGrid(4, 6, 0)),
    ],
)
def test_special_tokens_are_told_from_places(pieces, count, expected):
    proto = patches(*pieces)
    assert token_grid(proto, "y", count, (32, 48)) == expected


def test_the_places_are_a_slice():
    assert list(range(9))[TokenGrid(2, 3, 1).places] == [1, 2, 3, 4, 5, 6]


def test_a_free_size_is_the_pictures():
    proto = patches(1, "x", height="h", width="w")
    assert token_grid(proto, "y", 1 + 5 * 3, (40, 24)) == TokenGrid(5, 3, 1)


@pytest.mark.parametrize(
    ("picture", "count", "expected"),
    [
        ((64, 96), 24, TokenGrid(4, 6, 0)),
        ((56, 56), 4 * 4 + 1, TokenGrid(4, 4, 1)),
        ((224, 224), 49, TokenGrid(7, 7, 0)),
    ],
)
def test_a_hierarchy_halves_its_grid_and_rounds_up(picture, count, expected):
    proto = patches("x", height="h", width="w")
    assert token_grid(proto, "y", count, picture) == expected


def test_without_a_convolution_patches_are_square():
    weights = {"rows": np.array([0, 24, -1]), "w": np.zeros((192, 4), np.float32)}
    nodes = [helper.make_node("Reshape", ["x", "rows"], ["flat"]), helper.make_node("MatMul", ["flat", "w"], ["y"])]
    proto = network(nodes, weights)
    assert token_grid(proto, "y", 24, (32, 48)) == TokenGrid(4, 6, 0)
    assert token_grid(proto, "y", 29, (32, 48)) == TokenGrid(4, 6, 5)
    with pytest.raises(UsageError, match="77 tokens, which are no grid of patches of a 32 x 48 picture"):
        token_grid(proto, "y", 77, (32, 48))


def read(*last, attends=True):
    """One attention over tokens given as x (n, 1, 5, 4), and what its answer is read from."""
    weights = {"w": np.eye(4, dtype="f"), "shape": np.array([0, 5, 4]), "one": np.array([1])}
    weights |= {"zero": np.array(0), "first": np.array([0])}
    nodes = [
        helper.make_node("Reshape", ["x", "shape"], ["tokens"]),
        helper.make_node("Relu", ["tokens"], ["looked_at"]),
        helper.make_node("MatMul", ["looked_at", "w"], ["q"]),
        helper.make_node("Transpose", ["q"], ["k"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "k"], ["likeness"]),
        helper.make_node("Softmax" if attends else "Sigmoid", ["likeness"], ["attention"]),
        helper.make_node("MatMul", ["attention", "looked_at"], ["drawn"]),
        *last,
    ]
    proto = network(nodes, weights)
    dims = proto.graph.input[0].type.tensor_type.shape.dim
    dims[1].dim_value, dims[2].dim_value, dims[3].dim_value = 1, 5, 4
    return proto


GATHER = helper.make_node("Gather", ["drawn", "zero"], ["y"], axis=1)
SLICE = helper.make_node("Slice", ["drawn", "first", "one", "one"], ["y"])
MEAN = helper.make_node("ReduceMean", ["drawn"], ["y"], axes=[1])


@pytest.mark.parametrize("choice", [GATHER, SLICE])
def test_the_answer_of_a_single_token_lies_behind_the_last_attention(choice):
    found = before_choice(read(choice), ["y"])
    assert {"tokens", "looked_at", "q", "likeness"} <= found
    assert not {"attention", "drawn", "y"} & found


def test_a_mean_chooses_no_token():
    assert before_choice(read(MEAN), ["y"]) is None


def test_without_an_attention_there_is_nothing_to_look_before():
    assert before_choice(read(GATHER, attends=False), ["y"]) is None
