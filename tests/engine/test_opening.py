import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

import agnostic
from agnostic import models
from agnostic.engine.model import Model
from agnostic.engine.preprocess import IMAGENET_MEAN
from agnostic.errors import ModelError, UsageError

TEXT = "g (float[n,3,8,8] x) => (float[n,3,8,8] probabilities) { probabilities = Softmax<axis=1>(x) }"
TWO = "g (float[n,3,8,8] x) => (float[n,3] y) { m = GlobalAveragePool(x)\n z = Flatten(m)\n y = Softmax(z) }"
Build = Callable[..., onnx.ModelProto]


@pytest.fixture
def file(graph: Build, tmp_path: Path) -> Path:
    path = tmp_path / "net.onnx"
    onnx.save(graph(TWO), path)
    return path


def test_a_model_opens_from_a_path_its_text_bytes_a_graph_and_a_folder(file: Path) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    expected = agnostic.load(file).run(x)["y"]
    others = [str(file), file.read_bytes(), onnx.load(file), file.parent]
    models = [agnostic.load(source) for source in others]
    assert [model.name for model in models] == ["net", "model", "model", file.parent.name]
    for model in models:
        assert np.array_equal(model.run(x)["y"], expected)
    assert models[0].sha256 == models[1].sha256 == models[3].sha256


def test_an_embedded_model_opens_by_name(squeezenet_model: Model) -> None:
    import hashlib

    assert squeezenet_model.name == "squeezenet"
    assert squeezenet_model.sha256 == hashlib.sha256(models.path("squeezenet").read_bytes()).hexdigest()
    assert squeezenet_model.labels is not None and len(squeezenet_model.labels) == 1000


def test_a_file_of_the_name_of_an_embedded_model_wins(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(file.parent)
    file.rename("squeezenet")
    assert agnostic.load("squeezenet").inputs[0].shape == ("n", 3, 8, 8)


@pytest.mark.parametrize("source", ["missing.onnx", "squeezenett", "a" * 5000, "nul\0byte"])
def test_what_is_not_there_is_refused(source: str) -> None:
    with pytest.raises(ModelError) as caught:
        agnostic.load(source)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_flags_complete_what_is_declared_and_what_is_assumed(graph: Build) -> None:
    declared = graph(TWO, metadata={"agnostic.preprocess": json.dumps({"size": [8, 8], "channels": "BGR"})})
    way = agnostic.load(declared, preprocess={"scale": 1.0, "resize": None}).preprocess
    assert way is not None
    assert (way.channels, way.scale, way.size, way.origin) == ("BGR", 1.0, (8, 8), "metadata and flags")
    way = agnostic.load(graph(TWO), preprocess={"channels": "BGR"}).preprocess
    assert way is not None
    assert (way.channels, way.mean, way.size, way.origin) == ("BGR", IMAGENET_MEAN, (8, 8), "assumed and flags")
    with pytest.raises(UsageError, match="unknown preprocess key 'colour'"):
        agnostic.load(graph(TWO), preprocess={"colour": 1})


def test_a_file_of_labels_wins_and_has_to_fit(file: Path) -> None:
    names = file.with_name("names.txt")
    names.write_text("a\nb\nc\n")
    model = agnostic.load(file, labels=names)
    assert (model.labels, model.target("b").key) == (("a", "b", "c"), "z[1]")
    names.write_text("a\nb\n")
    with pytest.raises(UsageError, match=r"names.txt holds 2 class names, the model has 3 classes"):
        agnostic.load(file, labels=names)


def test_scores_are_those_before_the_softmax_unless_told_otherwise(graph: Build) -> None:
    assert agnostic.load(graph(TWO)).scores_tensor == "z"
    assert agnostic.load(graph(TWO), raw_output=True).scores_tensor == "y"
    # What the softmax of an input is of, is the input.
    assert agnostic.load(graph(TEXT)).run(np.zeros((1, 3, 8, 8)))["probabilities"][0, 0, 0, 0] == pytest.approx(1 / 3)


def test_cuda_is_refused_where_there_is_none(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agnostic.engine.runtime.cuda_devices", lambda: 0)
    model = agnostic.load(file, device="cuda")
    with pytest.raises(UsageError, match=r"--device cuda: .*; use --device cpu, or see `agnostic doctor`"):
        model.run(np.zeros((1, 3, 8, 8)))
    assert agnostic.load(file, device="auto").provider == "CPUExecutionProvider"
