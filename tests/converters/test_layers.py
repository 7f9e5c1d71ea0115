import importlib
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import helper

from agnostic.converters import verify
from agnostic.converters.layers import Layer, find, layers
from agnostic.converters.surgery import expose
from agnostic.errors import UsageError


def rows(proto: onnx.ModelProto) -> list[tuple]:
    return [(layer.name, layer.op, layer.shape, layer.kind, layer.channel_axis) for layer in layers(proto)]


def test_convolutional_network(build) -> None:
    text = """net (float[n, 3, 8, 8] x) => (float[n, 5] y) {
        shifted = Sub(x, mean)
        c = Conv(shifted, w) b = BatchNormalization(c, s, s, s, s) r = Relu(b)
        p = MaxPool<kernel_shape = [2, 2], strides = [2, 2]>(r)
        d = Dropout(p)
        f = Flatten(d)
        h = MatMul(f, w1) biased = Add(h, b1) t = Tanh(biased)
        z = Gemm(t, w2) y = Softmax(z)
    }"""
    weights = {"mean": (3, 1, 1), "w": (4, 3, 3, 3), "s": (4,), "w1": (36, 6), "b1": (6,), "w2": (6, 5)}
    assert rows(build(text, **weights)) == [
        ("c", "Conv", (4, 6, 6), "map", 1),
        ("b", "BatchNormalization", (4, 6, 6), "map", 1),
        ("r", "Relu", (4, 6, 6), "map", 1),
        ("p", "MaxPool", (4, 3, 3), "map", 1),
        ("biased", "MatMul", (6,), "vector", 1),
        ("t", "Tanh", (6,), "vector", 1),
        ("z", "Gemm", (5,), "vector", 1),
    ]


def test_channels_last(build) -> None:
    # Every size is 4 or could be: only the operators tell where the channels are.
    text = """net (float[n, 6, 6, 3] x) => (float[n, 4] y) {
        t = Transpose<perm = [0, 3, 1, 2]>(x) c = Conv(t, w) u = Transpose<perm = [0, 2, 3, 1]>(c)
        r = Relu(u) g = Add(r, u)
        n1 = Transpose<perm = [0, 3, 1, 2]>(g) c2 = Conv<pads = [1, 1, 1, 1]>(n1, w2)
        r2 = Relu(c2)
        y = ReduceMean<axes = [2, 3], keepdims = 0>(r2)
    }"""
    proto = build(text, w=(4, 3, 3, 3), w2=(4, 4, 3, 3))
    axes = {layer.name: layer.channel_axis for layer in layers(proto)}
    assert axes == {"c": 1, "r": 3, "g": 3, "c2": 1, "r2": 1}


def test_layout_is_also_read_backwards(build) -> None:
    text = """net (float[n, 8, 8, 3] x) => (float[n, 4, 6, 6] y) {
        r = Relu(x) t = Transpose<perm = [0, 3, 1, 2]>(r) y = Conv(t, w)
    }"""
    assert rows(build(text, w=(4, 3, 3, 3))) == [("r", "Relu", (3, 8, 8), "map", 3)]


def test_residual_and_dense_joins(build) -> None:
    text = """net (float[n, 3, 8, 8] x) => (float[n, 6, 1, 1] y) {
        c = Conv<pads = [1, 1, 1, 1]>(x, w) s = Add(c, x) j = Concat<axis = 1>(s, c) y = GlobalAveragePool(j)
    }"""
    assert [row[:3] for row in rows(build(text, w=(3, 3, 3, 3)))] == [
        ("c", "Conv", (3, 8, 8)),
        ("s", "Add", (3, 8, 8)),
        ("j", "Concat", (6, 8, 8)),
    ]


def test_transformer_block(build) -> None:
    text = """net (int64[n, 6] ids) => (float[n, 2] y) {
        e = Gather(table, ids) positioned = Add(e, positions)
        ln = LayerNormalization(positioned, g, g)
        q0 = MatMul(ln, wq) q1 = Reshape(q0, split) q = Transpose<perm = [0, 2, 1, 3]>(q1)
        k = Transpose<perm = [0, 2, 3, 1]>(q1)
        scores = MatMul(q, k) scaled = Mul(scores, half) p = Softmax<axis = -1>(scaled)
        o = MatMul(p, q) o1 = Transpose<perm = [0, 2, 1, 3]>(o) o2 = Reshape(o1, join)
        attended = Add(o2, positioned)
        m = MatMul(attended, wm) mb = Add(m, g)
        d = Div(mb, half) f = Erf(d) a = Add(f, half) mm = Mul(mb, a) gelu = Mul(mm, half)
        first = Gather<axis = 1>(gelu, zero)
        y = MatMul(first, wy)
    }"""
    weights = {"table": (50, 8), "positions": (1, 6, 8), "g": (8,), "wq": (8, 8), "wm": (8, 8), "wy": (8, 2)}
    constants = {"split": np.array([0, 6, 2, 4]), "join": np.array([0, 6, 8]), "zero": np.array(0)}
    proto = build(text, half=np.array(0.5, np.float32), **weights, **constants)
    assert rows(proto) == [
        ("positioned", "Gather", (6, 8), "tokens", 2),
        ("ln", "LayerNormalization", (6, 8), "tokens", 2),
        ("q0", "MatMul", (6, 8), "tokens", 2),
        ("attended", "Add", (6, 8), "tokens", 2),
        ("mb", "MatMul", (6, 8), "tokens", 2),
        ("gelu", "Mul", (6, 8), "tokens", 2),
    ]


