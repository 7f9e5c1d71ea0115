import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import onnx
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import agnostic
from agnostic.converters import converting, drafting, handover, isolation, running, trials, verify
from agnostic.converters.conversion import Converted, Facts, Request, as_example, by_rows, matched
from agnostic.converters.handover import Draft, Job
from agnostic.converters.trials import Trial
from agnostic.errors import ConversionError, LimitError, ModelError, UsageError

X, Y = load_iris(return_X_y=True)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AGNOSTIC_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def fitted() -> LogisticRegression:
    return LogisticRegression(max_iter=500).fit(X, np.array(["a", "b", "c"])[Y])


@pytest.fixture
def saved(fitted: LogisticRegression, tmp_path: Path) -> Path:
    joblib.dump(fitted, tmp_path / "iris.joblib")
    return tmp_path / "iris.joblib"


def doubling(build: Any, factor: float) -> Draft:
    """A graph that doubles, beside a source that multiplies by something."""
    proto = build("net (float[n, 2] x) => (float[n, 2] y, float[n, 2] z) { y = Add(x, x) z = Add(x, x) }")
    answer = lambda feeds: {"y": 2 * feeds["x"], "z": factor * feeds["x"]}  # noqa: E731
    return Draft(proto, trials.trials(Converted(proto, answer)))


def test_a_difference_above_the_tolerance_is_refused_with_the_worst_output(build: Any) -> None:
    found = doubling(build, 2.0)
    assert converting._compared(found, 0.0).largest == 0
    assert [len(trial.feeds["x"]) for trial in found.trials] == [1, 3]
    with pytest.raises(ConversionError, match=r"output 'z' by .* on \d rows, 5\.0e-03 of its largest"):
        converting._compared(doubling(build, 2.01), 1e-3)
    assert converting._compared(doubling(build, 2.01), 1e-2).worst == "z"


def test_not_a_number_and_other_shapes_are_differences(build: Any) -> None:
    with pytest.raises(ConversionError, match="'z' by inf"):
        converting._compared(doubling(build, float("nan")), 1e9)
    found = doubling(build, 2.0)
    odd = Trial(found.trials[0].feeds, {"y": found.trials[0].answers["y"].reshape(-1)})
    with pytest.raises(ConversionError, match="'y' by inf"):
        converting._compared(Draft(found.proto, [odd]), 1e9)


def test_what_the_caller_declares_wins_and_is_read_back(fitted: Any, tmp_path: Path) -> None:
    proto = agnostic.convert(fitted, X, labels=["x", "y", "z"], preprocess={"scale": 1.0}, out=tmp_path / "m.onnx")
    model = agnostic.load(tmp_path / "m.onnx", device="cpu")
    assert model.labels == ("x", "y", "z")
    assert onnx.load(tmp_path / "m.onnx") == proto
    assert model.preprocess is not None and model.preprocess.scale == 1.0


def test_loading_converts_on_the_way_and_the_second_time_finds_it(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = agnostic.load(saved, device="cpu")
    assert first.labels == ("a", "b", "c") and first.name == "iris" and first.path == saved

    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("converted again")

    monkeypatch.setattr(converting, "convert", never)
    again = agnostic.load(saved, device="cpu")
    assert again.sha256 == first.sha256
    saved.write_bytes(saved.read_bytes() + b"\0")  # other content, whatever the name
    with pytest.raises(AssertionError, match="converted again"):
        agnostic.load(saved)


def test_a_sidecar_beside_the_source_counts(saved: Path) -> None:
    saved.with_name("iris.agnostic.toml").write_text('labels = ["one", "two", "three"]\n')
    assert agnostic.load(saved, device="cpu").labels == ("one", "two", "three")


def test_a_kept_model_that_was_changed_is_checked_like_any_file(saved: Path, cache: Path) -> None:
    agnostic.load(saved)
    (kept,) = (cache / "converted").iterdir()
    kept.write_bytes(b"<html>")
    with pytest.raises(ModelError, match="HTML"):
        agnostic.load(saved)


def test_what_is_missing_here_is_said_and_nothing_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "m.cbm").write_bytes(b"CBM1" + bytes(20))
    monkeypatch.setattr(isolation, "make", lambda *_: pytest.fail("an environment was made"))
    with pytest.raises(UsageError, match=r"needs catboost, which is not installed .*`agnostic convert .*--isolate`"):
        agnostic.load(tmp_path / "m.cbm")


