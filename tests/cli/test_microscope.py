"""`agnostic microscope`: what it prints, how it ends, and the server it starts."""

import json
import runpy
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from agnostic.cli.microscoping import Request, command

Run = Callable[..., tuple[int, str, str]]
_MADE = runpy.run_path(str(Path(__file__).parents[1] / "report" / "microscope_model.py"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with models and pictures, and the user standing in it."""
    (tmp_path / "net.onnx").write_bytes(_MADE["net"]())
    (tmp_path / "other.onnx").write_bytes(_MADE["net"](units=5, seed=1))
    _MADE["pictures"](tmp_path / "photos", ["a.png", "b.png", "c.png"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


ARGUMENTS = ("microscope", "net.onnx", "--images", "photos", "--out", "site", "--quiet")


def test_a_site_is_written_and_reported(here: Path, agnostic: Run) -> None:
    status, out, err = agnostic(*ARGUMENTS, "--show", "photos/a.png", "--layers", "r2", "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["pictures"] == ["a"]
    assert found["layers"] == 3
    assert (found["skipped"], found["icons"]) == ([], {})
    assert Path(found["index"]) == (here / "site" / "index.html").resolve()
    assert Path(found["index"]).is_file()
    again = json.loads(agnostic(*ARGUMENTS, "--show", "photos/a.png", "--layers", "r2", "--json")[1])
    assert (found["made"] > 0, again["made"]) == (True, 0)


def test_another_model_and_an_atlas_join_the_site(here: Path, agnostic: Run) -> None:
    status, out, err = agnostic(*ARGUMENTS, "--compare", "other.onnx", "--atlas", "r2", "--layers", "r1,r2")
    assert (status, err) == (0, "")
    assert "layers" in out
    assert (here / "site/data/compare.js").is_file()
    assert (here / "site/data/atlas/r2.jpg").is_file()


def test_broken_pictures_end_with_status_one_and_are_named(here: Path, agnostic: Run) -> None:
    (here / "photos" / "broken.jpg").write_bytes(b"nothing")
    status, out, err = agnostic(*ARGUMENTS, "--layers", "r2", "--json")
    assert status == 1
    assert "broken.jpg" in err
    assert json.loads(out)["skipped"][0]["file"] == "broken.jpg"


@pytest.mark.parametrize(
    ("arguments", "expected", "said"),
    [
        (("--images", "nowhere"), 4, "no such folder"),
        (("--layers", "r7"), 2, "unknown layer"),
        (("--icons", "r7"), 2, "unknown layer"),
        (("--preset", "huge"), 2, "unknown preset"),
        (("--out", "photos"), 2, "holds other files"),
        (("--show", "photos/none.png"), 4, "none.png"),
        (("--compare", "none.onnx"), 3, "none.onnx"),
        (("--serve", "--host", "0.0.0.0"), 2, "other machines"),
        (("--timeout", "0.001"), 5, "time limit"),
    ],
)
def test_errors_are_one_line_with_their_status(
    here: Path, agnostic: Run, arguments: tuple[str, ...], expected: int, said: str
) -> None:
    status, out, err = agnostic(*ARGUMENTS, *arguments)
    assert (status, out) == (expected, "")
    assert said in err
    assert err.count("\n") == 1


def test_an_empty_folder_of_pictures_is_an_error(here: Path, agnostic: Run) -> None:
    (here / "empty").mkdir()
    status, _, err = agnostic(*ARGUMENTS, "--images", "empty")
    assert status == 4
    assert "no files" in err


def test_a_model_that_eats_no_pictures_is_refused(here: Path, agnostic: Run) -> None:
    import onnx
    from onnx import TensorProto, helper

    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 4]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "row", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), "row.onnx")
    status, _, err = agnostic("microscope", "row.onnx", "--images", "photos", "--out", "site", "--quiet")
    assert status == 4
    assert err.count("\n") == 1


def test_the_line_that_pages_offer_makes_the_same_site_again(here: Path) -> None:
    request = Request(
        model="my net.onnx", images=Path("photos"), out=Path("site"), show=(Path("a b.png"),), layers="r1,r2", icons=(),
        preset="icon", compare=None, atlas=(), groups=(), dreams=(), variants=(), serve=False, host="127.0.0.1", port=0,
        as_json=False, seed=3, batch_size=None, timeout=None, max_memory=None, quiet=True,
        opening={"device": "auto", "preprocess": {"mean": [0.5, 0.25], "channels": "BGR"}, "raw_output": True},
    )  # fmt: skip
    assert command(request) == (
        "agnostic microscope 'my net.onnx' --images photos --out site --show 'a b.png' --layers r1,r2 --preset icon "
        "--seed 3 --raw-output --mean 0.5,0.25 --channels BGR"
    )


def test_served_and_interrupted_it_ends_cleanly(here: Path) -> None:
    """The whole way: a process that builds, serves, answers, and leaves with 130."""
    # Whoever runs the tests in the background has interrupts ignored, and a process inherits that.
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    line = [sys.executable, "-c", f"{heard}; from agnostic.cli import main; main()", *ARGUMENTS, "--layers", "r2"]
    with subprocess.Popen([*line, "--serve", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            said = next(text for row in process.stdout if "serving" in (text := row.decode()))
            with urllib.request.urlopen(said.split()[1], timeout=10) as answer:
                assert b"served.js" in answer.read()
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 130
            assert b"Traceback" not in process.stderr.read()
        finally:
            process.kill()


def test_pictures_that_only_differ_in_their_folder_have_pages_each(here: Path, agnostic: Run) -> None:
    (here / "photos" / "more").mkdir()
    Image.new("RGB", (30, 30), "red").save(here / "photos" / "more" / "a.png")
    status, out, _ = agnostic(
        *ARGUMENTS, "--show", "photos/a.png", "--show", "photos/more/a.png", "--layers", "r2", "--json"
    )
    assert status == 0
    assert json.loads(out)["pictures"] == ["a", "a_2"]


def test_groups_dreams_and_variants_are_asked_for_by_name(here: Path, agnostic: Run) -> None:
    status, _, err = agnostic(*ARGUMENTS, "--layers", "r2", "--variants", "r2", "--quiet")
    assert status == 2
    assert "expected LAYER:UNIT" in err
    status, _, err = agnostic(*ARGUMENTS, "--layers", "r2", "--groups", "r9", "--quiet")
    assert status == 2
    assert "unknown layer" in err
    status, out, _ = agnostic(*ARGUMENTS, "--layers", "r2", "--groups", "r2", "--json")
    assert status == 0
    assert json.loads(out)["layers"] > 0
    assert (here / "site/data/layers/r2/overall.js").is_file()
