import numpy as np
import pytest
from onnx import TensorProto, helper

from agnostic.converters import verify
from agnostic.errors import ModelError, UsageError


def scaled(build, factor: float):
    text = "net (float[n, 2] x) => (float[n, 2] y, float[n, 2] z) { y = Mul(x, k) z = Neg(x) }"
    return build(text, k=np.array(factor, np.float32))


def test_compare_names_the_worst_output(build) -> None:
    x = {"x": np.array([[1.0, -4.0]], np.float32)}
    assert verify.compare(scaled(build, 2), scaled(build, 2.5), x) == verify.Comparison(2.0, "y", 0.25)
    assert verify.compare(scaled(build, 2), scaled(build, 2.5), x, ["z"]).largest == 0


def test_same_is_relative(build) -> None:
    x = {"x": np.array([[1000.0, 1.0]], np.float32)}
    assert verify.same(scaled(build, 1), scaled(build, 1.000001), x)
    assert not verify.same(scaled(build, 1), scaled(build, 1.001), x)
    assert verify.same(scaled(build, 1), scaled(build, 1.001), x, tolerance=0.01)


def test_other_shapes_are_infinitely_far(build) -> None:
    a = build("net (float[n, 2] x) => (float[n, 2] y) { y = Neg(x) }")
    b = build("net (float[n, 2] x) => (float[2, n] y) { y = Transpose(x) }")
    assert verify.compare(a, b, {"x": np.ones((3, 2), np.float32)}).largest == np.inf


@pytest.mark.parametrize(("other", "largest"), [("Log(x)", 0.0), ("Neg(x)", np.inf)])
def test_not_a_number_equals_itself_only(build, other: str, largest: float) -> None:
    a = build("net (float[n] x) => (float[n] y) { y = Log(x) }")
    b = build("net (float[n] x) => (float[n] y) { y = " + other + " }")
    assert verify.compare(a, b, {"x": np.array([-1.0], np.float32)}).largest == largest


def test_nothing_in_common(build) -> None:
    a = build("net (float[n] x) => (float[n] y) { y = Neg(x) }")
    b = build("net (float[n] x) => (float[n] z) { z = Neg(x) }")
    with pytest.raises(UsageError, match="no output in common"):
        verify.compare(a, b, {"x": np.ones(1, np.float32)})


def test_a_model_that_cannot_run_says_why(build) -> None:
    proto = build("net (float[n, 3] x) => (float[n, 3] y) { y = MatMul(x, w) }", w=(3, 3))
    with pytest.raises(ModelError, match=r"onnxruntime cannot run the model: .*index: 1 Got: 2 Expected: 3"):
        verify.run(proto, {"x": np.ones((1, 2), np.float32)})


def test_random_feeds_fit_every_input() -> None:
    shapes = {"a": (1, ["n", 3, "h", "w"]), "b": (7, ["n", "t"]), "c": (9, [2, 2]), "d": (8, ["n", 1]), "e": (10, [])}
    inputs = [helper.make_tensor_value_info(name, *spec) for name, spec in shapes.items()]
    weight = helper.make_tensor("w", TensorProto.FLOAT, [1], [1.0])
    inputs.append(helper.make_tensor_value_info("w", 1, [1]))
    graph = helper.make_graph([], "g", inputs, [], [weight])
    feeds = verify.random_feeds(helper.make_model(graph), batch=4)
    assert {name: array.shape for name, array in feeds.items()} == {
        "a": (4, 3, 32, 32),
        "b": (4, 8),
        "c": (2, 2),
        "d": (4, 1),
        "e": (),
    }
    assert [array.dtype.kind for array in feeds.values()] == ["f", "i", "b", "O", "f"]
    assert feeds["e"].dtype == np.float16


def test_random_feeds_repeat(build) -> None:
    proto = scaled(build, 1)
    first, again, other = (verify.random_feeds(proto, seed=seed)["x"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
