"""`like:FILE`: the likeness of two inputs, in closed form."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import agnostic
from agnostic.answers import predict, question, untouched
from agnostic.engine.model import Model
from agnostic.errors import InputError, ItemError, UsageError
from agnostic.inputs.reading import read_sample

from .conftest import PLAIN, picture, sample_of

PIXELS, OTHER = picture(200, 100, 0, 50), picture(255, 0, 0, 0)
MEANS = np.array([200, 100, 0, 50]) / 255


@pytest.fixture
def other(tmp_path: Path) -> Path:
    path = tmp_path / "other.png"
    Image.fromarray(OTHER).save(path)
    return path


def test_the_cosine_of_two_pictures(embedder: Model, other: Path) -> None:
    sample = sample_of(embedder, PIXELS)
    found = question(embedder, sample, f"like:{other}")
    assert found.target.name == "like:other.png"
    assert found.target.key == "like:other.png (cosine of e)"
    assert embedder.score(sample.arrays, [found.target])[0, 0] == pytest.approx(200 / np.linalg.norm([200, 100, 50]))
    assert found.facts["reference"].shape == (8, 8, 3)


def test_itself_is_as_like_as_can_be(embedder: Model, other: Path) -> None:
    sample = read_sample(embedder, other)
    assert embedder.score(sample.arrays, [question(embedder, sample, f"like:{other}").target])[0, 0] == pytest.approx(1)


def test_what_makes_two_pictures_alike(embedder: Model, other: Path) -> None:
    e = agnostic.explain(embedder, PIXELS, "saliency", f"like:{other}", fill="black")
    length = np.linalg.norm(MEANS)
    slopes = np.array([1.0, 0, 0, 0]) / length - MEANS * MEANS[0] / length**3
    np.testing.assert_allclose(e.values[::4, ::4].ravel(), np.abs(slopes) / 16, atol=1e-6)
    e = agnostic.explain(embedder, PIXELS, "occlusion", f"like:{other}", fill="black", features="grid:2", by="features")
    gone = [(MEANS * (np.arange(4) != at)) for at in range(4)]
    expected = [MEANS[0] / length - rest[0] / np.linalg.norm(rest) for rest in gone]
    np.testing.assert_allclose(e.weights, expected, atol=1e-6)
    assert e.reference is not None and e.meta["reference_name"] == "other.png"


def test_the_difference_of_two_references(embedder: Model, other: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "third.npy", np.ones((1, 1, 8, 8), np.float32))
    sample = sample_of(embedder, PIXELS)
    target = question(embedder, sample, f"like:{other} - like:{tmp_path / 'third.npy'}").target
    length = np.linalg.norm(MEANS)
    expected = MEANS[0] / length - MEANS.sum() / length / 2
    assert embedder.score(sample.arrays, [target])[0, 0] == pytest.approx(expected, abs=1e-6)


def test_the_distance_is_an_option(opened: Any, other: Path) -> None:
    text = "g (float[n,1,8,8] image) => (float[n,4] e) { p = AveragePool<kernel_shape=[4,4],strides=[4,4]>(image) "
    declared = {"kind": "embedding", "distance": "euclidean"}
    model = opened(text + "e = Flatten(p) }", preprocess=PLAIN, answer=declared)
    sample = sample_of(model, PIXELS)
    found = model.score(sample.arrays, [question(model, sample, f"like:{other}").target])[0, 0]
    assert found == pytest.approx(-np.linalg.norm(MEANS - [1, 0, 0, 0]), abs=1e-6)


def test_a_hidden_layer_of_a_classifier_is_an_embedding() -> None:
    chelsea, rocket, both = (agnostic.models.picture(name) for name in ("chelsea", "rocket", "cat_and_coffee"))
    declared = {"kind": "embedding", "output": "fire9/concat", "pooling": "mean"}
    model = agnostic.load("squeezenet", device="cpu", answer=declared)
    sample = read_sample(model, both)
    targets = [question(model, sample, f"like:{path}").target for path in (chelsea, rocket)]
    cat, other = model.score(sample.arrays, targets)[0]
    assert 1 > cat > 1.5 * other > 0
    held = [
        model.activations(read_sample(model, path).arrays, "fire9/concat")[0].mean(axis=(1, 2))
        for path in (both, chelsea)
    ]
    assert cat == pytest.approx(held[0] @ held[1] / np.linalg.norm(held[0]) / np.linalg.norm(held[1]), abs=1e-5)


def test_what_has_no_places_cannot_be_pooled(opened: Any) -> None:
    text = "g (float[n,4] x) => (float[n,4] e) { e = Relu(x) }"
    model = opened(text, answer={"kind": "embedding", "pooling": "mean"})
    with pytest.raises(UsageError, match="'e' has no tokens or places"):
        predict(model, read_sample(model, np.ones(4)))


def test_the_length_is_all_that_is_said(embedder: Model) -> None:
    (said,) = predict(embedder, sample_of(embedder, PIXELS))
    assert (said.name, said.score) == ("e", pytest.approx(np.linalg.norm(MEANS), abs=1e-6))
    assert not untouched(embedder, sample_of(embedder, PIXELS))


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        (None, UsageError, "say what to compare with, --target like:FILE"),
        ("like:none.png", InputError, "none.png: no such file"),
        ("cat", UsageError, "unknown target 'cat'"),
        ("0", UsageError, "name what it is compared with as like:FILE, or one of its numbers as e:0"),
        ("box:0", UsageError, "needs a model that answers with boxes"),
    ],
)
def test_what_cannot_be_compared_is_named(embedder: Model, text: str | None, error: Any, says: str) -> None:
    with pytest.raises(error) as raised:
        question(embedder, sample_of(embedder, PIXELS), text)
    assert says in str(raised.value)


def test_nothing_is_like_black(embedder: Model, tmp_path: Path) -> None:
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "black.png")
    with pytest.raises(ItemError, match=r"the embedding of 'black\.png' is zero"):
        question(embedder, sample_of(embedder, PIXELS), f"like:{tmp_path / 'black.png'}")
