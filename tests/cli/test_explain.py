"""`agnostic explain`: what it writes, what it prints, what its options do."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agnostic import Explanation, models

Run = Callable[..., tuple[int, str, str]]
PICTURE = str(models.picture("cat_and_coffee"))


def test_records_and_figures_of_two_targets_and_two_methods(tmp_path: Path, agnostic: Run) -> None:
    status, out, err = agnostic(
        "explain", "squeezenet", PICTURE, "-m", "cam,eigencam", "-t", "Egyptian cat", "-t", "504", "-o", str(tmp_path)
    )
    assert (status, err) == (0, "")
    assert "Egyptian cat" in out
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {
        "cat_and_coffee.cam.png",
        "cat_and_coffee.eigencam.png",
        "cat_and_coffee.all.png",
        "cat_and_coffee.cam.egyptian-cat.safetensors",
        "cat_and_coffee.cam.coffee-mug.safetensors",
        "cat_and_coffee.eigencam.egyptian-cat.safetensors",
        "cat_and_coffee.eigencam.coffee-mug.safetensors",
    }
    record = Explanation.load(tmp_path / "cat_and_coffee.cam.coffee-mug.safetensors")
    assert (record.method, record.target, record.values.shape) == ("cam", "coffee mug", (224, 224))
    with Image.open(tmp_path / "cat_and_coffee.all.png") as figure:
        figure.verify()


def test_json_is_one_object_and_everything_else_goes_to_stderr(place: Path, agnostic: Run) -> None:
    status, out, err = agnostic("explain", "good.onnx", "small.png", "-m", "occlusion", "--window", "16", "--json")
    report = json.loads(out)
    assert status == 0
    assert "declares no preprocessing" in err
    (item,) = report["items"]
    assert item["predictions"][0]["name"].startswith("class ")
    (found,) = item["explanations"]
    assert found["settings"]["window"] == 16
    assert found["shape"] == [32, 32]
    assert Path(found["record"]).exists()
    assert all(Path(figure).exists() for figure in item["figures"])


def test_the_summary_of_a_gradient_says_how_far_the_re_import_can_be_trusted(place: Path, agnostic: Run) -> None:
    status, out, _ = agnostic("explain", "good.onnx", "small.png", "-m", "saliency")
    assert status == 0
    assert re.search(r"parity \de[+-]\d\d \(random input \de[+-]\d\d\)", " ".join(out.split()))


def test_the_same_seed_gives_the_same_record(place: Path, agnostic: Run) -> None:
    values = []
    for folder, size in (("a", "3"), ("b", "8")):
        agnostic("explain", "good.onnx", "small.png", "-m", "rise", "--masks", "40", "-o", folder, "--batch-size", size)
        values.append(Explanation.load(Path(folder) / "small.rise.safetensors").values)
    np.testing.assert_allclose(values[0], values[1], rtol=1e-5, atol=1e-6)


def test_flags_declare_the_preprocessing(place: Path, agnostic: Run) -> None:
    flags = ["--scale", "1", "--mean", "127", "--std", "128", "--channels", "BGR"]
    status, out, err = agnostic("inspect", "good.onnx", "--json", *flags)
    declared = json.loads(out)["preprocess"]
    assert (status, err) == (0, "")
    assert (declared["channels"], declared["scale"], declared["mean"], declared["std"]) == (
        "BGR",
        1.0,
        [127.0],
        [128.0],
    )


def test_named_inputs_go_with_the_picture(place: Path, agnostic: Run) -> None:
    status, _, err = agnostic("explain", "good.onnx", "x=small.png", "-m", "occlusion", "--window", "16", "--quiet")
    assert (status, err) == (0, "")
    status, _, err = agnostic("explain", "good.onnx", "small.png", "weight=2", "-m", "occlusion", "--quiet")
    assert status == 2
    assert "unknown input 'weight'" in err


def test_arrays_are_explained_without_a_picture(place: Path, agnostic: Run) -> None:
    np.save("x.npy", np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32))
    status, out, _ = agnostic("explain", "good.onnx", "x.npy", "-m", "occlusion", "--window", "16")
    assert status == 0
    assert "x.occlusion.png" in out


@pytest.mark.parametrize("command", [["--help"], ["explain", "--help"], ["inspect", "--help"], ["methods", "--help"]])
def test_help_is_there(agnostic: Run, command: list[str]) -> None:
    status, out, _ = agnostic(*command)
    assert status == 0
    assert "Usage: agnostic" in out or "Usage:" in out


def test_a_class_against_the_rest(agnostic: Run, tmp_path: Path) -> None:
    status, out, _ = agnostic(
        "explain", "squeezenet", PICTURE, "-m", "cam", "-t", "top vs rest", "--json", "-o", str(tmp_path)
    )
    assert status == 0
    (found,) = json.loads(out)["items"][0]["explanations"]
    assert found["target"] == "Egyptian cat vs rest"
    assert found["probability"] == pytest.approx(0.316, abs=0.01)
    assert found["target_key"].startswith("logits[285] - ")