def test_objects_cannot_go_elsewhere_and_code_needs_its_framework(fitted: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="save it and give the file"):
        agnostic.convert(fitted, isolate=True)
    with pytest.raises(UsageError, match="say which framework"):
        agnostic.convert(f"{tmp_path}/net.py:model")
    with pytest.raises(UsageError, match="at least 1"):
        agnostic.convert(fitted, input_shape=[0, 3])


CODE = """
from sklearn.linear_model import LogisticRegression
def make():
    return LogisticRegression().fit([[0., 1.], [1., 0.]], ["left", "right"])
model = make()
"""


@pytest.mark.parametrize("name", ["model", "make()"])
def test_code_of_ones_own_is_run_where_it_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(CODE)
    proto = agnostic.convert(f"{tmp_path}/net.py:{name}", framework="sklearn")
    assert json.loads({e.key: e.value for e in proto.metadata_props}["agnostic.labels"]) == ["left", "right"]


@pytest.mark.parametrize(("text", "cause"), [("x = 1", "has no 'model'; it has x"), ("1 / 0", "failed while it ran")])
def test_code_that_fails_is_said(text: str, cause: str, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(text)
    with pytest.raises(UsageError, match=cause):
        drafting.run_code(f"{tmp_path}/net.py:model")
    with pytest.raises(UsageError, match="does not exist"):
        drafting.run_code(f"{tmp_path}/none.py:model")


def test_a_conversion_that_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"open({str(tmp_path / 'child')!r}, 'w').write(str(child.pid))\ntime.sleep(60)\n"
    )
    started = time.perf_counter()
    with pytest.raises(LimitError, match="took longer than 6 s; give more with --timeout"):
        agnostic.convert(f"{tmp_path}/net.py:model", framework="sklearn", timeout=6)
    assert time.perf_counter() - started < 30
    child = int((tmp_path / "child").read_text())
    time.sleep(0.2)
    assert not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes()


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")
def test_a_conversion_that_takes_too_much_memory_is_a_limit(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("model = bytearray(2**40)")
    with pytest.raises(LimitError, match="more memory than it may take"):
        agnostic.convert(f"{tmp_path}/net.py:model", framework="sklearn", max_memory=4000)


def test_a_process_that_dies_takes_nothing_down(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(f"import os\nos.kill(os.getpid(), {int(signal.SIGSEGV)})")
    with pytest.raises(ConversionError, match="ended with signal 11"):
        agnostic.convert(f"{tmp_path}/net.py:model", framework="sklearn")


def test_an_interrupted_conversion_leaves_no_file(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import time\ntime.sleep(60)")
    # A shell that runs this in the background has interrupts ignored, and children inherit that.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{heard}; from agnostic.cli import main; main()", "convert", "net.py:model"]
    command += ["-o", "out.onnx", "--framework", "sklearn"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None and "converting" in process.stderr.readline()
        time.sleep(1)
        os.kill(process.pid, signal.SIGINT)
        assert process.wait(20) == 130
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.py"]


def test_a_job_and_a_draft_come_back_as_they_were(tmp_path: Path, build: Any) -> None:
    example = {"a/b": np.ones((2, 3), np.float32), "words": np.array([["x"], ["é\n"]], object)}
    job = Job("torch", "net.pt2", Request(example, ((3, 4), (5,)), 17), 3, 10**9)
    handover.write_job(tmp_path, job)
    back = handover.read_job(tmp_path)
    assert (back.framework, back.source, back.seed, back.memory) == ("torch", "net.pt2", 3, 10**9)
    assert back.request.shapes == ((3, 4), (5,)) and back.request.opset == 17
    assert all(np.array_equal(back.request.example[name], array) for name, array in example.items())
    assert back.request.example["words"].dtype == object
    assert handover.read_draft(tmp_path) is None and handover.read_error(tmp_path) is None
    draft = Draft(doubling(build, 2).proto, [Trial(example, {"y": np.zeros(2)})], Facts(["l"]), {"torch": "2"}, ("n",))
    handover.write_draft(tmp_path, draft)
    read = handover.read_draft(tmp_path)
    assert read is not None and read.proto == draft.proto and read.notes == ("n",) and read.facts.labels == ["l"]
    assert np.array_equal(read.trials[0].feeds["words"], example["words"])


def test_the_folder_holds_no_pickles(tmp_path: Path) -> None:
    handover.write_job(tmp_path, Job("x", "y", Request({"w": np.array(["a"], object)})))
    with np.load(io.BytesIO((tmp_path / "example.npz").read_bytes()), allow_pickle=False) as archive:
        assert all(archive[name].dtype.kind in "Ufiub" for name in archive.files)


def test_examples_are_taken_as_they_come() -> None:
    pandas = pytest.importorskip("pandas")
    assert as_example(None) == {}
    frame = as_example(pandas.DataFrame({"n": [1.0, 2.0], "w": ["a", "b"]}))
    assert {name: (a.shape, a.dtype.kind) for name, a in frame.items()} == {"n": ((2, 1), "f"), "w": ((2, 1), "O")}
    assert list(as_example((np.ones(2), np.ones(3)))) == ["0", "1"]
    assert as_example(["one", "two"])["0"].tolist() == ["one", "two"]
    assert len(as_example(np.zeros((1000, 2)))["0"]) == 256
    for bad, cause in ((3.0, "a batch axis"), (np.array(["2020"], "datetime64"), "numbers or text")):
        with pytest.raises(UsageError, match=cause):
            as_example(bad)
    assert matched(Request({"0": np.ones(1)}), ["x", "y"]).keys() == {"x"}
    with pytest.raises(UsageError, match="the example has the arrays z; the model takes x"):
        matched(Request({"z": np.ones(1)}), ["x"])


def test_rows_are_drawn_within_what_was_given_and_one_by_one_is_the_same(build: Any) -> None:
    proto = build("net (float[n, 2] x, int64[n] i, float[4, 2] fixed) => (float[n, 2] y) { y = Add(x, x) }")
    likeness = {"x": np.array([[0.0, 5.0], [1.0, 5.0]]), "i": np.array([3, 7])}
    found = Converted(proto, lambda feeds: {"y": 2 * feeds["x"]}, likeness=likeness)
    drawn = [trial.feeds for trial in trials.trials(found)]
    for feeds in drawn[:-1]:
        assert ((feeds["x"][:, 0] >= 0) & (feeds["x"][:, 0] <= 1)).all() and (feeds["x"][:, 1] == 5).all()
        assert set(feeds["i"].tolist()) <= set(range(3, 8)) and feeds["fixed"].shape == (4, 2)
    assert np.array_equal(drawn[-1]["x"], likeness["x"].astype(np.float32))
    whole = by_rows(lambda feeds: {"y": feeds["x"] * len(feeds["x"])})
    assert np.array_equal(whole({"x": np.ones((3, 2))})["y"], np.ones((3, 2)))


def test_a_source_that_cannot_answer_says_on_what(build: Any) -> None:
    proto = build("net (float[n, 2] x) => (float[n, 2] y) { y = Add(x, x) }")

    def answer(_: Any) -> Any:
        raise ValueError("no\nway")

    with pytest.raises(ConversionError, match=r"cannot answer for x \[1, 2\] \(ValueError: no way\); give an example"):
        trials.trials(Converted(proto, answer))


def test_the_worker_finds_its_package_in_an_empty_environment(tmp_path: Path) -> None:
    """A private environment has nothing of ours: only the file itself is given."""
    handover.write_job(tmp_path, Job("nothing", "x"))
    assert running._run(running._command(Path(sys.executable), tmp_path), tmp_path, 60, tmp_path) == 0
    assert handover.read_error(tmp_path) == ("UsageError", json.loads((tmp_path / "error.json").read_text())["message"])
    assert verify.difference("y", np.array([1.0]), np.array([1.5])).largest == 0.5
