import time
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, helper

from agnostic.converters import verify
from agnostic.converters.surgery import before_activation, before_softmax, expose, preactivation_twin
from agnostic.converters.twins import before_argmax, entry_before_squash, preactivation_parts

SOFTMAX = {
    "softmax": ("y = Softmax<axis = -1>(h)", "h"),
    "log-softmax": ("y = LogSoftmax<axis = -1>(h)", "h"),
    "log of a softmax": ("p = Softmax(h) y = Log(p)", "h"),
    "sigmoid": ("y = Sigmoid(h)", "h"),
    "renamed after": ("p = Softmax(h) y = Identity(p)", "h"),
    "reshaped after": ("p = Softmax(h) y = Reshape(p, rows)", "h"),
    "written out": ("e = Exp(h) s = ReduceSum(e, last) y = Div(e, s)", "h"),
    "written out, shifted": (
        "m = ReduceMax<axes = [-1]>(h) d = Sub(h, m) e = Exp(d) s = ReduceSum(e, last) y = Div(e, s)",
        "h",
    ),
    "no softmax": ("y = Tanh(h)", "y"),
    "log of something else": ("a = Softplus(h) y = Log(a)", "y"),
    "a division": ("e = Exp(h) s = ReduceSum(h, last) y = Div(e, s)", "y"),
    "a sum of other exponentials": ("e = Exp(h) f = Exp(x) s = ReduceSum(f, last) y = Div(e, s)", "y"),
    "reordered after": ("p = Softmax(h) y = Transpose<perm = [1, 0]>(p)", "y"),
    "a last operator that computes": ("p = Softmax(h) y = Neg(p)", "y"),
}


@pytest.mark.parametrize("case", SOFTMAX)
def test_before_softmax(case: str, build) -> None:
    body, expected = SOFTMAX[case]
    text = "net (float[4, 4] x) => (float[4, 4] y) { h = MatMul(x, w) " + body + " }"
    unused = {"rows": np.array([-1, 4]), "last": np.array([-1])}
    proto = build(text, w=(4, 4), **{name: value for name, value in unused.items() if name in body})
    assert before_softmax(proto, "y") == expected


def test_written_out_softmax_is_one(build) -> None:
    body = SOFTMAX["written out, shifted"][0]
    proto = build(
        "net (float[4, 4] x) => (float[4, 4] y) { h = MatMul(x, w) " + body + " }", w=(4, 4), last=np.array([-1])
    )
    h, y = verify.run(expose(proto, ["h"]), verify.random_feeds(proto), ["h", "y"])
    np.testing.assert_allclose(y, np.exp(h) / np.exp(h).sum(1, keepdims=True), rtol=1e-5)


def test_another_shape_is_no_twin(build) -> None:
    proto = build("net (float[n, 4, 1, 1] x) => (float[n, 4] y) { p = Softmax<axis = 1>(x) y = Flatten(p) }")
    assert before_softmax(proto, "y") == "y"


def test_a_softmax_of_the_input(build) -> None:
    proto = build("net (float[n, 4] x) => (float[n, 4] y) { y = Softmax(x) }")
    assert before_softmax(proto, "y") == "x"
    assert before_softmax(proto, "x") == "x"


@pytest.mark.parametrize(
    ("name", "twin"), [("squeezenet", "r65"), ("inception_v1", "r143"), ("vgg19", "r46"), ("densenet121", "fc6_1")]
)
def test_before_softmax_of_real_networks(name: str, twin: str, light) -> None:
    proto = onnx.load(light(name))
    assert before_softmax(proto, proto.graph.output[0].name) == twin


def test_before_softmax_of_keras_models(dianna_model) -> None:
    proto = onnx.load(dianna_model("mnist_model_tf.onnx"))
    twin = before_softmax(proto, proto.graph.output[0].name)
    assert twin == "StatefulPartitionedCall/sequential/dense_1/BiasAdd:0"


