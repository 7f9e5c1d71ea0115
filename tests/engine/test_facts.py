import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import pytest

from agnostic.engine import facts
from agnostic.errors import ModelError, UsageError

TEXT = "g (float[n,3,8,8] x) => (float[n,3,8,8] y) { y = Relu(x) }"
Build = Callable[..., onnx.ModelProto]


@pytest.fixture
def saved(graph: Build, tmp_path: Path) -> Callable[..., Path]:
    """Save a model into a folder; metadata by keyword."""

    def saved(name: str = "net.onnx", **metadata: Any) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        entries = {f"agnostic.{key}": json.dumps(value) for key, value in metadata.items()}
        onnx.save(graph(TEXT, metadata=entries), path)
        return path

    return saved


def read(path: Path) -> facts.Facts:
    return facts.gather(onnx.load(path), path)


def test_nothing_declared_is_nothing_known(saved: Callable[..., Path]) -> None:
    assert read(saved()) == facts.Facts(None, None)
    assert facts.gather(onnx.load(saved()), None) == facts.Facts(None, None)


def test_metadata(saved: Callable[..., Path]) -> None:
    found = read(saved(labels=["a", " b"], preprocess={"channels": "BGR", "scale": 1}))
    assert found.labels == ("a", "b")
    assert found.preprocess is not None
    assert (found.preprocess.channels, found.preprocess.origin) == ("BGR", "metadata")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("agnostic.labels", "[1, 2]", "labels must be a list of names"),
        ("agnostic.labels", '"cat"', "labels must be a list of names"),
        ("agnostic.labels", '{"0": "a", "2": "c"}', "labels must be a list of names"),
        ("agnostic.labels", '{"a": "b"}', "labels must be a list of names"),
        ("agnostic.labels", "[", "metadata agnostic.labels: not valid JSON"),
        ("agnostic.preprocess", "[]", "expected a table of names and values"),
        ("agnostic.preprocess", '{"size": "x"}', "metadata: preprocess size='x'"),
        ("agnostic.labels", "[" * 100_000, "not valid JSON"),
    ],
)
def test_wrong_metadata_is_refused(graph: Build, key: str, value: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        facts.from_metadata(graph(TEXT, metadata={key: value}))
    assert message in str(caught.value)


def test_the_sidecar_wins_over_the_metadata(saved: Callable[..., Path]) -> None:
    path = saved(labels=["a", "b"], preprocess={"channels": "BGR"})
    path.with_name("net.agnostic.toml").write_text('labels = ["c", "d"]\n[preprocess]\nscale = 0.5\nsize = [8, 9]\n')
    found = read(path)
    assert found.labels == ("c", "d")
    assert found.preprocess is not None
    assert (found.preprocess.scale, found.preprocess.size, found.preprocess.channels) == (0.5, (8, 9), "RGB")
    assert found.preprocess.origin == "net.agnostic.toml"


def test_a_sidecar_of_labels_only_leaves_the_metadata_s_preprocessing(saved: Callable[..., Path]) -> None:
    path = saved(preprocess={"channels": "BGR"})
    path.with_name("net.agnostic.toml").write_text('labels = "names.txt"\n')
    path.with_name("names.txt").write_text("Käse\nbread \n", encoding="utf-8")
    found = read(path)
    assert found.labels == ("Käse", "bread")
    assert found.preprocess is not None and found.preprocess.channels == "BGR"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("labels = [", "not valid TOML"),
        ("label = []", "unknown key 'label'; known: labels, preprocess"),
        ("labels = 3", "labels must be a list of names"),
        ("preprocess = 3", "expected a table"),
        ('[preprocess]\nlayout = "XYZ"', "expected one of NCHW"),
        ('labels = "gone.txt"', "gone.txt: cannot be read: No such file"),
    ],
)
def test_a_wrong_sidecar_is_refused(saved: Callable[..., Path], content: str, message: str) -> None:
    path = saved()
    path.with_name("net.agnostic.toml").write_text(content)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [("l.txt", "a\nb\nc\n"), ("l.json", '["a", "b", "c"]'), ("l.json", '{"1": "b", "0": "a", "2": "c"}')],
)
def test_files_of_labels(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert facts.read_labels(tmp_path / name) == ("a", "b", "c")


def test_ten_labels_are_ordered_by_number_not_by_text() -> None:
    assert facts.as_labels({str(i): f"c{i}" for i in reversed(range(12))}, "x") == tuple(f"c{i}" for i in range(12))


def test_a_file_of_labels_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "l.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not UTF-8 text"):
        facts.read_labels(tmp_path / "l.txt")
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(facts.SMALL_FILE + 1)
    with pytest.raises(UsageError, match="larger than 8 MB"):
        facts.read_labels(tmp_path / "large.txt")


