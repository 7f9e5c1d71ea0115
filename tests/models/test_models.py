"""The names, files and predictions of the embedded models and pictures."""

import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from PIL import Image

import agnostic
from agnostic import models
from agnostic.errors import UsageError

CATS = (281, 282, 285)  # tabby, tiger cat, Egyptian cat
CUPS = (504, 967, 968)  # coffee mug, espresso, cup
ROCKETS = (657, 744, 812)  # missile, projectile, space shuttle

Predict = Callable[[str, str], dict[int, float]]


def best(probabilities: dict[int, float], count: int) -> list[int]:
    return sorted(probabilities, key=probabilities.__getitem__, reverse=True)[:count]


@pytest.mark.parametrize("name", models.names())
def test_a_model_is_the_file_that_the_manifest_states(name: str) -> None:
    entry = models.manifest()["models"][name]
    data = models.path(name).read_bytes()
    assert (len(data), sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])


@pytest.mark.parametrize("name", models.pictures())
def test_a_picture_is_the_file_that_the_manifest_states(name: str) -> None:
    entry = models.manifest()["pictures"][name]
    data = models.picture(name).read_bytes()
    assert (len(data), sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])
    with Image.open(models.picture(name)) as picture:
        assert (list(picture.size), picture.mode) == (entry["size"], "RGB")


@pytest.mark.parametrize("name", models.samples())
def test_a_sample_is_the_file_that_the_manifest_states(name: str) -> None:
    entry = models.manifest()["samples"][name]
    data = models.sample(name).read_bytes()
    assert (len(data), sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])
    assert len(data.splitlines()) == entry["rows"] + 1  # and a header


def test_nothing_travels_without_an_entry_or_a_licence() -> None:
    manifest, folder = models.manifest(), Path(models.__file__).parent
    assert {path.name for path in (folder / "pictures").iterdir()} == {
        Path(entry["file"]).name for entry in manifest["pictures"].values()
    }
    embedded = {entry["file"] for entry in manifest["models"].values() if entry["embedded"]}
    assert {path.name for path in folder.glob("*.onnx")} == embedded
    assert {path.name for path in (folder / "samples").iterdir()} == {
        Path(entry["file"]).name for entry in manifest["samples"].values()
    }
    licences = {folder / file for entry in manifest["models"].values() for file in entry["licence_files"]}
    assert licences == set((folder / "licenses").iterdir())
    assert all(entry["licence"] for group in manifest.values() for entry in group.values())


@pytest.mark.parametrize(
    ("model", "picture", "label", "probability"),
    [
        ("squeezenet", "chelsea", 285, 0.636),
        ("squeezenet", "coffee", 967, 0.9996),
        ("efficientnet-lite0", "chelsea", 285, 0.821),
        ("efficientnet-lite0", "coffee", 967, 0.901),
    ],
)
def test_a_model_knows_a_picture(predict: Predict, model: str, picture: str, label: int, probability: float) -> None:
    probabilities = predict(model, picture)
    assert best(probabilities, 1) == [label]
    assert probabilities[label] == pytest.approx(probability, abs=0.005)


@pytest.mark.parametrize("model", ["squeezenet", "efficientnet-lite0"])
def test_a_rocket_is_among_the_five_likeliest(predict: Predict, model: str) -> None:
    assert set(best(predict(model, "rocket"), 5)) & set(ROCKETS)


@pytest.mark.parametrize(("model", "least"), [("squeezenet", 0.25), ("efficientnet-lite0", 0.09)])
def test_cat_and_coffee_holds_both(predict: Predict, model: str, least: float) -> None:
    probabilities = predict(model, "cat_and_coffee")
    top = best(probabilities, 5)
    for group in (CATS, CUPS):
        assert max(probabilities[label] for label in group if label in top) > least


def test_an_unknown_name_gets_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="unknown model 'squeezent'; did you mean 'squeezenet'"):
        models.path("squeezent")
    with pytest.raises(UsageError, match="unknown sample 'seson'; did you mean 'season'"):
        models.sample("seson")
    with pytest.raises(UsageError, match="unknown picture 'chelse'; did you mean 'chelsea'"):
        models.picture("chelse")


@pytest.mark.parametrize(("name", "layer"), [("squeezenet", "fire9/concat"), ("efficientnet-lite0", "block16/project")])
def test_load_opens_the_model_of_that_name(name: str, layer: str) -> None:
    model = models.load(name)
    assert isinstance(model, agnostic.Model)
    assert model.labels[285] == "Egyptian cat"
    assert layer in {each.name for each in model.layers}


def test_importing_the_room_imports_no_onnx() -> None:
    script = "import sys, agnostic.models; print(*{'onnx', 'numpy', 'PIL', 'onnxruntime'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