ACTIVATION = {
    "relu": "y = Relu(h)",
    "relu6": "y = Clip(h, zero, six)",
    "sigmoid": "y = Sigmoid(h)",
    "hard swish": "y = HardSwish(h)",
    "leaky relu": "y = LeakyRelu(h)",
    "prelu": "y = PRelu(h, half)",
    "silu": "s = Sigmoid(h) y = Mul(h, s)",
    "silu, turned round": "s = Sigmoid(h) y = Mul(s, h)",
    "hard swish, by clip": "a = Add(h, three) c = Clip(a, zero, six) d = Div(c, six) y = Mul(h, d)",
    "hard swish, divided last": "a = Add(h, three) c = Clip(a, zero, six) m = Mul(h, c) y = Div(m, six)",
    "mish": "p = Softplus(h) t = Tanh(p) y = Mul(h, t)",
    "gelu": "d = Div(h, root) e = Erf(d) a = Add(e, one) m = Mul(h, a) y = Mul(m, half)",
    "gelu, halved first": "d = Div(h, root) e = Erf(d) a = Add(one, e) b = Mul(a, half) y = Mul(h, b)",
    "gelu by tanh": """p = Pow(h, three) s = Mul(p, half) i = Add(h, s) k = Mul(i, root) t = Tanh(k) a = Add(t, one)
        b = Mul(half, h) y = Mul(b, a)""",
    "gelu by cubes": """q = Mul(h, h) p = Mul(q, h) s = Mul(p, half) i = Add(h, s) k = Mul(i, root) t = Tanh(k)
        a = Add(t, one) b = Mul(half, h) y = Mul(b, a)""",
}
NUMBERS = {"zero": 0.0, "six": 6.0, "three": 3.0, "root": 1.4142135, "one": 1.0, "half": 0.5}


def toy(build, body: str) -> ModelProto:
    numbers = {name: np.array(value, np.float32) for name, value in NUMBERS.items()}
    return build("net (float[n, 4] x) => (float[n, 4] y) { h = MatMul(x, w) " + body + " }", w=(4, 4), **numbers)


@pytest.mark.parametrize("case", ACTIVATION)
def test_before_activation(case: str, build) -> None:
    proto = toy(build, ACTIVATION[case])
    assert before_activation(proto, "y") == "h"
    assert before_activation(proto, "h") == "h"
    assert preactivation_twin(proto, "y") == (proto, "h")


NO_ACTIVATION = {
    "a residual join": "r = Relu(h) y = Add(h, r)",
    "a gate of other origin": "g = MatMul(h, w) s = Sigmoid(g) y = Mul(h, s)",
    "a square": "y = Mul(h, h)",
    "a quotient": "s = Sigmoid(h) y = Div(h, s)",
    "a scale": "y = Mul(h, half)",
    "a matrix product": "y = MatMul(h, w)",
}


@pytest.mark.parametrize("case", NO_ACTIVATION)
def test_no_activation(case: str, build) -> None:
    assert before_activation(toy(build, NO_ACTIVATION[case]), "y") == "y"


def test_a_gate_with_its_own_activation_is_not_blamed_on_the_input(build) -> None:
    # The path from h to the product has an Add with x, so only h feeds both sides.
    proto = toy(build, "a = Add(h, x) s = Sigmoid(a) y = Mul(a, s)")
    assert before_activation(proto, "y") == "a"


def test_twin_of_a_concatenation(build) -> None:
    text = """net (float[n, 4] x) => (float[n, 12] y) {
        a = MatMul(x, w) ra = Relu(a)
        b = MatMul(ra, w) rb = Tanh(b)
        y = Concat<axis = 1>(ra, rb, x)
    }"""
    proto = build(text, w=(4, 4))
    before = proto.SerializeToString(deterministic=True)
    twinned, twin = preactivation_twin(proto, "y")
    assert before_activation(proto, "y") == "y"
    assert proto.SerializeToString(deterministic=True) == before
    x = verify.random_feeds(proto)
    a, b, y, joined = verify.run(expose(twinned, ["a", "b", twin]), x, ["a", "b", "y", twin])
    np.testing.assert_array_equal(joined, np.concatenate([a, b, x["x"]], axis=1))
    np.testing.assert_allclose(y, np.concatenate([np.maximum(a, 0), np.tanh(b), x["x"]], axis=1), rtol=1e-5, atol=1e-6)


def test_a_concatenation_without_activations_is_its_own_twin(build) -> None:
    proto = build("net (float[n, 4] x) => (float[n, 8] y) { a = MatMul(x, w) y = Concat<axis = 1>(a, x) }", w=(4, 4))
    assert preactivation_twin(proto, "y") == (proto, "y")


def test_twin_in_a_real_network(light) -> None:
    proto = onnx.load(light("squeezenet"))
    twinned, twin = preactivation_twin(proto, "r9")
    onnx.checker.check_model(twinned)
    joined = next(node for node in twinned.graph.node if twin in node.output)
    assert list(joined.input) == ["r5", "r7"]


