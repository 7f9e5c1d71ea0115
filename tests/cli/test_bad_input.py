"""Bad input: one clear line, the right exit status, nothing half-written."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

CAT = "small.png"
TABLE = [
    ("missing model", ["none.onnx", CAT], 3, "'none.onnx' does not exist"),
    ("empty model", ["empty.onnx", CAT], 3, "is empty"),
    ("truncated model", ["truncated.onnx", CAT], 3, "broken, cut off"),
    ("HTML as model", ["page.onnx", CAT], 3, "an HTML page"),
    ("external data outside", ["outside.onnx", CAT], 3, "outside"),
    ("hard link", ["hardlink.onnx", CAT], 3, "hard link"),
    ("16 TB", ["bomb.onnx", CAT], 5, "TB of memory"),
    ("endless loop", ["loop.onnx", CAT, "--timeout", "1"], 5, "stopped after 1 s"),
    ("unknown method", ["good.onnx", CAT, "--method", "lim"], 2, "did you mean 'lime'"),
    ("unknown target", ["squeezenet", CAT, "-m", "cam", "-t", "tabbi"], 2, "did you mean 'tabby'"),
    ("ambiguous target", ["squeezenet", CAT, "-m", "cam", "-t", "crane"], 2, "names the classes 134, 517"),
    ("class out of range", ["good.onnx", CAT, "-t", "3"], 2, "the classes 0 to 2"),
    ("unknown layer", ["squeezenet", CAT, "-m", "scorecam", "--at", "fire9/conca"], 2, "did you mean 'fire9/concat'"),
    ("unknown option", ["good.onnx", CAT, "--sample", "3"], 2, "did you mean '--samples'"),
    ("option of the wrong type", ["good.onnx", CAT, "--samples", "many"], 2, "expected a whole number"),
    ("unknown features", ["good.onnx", CAT, "--features", "superpixel"], 2, "did you mean 'superpixels"),
    ("unknown fill", ["good.onnx", CAT, "--fill", "blurr"], 2, "did you mean 'blur'"),
    ("method that cannot run", ["good.onnx", CAT, "-m", "cam"], 2, "cannot run on 'good'"),
    ("text as picture", ["good.onnx", "text.png"], 4, "text.png: not a picture"),
    ("missing picture", ["good.onnx", "none.png"], 4, "none.png: no such file"),
    ("200 million pixels", ["good.onnx", "huge.png"], 4, "50 million pixels"),
    ("wrong channel count", ["six.onnx", CAT], 4, "has 6 channels"),
    ("NaN logits", ["nan.onnx", CAT], 4, "not finite"),
    ("constant output", ["constant.onnx", CAT, "-m", "occlusion"], 4, "nothing to explain"),
    ("output folder below a file", ["good.onnx", CAT, "--out", "text.png/x"], 5, "cannot write there"),
    ("output folder of the system", ["good.onnx", CAT, "--out", "/proc/agnostic"], 5, "cannot write there"),
    ("no input", ["good.onnx"], 2, "no input was given"),
]


@pytest.mark.parametrize(("arguments", "status", "says"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_one_line_and_the_exit_status(place: Path, agnostic: Run, arguments: list[str], status: int, says: str) -> None:
    before = sorted(place.iterdir())
    found, out, err = agnostic("explain", "--quiet", *arguments)
    assert (found, out) == (status, "")
    assert err.startswith("agnostic: ") and err.count("\n") == 1, err
    assert says in err
    assert "Traceback" not in err
    assert sorted(place.iterdir()) == before


def test_a_read_only_folder_is_a_limit(place: Path, agnostic: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root ignores permissions, so the refusal comes from the call that the system would refuse."""

    def refuse(self: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    status, _, err = agnostic("explain", "good.onnx", CAT, "--out", "results", "--quiet")
    assert status == 5
    assert "--out results: cannot write there: Permission denied" in err


def test_debug_shows_the_traceback(place: Path, agnostic: Run) -> None:
    status, _, err = agnostic("explain", "--debug", "empty.onnx", CAT)
    assert status == 3
    assert "Traceback" in err


def test_one_of_several_inputs_may_fail(place: Path, agnostic: Run) -> None:
    status, out, err = agnostic("explain", "good.onnx", CAT, "text.png", "-m", "occlusion", "--window", "16")
    assert status == 1
    assert "small.png" in out
    assert "text.png: not a picture" in err
    assert (place / "small.occlusion.png").exists()


def test_an_unknown_command_offers_the_nearest(agnostic: Run) -> None:
    status, _, err = agnostic("explian")
    assert status == 2
    assert "explain" in err


def test_the_watchdog_ends_what_cannot_be_told_to_stop() -> None:
    """In a process of its own, because it ends that process."""
    code = (
        "import time, agnostic.cli.common as c\nc.GRACE_SECONDS = 0.1\nwith c.limits(0.1, None):\n    time.sleep(60)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 5
    assert done.stderr.startswith("agnostic: stopped after 0.1 s") and done.stderr.count("\n") == 1


def test_a_cap_on_memory_is_a_limit_not_a_crash(place: Path, agnostic: Run) -> None:
    """The loader lets 3.6 GB pass; the run meets the cap."""
    status, _, err = agnostic("explain", "hungry.onnx", CAT, "--max-memory", "600", "--quiet")
    assert status == 5, err
    assert err.count("\n") == 1
    assert "memory" in err