PROCESSOR = {
    "do_resize": True,
    "size": {"shortest_edge": 256},
    "do_center_crop": True,
    "crop_size": {"height": 224, "width": 192},
    "do_rescale": True,
    "rescale_factor": 1 / 255,
    "do_normalize": True,
    "image_mean": [0.1, 0.2, 0.3],
    "image_std": [0.5, 0.6, 0.7],
}


@pytest.mark.parametrize("name", ["model.onnx", "onnx/model.onnx"])
def test_a_hugging_face_folder(saved: Callable[..., Path], tmp_path: Path, name: str) -> None:
    path = saved(name)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "vit", "id2label": {"0": "cat", "1": "dog"}}))
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    assert facts.find_model_file(tmp_path) == path
    found = read(path)
    assert found.labels == ("cat", "dog")
    assert found.preprocess is not None
    assert found.preprocess.as_dict() == {
        "layout": "NCHW", "size": [224, 192], "channels": "RGB", "scale": 1 / 255, "mean": [0.1, 0.2, 0.3],
        "std": [0.5, 0.6, 0.7], "resize": "crop", "origin": "preprocessor_config.json",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"size": 384, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}, {"size": (384, 384), "resize": "squash"}),
        ({"size": {"height": 20, "width": 30}}, {"size": (20, 30), "mean": (0.0,), "std": (1.0,)}),
        ({"size": 8, "do_rescale": False}, {"scale": 1.0}),
        ({"size": 8, "do_normalize": False, "image_mean": [9, 9, 9]}, {"mean": (0.0,), "std": (1.0,)}),
        ({"size": {"shortest_edge": 10}}, {"size": (10, 10)}),
    ],
)
def test_image_processors(tmp_path: Path, values: dict[str, Any], expected: dict[str, Any]) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(values))
    found = facts.from_hugging_face(tmp_path).preprocess
    assert {name: getattr(found, name) for name in expected} == expected


def test_a_processor_of_text_declares_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "preprocessor_config.json").write_text('{"feature_size": 1}')
    assert facts.from_hugging_face(tmp_path) == facts.Facts()


def test_another_tool_s_config_is_passed_over(saved: Callable[..., Path], tmp_path: Path) -> None:
    path = saved(labels=["a"])
    (tmp_path / "config.json").write_text("[1, 2]")
    assert read(path).labels == ("a",)


MLFLOW = """artifact_path: model
flavors:
  onnx:
    code: null
    data: {data}
    onnx_version: 1.16.0
  python_function:
    data: elsewhere.onnx
    loader_module: mlflow.onnx
"""


@pytest.mark.parametrize("data", ["weights.onnx", "'weights.onnx'", '"weights.onnx"'])
def test_an_mlflow_folder(saved: Callable[..., Path], tmp_path: Path, data: str) -> None:
    path = saved("weights.onnx")
    saved("model.onnx")
    (tmp_path / "MLmodel").write_text(MLFLOW.format(data=data))
    assert facts.find_model_file(tmp_path) == path


@pytest.mark.parametrize("data", ["../out.onnx", "/etc/out.onnx", "a/../../out.onnx"])
def test_an_mlflow_file_cannot_point_outside(tmp_path: Path, data: str) -> None:
    (tmp_path / "MLmodel").write_text(MLFLOW.format(data=data))
    with pytest.raises(ModelError, match="lies outside the folder"):
        facts.find_model_file(tmp_path)


def test_an_mlflow_model_of_another_flavour_is_refused(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text("flavors:\n  sklearn:\n    data: m.pkl\n")
    with pytest.raises(ModelError, match="no ONNX flavour"):
        facts.find_model_file(tmp_path)


def test_a_folder_with_one_model_or_not(saved: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"holds no \.onnx file; expected model.onnx"):
        facts.find_model_file(tmp_path)
    path = saved("only.onnx")
    assert facts.find_model_file(tmp_path) == path
    saved("second.onnx")
    with pytest.raises(ModelError, match=r"holds 2 \.onnx files"):
        facts.find_model_file(tmp_path)
