from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from agnostic.converters.torch_import import OnnxModule, to_torch
from agnostic.errors import ConversionError, InputError, ItemError, UsageError

FLOAT = TensorProto.FLOAT
RNG = np.random.default_rng(20)
A, B = (RNG.standard_normal((4, 3)).astype(np.float32) for _ in range(2))
X = torch.from_numpy(RNG.standard_normal((2, 4)).astype(np.float32))


def model(nodes: list[Any], outputs: list[str], kind: int = FLOAT, **constants: Any) -> onnx.ModelProto:
    names = {name.replace("__", "."): value for name, value in constants.items()}
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in names.items()]
    inputs = [helper.make_tensor_value_info("x", kind, ["n", 4])]
    results = [helper.make_tensor_value_info(name, kind, None) for name in outputs]
    graph = helper.make_graph(nodes, "g", inputs, results, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)])


@pytest.fixture
def two_layers() -> OnnxModule:
    """x → MatMul → h.a → Relu → h_a → MatMul → y"""
    nodes = [
        helper.make_node("MatMul", ["x", "w.a"], ["h.a"], name="first"),
        helper.make_node("Relu", ["h.a"], ["h_a"], name="act"),
        helper.make_node("MatMul", ["h_a", "w_a"], ["y"], name="second"),
    ]
    return to_torch(model(nodes, ["y"], w__a=A, w_a=B.T))


def test_names_are_kept_apart_as_they_are(two_layers: OnnxModule) -> None:
    expected = np.maximum(X.numpy() @ A, 0) @ B.T
    np.testing.assert_allclose(two_layers(X), expected, rtol=1e-5)
    values = two_layers.run({"x": X}, ["h.a", "h_a", "w.a", "x"])
    np.testing.assert_allclose(values["h.a"], X.numpy() @ A, rtol=1e-5)
    assert torch.equal(values["h_a"], values["h.a"].relu())
    assert values["w.a"].shape == (4, 3)
    assert values["x"] is X or torch.equal(values["x"], X)


def test_weights_are_frozen_and_can_still_be_differentiated(two_layers: OnnxModule) -> None:
    assert not two_layers(X).requires_grad
    w = two_layers.run({}, ["w.a"])["w.a"].clone().requires_grad_()
    y = two_layers.run({"x": X}, ["y"], replace={"w.a": w})["y"]
    assert torch.autograd.grad(y.sum(), w)[0].shape == (4, 3)


def test_running_goes_on_from_a_hidden_tensor(two_layers: OnnxModule) -> None:
    hidden = torch.ones(5, 3)
    y = two_layers.run({"h_a": hidden}, ["y"])["y"]
    np.testing.assert_allclose(y, np.ones((5, 3)) @ B.T, rtol=1e-5)


def test_a_hidden_tensor_can_be_made_a_leaf(two_layers: OnnxModule) -> None:
    def leaf(value: torch.Tensor) -> torch.Tensor:
        return value.detach().requires_grad_()

    values = two_layers.run({"x": X}, ["y", "h_a"], replace={"h_a": leaf})
    (gradient,) = torch.autograd.grad(values["y"].sum(), values["h_a"])
    np.testing.assert_allclose(gradient, np.tile(B.T.sum(1), (2, 1)), rtol=1e-5)


def test_rules_compute_operators_in_their_stead(two_layers: OnnxModule) -> None:
    x = X.clone().requires_grad_()
    y = two_layers.run({"x": x}, ["y"], rules={"Relu": lambda forward, value: value})["y"]
    np.testing.assert_allclose(y.detach(), X.numpy() @ A @ B.T, rtol=1e-4, atol=1e-6)
    (gradient,) = torch.autograd.grad(y.sum(), x)
    np.testing.assert_allclose(gradient, np.tile((A @ B.T).sum(1), (2, 1)), rtol=1e-4)


def test_only_needed_nodes_run(two_layers: OnnxModule) -> None:
    plan = two_layers.graph.plan({"x"}, ["h_a"])
    assert [step.name for step, _ in plan.steps] == ["first", "act"]
    assert [finished for _, finished in plan.steps] == [("x", "w.a"), ("h.a",)]


