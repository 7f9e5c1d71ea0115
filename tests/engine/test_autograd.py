"""Gradients against central differences of onnxruntime in float64, and what is refused."""

import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import agnostic
from agnostic.engine.autograd import Autograd
from agnostic.errors import ConversionError, LimitError, ModelError, UsageError

NET = """g (float[n,3,6,6] x) => (float[n,4] scores) {
    pre = Conv <kernel_shape = [3, 3]> (x, kernel, offset)
    map = Tanh(pre)
    pool = AveragePool <kernel_shape = [2, 2], strides = [2, 2]> (map)
    flat = Flatten(pool)
    scores = Gemm(flat, v, c)
}"""


def _weights(dtype=np.float32):
    random = np.random.default_rng(1)
    shapes = {"kernel": (5, 3, 3, 3), "offset": (5,), "v": (20, 4), "c": (4,)}
    return {name: (random.normal(size=shape) / 2).astype(dtype) for name, shape in shapes.items()}


def _doubled(proto):
    """The same graph in float64."""
    double = onnx.ModelProto()
    double.CopyFrom(proto)
    for value in (*double.graph.input, *double.graph.output):
        value.type.tensor_type.elem_type = TensorProto.DOUBLE
    for item in double.graph.initializer:
        if item.data_type == TensorProto.FLOAT:
            item.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(item).astype(np.float64), item.name))
    return double


def _differences(run, at, step=1e-5):
    """Central differences of run: array -> (k,) at one array: (k, *at)."""
    found = np.empty((len(run(at)), at.size))
    for place in range(at.size):
        moved = [at.copy() for _ in range(2)]
        moved[0].flat[place] += step
        moved[1].flat[place] -= step
        found[:, place] = (run(moved[0]) - run(moved[1])) / (2 * step)
    return found.reshape(-1, *at.shape)


@pytest.fixture
def net(opened):
    return opened(NET, _weights())


@pytest.fixture
def x(rng):
    return rng.normal(size=(3, 3, 6, 6)).astype(np.float32)


@pytest.fixture
def scores(graph):
    """Central differences of the scores by the input or a layer, of ONNX's own float64 evaluator."""
    double = _doubled(graph(NET, _weights()))

    def run(layer):
        proto = double
        if layer != "x":
            proto = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(double)).extract_model([layer], ["scores"])
        evaluator = ReferenceEvaluator(proto)  # onnxruntime has no convolution in float64
        return lambda a: evaluator.run(None, {layer: a[None]})[0][0]

    return lambda layer, value: _differences(run(layer), value.astype(np.float64))


def test_several_targets_by_the_input_are_the_central_differences(net, x, scores):
    found = net.gradient(x, [0, 1, 2, 3])
    assert found.shape == (4, 3, 3, 6, 6)
    for row in range(3):
        np.testing.assert_allclose(found[:, row], scores("x", x[row]), rtol=1e-4, atol=1e-6)


