import numpy as np
import onnx
from onnx import TensorProto, helper

from agnostic.converters.shapes import element_type, infer, shape_of, without_weights


def test_shapes_follow_an_assumed_batch(build) -> None:
    text = """net (float[1, 3, h, 8] x) => (float[1, 5, 1, 1] y) {
        c = Conv<pads = [1, 1, 1, 1]>(x, w) y = GlobalAveragePool(c)
    }"""
    proto = build(text, w=(5, 3, 3, 3))
    assert shape_of(infer(proto)["c"]) == (1, 5, None, 8)
    assert shape_of(infer(proto, batch=7)["c"]) == (7, 5, 224, 8)
    assert shape_of(infer(proto, batch=7)["y"]) == (7, 5, 1, 1)


def test_computed_sizes_are_followed(build) -> None:
    text = """net (float[2, 3, 4] x) => (float[2, 12] y) {
        s = Shape(x) f = Gather(s, first) g = Concat<axis = 0>(f, rest) y = Reshape(x, g)
    }"""
    proto = build(text, first=np.array([0]), rest=np.array([-1]))
    assert shape_of(infer(proto)["y"]) == (2, 12)


def test_weights_are_left_out(build) -> None:
    proto = build("net (float[n, 999] x) => (float[n, 999] y) { y = MatMul(x, w) }", w=(999, 999))
    hollow = without_weights(proto)
    assert hollow.ByteSize() < 1000 < proto.ByteSize()
    assert shape_of(infer(proto)["w"]) == (999, 999)


def test_types_behind_an_unknown_operator() -> None:
    ends = [helper.make_tensor_value_info("x", TensorProto.DOUBLE, ["n"]), helper.make_tensor_value_info("y", 9, ["n"])]
    nodes = [
        helper.make_node("What", ["x"], ["w"], domain="acme"),
        helper.make_node("Relu", ["w"], ["r"]),
        helper.make_node("ArgMax", ["r"], ["i"]),
        helper.make_node("Cast", ["r"], ["c"], to=TensorProto.FLOAT16),
        helper.make_node("Greater", ["r", "w"], ["y"]),
    ]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("acme", 1)]
    values = infer(helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:]), opset_imports=opsets))
    types = [element_type(values[name]) for name in ("w", "r", "i", "c", "y")]
    assert types == [TensorProto.DOUBLE, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.FLOAT16, TensorProto.BOOL]
    assert shape_of(values["w"]) is None and shape_of(None) is None and element_type(None) == 0


def test_contradictory_models_do_not_stop_it(build) -> None:
    proto = build("net (float[2, 3] x) => (float[2, 3] y) { h = Relu(x) y = MatMul(h, w) }", w=(3, 3))
    proto.graph.initializer[0].dims[:] = [4, 3]
    assert shape_of(infer(proto)["h"]) in ((2, 3), None)
    assert isinstance(infer(proto)["x"], onnx.ValueInfoProto)


def test_reshapes_of_old_opsets_keep_their_rank() -> None:
    """Flattening a map with a free batch, as exporters to opset 13 write it."""
    ends = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 6]),
        helper.make_empty_tensor_value_info("y"),
    ]
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "zero", "two", "zero"], ["kept"]),
        helper.make_node("Concat", ["kept", "rest"], ["sizes"], axis=0),
        helper.make_node("Reshape", ["x", "sizes"], ["y"]),
    ]
    values = {"zero": [0], "two": [2], "rest": [-1]}
    weights = [helper.make_tensor(name, TensorProto.INT64, [1], value) for name, value in values.items()]
    for version in (11, 13, 17):
        graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], weights)
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
        assert shape_of(infer(proto)["y"])[:2] == (None, 3)
        assert shape_of(infer(proto, 2)["y"]) == (2, 3, 24)
