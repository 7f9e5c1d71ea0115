import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from agnostic.converters import tensorflow_files
from agnostic.errors import ConversionError


def keras_file(path: Path, *layers: dict[str, Any]) -> Path:
    description = {"module": "keras", "class_name": "Sequential", "config": {"layers": list(layers)}}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(description))
        archive.writestr("model.weights.h5", b"x")
    return path


DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 3, "activation": "relu"}}
CODE = {
    "a lambda": {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"function": {"class_name": "__lambda__"}},
    },
    "a class from elsewhere": {"module": "os", "class_name": "system", "config": {"command": "touch touched"}},
    "one inside another": {**DENSE, "config": {"activation": {"module": "subprocess", "class_name": "Popen"}}},
    "a look-alike": {"module": "keras_tools.layers", "class_name": "Dense", "config": {}},
}


@pytest.mark.parametrize("case", CODE)
def test_code_in_a_description_is_refused_before_keras_sees_it(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "keras", None)  # importing it would fail
    with pytest.raises(ConversionError, match=r"net\.keras has (a Lambda layer|the class).*nothing of it was run"):
        tensorflow_files.open_keras(keras_file(tmp_path / "net.keras", DENSE, CODE[case]))
    assert not Path("touched").exists()


def test_an_honest_description_passes(tmp_path: Path) -> None:
    path = keras_file(tmp_path / "net.keras", DENSE, {**DENSE, "module": None})
    tensorflow_files._check_layers(path, tensorflow_files._description(path))


@pytest.mark.parametrize("text", ["", "{", "[" * 10**5])
def test_a_damaged_description_is_refused(text: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("config.json" if text else "other.json", text)
    with pytest.raises(ConversionError, match=r"no readable config\.json"):
        tensorflow_files.open_keras(tmp_path / "net.keras")