def test_outputs_come_in_graph_order_and_initialisers_may_be_outputs() -> None:
    split = helper.make_node("Split", ["x", "sizes"], ["a", "b"], axis=1)
    b, c, a = to_torch(model([split], ["b", "c", "a"], sizes=np.array([1, 3], np.int64), c=A))(X)
    assert torch.equal(a, X[:, :1])
    assert torch.equal(b, X[:, 1:])
    np.testing.assert_array_equal(c, A)


def test_float64_reaches_casts_and_constants() -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["c"], to=FLOAT),
        helper.make_node("Constant", [], ["k"], value_float=0.1),
        helper.make_node("Add", ["c", "k"], ["y"]),
    ]
    y = to_torch(model(nodes, ["y"]), dtype=torch.float64)(X.double() / 3)
    assert y.dtype is torch.float64
    np.testing.assert_allclose(y - X.double() / 3, np.float32(0.1), rtol=1e-12)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_half_floats_are_computed_in_float32_and_returned_as_declared(kind: int) -> None:
    nodes = [helper.make_node("Exp", ["x"], ["e"]), helper.make_node("Log", ["e"], ["y"])]
    module = to_torch(model(nodes, ["y"], kind))
    half = torch.float16 if kind == TensorProto.FLOAT16 else torch.bfloat16
    y = module(X.to(half))
    assert y.dtype is half
    assert torch.equal(y, X.to(half))
    assert module.run({"x": X.to(half)}, ["e"])["e"].dtype is torch.float32


def test_all_missing_operators_are_named_at_once() -> None:
    nodes = [
        helper.make_node("Foo", ["x"], ["a"], name="one", domain="there"),
        helper.make_node("Foo", ["a"], ["b"], name="two", domain="there"),
        helper.make_node("StringNormalizer", ["b"], ["y"], name="three"),
    ]
    given = model(nodes, ["y"])
    given.opset_import.append(helper.make_opsetid("there", 1))
    with pytest.raises(ConversionError) as caught:
        to_torch(given)
    assert "no operator there.Foo (one, two)" in str(caught.value)
    assert "text has no gradient" in str(caught.value)
    assert "(three)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_operators_that_miss_are_written_out_by_their_schema() -> None:
    """SoftmaxCrossEntropyLoss is no operator here: its schema's function body is."""
    nodes = [helper.make_node("SoftmaxCrossEntropyLoss", ["x", "labels"], ["y"], reduction="mean")]
    loss = to_torch(model(nodes, ["y"], labels=np.array([1, 3], np.int64)))(X)
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(X, torch.tensor([1, 3])))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda m: m.run({"x": X}, ["h_b"]), UsageError, "unknown tensor 'h_b'; did you mean 'h_a'"),
        (lambda m: m.run({}, ["y"]), UsageError, "the input 'x' is needed"),
        (lambda m: m(X, X), InputError, "2 inputs were given; the model takes 1: x"),
        (lambda m: m(X[0]), InputError, "expects 2 axes"),
        (lambda m: m(X.long()), InputError, "is torch.int64; the model computes it as torch.float32"),
        (lambda m: m(torch.ones(2, 5)), ItemError, r"node 'first' \(MatMul\) cannot be computed for inputs of shape"),
    ],
)
def test_errors_say_what_was_given(two_layers: OnnxModule, call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(two_layers)


def test_an_integer_type_is_no_precision() -> None:
    with pytest.raises(UsageError, match="a floating type"):
        to_torch(model([helper.make_node("Relu", ["x"], ["y"])], ["y"]), dtype=torch.int32)


def test_attributes_that_nothing_reads_are_refused() -> None:
    node = helper.make_node("Relu", ["x"], ["y"], name="odd", slope=0.3)
    with pytest.raises(ConversionError, match=r"Relu with the attribute slope \(odd\)"):
        to_torch(model([node], ["y"]))


def test_constants_move_with_the_module(two_layers: OnnxModule) -> None:
    moved = two_layers.to(torch.float64)
    assert moved.graph.constants["w.a"].dtype is torch.float64
