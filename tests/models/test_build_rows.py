"""The models of tables and series: the files are what the scripts make, and as good as the manifest says."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from agnostic import models
from agnostic.models import build_breast_cancer, build_breast_cancer_trees, build_mnist_cnn, build_season
from agnostic.models.graph import to_bytes

MOST = 3_000_000


def run(model: bytes, name: str, x: Any) -> Any:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {name: np.asarray(x, np.float32)})[-1]


def embedded(name: str) -> bytes:
    return models.path(name).read_bytes()


def stated(name: str) -> dict[str, Any]:
    return dict(models.manifest()["models"][name]["held_out"])


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("name", ["breast-cancer", "breast-cancer-trees", "mnist-cnn", "season"])
def test_files_are_small_valid_and_say_where_their_data_is_from(name: str) -> None:
    proto = onnx.load(models.path(name))
    onnx.checker.check_model(proto)
    assert len(embedded(name)) < MOST
    assert "Data:" in proto.doc_string or "Digits:" in proto.doc_string
    facts = {entry.key: json.loads(entry.value) for entry in proto.metadata_props}
    assert len(facts["agnostic.labels"]) in (2, 4, 10)


def test_the_perceptron_is_trained_again_to_the_same_answers() -> None:
    learnt, held_out, names = build_breast_cancer.read_rows()
    again = to_bytes(build_breast_cancer.write(build_breast_cancer.train(learnt), learnt, names))
    was, found = (run(model, "row", held_out.x) for model in (embedded("breast-cancer"), again))
    np.testing.assert_allclose(found, was, atol=1e-3)
    assert {"rows": len(was), "accuracy": round(float((was.argmax(1) == held_out.y).mean()), 3)} == stated(
        "breast-cancer"
    )


def test_the_perceptron_says_the_same_in_onnx() -> None:
    learnt, held_out, names = build_breast_cancer.read_rows()
    network = build_breast_cancer.train(learnt)
    scaled = torch.tensor((held_out.x - learnt.x.mean(axis=0)) / learnt.x.std(axis=0))
    expected = network(scaled).detach().numpy()
    found = run(to_bytes(build_breast_cancer.write(network, learnt, names)), "row", held_out.x)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_trees_are_grown_again_to_the_same_answers() -> None:
    learnt, held_out, names = build_breast_cancer_trees.read_rows()
    trees = build_breast_cancer_trees.train(learnt)
    again = to_bytes(build_breast_cancer_trees.write(trees, learnt, names))
    was, found = (run(model, "row", held_out.x) for model in (embedded("breast-cancer-trees"), again))
    np.testing.assert_allclose(found, was, atol=1e-6)
    np.testing.assert_allclose(was, trees.predict_proba(held_out.x), atol=1e-5)
    assert stated("breast-cancer-trees")["accuracy"] == round(float((was.argmax(1) == held_out.y).mean()), 3)


def test_the_samples_are_rows_that_were_held_out_or_learnt_from(tmp_path: Path) -> None:
    build_breast_cancer.write_samples(tmp_path)
    build_season.write_sample(tmp_path / "season.csv")
    for name in models.samples():
        assert (tmp_path / models.sample(name).name).read_bytes() == models.sample(name).read_bytes()
    learnt, held_out, names = build_breast_cancer.read_rows()
    rows = list(csv.reader(models.sample("breast_cancer").read_text("utf-8").splitlines()))
    assert rows[0] == [*names, "diagnosis"]
    shown = np.array([row[:-1] for row in rows[1:]], float)
    assert (shown[:, None] == held_out.x).all(axis=2).any(axis=1).all()
    assert not (shown[:, None] == learnt.x).all(axis=2).any()


def test_the_season_is_written_as_it_is_trained_and_as_good_as_stated() -> None:
    learnt, held_out = build_season.read_windows()
    assert not set(learnt.first) & set(held_out.first)
    network = build_season.train(build_season.Windows(learnt.x[:128], learnt.y[:128], learnt.first[:128]), epochs=2)
    expected = network(torch.tensor(held_out.x[:9])[:, None]).detach().numpy()
    found = run(to_bytes(build_season.write(network)), "heat", held_out.x[:9, None])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    answers = run(embedded("season"), "heat", held_out.x[:, None]).argmax(1)
    assert {"windows": len(answers), "accuracy": round(float((answers == held_out.y).mean()), 3)} == stated("season")


def test_the_digits_are_written_as_they_are_trained_and_as_good_as_stated() -> None:
    learnt, held_out = build_mnist_cnn.read_digits()
    few = build_mnist_cnn.Digits(learnt.pixels[:128], learnt.labels[:128])
    network = build_mnist_cnn.train(few, epochs=1)
    image = held_out.pixels[:, None] / 255
    expected = network(torch.tensor(image[:9], dtype=torch.float32)).detach().numpy()
    np.testing.assert_allclose(run(to_bytes(build_mnist_cnn.write(network)), "image", image[:9]), expected, atol=1e-4)
    answers = run(embedded("mnist-cnn"), "image", image).argmax(1)
    assert stated("mnist-cnn") == {
        "pictures": len(answers),
        "accuracy": round(float((answers == held_out.labels).mean()), 3),
    }
