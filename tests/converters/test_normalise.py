from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper, parser
from onnx.reference import ReferenceEvaluator

from agnostic.converters.normalise import OPSET, normalise
from agnostic.errors import ConversionError

FLOAT = TensorProto.FLOAT


def model(nodes: list[Any], constants: dict[str, Any], opset: int = 17, **more: Any) -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info("x", FLOAT, ["n", 4])]
    outputs = [helper.make_tensor_value_info("y", FLOAT, None)]
    stored = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, stored)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], **more)


def test_what_does_not_depend_on_an_input_is_folded_and_the_model_is_not_changed() -> None:
    nodes = [
        helper.make_node("ConstantOfShape", ["size"], ["ones"], value=helper.make_tensor("", FLOAT, [1], [2.0])),
        helper.make_node("Transpose", ["ones"], ["w"]),
        helper.make_node("MatMul", ["x", "w"], ["a.b"]),
        helper.make_node("Relu", ["a.b"], ["y"]),
    ]
    given = model(nodes, {"size": np.array([3, 4], np.int64)})
    before = given.SerializeToString()
    folded = normalise(given)
    assert [node.op_type for node in folded.graph.node] == ["MatMul", "Relu"]
    assert folded.graph.node[0].output[0] == "a.b"
    assert {t.name for t in folded.graph.initializer} == {"w"}
    np.testing.assert_array_equal(numpy_helper.to_array(folded.graph.initializer[0]), np.full((4, 3), 2.0))
    assert given.SerializeToString() == before


def test_heavy_weights_pass_through_an_upgrade() -> None:
    weight = np.random.default_rng(0).standard_normal((4, 1000)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Squeeze", ["h"], ["y"], axes=[0])]
    upgraded = normalise(model(nodes, {"w": weight}, opset=9))
    assert upgraded.opset_import[0].version == OPSET
    x = np.ones((1, 4), np.float32)
    np.testing.assert_allclose(ReferenceEvaluator(upgraded).run(None, {"x": x})[0], weight.sum(0), rtol=1e-5)


def test_constant_integers_are_dequantised_unless_told_otherwise() -> None:
    nodes = [helper.make_node("DequantizeLinear", ["q", "s"], ["w"]), helper.make_node("MatMul", ["x", "w"], ["y"])]
    given = model(nodes, {"q": np.arange(8, dtype=np.int8).reshape(4, 2), "s": np.float32(0.5)})
    assert [node.op_type for node in normalise(given).graph.node] == ["MatMul"]
    assert [node.op_type for node in normalise(given, dequantise=False).graph.node] == ["DequantizeLinear", "MatMul"]


def test_local_functions_are_inlined() -> None:
    text = """
        <ir_version: 8, opset_import: ["": 17, "mine": 1]>
        g (float[n, 4] x) => (float[n, 4] y) { h = mine.twice (x)  y = Relu (h) }
        <domain: "mine", opset_import: ["": 17]>
        twice (a) => (b) { b = Add (a, a) }
    """
    assert [node.op_type for node in normalise(parser.parse_model(text)).graph.node] == ["Add", "Relu"]


def test_initialisers_are_no_inputs() -> None:
    given = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": np.eye(4, dtype=np.float32)}, ir_version=3)
    given.graph.input.append(helper.make_tensor_value_info("w", FLOAT, [4, 4]))
    assert [value.name for value in normalise(given).graph.input] == ["x"]


def test_sparse_weights_are_written_out() -> None:
    given = model([helper.make_node("MatMul", ["x", "w"], ["y"])], {})
    values = numpy_helper.from_array(np.array([2.0, 3.0], np.float32), "w")
    places = numpy_helper.from_array(np.array([1, 6], np.int64))
    given.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 2]))
    (dense,) = normalise(given).graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(dense), [[0, 2], [0, 0], [0, 0], [3, 0]])


def test_a_random_constant_stays_random() -> None:
    nodes = [helper.make_node("RandomNormal", [], ["r"], shape=[4]), helper.make_node("Add", ["x", "r"], ["y"])]
    assert [node.op_type for node in normalise(model(nodes, {})).graph.node] == ["RandomNormal", "Add"]


def test_old_slopes_stay_per_channel() -> None:
    """In opset 6 a slope of four belongs to four channels even where the last axis has four cells as well."""
    given = model([helper.make_node("PRelu", ["x", "s"], ["y"])], {"s": np.array([0.1, 0.2, 0.3, 0.4], np.float32)}, 6)
    for value in (*given.graph.input, *given.graph.output):
        value.CopyFrom(helper.make_tensor_value_info(value.name, FLOAT, ["n", 4, 4]))
    y = ReferenceEvaluator(normalise(given)).run(None, {"x": -np.ones((1, 4, 4), np.float32)})[0]
    np.testing.assert_allclose(y[0], np.repeat([[-0.1], [-0.2], [-0.3], [-0.4]], 4, 1), rtol=1e-6)


def test_an_upgrade_that_would_change_the_meaning_is_refused() -> None:
    body = helper.make_graph([], "body", [], [])
    scan = helper.make_node("Scan", ["", "x"], ["y"], body=body, num_scan_inputs=1)
    with pytest.raises(ConversionError, match="opset 8 has a Scan of another meaning"):
        normalise(model([scan], {}, opset=8))
