"""`agnostic visualize`: what it writes, what it prints, how it ends."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from agnostic.optvis.record import read_recipe

Run = Callable[..., tuple[int, str, str]]
FLAGS = ("--scale", "0.00392157", "--mean", "0", "--std", "1", "--quiet")
SMALL = ("--size", "16", "--steps", "4", *FLAGS)


def net(channels: int = 3, dead: int = 2) -> bytes:
    """A model of one convolution, r, and its mean, y; one of its four units is off whatever it sees."""
    rng = np.random.default_rng(0)
    w = rng.normal(scale=0.1, size=(4, channels, 3, 3)).astype(np.float32)
    b = np.ones(4, np.float32)
    w[dead], b[dead] = 0, -1
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"]),
        helper.make_node("Relu", ["c"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    shapes = {"x": ["n", channels, 32, 32], "y": ["n", 4]}
    ends = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()}
    tensors = [numpy_helper.from_array(w, "w"), numpy_helper.from_array(b, "b")]
    graph = helper.make_graph(nodes, "net", [ends["x"]], [ends["y"]], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with models and pictures, and the user standing in it."""
    (tmp_path / "net.onnx").write_bytes(net())
    (tmp_path / "bands.onnx").write_bytes(net(channels=13))
    (tmp_path / "own").mkdir()
    for number, colour in enumerate(("red", "green", "navy")):
        Image.new("RGB", (20, 20), colour).save(tmp_path / "own" / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_several_units_are_written_each_with_its_record_and_on_one_sheet(here: Path, agnostic: Run) -> None:
    status, out, err = agnostic("visualize", "net.onnx", "r:0", "r:2", "c:1@3,3", "3", *SMALL, "-o", "out")
    assert (status, err) == (0, "")
    stems = ("r-0", "r-2", "c-1-3-3", "class-3")
    names = {f"{stem}.{kind}" for stem in stems for kind in ("png", "json")} | {"sheet.png"}
    assert {path.name for path in Path("out").iterdir()} == names
    rows = {line.split()[0]: line for line in out.splitlines()[1:5]}
    assert rows["r:2"].rstrip().endswith("dead")
    assert "dead" not in rows["r:0"]
    recipe = read_recipe(Path("out/r-0.png"))
    assert (recipe["of"], recipe["recipe"], recipe["preset"]["steps"]) == ("r:0", "unit", 4)
    assert recipe["parity"]["largest"] < 1e-4
    with Image.open("out/sheet.png") as sheet:
        assert sheet.width > 4 * 256


def test_json_is_one_object(here: Path, agnostic: Run) -> None:
    status, out, _ = agnostic("visualize", "net.onnx", "r:0", "r:1", "--images", "own", "--json", *SMALL, "-o", "out")
    report = json.loads(out)
    assert status == 0
    assert (report["model"], report["recipe"], report["stopped"]) == ("net", "unit", "")
    assert report["failed_images"] == {}
    assert report["parity"]["largest"] <= 1e-4
    assert [item["of"] for item in report["pictures"]] == ["r:0", "r:1"]
    for item in report["pictures"]:
        assert item["activation"] > 0 and 0 <= item["fine"] <= 1 and item["share"] > 0.5
        # Of three pictures.
        assert round(item["percentile"] * 3 / 100, 3) in (0, 1, 2, 3)
        assert not item["dead"]
        assert Path(item["files"]["picture"]).exists() and Path(item["files"]["record"]).exists()
    assert Path(report["sheet"]).exists()


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(here: Path, agnostic: Run) -> None:
    for folder, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert agnostic("visualize", "net.onnx", "r:0", "r:1", *SMALL, "--seed", seed, "-o", folder)[0] == 0
    assert contents(Path("a")) == contents(Path("b"))
    assert contents(Path("a"))["r-0.png"] != contents(Path("c"))["r-0.png"]


def test_options_of_the_recipe_stand_on_the_same_line(here: Path, agnostic: Run) -> None:
    status, _, err = agnostic("visualize", "net.onnx", "r:0", "--sign", "both", *SMALL, "-o", "out")
    assert (status, err) == (0, "")
    against = read_recipe(Path("out/r-0.negative.json"))
    assert against["options"] == {"sign": "both"}
    assert against["measures"]["activation"] < read_recipe(Path("out/r-0.json"))["measures"]["before"]


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        (["net.onnx"], 2, "unit of what? expected LAYER:UNIT or a class"),
        (["net.onnx", "r:9"], 2, "'r' has the units 0 to 3, not 9"),
        (["net.onnx", "rr:1"], 2, "unknown layer 'rr'"),
        (["net.onnx", "r:1", "--sign", "up"], 2, "--sign 'up': expected positive or negative or both"),
        (["net.onnx", "r:1", "--sing", "both"], 2, "did you mean '--sign'"),
        (["net.onnx", "r:1", "--recipe", "units"], 2, "unknown recipe 'units'; did you mean 'unit'"),
        (["net.onnx", "r:1", "--preset", "darft"], 2, "unknown preset 'darft'; did you mean 'draft'"),
        (["net.onnx", "r:1", "--range", "1"], 2, "--range 1: expected two numbers"),
        (["net.onnx", "r:1", "--range", "a,b"], 2, "--range 'a,b': expected numbers"),
        (["net.onnx", "r:1", "--colours", "all"], 2, "--colours 'all': expected photo, images or none"),
        (["net.onnx", "r:1", "--colours", "images"], 2, "give them with --images DIR"),
        (["net.onnx", "r:1", "--all", "r"], 2, "--all r renders every unit of the layer"),
        (["net.onnx", "--all", "q"], 2, "unknown layer 'q'"),
        (["net.onnx", "r:1", "--images", "nowhere"], 4, "--images nowhere: no such folder"),
        (["net.onnx", "r:1", "--picture", "nowhere.png"], 4, "nowhere.png: no such file"),
        (["bands.onnx", "r:1", "--picture", "own/0.png"], 4, "the model eats 13 channels"),
        (["missing.onnx", "r:1"], 3, "missing.onnx"),
    ],
)
def test_mistakes_are_one_line_and_have_their_status(
    here: Path, agnostic: Run, line: list[str], status: int, said: str
) -> None:
    flags = () if line[0] == "bands.onnx" else FLAGS
    found, out, err = agnostic("visualize", *line, "--size", "16", "--steps", "2", *flags)
    assert (found, out) == (status, "")
    assert said in err
    assert len(err.strip().splitlines()) == 1


