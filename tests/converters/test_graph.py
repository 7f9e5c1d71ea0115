import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from agnostic.converters import graph


@pytest.fixture
def nested(build) -> ModelProto:
    return build(
        """net (float[n] x, bool c) => (float[n] y) {
            h = Add(x, w)
            y = If(c) <then_branch = yes () => (float[n] a) { i = Add(h, w) a = Neg(i) },
                       else_branch = no () => (float[n] b) { b = Relu(x) }>
        }""",
        w=np.ones(1, np.float32),
    )


def test_nodes_of_branches_are_walked(nested: ModelProto) -> None:
    assert [node.op_type for node in graph.every_node(nested)] == ["Add", "If", "Add", "Neg", "Relu"]
    assert [g.name for g in graph.every_graph(nested)] == ["net", "yes", "no"]


def test_branches_read_from_outside(nested: ModelProto) -> None:
    branching = nested.graph.node[1]
    assert graph.reads(branching) == {"c", "h", "w", "x"}
    assert graph.consumers(nested.graph)["x"] == [nested.graph.node[0], branching]
    assert graph.needed_nodes(nested.graph.node, ["y"]) == list(nested.graph.node)
    assert graph.needed_nodes(nested.graph.node, ["h"]) == [nested.graph.node[0]]
    assert graph.dependents(nested.graph.node, "h") == {"h", "y"}


def test_all_names_include_inner_ones(nested: ModelProto) -> None:
    assert graph.all_names(nested) == {"x", "c", "w", "h", "y", "i", "a", "b"}


def test_old_models_list_weights_as_inputs(nested: ModelProto) -> None:
    nested.graph.input.append(helper.make_tensor_value_info("w", 1, [1]))
    assert [value.name for value in graph.real_inputs(nested.graph)] == ["x", "c"]


def test_constants_are_folded() -> None:
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    fill = numpy_helper.from_array(np.array([2.5], np.float32))
    nodes = [
        helper.make_node("Transpose", ["w"], ["t"]),
        helper.make_node("Identity", ["t"], ["i"]),
        helper.make_node("Reshape", ["i", "rows"], ["r"]),
        helper.make_node("Reshape", ["i", "wrong"], ["bad"]),
        helper.make_node("Constant", [], ["numbers"], value_ints=[4, 2]),
        helper.make_node("ConstantOfShape", ["numbers"], ["full"], value=fill),
        helper.make_node("Identity", ["x"], ["live"]),
    ]
    shapes = {"rows": [0, -1, 1], "wrong": [4, 4]}
    stored = [numpy_helper.from_array(weight, "w")]
    stored += [numpy_helper.from_array(np.array(shape), name) for name, shape in shapes.items()]
    constants = graph.Constants(helper.make_graph(nodes, "g", [], [], stored))
    np.testing.assert_array_equal(constants.get("i"), weight.T)
    np.testing.assert_array_equal(constants.get("r"), weight.T.reshape(3, 2, 1))
    np.testing.assert_array_equal(constants.get("full"), np.full((4, 2), 2.5))
    assert constants.ints("numbers") == [4, 2] and constants.ints("w") is None
    assert constants.get("live") is None and constants.get("bad") is None
    assert "r" in constants and "live" not in constants


def test_tensors_in_attributes_count(nested: ModelProto) -> None:
    value = helper.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    nested.graph.node.append(helper.make_node("Constant", [], ["k"], value=value))
    assert [tensor.name for tensor in graph.every_tensor(nested)] == ["w", "v"]
