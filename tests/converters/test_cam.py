import numpy as np
import onnx
import pytest
from onnx import ModelProto

from agnostic.converters import verify
from agnostic.converters.cam import last_linear
from agnostic.converters.layers import CamTail, analytic_cam
from agnostic.converters.surgery import expose


def averaged(proto: ModelProto, tail: CamTail, channels_last: bool = False) -> None:
    """Check that the logits are the weights times the mean of the map, plus the bias."""
    exposed = expose(proto, [tail.layer, tail.logits])
    feature_map, logits = verify.run(exposed, verify.random_feeds(proto), [tail.layer, tail.logits])
    means = feature_map.mean((1, 2) if channels_last else (2, 3))
    expected = means if tail.weights is None else means @ tail.weights.T + tail.bias
    np.testing.assert_allclose(logits.reshape(len(logits), -1), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


ENDS = {
    "gemm": "p = GlobalAveragePool(m) f = Flatten(p) z = Gemm<transB = 1>(f, w, b)",
    "gemm with factors": """p = GlobalAveragePool(m) f = Flatten(p)
        z = Gemm<alpha = 2.0, beta = 0.5, transB = 1>(f, w, b)""",
    "gemm without bias": "p = GlobalAveragePool(m) f = Flatten(p) z = Gemm(f, v)",
    "matmul and add": "p = GlobalAveragePool(m) f = Reshape(p, rows) h = MatMul(f, v) z = Add(h, b)",
    "matmul and add, turned": "p = GlobalAveragePool(m) f = Reshape(p, rows) h = MatMul(f, v) z = Add(b, h)",
    "matmul": "p = GlobalAveragePool(m) f = Flatten(p) z = MatMul(f, v)",
    "mean": "p = ReduceMean<axes = [2, 3], keepdims = 0>(m) z = Gemm<transB = 1>(p, w, b)",
    "mean with dropout": """p = ReduceMean<axes = [-1, -2]>(m) d = Dropout(p) f = Flatten(d)
        z = Gemm<transB = 1>(f, w, b)""",
    "average of all": "p = AveragePool<kernel_shape = [6, 6]>(m) f = Flatten(p) z = Gemm<transB = 1>(f, w, b)",
    "average past the end": """p = AveragePool<kernel_shape = [7, 7], pads = [0, 0, 1, 1]>(m) f = Flatten(p)
        z = Gemm<transB = 1>(f, w, b)""",
    "1x1 convolution": "p = GlobalAveragePool(m) d = Conv(p, k, b) z = Flatten(d)",
    "weights through a transpose": """u = Transpose(v) p = GlobalAveragePool(m) f = Flatten(p)
        z = Gemm<transB = 1>(f, u, b)""",
}
OTHER_ENDS = {
    "largest": "p = GlobalMaxPool(m) f = Flatten(p) z = Gemm<transB = 1>(f, w, b)",
    "flattened map": "f = Flatten(m) z = MatMul(f, long)",
    "several windows": "p = AveragePool<kernel_shape = [3, 3], strides = [3, 3]>(m) f = Flatten(p) z = MatMul(f, four)",
    "a second layer": """p = GlobalAveragePool(m) f = Flatten(p) h = Gemm<transB = 1>(f, w, b) r = Relu(h)
        z = MatMul(r, q)""",
    "padding counted in": """p = AveragePool<kernel_shape = [7, 7], pads = [0, 0, 1, 1], count_include_pad = 1>(m)
        f = Flatten(p) z = Gemm<transB = 1>(f, w, b)""",
}


def network(build, end: str) -> ModelProto:
    text = "net (float[n, 3, 8, 8] x) => (float[n, 5] y) { c = Conv(x, c0) m = Relu(c) " + end + " y = Softmax(z) }"
    weights = {"c0": (4, 3, 3, 3), "w": (5, 4), "v": (4, 5), "b": (5,), "k": (5, 4, 1, 1), "long": (144, 5)}
    weights |= {"four": (16, 5), "q": (5, 5)}
    return build(text, rows=np.array([-1, 4]), **weights)


@pytest.mark.parametrize("case", ENDS)
def test_found(case: str, build) -> None:
    proto = network(build, ENDS[case])
    tail = analytic_cam(proto)
    assert tail is not None and (tail.layer, tail.logits) == ("m", "z")
    assert tail.weights is not None and tail.weights.shape == (5, 4) and tail.weights.dtype == np.float32
    assert tail.bias is not None and tail.bias.shape == (5,)
    averaged(proto, tail)


@pytest.mark.parametrize("case", OTHER_ENDS)
def test_not_found(case: str, build) -> None:
    assert analytic_cam(network(build, OTHER_ENDS[case])) is None


def test_one_channel_per_class(build) -> None:
    text = """net (float[n, 3, 8, 8] x) => (float[n, 5] y) {
        c = Conv(x, k) m = Relu(c) p = GlobalAveragePool(m) y = Flatten(p)
    }"""
    proto = build(text, k=(5, 3, 3, 3))
    tail = analytic_cam(proto)
    assert tail == CamTail("m", "y")
    averaged(proto, tail)


def test_channels_last(build) -> None:
    text = """net (float[n, 8, 8, 3] x) => (float[n, 5] y) {
        t = Transpose<perm = [0, 3, 1, 2]>(x) c = Conv(t, k) u = Transpose<perm = [0, 2, 3, 1]>(c) m = Relu(u)
        p = ReduceMean<axes = [1, 2], keepdims = 0>(m) y = MatMul(p, v)
    }"""
    proto = build(text, k=(4, 3, 3, 3), v=(4, 5))
    tail = analytic_cam(proto)
    assert tail is not None and tail.layer == "m"
    averaged(proto, tail, channels_last=True)


def test_real_networks(light, random_light) -> None:
    found = {
        name: analytic_cam(onnx.load(light(name))) for name in ("resnet50", "inception_v1", "vgg19", "bvlc_alexnet")
    }
    assert found["vgg19"] is None and found["bvlc_alexnet"] is None
    assert found["resnet50"] is not None and found["resnet50"].layer == "r171"
    assert found["inception_v1"] is not None and found["inception_v1"].layer == "r137"
    for name in ("squeezenet", "shufflenet"):
        proto = random_light(name)
        tail = analytic_cam(proto)
        assert tail is not None and (tail.weights is None) == (name == "squeezenet")
        averaged(proto, tail)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("y = Gemm(x, w, b)", ("w", "b")),
        ("y = Gemm<transB=1>(x, v, b)", ("v", "b")),
        ("y = MatMul(x, w)", ("w",)),
        ("a = MatMul(x, w) y = Add(a, b)", ("w", "b")),
        ("a = MatMul(x, w) y = Add(b, a)", ("w", "b")),
        ("y = Relu(x)", None),
    ],
)
def test_the_last_linear_layer_is_found_with_its_tensors(text: str, names: tuple[str, ...] | None) -> None:
    weights = np.arange(6, dtype=np.float32).reshape(3, 2)
    graph = onnx.parser.parse_graph(f"g (float[n,3] x) => (float[n,2] y) {{ {text} }}")
    for name, value in (("w", weights), ("v", weights.T), ("b", np.float32([7, 8]))):
        graph.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
    found = last_linear(onnx.helper.make_model(graph), "y")
    if names is None:
        assert found is None
        return
    assert found is not None and (found.source, found.names) == ("x", names)
    np.testing.assert_array_equal(found.weights, weights.T)
    np.testing.assert_array_equal(found.bias, [7, 8] if "b" in names else [0, 0])
