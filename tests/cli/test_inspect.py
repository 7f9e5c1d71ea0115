"""`agnostic inspect`, `methods`, `doctor`, `--version` and `demo`."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from agnostic import __version__

Run = Callable[..., tuple[int, str, str]]


def test_squeezenet_as_a_table(agnostic: Run) -> None:
    status, out, err = agnostic("inspect", "squeezenet")
    assert (status, err) == (0, "")
    for expected in ("image float32 [batch, 3, 224, 224]", "logits float32 [batch, 1000]", "BGR", "tench"):
        assert expected in out
    layer = next(line for line in out.splitlines() if line.startswith("fire9/concat "))
    assert layer.split() == ["fire9/concat", "Concat", "map", "512", "x", "13", "x", "13"]


def test_squeezenet_as_json(agnostic: Run) -> None:
    status, out, _ = agnostic("inspect", "squeezenet", "--json")
    found = json.loads(out)
    assert status == 0
    assert found["inputs"] == [{"name": "image", "dtype": "float32", "shape": ["batch", 3, 224, 224]}]
    assert len(found["labels"]) == 1000
    assert found["preprocess"]["mean"] == [103.939, 116.779, 123.68]
    assert "fire9/concat" in [layer["name"] for layer in found["layers"]]


def test_every_method_lists_its_options_with_help(agnostic: Run) -> None:
    _, out, _ = agnostic("methods", "--json")
    methods = {item["name"]: item for item in json.loads(out)["methods"]}
    assert {"occlusion", "lime", "kernelshap", "rise", "scorecam", "ablationcam", "eigencam", "cam"} <= set(methods)
    for item in methods.values():
        assert item["summary"]
        assert all(option["help"] for option in item["options"]), item["name"]


def test_methods_of_a_model_say_why_not(place: Path, agnostic: Run) -> None:
    status, out, _ = agnostic("methods", "good.onnx", "--json")
    rows = {row["name"]: row for row in json.loads(out)["methods"]}
    assert status == 0
    assert rows["lime"]["runs"] and not rows["lime"]["reason"]
    assert not rows["cam"]["runs"] and rows["cam"]["reason"]


def test_an_unknown_name_is_neither_method_nor_model(agnostic: Run) -> None:
    status, _, err = agnostic("methods", "limee")
    assert status == 2
    assert "did you mean 'lime'" in err


def test_the_version(agnostic: Run) -> None:
    assert agnostic("--version") == (0, f"agnostic {__version__}\n", "")


def test_doctor_finds_a_healthy_installation(agnostic: Run) -> None:
    status, out, _ = agnostic("doctor", "--json")
    report = json.loads(out)
    assert status == 0, report
    assert report["ok"]
    assert any("Egyptian cat" in item["result"] for item in report["findings"])


def test_doctor_sees_two_runtimes(agnostic: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agnostic.cli.checking.installed_runtimes", lambda: ("onnxruntime", "onnxruntime-gpu"))
    status, out, _ = agnostic("doctor")
    assert status == 1
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in " ".join(out.split())


def test_what_is_declared_of_rows_and_series_is_summed_up(agnostic: Run) -> None:
    _, out, _ = agnostic("inspect", "breast-cancer")
    assert "30 columns: mean radius, mean texture, mean perimeter, ..." in out
    assert "10 groups: radius, texture, perimeter, ..." in out
    _, out, _ = agnostic("inspect", "season", "--json")
    assert json.loads(out)["declared"]["series"]["layout"] == "NCT"