def test_a_perceptron_agrees_with_onnxruntime_in_float64(graph, opened, rng):
    body = "h = Gemm(x, w, b) s = Sigmoid(h) e = Exp(s) m = Mul(e, h) y = MatMul(m, v)"
    text = f"g (float[n,5] x) => (float[n,3] y) {{ {body} }}"
    weights = {
        name: rng.normal(size=size).astype(np.float32) for name, size in (("w", (5, 7)), ("b", 7), ("v", (7, 3)))
    }
    double = _doubled(graph(text, weights)).SerializeToString()
    session = onnxruntime.InferenceSession(double, providers=["CPUExecutionProvider"])
    x = rng.normal(size=(2, 5)).astype(np.float32)
    found = opened(text, weights).gradient(x, [0, 1, 2])
    for row in range(2):
        expected = _differences(lambda a: session.run(None, {"x": a[None]})[0][0], x[row].astype(np.float64))
        np.testing.assert_allclose(found[:, row], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layer", ["map", "pool"])
def test_a_hidden_layer_is_differentiated_by_as_an_input_is(net, x, scores, layer):
    held = net.run(x, [layer])[layer]
    found = net.gradient(x, [0, 2], at=layer)
    np.testing.assert_allclose(found[:, 1], scores(layer, held[1])[[0, 2]], rtol=1e-4, atol=1e-6)


def test_values_replace_what_the_graph_computes(net, x, scores, rng):
    other = rng.normal(size=(3, 5, 4, 4)).astype(np.float32)
    found = net.autograd.gradients({"x": x}, [net.target(1)], ["map"], values={"map": other})
    np.testing.assert_array_equal(found.values["map"], other)
    np.testing.assert_allclose(found.gradients["map"][0, 2], scores("map", other[2])[1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.scores[:, 0], net.run_from("map", other)["scores"][:, 1], rtol=1e-5)


def test_input_and_layers_come_from_one_pass(net, x):
    found = net.autograd.gradients({"x": x}, [net.target(1)], ["x", "map", "pool"])
    for name in ("x", "map", "pool"):
        np.testing.assert_allclose(found.gradients[name][0], net.gradient(x, 1, at=name), rtol=1e-5, atol=1e-7)


def test_a_layer_that_a_target_does_not_need_gets_no_silent_zero(net, x):
    with pytest.raises(ModelError, match="not at all"):
        net.gradient(x, "map:0", at="pool")


@pytest.mark.parametrize("of", ["probability", "loss"])
def test_probability_and_loss_are_those_of_the_softmax(net, x, of):
    logits = net.run(x)["scores"].astype(np.float64)
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    each = np.stack([net.gradient(x, i) for i in range(4)]).astype(np.float64)
    slopes = np.eye(4)[2] - chances  # of the log-probability by the logits
    expected = np.einsum("nk,kn...->n...", slopes, each)
    factor = chances[:, 2] if of == "probability" else np.full(3, -1.0)
    np.testing.assert_allclose(net.gradient(x, 2, of=of), expected * factor[:, None, None, None], rtol=1e-3, atol=1e-6)


def test_a_difference_of_classes_has_no_probability(net, x):
    with pytest.raises(UsageError, match="single class"):
        net.gradient(x, net.target(1) - net.target(0), of="probability")


def test_the_gradient_of_a_difference_is_the_difference_of_gradients(net, x):
    np.testing.assert_allclose(
        net.gradient(x, net.target(1) - net.target(0)), net.gradient(x, 1) - net.gradient(x, 0), atol=1e-6
    )


def test_a_float16_model_is_differentiated_in_float32(opened):
    text = NET.replace("float[", "float16[")
    half = opened(text, _weights(np.float16))
    full = opened(NET, {name: value.astype(np.float32) for name, value in _weights(np.float16).items()})
    x = np.random.default_rng(4).normal(size=(2, 3, 6, 6)).astype(np.float16)
    found = half.gradient(x, 1)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, full.gradient(x.astype(np.float32), 1), rtol=1e-5, atol=1e-6)


def test_a_model_fixed_at_one_row_answers_for_many(opened, x):
    fixed = NET.replace("float[n,", "float[1,").replace("flat = Flatten(pool)", "flat = Reshape(pool, shape)")
    weights = _weights() | {"shape": np.array([1, 20])}
    np.testing.assert_allclose(
        opened(fixed, weights).gradient(x, 1), opened(NET, _weights()).gradient(x, 1), rtol=1e-5, atol=1e-7
    )


def test_an_integer_input_points_to_the_layer_behind_its_embedding(opened):
    text = "g (int64[n,3] ids) => (float[n,2] y) { e = Gather(table, ids) f = Flatten(e) y = MatMul(f, w) }"
    random = np.random.default_rng(0)
    weights = {"table": random.normal(size=(5, 4)).astype(np.float32), "w": np.ones((12, 2), np.float32)}
    model, ids = opened(text, weights), np.array([[0, 3, 1]])
    with pytest.raises(ModelError, match=r"integers.*layer behind an embedding"):
        model.gradient(ids, 0)
    with pytest.raises(ModelError, match="integers"):
        model.gradient(ids, 0, at="ids")
    np.testing.assert_array_equal(model.gradient(ids, 0, at="e"), np.ones((1, 3, 4), np.float32))


@pytest.mark.parametrize(
    "body",
    ["i = ArgMax <axis = 1> (x) y = Cast <to = 1> (i)", "y = Round(x)", "i = Cast <to = 6> (x) y = Cast <to = 1> (i)"],
)
def test_a_path_of_steps_is_refused_and_never_a_map_of_zeros(opened, body):
    model = opened(f"g (float[n,3] x) => (float[n,k] y) {{ {body} }}")
    with pytest.raises(ModelError, match="occlusion, lime, kernelshap and rise work") as refused:
        model.gradient(np.ones((1, 3), np.float32), 0)
    assert refused.value.exit_status == 3


def test_a_tree_says_what_works_instead():
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", n_targets=1,
        nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0], nodes_values=[0.5, 0.0, 0.0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_truenodeids=[1, 0, 0], nodes_falsenodeids=[2, 0, 0],
        target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 0], target_weights=[1.0, 2.0],
    )  # fmt: skip
    sides = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", size])] for name, size in (("x", 2), ("y", 1))
    ]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
    model = agnostic.load(helper.make_model(helper.make_graph([node], "g", *sides), opset_imports=opsets, ir_version=8))
    with pytest.raises(ModelError) as refused:
        model.gradient(np.zeros((1, 2), np.float32), 0)
    assert refused.value.exit_status == 3
    assert "lime" in str(refused.value)


