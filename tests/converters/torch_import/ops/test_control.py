from typing import Any

import numpy as np
import torch
from onnx import TensorProto, helper

from agnostic.converters.torch_import import to_torch

FLOAT, BOOL, INT = TensorProto.FLOAT, TensorProto.BOOL, TensorProto.INT64


def value(name: str, kind: int = FLOAT, shape: Any = None) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes: Any, inputs: Any, outputs: Any, constants: Any = ()) -> Any:
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])


def test_if_runs_one_branch_and_sees_what_surrounds_it() -> None:
    double = helper.make_graph([helper.make_node("Add", ["x", "x"], ["t"])], "then", [], [value("t")])
    square = helper.make_graph([helper.make_node("Mul", ["x", "x"], ["e"])], "else", [], [value("e")])
    node = helper.make_node("If", ["c"], ["y"], then_branch=double, else_branch=square)
    module = to_torch(model([node], [value("c", BOOL, []), value("x", shape=[1])], [value("y", shape=[1])]))
    for condition, slope in ((True, 2.0), (False, 6.0)):
        x = torch.tensor([3.0], requires_grad=True)
        (gradient,) = torch.autograd.grad(module(torch.tensor(condition), x).sum(), x)
        assert gradient.item() == slope


def test_loop_carries_a_state_stacks_the_rest_and_stops() -> None:
    nodes = [
        helper.make_node("Mul", ["s", "x"], ["s2"]),
        helper.make_node("Less", ["s2", "limit"], ["go"]),
        helper.make_node("Identity", ["s2"], ["trace"]),
    ]
    outputs = [value("go", BOOL, []), value("s2"), value("trace")]
    body = helper.make_graph(nodes, "body", [value("i", INT, []), value("c", BOOL, []), value("s")], outputs)
    node = helper.make_node("Loop", ["n", "", "x"], ["last", "all"], body=body)
    constants = [helper.make_tensor("n", INT, [], [10]), helper.make_tensor("limit", FLOAT, [], [50.0])]
    module = to_torch(model([node], [value("x", shape=[])], [value("last"), value("all")], constants))
    x = torch.tensor(3.0, requires_grad=True)
    last, trace = module(x)
    np.testing.assert_array_equal(trace.detach(), [9, 27, 81])
    assert torch.autograd.grad(last, x)[0].item() == 4 * 27
    last, trace = module.run({"x": x}, ["last", "all"], replace={"n": torch.tensor(0)}).values()
    assert last is x
    assert trace.shape == (0,)


def test_scan_goes_backwards_and_differentiates() -> None:
    nodes = [helper.make_node("Add", ["s", "x"], ["s2"]), helper.make_node("Mul", ["s2", "s2"], ["y"])]
    body = helper.make_graph(nodes, "body", [value("s"), value("x")], [value("s2"), value("y")])
    node = helper.make_node("Scan", ["s0", "xs"], ["s", "ys"], body=body, num_scan_inputs=1, scan_input_directions=[1])
    module = to_torch(model([node], [value("s0", shape=[]), value("xs", shape=[3])], [value("s"), value("ys")]))
    xs = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    total, squares = module(torch.tensor(0.0), xs)
    assert total.item() == 6
    np.testing.assert_array_equal(squares.detach(), [9, 25, 36])
    (gradient,) = torch.autograd.grad(squares.sum(), xs)
    np.testing.assert_array_equal(gradient, [12, 22, 28])
