"""Models of every kind of answer, small enough to know what they say."""

from typing import Any

import numpy as np
import pytest

from agnostic.engine.model import Model
from agnostic.engine.sweep import Rows
from agnostic.inputs.reading import read_sample
from agnostic.inputs.sample import Sample

PLAIN = {"scale": 1 / 255, "mean": [0.0], "std": [1.0], "channels": "L", "size": [8, 8]}

# A picture of 8 x 8 in quarters of 4 x 4: one box for each, as sure as its quarter is bright.
DETECTOR = """
g (float[n,1,8,8] image) => (float[n,6,4] out) {
    bright = AveragePool<kernel_shape=[4,4],strides=[4,4]>(image)
    rows = Reshape(bright, flat)
    first = Mul(rows, colour)
    second = Mul(rows, other)
    rest = Mul(rows, nought)
    boxes = Add(rest, places)
    out = Concat<axis=1>(boxes, first, second)
}
"""
DETECTOR_WEIGHTS = {
    "flat": [0, 1, 4],
    "colour": np.array([0.9, 0.9, 0.2, 0.9], "f4").reshape(1, 1, 4),
    "other": np.array([0.1, 0.1, 0.8, 0.1], "f4").reshape(1, 1, 4),
    "nought": np.zeros((1, 4, 1), "f4"),
    "places": np.array([[2, 6, 2, 6], [2, 2, 6, 6], [4] * 4, [4] * 4], "f4")[None],
}
# The same, with overlapping boxes dropped in the graph: as many as there are.
SELECTED = """
g (float[n,1,8,8] image) => (float[m,4] boxes, float[m] scores, int64[m] labels) {
    bright = AveragePool<kernel_shape=[4,4],strides=[4,4]>(image)
    all_scores = Reshape(bright, flat)
    chosen = NonMaxSuppression(all_boxes, all_scores, most, overlap, least)
    at = Gather<axis=1>(chosen, two)
    box_rows = Reshape(all_boxes, box_shape)
    boxes = Gather(box_rows, at)
    score_row = Reshape(all_scores, row)
    scores = Gather(score_row, at)
    labels = Gather(classes, at)
}
"""
SELECTED_WEIGHTS = {
    "flat": [1, 1, 4],
    "row": [4],
    "box_shape": [4, 4],
    "two": np.int64(2),
    "most": np.array([10]),
    "overlap": np.array([0.5], "f4"),
    "least": np.array([0.3], "f4"),
    "classes": np.array([1, 0, 1, 0]),
    "all_boxes": np.array([[0, 0, 4, 4], [4, 0, 8, 4], [0, 4, 4, 8], [4, 4, 8, 8]], "f4")[None],
}
SEGMENTER = """
g (float[n,1,8,8] image) => (float[n,3,4,4] classes) {
    small = AveragePool<kernel_shape=[2,2],strides=[2,2]>(image)
    logits = Conv(small, kernel, bias)
    classes = Softmax<axis=1>(logits)
}
"""
SEGMENTER_WEIGHTS = {
    "kernel": np.array([0.0, 6.0, -6.0], "f4").reshape(3, 1, 1, 1),
    "bias": np.array([0.0, -3.0, -1.0], "f4"),
}


def picture(*bright: int) -> np.ndarray:
    """Quarters of 8 x 8, 0 to 3 in reading order, as bright as given."""
    pixels = np.zeros((8, 8), np.uint8)
    for number, level in enumerate(bright):
        row, column = divmod(number, 2)
        pixels[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = level
    return pixels


@pytest.fixture(scope="session")
def detector(opened: Any) -> Model:
    declared = {"kind": "boxes", "layout": "yolov8", "threshold": 0.25}
    model: Model = opened(
        DETECTOR, DETECTOR_WEIGHTS, answer=declared, preprocess=PLAIN, metadata={"agnostic.labels": '["cat", "dog"]'}
    )
    return model


@pytest.fixture(scope="session")
def selected(opened: Any) -> Model:
    model: Model = opened(SELECTED, SELECTED_WEIGHTS, preprocess=PLAIN)
    return model


@pytest.fixture(scope="session")
def segmenter(opened: Any) -> Model:
    model: Model = opened(
        SEGMENTER, SEGMENTER_WEIGHTS, preprocess=PLAIN, answer={"kind": "segmentation", "background": 0},
        metadata={"agnostic.labels": '["ground", "snow", "night"]'},
    )  # fmt: skip
    return model


@pytest.fixture(scope="session")
def embedder(opened: Any) -> Model:
    text = "g (float[n,1,8,8] image) => (float[n,4] e) { p = AveragePool<kernel_shape=[4,4],strides=[4,4]>(image) "
    text += "e = Flatten(p) }"
    model: Model = opened(text, preprocess=PLAIN, answer={"kind": "embedding"})
    return model


def sample_of(model: Model, pixels: np.ndarray, **how: Any) -> Sample:
    """A picture of which every pixel is a feature, black where it is off."""
    return read_sample(model, pixels, **{"features": "grid:8", "fill": "black", **how})


def without(sample: Sample, *quarters: int) -> Rows:
    """The picture's array with some quarters black."""
    array = np.array(sample.arrays["image"])
    for number in quarters:
        row, column = divmod(number, 2)
        array[..., 4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = 0
    return {"image": array}
