"""`agnostic explain` on every kind of answer: what it prints, what its JSON holds, what it writes."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from agnostic import Explanation, models

Run = Callable[..., tuple[int, str, str]]
DIGITS = str(models.picture("two_digits"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_a_detector_lists_its_boxes_and_explains_one(folder: Path, agnostic: Run) -> None:
    status, out, err = agnostic("explain", "digits-detector", DIGITS, "-m", "drise", "--masks", "200", "-t", "box:1")
    assert (status, err) == (0, "")
    assert rows(out)[1] == ["box", "name", "score", "left", "top", "right", "bottom"]
    assert rows(out)[2][:2] == ["box:0", "1"] and rows(out)[3][:2] == ["box:1", "3"]
    e = Explanation.load(folder / "two_digits.drise.safetensors")
    assert (e.target, e.values.shape, e.meta["explained"]) == ("box:1", (56, 56), [1])
    assert (folder / "two_digits.drise.png").exists()


def test_the_json_of_a_detector(folder: Path, agnostic: Run) -> None:
    status, out, _ = agnostic("explain", "digits-detector", DIGITS, "-m", "saliency", "-t", "box:0 - box:0/7", "--json")
    assert status == 0
    (item,) = json.loads(out)["items"]
    assert item["answer"] == "boxes"
    first = item["predictions"][0]
    assert first["name"] == "1" and len(first["box"]) == 4
    (found,) = item["explanations"]
    assert re.fullmatch(r"classes/pre\[1,(\d+)\] - classes/pre\[7,\1\]", found["target_key"])
    assert [box["name"] for box in found["boxes"]] == ["1", "3"]


def test_a_segmentation_lists_shares_and_writes_the_region(folder: Path, agnostic: Run) -> None:
    status, out, err = agnostic("explain", "digits-segmenter", DIGITS, "-m", "saliency")
    assert (status, err) == (0, "")
    assert rows(out)[1][:3] == ["class", "name", "share"]
    assert rows(out)[2][:2] == ["0", "ground"]
    e = Explanation.load(folder / "two_digits.saliency.safetensors")
    assert e.target == "digit 3@mask"
    assert e.region is not None and 100 < e.region.sum() < 500


def linear(folder: Path, name: str, answer: str, entries: int) -> None:
    """Write a model of four numbers, y = x @ eye, with a sidecar."""
    ends = [helper.make_tensor_value_info(*end) for end in (
        ("x", TensorProto.FLOAT, ["n", 4]), ("y", TensorProto.FLOAT, ["n", entries])
    )]  # fmt: skip
    weights = [numpy_helper.from_array(np.eye(4, entries, dtype=np.float32), "w")]
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / f"{name}.onnx")
    (folder / f"{name}.agnostic.toml").write_text(answer)
    np.save(folder / "row.npy", np.array([[3.0, -1, 2, 0.5]], np.float32))


def test_a_regression_prints_values_and_units(folder: Path, agnostic: Run) -> None:
    declared = '[answer]\nkind = "regression"\nunit = ["mm", "kg"]\nnames = ["height", "weight"]\n'
    linear(folder, "body", declared, 2)
    status, out, _ = agnostic("explain", "body.onnx", "row.npy", "-m", "kernelshap", "-t", "weight")
    assert status == 0
    assert rows(out)[1:4] == [
        ["number", "name", "value", "unit"],
        ["0", "height", "3", "mm"],
        ["1", "weight", "-1", "kg"],
    ]
    assert "probability" not in out
    e = Explanation.load(folder / "row.kernelshap.safetensors")
    np.testing.assert_allclose(e.values, [0, -1, 0, 0], atol=1e-6)
    assert e.meta["unit"] == "kg"


def test_several_outputs_are_listed_by_name(folder: Path, agnostic: Run) -> None:
    linear(folder, "one", '[answer.outputs.y]\nkind = "labels"\nlabels = ["a", "b", "c"]\n', 3)
    status, out, _ = agnostic("explain", "one.onnx", "row.npy", "-m", "occlusion", "-t", "y:b", "--json")
    assert status == 0
    (item,) = json.loads(out)["items"]
    assert [row["name"] for row in item["predictions"]] == ["a", "c", "b"]
    assert sum(row["probability"] for row in item["predictions"]) > 1.9


def test_a_likeness_shows_both_pictures(folder: Path, agnostic: Run) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:8] = (200, 40, 40)
    Image.fromarray(pixels).save(folder / "red.png")
    Image.fromarray(pixels[::-1]).save(folder / "turned.png")
    ends = [helper.make_tensor_value_info(*end) for end in (
        ("x", TensorProto.FLOAT, ["n", 3, 16, 16]), ("e", TensorProto.FLOAT, ["n", 12])
    )]  # fmt: skip
    nodes = [
        helper.make_node("AveragePool", ["x"], ["p"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["p"], ["e"]),
    ]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), folder / "e.onnx")
    (folder / "e.agnostic.toml").write_text('[preprocess]\nsize = [16, 16]\n[answer]\nkind = "embedding"\n')
    status, out, _ = agnostic(
        "explain", "e.onnx", "red.png", "-m", "occlusion", "-t", "like:turned.png", "-t", "like:red.png"
    )
    assert status == 0
    assert rows(out)[1:3] == [["embedding", "length"], ["e", "1.1527"]]
    found = [Explanation.load(folder / f"red.occlusion.like-{name}-png.safetensors") for name in ("turned", "red")]
    assert found[0].meta["score"] == pytest.approx(0, abs=1e-6) and found[1].meta["score"] == pytest.approx(1)
    with Image.open(folder / "red.occlusion.png") as figure:
        # A row for each target: the input, what it is compared with, and the map, each 560 wide.
        assert figure.width // 560 == 3 and figure.height > 2 * 560