def test_linear_layers_on_maps_have_their_channels_last(build) -> None:
    text = """net (float[n, 3, 8, 8] x) => (float[n, 8, 8, 5] y) {
        c = Conv(x, w) t = Transpose<perm = [0, 2, 3, 1]>(c) h = MatMul(t, v) r = Relu(h) y = MatMul(r, u)
    }"""
    proto = build(text, w=(4, 3, 1, 1), v=(4, 7), u=(7, 5))
    assert rows(proto)[1:] == [("h", "MatMul", (7, 8, 8), "map", 3), ("r", "Relu", (7, 8, 8), "map", 3)]


def test_one_dimensional_convolution(build) -> None:
    text = """net (float[n, 2, 20] x) => (float[n, 3] y) {
        c = Conv(x, w) r = Relu(c) y = ReduceMax<axes = [2], keepdims = 0>(r)
    }"""
    assert rows(build(text, w=(3, 2, 5))) == [("c", "Conv", (3, 16), "map", 1), ("r", "Relu", (3, 16), "map", 1)]


def test_swish_hides_its_gate_and_keeps_others(build) -> None:
    text = """net (float[n, 3, 8, 8] x) => (float[n, 4, 6, 6] y) {
        c = Conv(x, w) s = Sigmoid(c) a = Mul(c, s)
        p = GlobalAveragePool(a) e = Conv(p, v) gate = Sigmoid(e) y0 = Mul(a, gate) y = Relu(y0)
    }"""
    names = [layer.name for layer in layers(build(text, w=(4, 3, 3, 3), v=(4, 4, 1, 1)))]
    assert names == ["c", "a", "p", "e", "gate", "y0"]


def test_scale_and_shift_belong_to_the_norm(build) -> None:
    text = """net (float[n, 3, 8, 8] x) => (float[n, 3, 8, 8] y) {
        b = BatchNormalization(x, s, s, s, s) last = Constant<value_ints = [1, 2]>()
        u = Unsqueeze(s, last) m = Mul(b, u) a = Add(m, u) y = Relu(a)
    }"""
    assert rows(build(text, s=(3,))) == [("a", "BatchNormalization", (3, 8, 8), "map", 1)]


def test_shape_arithmetic_is_no_layer(build) -> None:
    text = """net (float[n, 3, 8, 8] x) => (float[n, 3, 8, 8] y) {
        c = Conv(x, w) s = Shape(c) f = Cast<to = 1>(s) t = Mul(f, two) i = Cast<to = 7>(t) h = Div(i, i)
        z = Tile(c, h) y = Relu(z)
    }"""
    proto = build(text, w=(3, 3, 1, 1), two=np.array([2.0], np.float32))
    assert [layer.name for layer in layers(proto)] == ["c"]


def test_an_output_that_is_read_on_is_hidden_too(build) -> None:
    proto = build("net (float[n, 4] x) => (float[n, 4] h, float[n, 4] y) { h = Relu(x) y = Tanh(h) }")
    assert [layer.name for layer in layers(proto)] == ["h"]


def test_open_sizes_are_none(build) -> None:
    text = "net (float[n, 3, height, width] x) => (float[n, 4, 1, 1] y) { c = Conv(x, w) y = GlobalAveragePool(c) }"
    (layer,) = layers(build(text, w=(4, 3, 3, 3)))
    assert layer.shape == (4, None, None) and layer.unit_count == 4


def test_units() -> None:
    assert Layer("a", "Conv", (4, 6, 7), "map", 1).unit_count == 4
    assert Layer("a", "MatMul", (6, 8), "tokens", 2).unit_count == 8
    assert Layer("a", "Gemm", (9,), "vector", 1).unit_count == 9


