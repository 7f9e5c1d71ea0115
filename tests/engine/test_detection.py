"""A box as a target: the match by hand, the logit by finite differences."""

from typing import Any

import numpy as np
import pytest

from agnostic.engine.autograd import Autograd
from agnostic.engine.detection import LogOdds, Match, anchor, detections, likeness
from agnostic.engine.layouts import Layout
from agnostic.engine.target import Target, Term
from agnostic.errors import ItemError, UsageError

SIZE = (10, 10)
LAYOUT = Layout("yolov5", "out", coordinates="cxcywh", overlap=0.45)
OWN = np.array([0.0, 0.0, 0.4, 0.4])
CLASSES = np.array([0.8, 0.6])


def answer(*rows: list[float]) -> dict[str, Any]:
    return {"out": np.array([rows], np.float32)}


def test_the_best_match_counts() -> None:
    match = Match(LAYOUT, SIZE, OWN, CLASSES, "box:0")
    same = [2.0, 2, 4, 4]
    half = [2.0, 1, 4, 2]  # half of the box: overlap one half
    found = match.read(answer([*same, 0.5, 0.8, 0.6], [*half, 1.0, 0.6, 0.8], [8, 8, 2, 2, 1, 0.8, 0.6]))
    assert found == pytest.approx([max(1 * 1 * 0.5, 0.5 * 0.96 * 1.0)])
    stronger = match.read(answer([*same, 0.5, 0.8, 0.6], [*half, 1.0, 1.6, 1.2]))
    assert stronger == pytest.approx([0.5])  # the cosine does not know how long the classes' vector is
    assert Target((match,), "box:0").read(answer([*same, 0.5, 0.8, 0.6])) == pytest.approx([0.5])
    assert (-2 * Target((match,), "box:0")).read(answer([*same, 0.5, 0.8, 0.6])) == pytest.approx([-1.0])


def test_nothing_there_matches_nothing() -> None:
    match = Match(LAYOUT, SIZE, OWN, CLASSES, "box:0")
    assert match.read(answer([8, 8, 2, 2, 1, 0.8, 0.6])).tolist() == [0]
    assert match.read({"out": np.zeros((3, 0, 7), np.float32)}).tolist() == [0, 0, 0]


def test_a_box_matches_itself_by_its_own_objectness(rng: np.random.Generator) -> None:
    rows = np.concatenate([rng.uniform(3, 7, (40, 2)), rng.uniform(1, 3, (40, 2)), rng.uniform(0, 1, (40, 3))], axis=1)
    values = {"out": rows[None].astype(np.float32)}
    first = detections(LAYOUT, values, SIZE)[0]
    # Only its neighbours could match better than it does itself, and they would have to be surer.
    own = Match(LAYOUT, SIZE, first.box, first.classes, "box:0").read(values)[0]
    assert own >= rows[first.proposal, 4] - 1e-6


def test_likeness_is_the_cosine() -> None:
    classes = np.array([[3.0, 4.0], [4.0, -3.0], [0.0, 0.0]])
    assert likeness(classes, np.array([0.6, 0.8])) == pytest.approx([1, 0, 0])
    assert likeness(np.array([[0.5]]), np.array([0.0, 1.0])).tolist() == [0]


def test_a_broken_number_is_reported() -> None:
    with pytest.raises(ItemError, match="NaN or infinite"):
        detections(LAYOUT, answer([1, 1, 1, 1, np.nan, 0, 0]), SIZE)


@pytest.mark.parametrize(
    ("layout", "says"),
    [
        (LAYOUT, "logit(out[7,4]*out[7,6])"),
        (Layout("yolov8", "out"), "logit(out[5,7])"),
        (Layout("yolov8", "out", activation="sigmoid"), "out[5,7]"),
        (Layout("detr", "b", "logits", activation="softmax", background=-1), "logits[7,1]"),
        (Layout("ssd", "b", "s", background=0), "logit(s[7,2])"),
        (Layout("ssd", "b", "s", "l"), ""),
        (Layout("rows", "out"), ""),
    ],
)
def test_the_anchor_of_each_layout(layout: Layout, says: str) -> None:
    assert " ".join(map(str, anchor(layout, 7, 1))) == says


def test_the_logit_of_a_product_and_its_gradient(graph: Any) -> None:
    proto = graph("g (float[n,4] x) => (float[n,4] p) { p = Sigmoid(x) }")
    x = np.array([[0.3, -1.0, 2.0, 0.5]], np.float32)
    part = LogOdds((Term("p", (0,)), Term("p", (2,))), weight=2.0)
    target = Target((part,), "box:0")

    def by_hand(x: np.ndarray) -> float:
        chance = 1 / (1 + np.exp(-x[0, 0])) / (1 + np.exp(-x[0, 2]))
        return float(2 * np.log(chance / (1 - chance)))

    found = Autograd(proto).gradients({"x": x}, [target], ["x"])
    assert found.scores[0, 0] == pytest.approx(by_hand(x.astype(np.float64)), abs=1e-5)
    for at in range(4):
        step = np.zeros((1, 4))
        step[0, at] = 1e-5
        slope = (by_hand(x + step) - by_hand(x - step)) / 2e-5
        assert found.gradients["x"][0, 0, at] == pytest.approx(slope, abs=1e-3)


def test_gradients_go_to_the_anchor_and_end_where_there_is_none() -> None:
    own = Match(LAYOUT, SIZE, OWN, CLASSES, "box:0", (Term("out", (0, 5)),))
    smooth = (3 * Target((own,), "box:0")).smooth
    assert (smooth.key, smooth.name) == ("3*out[0,5]", "3*box:0")
    with pytest.raises(UsageError, match=r"no gradient at 'box:0'.*drise, rise, lime and occlusion do work"):
        _ = Target((Match(LAYOUT, SIZE, OWN, CLASSES, "box:0"),), "box:0").smooth
