"""`box:N` on detectors whose boxes are known."""

from typing import Any

import numpy as np
import pytest

import agnostic
from agnostic.answers import predict, question, untouched
from agnostic.engine.model import Model
from agnostic.errors import ItemError, UsageError

from .conftest import picture, sample_of, without

PIXELS = picture(255, 0, 200, 100)
# The first quarter is the surest cat, the third a dog, the fourth a fainter cat.
FOUND = [("cat", 0.9, (0, 0, 4, 4)), ("dog", 0.8 * 200 / 255, (0, 4, 4, 8)), ("cat", 0.9 * 100 / 255, (4, 4, 8, 8))]


def test_boxes_are_listed_the_surest_first(detector: Model) -> None:
    listed = predict(detector, sample_of(detector, PIXELS))
    assert [item.index for item in listed] == [0, 1, 2]
    for item, (name, score, box) in zip(listed, FOUND, strict=True):
        assert (item.name, item.score, item.box) == (name, pytest.approx(score, abs=1e-6), box)
        assert item.probability == item.score
    assert set(listed[0].as_dict()) == {"index", "name", "score", "probability", "box"}


def test_a_box_is_explained_by_what_lies_in_it(detector: Model) -> None:
    sample = sample_of(detector, PIXELS)
    target = question(detector, sample, "box:1").target
    whole, own, others = (detector.score(x, [target])[0, 0] for x in (
        sample.arrays, without(sample, 2), without(sample, 0, 3)
    ))  # fmt: skip
    assert whole == pytest.approx(0.8 * 200 / 255, abs=1e-6)
    assert others == pytest.approx(whole, abs=1e-6)
    assert own == 0


def test_any_method_explains_a_box(detector: Model) -> None:
    for method in ("occlusion", "lime", "kernelshap", "rise", "drise", "saliency", "integrated_gradients"):
        settings: dict[str, Any] = {"masks": 400, "cells": 4} if method in ("rise", "drise") else {}
        settings |= {"samples": 300} if method in ("lime", "kernelshap") else {}
        e = agnostic.explain(detector, PIXELS, method, "box:1", features="grid:4", fill="black", **settings)
        evidence = np.maximum(e.values, 0)
        # Soft masks reach over the edge of a box; it takes a quarter of the picture.
        least = 0.6 if "masks" in settings else 0.85
        assert evidence[4:, :4].sum() > least * evidence.sum(), method
        assert e.meta["explained"] == [1] and len(e.meta["boxes"]) == 3


def test_the_gradient_of_a_box_is_that_of_its_logit(detector: Model) -> None:
    e = agnostic.explain(detector, PIXELS, "saliency", "box:1", fill="black")
    # logit of p = 0.8 m, m being the mean of 16 pixels: its slope by each is 0.8 / 16 / (p (1 - p)).
    chance = 0.8 * 200 / 255
    expected = np.zeros((8, 8))
    expected[4:, :4] = 0.8 / 16 / (chance * (1 - chance))
    np.testing.assert_allclose(e.values, expected, rtol=1e-4)
    assert e.meta["target_key"] == "logit(out[5,2])"
    assert e.meta["score"] == pytest.approx(np.log(chance / (1 - chance)), abs=1e-5)


def test_why_it_is_not_something_else(detector: Model) -> None:
    sample = sample_of(detector, PIXELS)
    found = question(detector, sample, "box:0/dog")
    assert found.target.name == "box:0/dog"
    as_dog, as_cat = (question(detector, sample, text).target for text in ("box:0/dog", "box:0"))
    scores = detector.score(sample.arrays, [as_dog, as_cat, as_cat - as_dog])[0]
    # The first box is a cat nine times more than a dog: a cosine of 1/sqrt(82) with dog.
    assert scores[0] == pytest.approx(0.9 / np.sqrt(82), abs=1e-5)
    assert scores[2] == pytest.approx(scores[1] - scores[0], abs=1e-9)
    difference = question(detector, sample, "box:0 - box:1")
    assert difference.facts["explained"] == [0, 1]


def test_the_first_box_is_explained_by_default(detector: Model) -> None:
    sample = sample_of(detector, PIXELS)
    for asked in (None, "top", " box:0 "):
        assert question(detector, sample, asked).target.name == "box:0"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("box:3", "'box:3': the model finds 3 on 'picture', box:0 to box:2"),
        ("box:0/horse", "unknown class 'horse'; give its number, 0 to 1"),
        ("box:0/7", "unknown class '7'"),
        ("cat", "the model answers with boxes: name one of them as box:0"),
        ("1", "the model answers with boxes"),
        ("box:0 vs rest", "only one class of several has a rest; the model answers with boxes"),
        ("box", "unknown target 'box'"),
    ],
)
def test_what_is_no_box_is_refused(detector: Model, text: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        question(detector, sample_of(detector, PIXELS), text)
    assert says in str(error.value)


def test_a_picture_without_boxes_says_so(detector: Model) -> None:
    sample = sample_of(detector, picture(9, 9, 9, 9))
    assert predict(detector, sample) == []
    assert not untouched(detector, sample)
    with pytest.raises(ItemError, match=r"finds no box on 'picture' with a score of 0\.25 or more; lower threshold"):
        question(detector, sample, None)


def test_whether_the_picture_matters(detector: Model) -> None:
    assert not untouched(detector, sample_of(detector, PIXELS))
    assert untouched(detector, sample_of(detector, picture(0, 255, 0, 0), features="grid:1", fill="white"))


def test_boxes_chosen_in_the_graph_are_run_row_by_row(selected: Model) -> None:
    sample = sample_of(selected, PIXELS)
    listed = predict(selected, sample)
    assert [(item.name, item.box) for item in listed] == [
        ("class 1", (0, 0, 4, 4)), ("class 1", (0, 4, 4, 8)), ("class 0", (4, 4, 8, 8)),
    ]  # fmt: skip
    target = question(selected, sample, "box:1").target
    arrays = np.concatenate([sample.arrays["image"], *(without(sample, at)["image"] for at in (0, 2, 3))])
    scores = selected.score({"image": arrays}, [target])[:, 0]
    np.testing.assert_allclose(scores, [200 / 255, 200 / 255, 0, 200 / 255], atol=1e-6)
    assert selected.evaluations >= 4


def test_methods_on_boxes_chosen_in_the_graph(selected: Model) -> None:
    e = agnostic.explain(selected, PIXELS, "occlusion", "box:1", features="grid:2", fill="black", by="features")
    np.testing.assert_allclose(e.weights, [0, 0, 200 / 255, 0], atol=1e-6)
    e = agnostic.explain(selected, PIXELS, "drise", "box:0", masks=200, cells=2, fill="black", batch_size=7)
    assert np.unravel_index(e.values.argmax(), (8, 8))[0] < 4
    with pytest.raises(UsageError, match="no gradient"):
        agnostic.explain(selected, PIXELS, "saliency", "box:0")


def test_boxes_on_what_is_no_picture_are_refused(opened: Any) -> None:
    text = "g (float[n,6] x) => (float[n,6,1] out) { out = Reshape(x, s) }"
    model = opened(text, {"s": [0, 6, 1]}, answer={"kind": "boxes", "layout": "yolov8"})
    with pytest.raises(UsageError, match="no height and width"):
        agnostic.explain(model, np.ones(6), "occlusion")
