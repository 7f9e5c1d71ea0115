import numpy as np
import pytest
from onnx import TensorProto, helper

from agnostic.converters.paths import reached_smoothly

STEPS = ["ArgMax", "Ceil", "Floor", "Round", "Sign", "Not(Greater)", "Cast to int", "Cast to bool", "QuantizeLinear"]


def _through(graph, step):
    body = {
        "ArgMax": "i = ArgMax <axis = 1> (x) h = Cast <to = 1> (i)",
        "Not(Greater)": "b = Greater(x, zero) c = Not(b) h = Cast <to = 1> (c)",
        "Cast to int": "i = Cast <to = 7> (x) h = Cast <to = 1> (i)",
        "Cast to bool": "i = Cast <to = 9> (x) h = Cast <to = 1> (i)",
        "QuantizeLinear": "q = QuantizeLinear(x, one, nothing) h = DequantizeLinear(q, one, nothing)",
    }.get(step, f"h = {step}(x)")
    weights = {"zero": np.float32(0), "one": np.float32(1), "nothing": np.int8(0)}
    return graph(f"g (float[n,3] x) => (float[n,3] y) {{ {body} y = Add(h, zero) }}", weights)


@pytest.mark.parametrize("step", STEPS)
def test_nothing_behind_a_step_is_reached(graph, step):
    reached = reached_smoothly(_through(graph, step), "x")
    assert "x" in reached
    assert not {"h", "y"} & reached


def test_a_cast_between_floats_is_no_step(graph):
    proto = graph("g (float[n,3] x) => (float[n,3] y) { h = Cast <to = 10> (x) y = Cast <to = 1> (h) }")
    assert reached_smoothly(proto, "x") == {"x", "h", "y"}


def test_one_smooth_path_beside_a_step_is_enough(graph):
    proto = graph("g (float[n,3] x) => (float[n,3] y) { h = Round(x) y = Add(h, x) }")
    assert "y" in reached_smoothly(proto, "x")
    assert "h" not in reached_smoothly(proto, "x")


def test_from_behind_the_step_on_the_way_is_smooth(graph):
    proto = graph("g (float[n,3] x) => (float[n,3] y) { h = Round(x) y = Relu(h) }")
    assert reached_smoothly(proto, "h") == {"h", "y"}


@pytest.mark.parametrize(("step", "passes"), [("Round", True), ("QuantizeLinear", True), ("Floor", False)])
def test_straight_through_lets_rounding_pass_and_nothing_else(graph, step, passes):
    assert ("y" in reached_smoothly(_through(graph, step), "x", straight_through=True)) is passes


def test_what_a_branch_reads_from_around_it_counts():
    branch = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["inner"])], "b", [], [helper.make_tensor_value_info("inner", 1, None)]
    )
    node = helper.make_node("If", ["condition"], ["y"], then_branch=branch, else_branch=branch)
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [2]),
        helper.make_tensor_value_info("condition", TensorProto.BOOL, []),
    ]
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2])])
    assert "y" in reached_smoothly(helper.make_model(graph), "x")


def test_trees_are_steps():
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml")
    sides = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1])] for name in "xy"]
    assert reached_smoothly(helper.make_model(helper.make_graph([node], "g", *sides)), "x") == {"x"}
