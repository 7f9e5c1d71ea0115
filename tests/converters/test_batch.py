import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

from agnostic.converters import verify
from agnostic.converters.shapes import shape_of
from agnostic.converters.surgery import free_batch


def largest_gap(fixed: ModelProto, freed: ModelProto) -> float:
    """Compare batches of 1, 2 and 3 through the freed model with single samples through the fixed one."""
    x = verify.random_feeds(freed, batch=3, seed=1)
    singles = [verify.run(fixed, {name: array[i : i + 1] for name, array in x.items()}) for i in range(3)]
    gap = 0.0
    for size in (1, 2, 3):
        batch = verify.run(freed, {name: array[:size] for name, array in x.items()})
        for place, found in enumerate(batch):
            expected = np.concatenate([single[place] for single in singles[:size]])
            assert found.shape == expected.shape
            assert size == 1 or np.ptp(expected, axis=0).max() > 0, "samples must differ for this to show anything"
            gap = max(gap, float(np.abs(found - expected).max() / np.abs(expected).max()))
    return gap


def freed_exactly(proto: ModelProto) -> ModelProto:
    before = proto.SerializeToString(deterministic=True)
    freed = free_batch(proto)
    assert freed is not None and freed is not proto
    assert proto.SerializeToString(deterministic=True) == before
    assert largest_gap(proto, freed) <= 1e-5
    return freed


HEAD = "net (float[1, 3, 8, 8] x) => (float[1, 5] y)"


