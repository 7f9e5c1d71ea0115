"""One scene written down in every layout: the same two boxes come out."""

from typing import Any

import numpy as np
import pytest

from agnostic.engine.answer import Graph, answer_of
from agnostic.engine.detection import Detection, detections
from agnostic.engine.layouts import Layout, activated
from agnostic.engine.reading_layouts import read_layout
from agnostic.engine.signature import Tensor
from agnostic.errors import ModelError, UsageError

HEIGHT, WIDTH = 40, 80
# left, top, right, bottom in pixels; class; score
FIRST, SECOND = ([8.0, 4.0, 24.0, 20.0], 2, 0.9), ([40.0, 10.0, 72.0, 30.0], 0, 0.6)
TWIN = ([9.0, 4.0, 24.0, 20.0], 2, 0.8)  # of the first: dropped where the layout is raw
FAINT = ([0.0, 0.0, 5.0, 5.0], 1, 0.1)
RAW = (FAINT, SECOND, TWIN, FIRST)


def centred(box: list[float]) -> list[float]:
    return [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]]


def shares(box: list[float]) -> list[float]:
    return [box[0] / WIDTH, box[1] / HEIGHT, box[2] / WIDTH, box[3] / HEIGHT]


def one_hot(label: int, score: float, rest: float = 0.0) -> list[float]:
    return [score if at == label else rest for at in range(3)]


def yolov8() -> dict[str, Any]:
    rows = [[*centred(box), *one_hot(label, score)] for box, label, score in RAW]
    return {"out": np.array(rows, np.float32).T[None]}


def yolov5() -> dict[str, Any]:
    rows = [[*centred(box), 0.95, *one_hot(label, score / 0.95)] for box, label, score in RAW]
    return {"out": np.array([rows], np.float32)}


def rows(count: int = 2) -> dict[str, Any]:
    kept = [[*box, score, label] for box, label, score in (FIRST, SECOND, FAINT)]
    return {"out": np.array([kept + [[0.0] * 6] * count], np.float32)}


def ssd() -> dict[str, Any]:
    kept = (SECOND, FIRST, FAINT)
    return {
        "boxes": np.array([item[0] for item in kept], np.float32),
        "scores": np.array([item[2] for item in kept], np.float32),
        "labels": np.array([item[1] for item in kept], np.int64),
    }


def tensorflow() -> dict[str, Any]:
    kept = (FIRST, SECOND)
    swapped = [[s[1], s[0], s[3], s[2]] for s in (shares(item[0]) for item in kept)]
    return {
        "detection_boxes": np.array([[*swapped, [0, 0, 1, 1]]], np.float32),
        "detection_scores": np.array([[0.9, 0.6, 0.8]], np.float32),
        "detection_classes": np.array([[2.0, 0.0, 1.0]], np.float32),
        "num_detections": np.array([2.0], np.float32),
    }


def detr() -> dict[str, Any]:
    kept = (FAINT, SECOND, FIRST)
    chances = [[*one_hot(label, score, 0.01), 1 - score - 0.02] for _, label, score in kept]
    scaled = [[c * s for c, s in zip(centred(b), [1 / WIDTH, 1 / HEIGHT] * 2, strict=True)] for b, _, _ in kept]
    return {"logits": np.log(np.array([chances], np.float32)), "pred_boxes": np.array([scaled], np.float32)}


def per_class() -> dict[str, Any]:
    chances = [[1 - score, *one_hot(label, score)] for _, label, score in RAW]
    return {"boxes": np.array([[shares(box) for box, _, _ in RAW]], np.float32), "scores": np.array([chances], "f4")}


CASES = {
    "yolov8": ({"layout": "yolov8"}, yolov8()),
    "yolov5": ({"layout": "yolov5"}, yolov5()),
    "rows": ({"layout": "rows"}, rows()),
    "ssd, one input": ({"layout": "ssd"}, ssd()),
    "ssd of TensorFlow": ({"layout": "ssd", "coordinates": "yxyx", "scale": "share"}, tensorflow()),
    "ssd, a score for each class": ({"layout": "ssd", "scale": "share", "background": 0}, per_class()),
    "detr": ({"layout": "detr"}, detr()),
}


def outputs(values: dict[str, Any]) -> tuple[Tensor, ...]:
    return tuple(Tensor(name, value.dtype, value.shape) for name, value in values.items())


def found(declared: dict[str, Any], values: dict[str, Any]) -> tuple[Layout, list[Detection]]:
    layout = read_layout(declared, outputs(values), 3)
    return layout, detections(layout, values, (HEIGHT, WIDTH))


@pytest.mark.parametrize("name", CASES)
def test_the_same_two_boxes_come_out_of_every_layout(name: str) -> None:
    _, both = found(*CASES[name])
    assert [item.label for item in both] == [FIRST[1], SECOND[1]]
    np.testing.assert_allclose([item.score for item in both], [0.9, 0.6], atol=1e-5)
    for item, (box, _, _) in zip(both, (FIRST, SECOND), strict=True):
        np.testing.assert_allclose(item.box, shares(box), atol=1e-6)