def test_straight_through_is_an_estimate_that_is_named(opened):
    text = "g (float[n,3] x) => (float[n,2] y) { h = Round(x) y = MatMul(h, w) }"
    weights = {"w": np.arange(6, dtype=np.float32).reshape(3, 2)}
    model = opened(text, weights, straight_through=True)
    np.testing.assert_array_equal(model.gradient(np.ones((1, 3), np.float32), 1), [[1, 3, 5]])
    assert model.autograd.surrogates


def test_double_precision_on_request(graph):
    found = Autograd(graph(NET, _weights()), double=True).forward({"x": np.zeros((1, 3, 6, 6))}, ["scores"])
    assert found["scores"].dtype == np.float64


def test_what_torch_cannot_hold_is_a_limit(net, x, monkeypatch):
    def full(*_):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to allocate 99 bytes")

    monkeypatch.setattr(net.autograd.module, "run", full)
    with pytest.raises(LimitError, match="--batch-size 1"):
        net.autograd.gradients({"x": x}, [net.target(0)], ["x"])


def test_an_unknown_operator_is_refused_by_name():
    node = helper.make_node("Mystery", ["x"], ["y"], domain="some.where")
    sides = [[helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2])] for name in "xy"]
    proto = helper.make_model(
        helper.make_graph([node], "g", *sides), opset_imports=[helper.make_opsetid("some.where", 1)]
    )
    with pytest.raises(ConversionError, match="Mystery"):
        _ = Autograd(proto).module


def test_without_torch_the_pip_line_is_the_answer():
    script = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
import importlib.util
whole = importlib.util.find_spec
importlib.util.find_spec = lambda name, *more: None if name == "torch" else whole(name, *more)
import numpy as np
import agnostic
model = agnostic.load("squeezenet", device="cpu")
rows = {row.name: row for row in model.methods()}
assert rows["lime"].runs and "pip install 'agnostic-xai[grad]'" in rows["saliency"].reason, rows["saliency"]
try:
    agnostic.explain(model, np.zeros((8, 8, 3), np.uint8), method="saliency")
except agnostic.errors.UsageError as error:
    print(error)
assert "torch" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "pip install 'agnostic-xai[grad]'" in done.stdout