@pytest.mark.parametrize("target", [[1, -1], [1, 192], [-1, 192]])
def test_reshape_before_a_classifier(build, target: list[int]) -> None:
    text = HEAD + "{ h = Relu(x) f = Reshape(h, s) y = Gemm<transB = 1>(f, w) }"
    freed = freed_exactly(build(text, s=np.array(target), w=(5, 192)))
    for value in (*freed.graph.input[:1], *freed.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_shared_shape_constant_is_left_to_the_others(build) -> None:
    text = """net (float[1, 3, 8, 8] x) => (float[1, 192] y) {
        f = Reshape(x, s)
        t = Reshape(weights, s)
        y = Mul(f, t)
    }"""
    freed_exactly(build(text, s=np.array([1, 192]), weights=(3, 64)))


def test_stale_shapes_are_dropped(build) -> None:
    proto = build(
        HEAD + "{ h = Relu(x) f = Reshape(h, s) y = Gemm<transB = 1>(f, w) }", s=np.array([1, -1]), w=(5, 192)
    )
    proto = onnx.shape_inference.infer_shapes(proto)
    assert proto.graph.value_info
    assert not freed_exactly(proto).graph.value_info


def test_attention_shapes(build) -> None:
    text = """net (float[1, 6, 8] x) => (float[1, 6, 8] y) {
        q0 = MatMul(x, wq) q1 = Reshape(q0, split) q = Transpose<perm = [0, 2, 1, 3]>(q1)
        k0 = MatMul(x, wk) k1 = Reshape(k0, split) k = Transpose<perm = [0, 2, 3, 1]>(k1)
        scores = MatMul(q, k)
        p = Softmax<axis = -1>(scores)
        o = MatMul(p, q)
        back = Transpose<perm = [0, 2, 1, 3]>(o)
        y = Reshape(back, join)
    }"""
    freed_exactly(build(text, wq=(8, 8), wk=(8, 8), split=np.array([1, 6, 2, 4]), join=np.array([1, 6, 8])))


def test_tokens_flattened_with_the_batch(build) -> None:
    text = """net (float[1, 6, 8] x) => (float[1, 6, 4] y) {
        rows = Reshape(x, flat)
        h = Gemm(rows, w)
        y = Reshape(h, back)
    }"""
    freed_exactly(build(text, flat=np.array([6, 8]), back=np.array([1, 6, 4]), w=(8, 4)))


def test_class_token(build) -> None:
    text = """net (float[1, 6, 8] x) => (float[1, 7, 8] y) {
        t = Concat<axis = 1>(cls, x)
        y = Add(t, positions)
    }"""
    freed_exactly(build(text, cls=(1, 1, 8), positions=(1, 7, 8)))


def test_recurrent_states(build) -> None:
    text = """net (float[1, 6, 4] x) => (float[1, 3] y) {
        steps = Transpose<perm = [1, 0, 2]>(x)
        all, last, cell = LSTM<hidden_size = 3>(steps, w, r, b, , h0, c0)
        first = Constant<value_ints = [0]>()
        y = Squeeze(last, first)
    }"""
    weights = {"w": (1, 12, 4), "r": (1, 12, 3), "b": (1, 24), "h0": (1, 1, 3), "c0": (1, 1, 3)}
    freed_exactly(build(text, **weights))


def test_resize_to_given_sizes(build) -> None:
    text = """net (float[1, 2, 4, 4] x) => (float[1, 2, 8, 8] y) {
        y = Resize<mode = "nearest">(x, , , sizes)
    }"""
    freed_exactly(build(text, sizes=np.array([1, 2, 8, 8])))


def test_two_inputs(build) -> None:
    text = """net (float[1, 4] a, float[1, 4, 1] b) => (float[1, 4] y) {
        c = Reshape(b, s)
        y = Add(a, c)
    }"""
    freed_exactly(build(text, s=np.array([1, 4])))


def test_open_sizes_beside_the_batch(build) -> None:
    text = "net (float[1, 3, h, w] x) => (float[1, 3, 1, 1] y) { r = Relu(x) y = GlobalAveragePool(r) }"
    freed_exactly(build(text))


def test_a_free_model_is_returned_as_it_is(build) -> None:
    proto = build("net (float[n, 4] x) => (float[n, 4] y) { y = Relu(x) }")
    assert free_batch(proto) is proto


MIXING = {
    "a fixed batch of four": ("net (float[4, 6] x) => (float[4, 6] y) { y = Relu(x) }", {}),
    "the mean over the batch": (
        "net (float[1, 6] x) => (float[1, 6] y) { m = ReduceMean<axes = [0]>(x) y = Sub(x, m) }",
        {},
    ),
    "a softmax over the batch": ("net (float[1, 6] x) => (float[1, 6] y) { y = Softmax<axis = 0>(x) }", {}),
    "the first sample only": (
        "net (float[1, 6] x) => (float[6] y) { y = Gather<axis = 0>(x, first) }",
        {"first": np.array(0)},
    ),
    "samples joined along the batch": (
        "net (float[1, 6] x) => (float[2, 6] y) { r = Relu(x) y = Concat<axis = 0>(x, r) }",
        {},
    ),
    "a sample repeated along the batch": (
        "net (float[1, 6] x) => (float[2, 6] y) { y = Tile(x, twice) }",
        {"twice": np.array([2, 1])},
    ),
    "products of samples": ("net (float[1, 6] x) => (float[1, 1] y) { t = Transpose(x) y = MatMul(x, t) }", {}),
    "a batch norm that learns": (
        """net (float[1, 6] x) => (float[1, 6] y) {
            y, m, v = BatchNormalization<training_mode = 1>(x, s, s, s, s)
        }""",
        {"s": (6,)},
    ),
    "the batch inside another axis": (
        """net (float[1, 6, 4] x) => (float[6, 4] y) {
            t = Transpose<perm = [1, 0, 2]>(x)
            y = Flatten<axis = 2>(t)
        }""",
        {},
    ),
}


def test_resize_by_an_uneven_factor(build) -> None:
    text = """net (float[1, 2, 4, 4] x) => (float[1, 2, 6, 5] y) {
        y = Resize<mode = "linear", coordinate_transformation_mode = "half_pixel">(x, , , sizes)
    }"""
    freed_exactly(build(text, sizes=np.array([1, 2, 6, 5])))


@pytest.mark.parametrize("case", MIXING)
def test_models_whose_samples_would_touch_are_left_alone(build, case: str) -> None:
    text, weights = MIXING[case]
    assert free_batch(build(text, **weights)) is None


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet"])
def test_old_networks(name: str, random_light) -> None:
    freed = freed_exactly(random_light(name))
    onnx.checker.check_model(freed)


NAMES = ("bvlc_alexnet", "densenet121", "inception_v1", "inception_v2", "resnet50", "vgg19", "zfnet512")


@pytest.mark.parametrize("name", NAMES)
def test_all_old_networks_can_be_freed(name: str, light) -> None:
    freed = free_batch(onnx.load(light(name)))
    assert freed is not None
    onnx.checker.check_model(freed)
    inferred = onnx.shape_inference.infer_shapes(freed, strict_mode=True, data_prop=True)
    shape = shape_of(inferred.graph.output[0])
    assert shape is not None and shape[:2] == (None, 1000)


def test_keras_models_are_free(dianna_model) -> None:
    proto = onnx.load(dianna_model("mnist_model_tf.onnx"))
    assert free_batch(proto) is proto


def test_weights_are_not_touched(build) -> None:
    text = HEAD + "{ h = Relu(x) f = Reshape(h, s) y = Gemm<transB = 1>(f, w) }"
    proto = build(text, s=np.array([1, -1]), w=(5, 192))
    freed = freed_exactly(proto)
    before = {t.name: numpy_helper.to_array(t) for t in proto.graph.initializer}
    after = {t.name: numpy_helper.to_array(t) for t in freed.graph.initializer}
    assert all(np.array_equal(after[name], value) for name, value in before.items())