def test_logits_are_turned_into_probabilities_where_that_is_declared() -> None:
    values = yolov8()["out"].copy()
    values[:, 4:] = np.log(np.maximum(values[:, 4:], 1e-9) / (1 - values[:, 4:]))
    _, both = found({"layout": "yolov8", "activation": "sigmoid"}, {"out": values})
    np.testing.assert_allclose([item.score for item in both], [0.9, 0.6], atol=1e-5)
    assert activated(np.array([[1e4, -1e4]]), "sigmoid").tolist() == [[1, pytest.approx(0, abs=1e-200)]]
    assert activated(np.log([[1.0, 3.0]]), "softmax")[0] == pytest.approx([0.25, 0.75])


def test_a_lower_threshold_shows_the_faint_box_and_no_overlap_limit_shows_the_twin() -> None:
    assert len(found({"layout": "yolov8", "threshold": 0.05}, yolov8())[1]) == 3
    assert len(found({"layout": "yolov8", "overlap": 1}, yolov8())[1]) == 3


def test_boxes_of_another_class_do_not_drop_each_other() -> None:
    values = yolov8()["out"].copy()
    values[0, 4:, 2] = one_hot(1, 0.8)  # the twin is called something else
    assert [item.label for item in found({"layout": "yolov8"}, {"out": values})[1]] == [2, 1, 0]


def test_sigmoid_detr_has_no_class_for_nothing() -> None:
    layout = read_layout({"layout": "detr", "activation": "sigmoid"}, outputs(detr()), 0)
    assert layout.background is None
    assert read_layout({"layout": "detr"}, outputs(detr()), 0).background == -1


@pytest.mark.parametrize(("background", "label", "column"), [(None, 2, 2), (-1, 2, 2), (0, 2, 3), (2, 1, 1), (2, 2, 3)])
def test_the_column_of_a_class_counts_that_of_none(background: int | None, label: int, column: int) -> None:
    assert Layout("detr", "b", "s", background=background).class_column(label) == column


def test_what_differs_in_number_from_input_to_input_is_run_row_by_row() -> None:
    of = {name: read_layout(declared, outputs(values)).row_by_row for name, (declared, values) in CASES.items()}
    assert [name for name, apart in of.items() if apart] == ["ssd, one input"]
    free = (Tensor("out", np.dtype("f4"), ("n", "found", 6)),)
    assert read_layout({"layout": "rows"}, free).row_by_row


@pytest.mark.parametrize(
    ("declared", "values", "says"),
    [
        ({"layout": "yolo"}, yolov8(), "layout='yolo': expected one of yolov5, yolov8, rows, ssd, detr"),
        ({}, yolov8(), "layout=None"),
        ({"layout": "yolov5"}, yolov8(), "expected [n, anchors, 5 + classes], which is 8 with 3 labels"),
        ({"layout": "yolov8"}, {"out": np.zeros((1, 6, 9), "f4")}, "which is 7 with 3 labels"),
        ({"layout": "yolov8"}, {"out": np.zeros((1, 7), "f4")}, "'out' has the shape [1, 7]"),
        ({"layout": "rows"}, {"out": np.zeros((1, 9, 5), "f4")}, "6 (four sides, score, label)"),
        ({"layout": "yolov8", "boxes": "outt"}, yolov8(), "unknown output 'outt'; did you mean 'out'"),
        ({"layout": "ssd"}, {"a": np.zeros(4), "b": np.zeros(4)}, "say which output holds the boxes; there are a, b"),
        ({"layout": "ssd"}, {k: v for k, v in ssd().items() if k != "labels"}, "say where with labels = OUTPUT"),
        ({"layout": "yolov8", "threshold": 2}, yolov8(), "threshold=2: expected a number from 0 to 1"),
        ({"layout": "yolov8", "coordinates": "xy"}, yolov8(), "expected one of xyxy, yxyx, xywh, cxcywh"),
        ({"layout": "detr", "background": "last"}, detr(), "background='last': expected the number of a class"),
        ({"layout": "detr", "boxes": 3}, detr(), "boxes=3: expected the name of an output"),
    ],
)
def test_what_does_not_fit_is_named(declared: dict[str, Any], values: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as error:
        read_layout(declared, outputs(values), 3)
    assert says in str(error.value)


def test_arrays_of_other_axes_at_run_time_are_refused() -> None:
    layout = read_layout({"layout": "ssd"}, outputs(ssd()))
    with pytest.raises(ModelError, match="expected 3 axes, or 2 for one input"):
        layout.read({**ssd(), "boxes": np.zeros((1, 1, 2, 4))}, (HEIGHT, WIDTH))


@pytest.mark.parametrize(("values", "name"), [(ssd(), "ssd"), (detr(), "detr")])
def test_names_that_leave_no_doubt_need_no_declaration(graph: Any, values: dict[str, Any], name: str) -> None:
    proto = graph("g (float[n] x) => (float[n] y) { y = Relu(x) }")
    answer = answer_of(None, Graph(proto, outputs(values), None, lambda _: False))
    assert answer.kind == "boxes" and answer.layout is not None and answer.layout.name == name