COUNTS = {
    "bvlc_alexnet": {"Conv": 5, "Relu": 7, "LRN": 2, "MaxPool": 3, "Gemm": 3},
    "densenet121": {"Conv": 120, "BatchNormalization": 121, "Relu": 121, "Concat": 58, "AveragePool": 3},
    "inception_v1": {"Conv": 57, "Relu": 57, "MaxPool": 13, "Concat": 9, "LRN": 2, "AveragePool": 1, "Gemm": 1},
    "inception_v2": {"Conv": 69, "BatchNormalization": 69, "Relu": 69, "Concat": 10, "AveragePool": 8, "Gemm": 1},
    "resnet50": {"Conv": 53, "BatchNormalization": 53, "Relu": 49, "Sum": 16, "MaxPool": 1, "AveragePool": 1},
    "shufflenet": {"Conv": 49, "BatchNormalization": 49, "Relu": 33, "Sum": 13, "Concat": 3, "AveragePool": 4},
    "squeezenet": {"Conv": 26, "Relu": 26, "Concat": 8, "MaxPool": 3, "GlobalAveragePool": 1},
    "vgg19": {"Conv": 16, "Relu": 18, "MaxPool": 5, "Gemm": 3},
    "zfnet512": {"Conv": 5, "Relu": 7, "LRN": 2, "MaxPool": 3, "Gemm": 3},
}


@pytest.mark.parametrize("name", COUNTS)
def test_old_networks(name: str, light) -> None:
    found = layers(onnx.load(light(name)))
    for op, count in COUNTS[name].items():
        assert sum(layer.op == op for layer in found) == count, op
    assert all(layer.channel_axis == 1 and None not in layer.shape for layer in found)
    assert len({layer.name for layer in found}) == len(found)


def test_shapes_are_those_of_the_values(random_light) -> None:
    proto = random_light("squeezenet")
    found = layers(proto)
    values = verify.run(expose(proto, [layer.name for layer in found]), verify.random_feeds(proto))
    by_name = dict(
        zip([value.name for value in expose(proto, [layer.name for layer in found]).graph.output], values, strict=True)
    )
    assert [by_name[layer.name].shape[1:] for layer in found] == [layer.shape for layer in found]


def test_keras_models(dianna_model) -> None:
    found = layers(onnx.load(dianna_model("mnist_model_tf.onnx")))
    assert [(layer.name.removeprefix("StatefulPartitionedCall/sequential/"), layer.shape) for layer in found] == [
        ("conv2d/BiasAdd:0", (32, 26, 26)),
        ("conv2d/Relu:0", (32, 26, 26)),
        ("conv2d_1/BiasAdd:0", (64, 24, 24)),
        ("conv2d_1/Relu:0", (64, 24, 24)),
        ("max_pooling2d/MaxPool:0", (64, 12, 12)),
        ("dense/BiasAdd:0", (128,)),
        ("dense/Relu:0", (128,)),
        ("dense_1/BiasAdd:0", (2,)),
    ]
    season = layers(onnx.load(dianna_model("season_prediction_model_temp_max_binary.onnx")))
    assert find(season, "model_2/activation_4/Relu:0").shape == (8, 21)


def test_find_offers_the_nearest_names() -> None:
    known = [Layer(name, "Relu", (4,), "vector", 1) for name in ("fire9/concat", "fire8/concat", "conv1")]
    assert find(known, "conv1").name == "conv1"
    with pytest.raises(UsageError, match="unknown layer 'fire9/conct'; did you mean 'fire9/concat', 'fire8/concat'"):
        find(known, "fire9/conct")


def test_an_operator_onnx_does_not_know_is_survived() -> None:
    ends = [helper.make_tensor_value_info("x", 1, ["n", 4]), helper.make_tensor_value_info("y", 1, ["n", 4])]
    nodes = [helper.make_node("Relu", ["x"], ["h"]), helper.make_node("What", ["h"], ["w"], domain="acme")]
    graph = helper.make_graph([*nodes, helper.make_node("Relu", ["w"], ["y"])], "g", ends[:1], ends[1:])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("acme", 1)]
    assert [layer.name for layer in layers(helper.make_model(graph, opset_imports=opsets))] == ["h"]


def test_the_room_costs_nothing_to_import() -> None:
    code = (
        "import sys, agnostic.converters as c; assert 'onnx' not in sys.modules; c.layers; assert 'onnx' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_room_names_its_modules() -> None:
    room = importlib.import_module("agnostic.converters")
    assert {"cam", "layers", "loader", "surgery", "verify"} <= set(dir(room))
    for name in ("cam", "layers", "loader", "surgery", "verify"):
        assert getattr(room, name).__name__ == f"agnostic.converters.{name}"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        room.nothing  # noqa: B018
