from collections.abc import Callable

import numpy as np
import onnx
import pytest

from agnostic.engine.batching import BatchRunner, leading_axis
from agnostic.errors import InputError

Build = Callable[..., onnx.ModelProto]
WEIGHTS = np.random.default_rng(1).normal(size=(12, 3)).astype(np.float32)


def rows(count: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(count, *shape)).astype(np.float32)


def test_leading_axes(graph: Build) -> None:
    proto = graph("g (float[n,2] a, float[3] b, float c, float[m,2] d) => (float[n,2] y) { y = Relu(a) }")
    proto.graph.input[3].type.tensor_type.shape.dim[0].Clear()
    assert [leading_axis(value) for value in proto.graph.input] == ["n", 3, None, ""]


@pytest.mark.parametrize("batch", ["n", "1"])
def test_a_free_or_freed_batch_runs_at_once(graph: Build, batch: str) -> None:
    proto = graph(
        f"""g (float[{batch},3,2,2] x) => (float[{batch},3] y) {{
            shape = Constant<value = int64[2] {{1, 12}}>()
            flat = Reshape(x, {"shape" if batch == "1" else "free"})
            y = MatMul(flat, w)
        }}""",
        {"w": WEIGHTS, "free": np.array([-1, 12])},
    )
    runner, x = BatchRunner(proto, "cpu"), rows(5, 3, 2, 2)
    expected = x.reshape(5, 12) @ WEIGHTS
    assert np.allclose(runner.run({"x": x}, ["y"])["y"], expected, atol=1e-5)
    assert not runner.loops
    assert np.allclose(runner.run({"x": x[:1]}, ["y"])["y"], expected[:1], atol=1e-5)
    assert runner.rows_run == 6


def test_a_one_baked_behind_a_symbolic_axis_is_found_out(graph: Build) -> None:
    """The file says [n, ...], but its Reshape puts all rows into one: a mean over everything."""
    proto = graph(
        """g (float[n,4] x) => (float[n,4] y) {
            one = Reshape(x, shape)
            mean = ReduceMean<axes=[1], keepdims=1>(one)
            y = Add(x, mean)
        }""",
        {"shape": np.array([1, -1])},
    )
    runner, x = BatchRunner(proto, "cpu"), rows(5, 4)
    expected = x + x.mean(axis=1, keepdims=True)
    found = runner.run({"x": x}, ["y"])["y"]
    assert np.allclose(found, expected, atol=1e-6)
    assert runner.loops
    assert not np.allclose(x + x.mean(), expected, atol=1e-2), "the batch would have been wrong"


def test_rows_that_cannot_run_together_run_alone(graph: Build) -> None:
    proto = graph(
        "g (float[n,12] x) => (float[n,3] y) { flat = Reshape(x, shape)\n y = MatMul(flat, w) }",
        {"shape": np.array([1, 12]), "w": WEIGHTS},
    )
    runner, x = BatchRunner(proto, "cpu"), rows(4, 12)
    assert np.allclose(runner.run({"x": x}, ["y"])["y"], x @ WEIGHTS, atol=1e-5)
    assert runner.loops


@pytest.mark.parametrize("count", [1, 3, 4, 8])
def test_a_batch_fixed_above_one(graph: Build, count: int) -> None:
    proto = graph("g (float[4,12] x) => (float[4,3] y) { y = MatMul(x, w) }", {"w": WEIGHTS})
    runner, x = BatchRunner(proto, "cpu"), rows(count, 12)
    found = runner.run({"x": x}, ["y"])["y"]
    assert found.shape == (count, 3)
    assert np.allclose(found, x @ WEIGHTS, atol=1e-5)


def test_an_input_without_a_batch_axis_goes_to_every_row(graph: Build) -> None:
    proto = graph("g (float[n,3] x, float[3] scale) => (float[n,3] y) { y = Mul(x, scale) }")
    runner, x, scale = BatchRunner(proto, "cpu"), rows(3, 3), np.array([1, 2, 3], np.float32)
    assert runner.batched_inputs == {"x"}
    assert np.allclose(runner.run({"x": x, "scale": scale}, ["y"])["y"], x * scale)


@pytest.mark.parametrize("order", ["float[1,3] x, float s", "float s, float[1,3] x"])
@pytest.mark.parametrize("baked", [False, True])
def test_a_scalar_input_wherever_it_stands(graph: Build, order: str, baked: bool) -> None:
    body = "z = Reshape(x, shape)\n y = Mul(z, s)" if baked else "y = Mul(x, s)"
    proto = graph(f"g ({order}) => (float[1,3] y) {{ {body} }}", {"shape": np.array([1, 3])})
    runner, x = BatchRunner(proto, "cpu"), rows(4, 3)
    assert runner.batched_inputs == {"x"}
    assert np.allclose(runner.run({"x": x, "s": np.array(2, np.float32)}, ["y"])["y"], 2 * x)


def test_two_inputs_of_different_lengths_are_refused(graph: Build) -> None:
    runner = BatchRunner(graph("g (float[n,3] a, float[n,3] b) => (float[n,3] y) { y = Add(a, b) }"), "cpu")
    with pytest.raises(InputError, match=r"different batch sizes \[2, 3\]"):
        runner.run({"a": rows(2, 3), "b": rows(3, 3)}, ["y"])


def test_an_answer_without_axes_counts_as_one_row(graph: Build) -> None:
    proto = graph("g (float[n,3] x) => (float loss) { loss = ReduceSum<keepdims=0>(x) }")
    runner, x = BatchRunner(proto, "cpu"), rows(4, 3)
    assert runner.run({"x": x[:1]}, ["loss"])["loss"].shape == (1,)
    assert np.allclose(runner.run({"x": x}, ["loss"])["loss"], x.sum(axis=1), atol=1e-6)


def test_an_input_that_fits_nothing_is_no_verdict_on_the_graph(graph: Build) -> None:
    proto = graph("g (float[n,d] x) => (float[n,3] y) { y = MatMul(x, w) }", {"w": WEIGHTS})
    runner = BatchRunner(proto, "cpu")
    with pytest.raises(Exception, match="MatMul"):
        runner.run({"x": rows(2, 7)}, ["y"])
    assert not runner.loops
    runner.run({"x": rows(2, 12)}, ["y"])
    assert not runner.loops


def test_half_precision_noise_is_no_mix_up(graph: Build) -> None:
    weights = np.random.default_rng(0).normal(size=(64, 32, 3, 3)).astype(np.float16)
    proto = graph("g (float16[n,32,9,9] x) => (float16[n,64,7,7] y) { y = Conv(x, w) }", {"w": weights})
    runner = BatchRunner(proto, "cpu")
    assert runner.run({"x": rows(8, 32, 9, 9).astype(np.float16)}, ["y"])["y"].shape == (8, 64, 7, 7)
    assert not runner.loops


def test_integer_answers_are_compared_exactly(graph: Build) -> None:
    proto = graph("g (float[n,5] x) => (int64[n] y) { y = ArgMax<axis=1, keepdims=0>(x) }")
    runner, x = BatchRunner(proto, "cpu"), rows(6, 5)
    assert runner.run({"x": x}, ["y"])["y"].tolist() == x.argmax(axis=1).tolist()
    assert not runner.loops
