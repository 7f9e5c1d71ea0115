import subprocess
import sys
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from agnostic.engine import runtime
from agnostic.engine.runtime import Runtime, as_dtype
from agnostic.errors import InputError, ModelError, UsageError

Build = Callable[..., onnx.ModelProto]
TEXT = """g (float[n,3] x, float[n,3] unused) => (float[n,3] y, float[n,3] z) {
    hidden = Relu(x)
    y = Add(hidden, hidden)
    z = Neg(unused)
}"""
X = np.array([[-1, 2, 3]], np.float32)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The sessions built during a test."""
    sessions: list[Any] = []
    real = onnxruntime.InferenceSession

    def counted(*args: Any, **kwargs: Any) -> Any:
        sessions.append(real(*args, **kwargs))
        return sessions[-1]

    monkeypatch.setattr(onnxruntime, "InferenceSession", counted)
    return sessions


def test_any_tensor_is_fetched_by_name_in_the_order_asked(graph: Build) -> None:
    found = Runtime(graph(TEXT), "cpu").run({"x": X, "unused": X}, ["z", "hidden", "y"])
    assert list(found) == ["z", "hidden", "y"]
    assert (found["hidden"].tolist(), found["y"].tolist()) == ([[0, 2, 3]], [[0, 4, 6]])


def test_a_session_is_built_once_for_what_is_fetched_and_holds_nothing_else(graph: Build, built: list[Any]) -> None:
    here = Runtime(graph(TEXT), "cpu")
    for _ in range(3):
        here.run({"x": X, "unused": X}, ["y"])
    assert len(built) == 1
    assert [item.name for item in built[0].get_outputs()] == ["y"]
    assert [item.name for item in built[0].get_inputs()] == ["x"]
    here.run({"x": X}, ["y", "hidden"])
    here.run({"x": X}, ["y"])
    assert len(built) == 2


def test_the_sessions_used_longest_ago_go_first(
    graph: Build, built: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "KEPT_SESSIONS", 2)
    here, feeds = Runtime(graph(TEXT), "cpu"), {"x": X, "unused": X}
    for names in (["y"], ["z"], ["y"], ["hidden"], ["y"]):
        here.run(feeds, names)
    assert len(built) == 3
    here.run(feeds, ["z"])
    assert len(built) == 4


def test_an_unknown_tensor_is_named_with_the_nearest(graph: Build) -> None:
    with pytest.raises(UsageError, match="unknown tensor 'hiden'; did you mean 'hidden'"):
        Runtime(graph(TEXT), "cpu").run({"x": X}, ["hiden"])


def test_errors_are_one_line_and_of_their_kind(graph: Build) -> None:
    here = Runtime(graph(TEXT), "cpu")
    with pytest.raises(InputError, match="the input does not fit the model") as caught:
        here.run({"x": X[:, :2]}, ["y"])
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError):
        here.run({"x": X.astype(np.float64)}, ["y"])
    # The file promises a MatMul that its sizes do not allow; only running it shows.
    here = Runtime(graph("g (float[n,d] x) => (float[n,3] y) { y = MatMul(x, w) }", {"w": np.eye(4, 3, dtype="f4")}))
    with pytest.raises(ModelError, match="the model failed while running"):
        here.run({"x": X}, ["y"])


def test_what_onnxruntime_cannot_run_is_said_when_it_is_opened(graph: Build) -> None:
    proto = graph("g (float[n,3] x) => (float[n,3] y) { y = Relu(x) }")
    proto.graph.node[0].op_type = "Brew"
    with pytest.raises(ModelError, match="onnxruntime cannot run this model"):
        Runtime(proto, "cpu").run({"x": X}, ["y"])


def test_an_opset_too_new_for_onnxruntime_says_what_to_do(graph: Build) -> None:
    proto = graph("g (float[n,3] x) => (float[n,3] y) { y = Relu(x) }", opset=28)
    with pytest.raises(
        ModelError, match=r"opset 28, onnxruntime \S+ here knows up to \d+: pip install -U onnxruntime, or"
    ):
        Runtime(proto, "cpu").run({"x": X}, ["y"])


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "cuda_devices", lambda: 0)
    assert runtime.providers("auto") == runtime.providers("cpu") == ["CPUExecutionProvider"]
    with pytest.raises(UsageError, match="--device cuda: "):
        runtime.providers("cuda")
    monkeypatch.setattr(runtime, "cuda_devices", lambda: 1)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    assert runtime.providers("auto")[0] == runtime.providers("cuda")[0] == "CUDAExecutionProvider"
    assert runtime.providers("cpu") == ["CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(UsageError, match="onnxruntime has no CUDA provider"):
        runtime.providers("cuda")


def test_two_runtimes_in_one_environment_are_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime, "installed_runtimes", lambda: ("onnxruntime", "onnxruntime-gpu"))
    with pytest.warns(
        RuntimeWarning, match=r"overwrite each other \(onnxruntime, onnxruntime-gpu\); run `agnostic doc"
    ):
        runtime._onnxruntime.__wrapped__()


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (np.array([0.4, 0.6, -0.6, 300, -300], np.float32), np.uint8, [0, 1, 0, 255, 0]),
        (np.array([2.5, -1e30, 1e30], np.float32), np.int64, [2, -(2**63), 2**63 - 1]),
        (np.array([-1e30, 1e30], np.float64), np.int32, [-(2**31), 2**31 - 1]),
        (np.array([300, -7, 5]), np.uint8, [255, 0, 5]),
        (np.array([2**40, 3]), np.int32, [2**31 - 1, 3]),
        (np.array([2**63], np.uint64), np.int64, [2**63 - 1]),
        (np.array([-1, 3], np.int8), np.uint64, [0, 3]),
        (np.array([1e6, -1e6, 0.5]), np.float16, [65504, -65504, 0.5]),
        (np.array([True, False]), np.float32, [1, 0]),
        (np.array([1, 2], np.uint8), np.float32, [1, 2]),
        (np.array([0.0, 2.0]), np.bool_, [False, True]),
    ],
)
def test_casts_round_and_clip_and_never_wrap(values: Any, dtype: Any, expected: list[Any]) -> None:
    found = as_dtype(values, np.dtype(dtype))
    assert found.dtype == dtype
    assert found.tolist() == expected


def test_what_has_the_type_already_is_not_copied() -> None:
    assert as_dtype(X, np.dtype(np.float32)) is X


@pytest.mark.parametrize("dtype", [np.float16, np.uint8, np.float32, np.int64, np.bool_])
def test_a_number_stays_an_array(dtype: Any) -> None:
    found = as_dtype(np.array(2.0), np.dtype(dtype))
    assert isinstance(found, np.ndarray)
    assert (found.shape, found.item()) == ((), 2 if dtype is not np.bool_ else True)


def test_memory_that_is_not_there_is_a_limit_in_a_process_that_lives_on() -> None:
    """16 TB asked for by an input, which no look at the file can foresee, under a cap on the address space."""
    code = """
        import numpy as np, onnx, agnostic
        from agnostic.engine.limits import memory_limit
        from agnostic.errors import LimitError
        text = 'g (int64[2] size) => (float[a,b] y) { y = ConstantOfShape(size) }'
        opset = [onnx.helper.make_opsetid("", 17)]
        proto = onnx.helper.make_model(onnx.parser.parse_graph(text), opset_imports=opset, ir_version=8)
        model = agnostic.load(proto, device="cpu")
        model.run(np.array([1, 1]))
        with memory_limit(2**30):
            for size in ([2**21, 2**21], [2**15, 2**15]):
                try:
                    model.run(np.array(size))
                except LimitError as error:
                    print(type(error).__name__, error)
        print(model.run(np.array([2, 3]))["y"].shape)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=100)
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["OutOfMemoryError"] * 2, done.stderr
    assert "the model needs more memory than there is" in lines[0]
    assert lines[2] == "(2, 3)"