PARTS = {
    "relus and others": ("ra = Relu(a) tb = Tanh(b) y = Concat<axis = 1>(ra, tb, x)", ("a", "b", "x"), 1),
    "the last axis": ("ra = Relu(a) s = Sigmoid(b) mb = Mul(b, s) y = Concat<axis = -1>(ra, mb)", ("a", "b"), -1),
    "one activation": ("ra = Relu(a) y = Concat<axis = 1>(b, ra)", ("b", "a"), 1),
    "no activation": ("y = Concat<axis = 1>(a, b)", ("y",), 1),
    "an activation of a concatenation": ("c = Concat<axis = 1>(a, b) y = Relu(c)", ("c",), 1),
    "no concatenation": ("c = Concat<axis = 1>(a, b) d = Neg(c) y = Clip(d, zero, six)", ("d",), 1),
    "nothing": ("c = Concat<axis = 1>(a, b) y = Neg(c)", ("y",), 1),
}


@pytest.mark.parametrize("case", PARTS)
def test_preactivation_parts(case: str, build) -> None:
    body, expected, axis = PARTS[case]
    numbers = {name: np.array(NUMBERS[name], np.float32) for name in ("zero", "six") if name in body}
    text = "net (float[n, 4] x) => (float[n, k] y) { a = MatMul(x, w) b = Neg(a) " + body + " }"
    proto = build(text, w=(4, 4), **numbers)
    before = proto.SerializeToString(deterministic=True)
    assert preactivation_parts(proto, "y") == (expected, axis)
    assert proto.SerializeToString(deterministic=True) == before


def test_the_parts_join_to_the_twin(light) -> None:
    proto = onnx.load(light("squeezenet"))
    twinned, twin = preactivation_twin(proto, "r9")
    assert preactivation_parts(proto, "r9") == (("r5", "r7"), 1)
    x = verify.random_feeds(proto)
    joined, *parts = verify.run(expose(twinned, [twin, "r5", "r7"]), x, [twin, "r5", "r7"])
    np.testing.assert_array_equal(joined, np.concatenate(parts, axis=1))


def test_hostile_graphs_do_not_branch_for_ever() -> None:
    nodes, last = [], "x"
    for step in range(200):
        left, right, name = f"l{step}", f"r{step}", f"m{step}"
        nodes += [helper.make_node("Neg", [last], [f"n{step}"]), helper.make_node("Sigmoid", [last], [left])]
        nodes += [helper.make_node("Add", [left, last], [right]), helper.make_node("Mul", [left, right], [name])]
        last = name
    ends = [helper.make_tensor_value_info(name, 1, ["n"]) for name in ("x", last)]
    proto = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:]), ir_version=8)
    start = time.perf_counter()
    before_activation(proto, last)
    assert time.perf_counter() - start < 2


JOINED = """
g (float[n,3,5] x, float[n,2,5] b) => (float[n,5,5] y, float[n,5,5] t) {
    p = Sigmoid(x) y = Concat<axis=1>(b, p) t = Transpose<perm=[0,2,1]>(y)
}
"""


@pytest.mark.parametrize(
    ("name", "index", "behind"),
    [
        ("y", (2, 4), ("x", (0, 4))),
        ("y", (4, 0), ("x", (2, 0))),
        ("t", (3, 2), ("x", (0, 3))),
        ("y", (1, 0), None),  # lies in the boxes, which no squash made
        ("p", (1, 1), ("x", (1, 1))),
        ("x", (0, 0), None),
    ],
)
def test_an_entry_behind_a_joint(graph: Any, name: str, index: tuple[int, ...], behind: Any) -> None:
    assert entry_before_squash(graph(JOINED), name, index) == behind


def test_an_entry_behind_a_joint_holds_what_was_squashed(graph: Any, rng: np.random.Generator) -> None:
    x, b = rng.normal(size=(1, 3, 5)).astype(np.float32), rng.normal(size=(1, 2, 5)).astype(np.float32)
    session = onnxruntime.InferenceSession(graph(JOINED).SerializeToString(), providers=["CPUExecutionProvider"])
    joined = session.run(["t"], {"x": x, "b": b})[0][0]
    for index in ((0, 2), (4, 4), (2, 3)):
        found = entry_before_squash(graph(JOINED), "t", index)
        assert found is not None and found[0] == "x"
        assert joined[index] == pytest.approx(1 / (1 + np.exp(-x[0][found[1]])), abs=1e-6)


def test_what_a_choice_was_made_from(graph: Any) -> None:
    choice = "a = ArgMax<axis=1,keepdims=0>(x) y = Identity(a)"
    text = f"g (float[n,3] x) => (int64[n] y, float[n,3] z) {{ {choice} z = Relu(x) }}"
    assert before_argmax(graph(text), "y") == "x"
    assert before_argmax(graph(text), "z") == "z"
