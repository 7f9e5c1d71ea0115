import json
import pickle
import struct
import zipfile
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
import torch
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression

from agnostic import models
from agnostic.converters import isolation, sources
from agnostic.errors import ConversionError, UsageError


def zipped(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return path


FILES = {
    "keras zip": (lambda p: zipped(p, "config.json", "model.weights.h5"), "keras"),
    "hdf5": (lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(30)), "keras"),
    "tflite": (lambda p: p.write_bytes(b"\x1c\0\0\0TFL3" + bytes(30)), "tflite"),
    "program": (lambda p: zipped(p, "m/models/model.json", "m/archive_format"), "torch"),
    "script": (lambda p: zipped(p, "m/data.pkl", "m/code/__torch__.py", "m/version"), "torch"),
    "xgboost json": (lambda p: p.write_text('{"learner": {}, "version": [3, 0, 0]}'), "xgboost"),
    "xgboost ubj": (lambda p: p.write_bytes(b"{L" + struct.pack(">q", 7) + b"learner{"), "xgboost"),
    "lightgbm": (lambda p: p.write_text("tree\nversion=v4\nnum_class=1\n"), "lightgbm"),
    "catboost": (lambda p: p.write_bytes(b"CBM1" + bytes(40)), "catboost"),
    "skops": (lambda p: zipped(p, "schema.json", "1.npy"), "sklearn"),
    "pickle": (lambda p: p.write_bytes(pickle.dumps([1])), "sklearn"),
    "compressed": (lambda p: joblib.dump([1] * 99, p, compress=3), "sklearn"),
}


@pytest.mark.parametrize("case", FILES)
def test_files_are_told_by_their_content(case: str, tmp_path: Path) -> None:
    write, framework = FILES[case]
    # Compressed pickles look like anything compressed: there the name counts too.
    path = tmp_path / ("m.joblib" if case == "compressed" else "model.bin")
    write(path)
    found = sources.recognise(path)
    assert found is not None and found.name == framework


def folder(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, text in files.items():
        (path / name.replace("__", ".")).write_text(text)
    return path


def test_folders_are_told_by_what_lies_in_them(tmp_path: Path) -> None:
    cases = {
        "keras": folder(tmp_path / "tf", saved_model__pb="x"),
        "hugging_face": folder(tmp_path / "hf", config__json='{"model_type": "bert"}', model__safetensors="x"),
        "paddle": folder(tmp_path / "pd", net__pdmodel="x", net__pdiparams="x"),
    }
    assert {name: sources.of_path(path).name for name, path in cases.items()} == {name: name for name in cases}
    assert sources.of_path(tmp_path / "pd" / "net.pdmodel").name == "paddle"
    for empty in (
        folder(tmp_path / "no", config__json="{}"),
        folder(tmp_path / "bad", config__json="{", a__safetensors=""),
    ):
        assert sources.recognise(empty) is None


def test_onnx_and_unknown_files_are_none_of_them(tmp_path: Path) -> None:
    assert sources.recognise(models.path("squeezenet")) is None
    (tmp_path / "x.bin").write_bytes(b"nothing known")
    for path, cause in (
        (models.path("squeezenet"), "an ONNX file already"),
        (tmp_path / "x.bin", "no model file that is known"),
        (tmp_path / "none", "does not exist"),
        (tmp_path, r"a folder with x\.bin"),
    ):
        with pytest.raises(ConversionError, match=cause) as refusal:
            sources.of_path(path)
        assert "what works: " in str(refusal.value) and ".pt2" in str(refusal.value)


def test_checkpoints_are_described_without_being_opened(tmp_path: Path) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / "weights.pt")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "module.pt")
    with pytest.raises(ConversionError, match="weights without the network"):
        sources.of_path(tmp_path / "weights.pt")
    with pytest.raises(
        ConversionError, match=r"names torch\.nn\.modules\.linear\.Linear.*not opened.*agnostic\.convert"
    ):
        sources.of_path(tmp_path / "module.pt")


@pytest.mark.parametrize(
    ("thing", "framework"),
    [(torch.nn.Linear(2, 2), "torch"), (LogisticRegression(), "sklearn"), (LGBMClassifier(), "lightgbm")],
    ids=["torch", "sklearn", "lightgbm"],
)
def test_objects_are_told_by_what_they_descend_from(thing: Any, framework: str) -> None:
    assert sources.of_object(thing).name == framework


def test_keras_models_on_torch_are_keras() -> None:
    base = type("Model", (torch.nn.Module,), {"__module__": "keras.src.models.model"})
    assert sources.of_object(type("Mine", (base,), {})()).name == "keras"


def test_other_objects_are_refused_with_their_type() -> None:
    with pytest.raises(ConversionError, match=r"type numpy\.ndarray cannot be converted; what works"):
        sources.of_object(np.ones(3))
    with pytest.raises(ConversionError, match="framework='jax'"):
        sources.of_object(lambda x: x)
    with pytest.raises(UsageError, match="did you mean 'keras'"):
        sources.get("kera")


def test_every_framework_has_its_module_its_pins_and_a_way_to_get_it() -> None:
    for framework in sources.FRAMEWORKS:
        path = Path(sources.__file__).with_name(f"{framework.module}.py")
        assert "\ndef convert(source: Any, request: Request) -> Converted:" in path.read_text("utf-8")
        assert framework.environment in isolation.names()
    missing = sources.Framework("x", "X", "from_x", "", ("json", "no_such_package"), "torch", (), "xyz")
    with pytest.raises(UsageError, match=r"needs no_such_package.*`agnostic convert m\.x .*--isolate`.*install xyz"):
        sources.check_importable(missing, "m.x")
    assert json.dumps(missing.missing) == '["no_such_package"]'