def test_a_model_that_eats_no_picture_says_what_to_use_instead(here: Path, agnostic: Run, linear: Callable) -> None:
    Path("rows.onnx").write_bytes(linear(np.ones((5, 2))).proto.SerializeToString())
    status, _, err = agnostic("visualize", "rows.onnx", "0")
    assert status == 4
    assert "nothing to draw" in err and "agnostic explain" in err
    assert len(err.strip().splitlines()) == 1


def test_broken_pictures_are_named_and_skipped(here: Path, agnostic: Run) -> None:
    Path("own/broken.png").write_bytes(b"no picture")
    status, out, err = agnostic("visualize", "net.onnx", "r:0", "--images", "own", "--json", *SMALL, "-o", "out")
    assert status == 1
    assert "broken.png" in err and "skipped" in err
    report = json.loads(out)
    assert list(report["failed_images"]) == ["broken.png"]
    assert report["pictures"][0]["percentile"] is not None


def interrupt_after(monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """Press Ctrl-C at a step."""

    def watch(_bar: object) -> Callable[[int, int, float], None]:
        def told(done: int, _steps: int, _value: float) -> None:
            if done == steps:
                raise KeyboardInterrupt

        return told

    monkeypatch.setattr("agnostic.cli.visualizing._watch", watch)


def test_an_interrupt_keeps_the_picture_and_says_so(here: Path, agnostic: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt_after(monkeypatch, 3)
    status, out, err = agnostic("visualize", "net.onnx", "r:0", *SMALL, "-o", "out", "--json")
    assert status == 130
    assert "interrupted: what was rendered so far is written" in err
    assert json.loads(out)["stopped"] == "interrupt"
    recipe = read_recipe(Path("out/r-0.png"))
    assert (recipe["stopped"], recipe["steps_done"]) == ("interrupt", 3)


def test_the_time_limit_keeps_the_picture_and_ends_with_its_status(here: Path, agnostic: Run) -> None:
    line = ("--size", "16", "--steps", "1000000", *FLAGS)
    status, _, err = agnostic("visualize", "net.onnx", "r:0", *line, "-o", "out", "--timeout", "3")
    assert status == 5
    assert "the time limit was hit" in err
    recipe = read_recipe(Path("out/r-0.json"))
    assert recipe["stopped"] == "time" and 0 < recipe["steps_done"] < 1000000


def test_a_layer_becomes_a_sheet_that_resumes(here: Path, agnostic: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = agnostic("visualize", "net.onnx", "--all", "r", *SMALL, "-o", "whole")
    assert whole[0] == 0
    assert "r: 4 of 4 units, 4 rendered now, 1 dead: 2" in whole[1]
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        assert agnostic("visualize", "net.onnx", "--all", "r", *SMALL, "-o", "parts")[0] == 130
    status, out, _ = agnostic("visualize", "net.onnx", "--all", "r", *SMALL, "-o", "parts", "--json")
    assert status == 0
    assert json.loads(out)["spritemap"]["rendered"] == 4
    assert contents(Path("parts")) == contents(Path("whole"))
    again = json.loads(agnostic("visualize", "net.onnx", "--all", "r", *SMALL, "-o", "parts", "--json")[1])
    assert again["spritemap"]["rendered"] == 0
    assert [row["unit"] for row in again["spritemap"]["units"]] == [0, 1, 2, 3]


def test_other_channels_are_kept_whole_and_three_of_them_shown(here: Path, agnostic: Run) -> None:
    line = ("r:0", "--size", "16", "--steps", "2", "--range", "-1,1", "-o", "out")
    assert agnostic("visualize", "bands.onnx", *line, "--bands", "12,0,5")[0] == 0
    assert np.load("out/r-0.npy").shape == (16, 16, 13)
    assert read_recipe(Path("out/r-0.json"))["files"]["bands"] == [12, 0, 5]
    status, _, err = agnostic("visualize", "bands.onnx", *line, "--bands", "12,0,13")
    assert status == 2 and "expected three numbers of 0 to 12" in err


def test_colours_of_the_users_own_pictures(here: Path, agnostic: Run) -> None:
    line = ("r:0", "--images", "own", "--colours", "images", *SMALL, "-o", "out")
    assert agnostic("visualize", "net.onnx", *line)[0] == 0
    assert read_recipe(Path("out/r-0.json"))["colours"]["origin"] == "3 pictures"
    assert agnostic("visualize", "net.onnx", "r:0", "--colours", "none", *SMALL, "-o", "none")[0] == 0
    assert read_recipe(Path("none/r-0.json"))["colours"] is None


def test_an_embedded_model(agnostic: Run, tmp_path: Path) -> None:
    line = ("fire2/concat:3", "tabby", "--size", "48", "--steps", "4", "--json", "-o", str(tmp_path))
    status, out, _ = agnostic("visualize", "squeezenet", *line)
    assert status == 0
    first, second = json.loads(out)["pictures"]
    assert (first["of"], second["of"]) == ("fire2/concat:3", "tabby, tabby cat")
    assert first["activation"] > 0


def test_recipes_are_listed(agnostic: Run) -> None:
    status, out, _ = agnostic("recipes")
    assert status == 0 and "unit" in out and "icon" in out
    status, out, _ = agnostic("recipes", "unit")
    assert status == 0 and "--sign" in out
    status, out, _ = agnostic("recipes", "--json")
    listed = json.loads(out)
    assert {"unit"} <= {item["name"] for item in listed["recipes"]}
    assert {"draft", "icon", "print", "maco"} <= {item["name"] for item in listed["presets"]}
    assert json.loads(agnostic("recipes", "unit", "--json")[1])["options"][0]["name"] == "sign"
    assert agnostic("recipes", "units")[0] == 2


@pytest.mark.parametrize("command", ["visualize", "recipes"])
def test_help_names_every_option(agnostic: Run, command: str) -> None:
    status, out, _ = agnostic(command, "--help")
    assert status == 0 and "Usage:" in out
    if command == "visualize":
        for option in ("--recipe", "--preset", "--images", "--all", "--bands", "--range", "--timeout", "--json"):
            assert option in out
