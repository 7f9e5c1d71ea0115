import numpy as np
import pytest

from agnostic.converters.layers import live_tensors
from agnostic.converters.layout import NO_CHANNELS, Layout
from agnostic.converters.shapes import infer, shape_of

CASES = {
    "transposed": ("t = Transpose<perm = [0, 2, 3, 1]>(c)", 3),
    "there and back": ("a = Transpose<perm = [0, 2, 3, 1]>(c) t = Transpose<perm = [0, 3, 1, 2]>(a)", 1),
    "turned around": ("t = Transpose<perm = [3, 2, 1, 0]>(c)", 2),
    "squeezed": ("t = Squeeze(c, first)", 0),
    "unsqueezed": ("t = Unsqueeze(c, first)", 2),
    "its own axis squeezed away": ("a = ReduceSum(c, one) t = Squeeze(a, one)", None),
    "averaged": ("t = ReduceMean<axes = [2, 3], keepdims = 0>(c)", 1),
    "averaged along one": ("a = Transpose<perm = [0, 2, 3, 1]>(c) t = ReduceMean<axes = [1], keepdims = 0>(a)", 2),
    "broadcast": ("a = Transpose<perm = [0, 2, 3, 1]>(c) t = Mul(vector, a)", 3),
    "flattened": ("t = Flatten(c)", 1),
    "a product with weights": ("a = Transpose<perm = [0, 2, 3, 1]>(c) t = MatMul(a, w)", 3),
    "a product of two": ("t = MatMul(c, c)", NO_CHANNELS),
    "a softmax of a product of two": ("a = MatMul(c, c) t = Softmax(a)", NO_CHANNELS),
    "reshaped": ("t = Reshape(c, split)", None),
}


@pytest.mark.parametrize("case", CASES)
def test_channel_axis(case: str, build) -> None:
    body, expected = CASES[case]
    text = "net (float[1, 4, 4, 4] x) => (float[n] y) { c = Conv(x, k) " + body + " y = Neg(t) }"
    numbers = {"first": np.array([0]), "one": np.array([1]), "split": np.array([1, 2, 2, 4, 4])}
    weights = {"k": (4, 4, 1, 1), "w": (4, 4), "vector": (4,)}
    proto = build(text, **weights, **numbers)
    shapes = {name: shape for name, value in infer(proto).items() if (shape := shape_of(value)) is not None}
    assert Layout(proto.graph, shapes, live_tensors(proto.graph)).axis("t") == expected


def test_live_tensors_depend_on_values(build) -> None:
    text = """net (float[2, 3] x) => (float[2, 3] y) {
        s = Shape(x) e = ConstantOfShape(s) t = Neg(w) h = Add(x, t) y = Add(h, e)
    }"""
    assert live_tensors(build(text, w=(3,)).graph) == {"x", "h", "y"}
