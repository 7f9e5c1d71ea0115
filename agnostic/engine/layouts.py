"""How detectors lay out what they found: a handful of forms, declared once, read into proposals.

A proposal is a box, how sure the detector is that there is a thing in it (its objectness), and how likely each class
is. Raw layouts hold one for every anchor, most of them nothing; others hold only what is left after overlapping boxes
were dropped in the graph.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from agnostic.engine.target import Array, Floats
from agnostic.errors import ModelError
from agnostic.kernels.boxes import corners

LayoutName = Literal["yolov5", "yolov8", "rows", "ssd", "detr"]
Coordinates = Literal["xyxy", "yxyx", "xywh", "cxcywh"]
Scale = Literal["pixels", "share"]
Activation = Literal["none", "sigmoid", "softmax"]

LAYOUTS: tuple[LayoutName, ...] = get_args(LayoutName)


class Proposals(NamedTuple):
    """What a detector proposes on n inputs, p on each.

    Attributes:
        boxes: (n, p, 4) float64: left, top, right, bottom as shares of the input's width and height.
        objectness: (n, p), 0 where a row only fills up the array.
        classes: (n, p, c), the probability of each class.
        scores: (n, p), by which they are ranked.
    """

    boxes: Floats
    objectness: Floats
    classes: Floats
    scores: Floats


@dataclass(frozen=True)
class Layout:
    """One way to write boxes down.

    Attributes:
        name: `yolov5` (n, anchors, box + objectness + classes), `yolov8` (n, box + classes, anchors), `rows` (n, k,
            box + score + label), `ssd` (boxes, scores and, where scores are not per class, labels) or `detr` (boxes and
            logits of the classes and of none).
        boxes: the output that holds the boxes, and everything else in the first three layouts.
        scores: the output that holds scores, or logits.
        labels: the output that holds the number of each box's class.
        count: the output that says how many of the rows are boxes.
        coordinates: what the four numbers are.
        scale: whether they count pixels of the model's input or are shares of its sides.
        activation: what is still to be applied to scores.
        background: the score that stands for no class; counted from the end where negative.
        threshold: the least score of a box that is listed.
        overlap: above which the lower of two boxes of a class is dropped (intersection over union); None where the
            graph has done so.
        row_by_row: whether the number of boxes differs from input to input.
    """

    name: LayoutName
    boxes: str
    scores: str | None = None
    labels: str | None = None
    count: str | None = None
    coordinates: Coordinates = "xyxy"
    scale: Scale = "pixels"
    activation: Activation = "none"
    background: int | None = None
    threshold: float = 0.25
    overlap: float | None = None
    row_by_row: bool = False

    @property
    def tensors(self) -> tuple[str, ...]:
        """The outputs that are read."""
        return tuple(name for name in (self.boxes, self.scores, self.labels, self.count) if name is not None)

    @property
    def is_raw(self) -> bool:
        """Whether proposal i is the same anchor on every input."""
        return self.name in ("yolov5", "yolov8", "detr") or (self.name == "ssd" and self.labels is None)

    def read(self, values: Mapping[str, Array], size: tuple[int, int]) -> Proposals:
        """Read fetched outputs, given the height and width of the input.

        Raises:
            ModelError: they have other axes than the layout.
        """
        # Thousands of anchors times classes stay as the model gives them; only boxes, and what is near, is widened.
        held: dict[str, Floats] = {name: _singles(values[name]) for name in self.tensors}
        boxes, objectness, classes, scores = self._parts(held)
        boxes = corners(boxes, self.coordinates)
        if self.scale == "pixels":
            boxes = boxes / np.array([size[1], size[0], size[1], size[0]], np.float64)
        if self.count is not None:
            filled = np.arange(boxes.shape[1]) < held[self.count].reshape(-1, 1)
            objectness, scores = objectness * filled, scores * filled
        return Proposals(boxes, objectness, classes, scores)

    def _parts(self, held: Mapping[str, Floats]) -> tuple[Floats, Floats, Floats, Floats]:
        """Take the outputs apart: boxes as written, objectness, classes, scores."""
        if self.name in ("yolov5", "yolov8"):
            return self._dense(held[self.boxes])
        if self.name == "rows":
            rows = _batched(held[self.boxes], 3)
            return _labelled(rows[..., :4], rows[..., 4], rows[..., 5])
        boxes = _batched(held[self.boxes], 3)
        scores = held[self.scores or self.boxes]
        if self.labels is None:
            return boxes, *self._scored(_batched(scores, 3))
        return _labelled(boxes, _batched(scores, 2), _batched(held[self.labels], 2))

    def _dense(self, values: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        rows = values if self.name == "yolov5" else np.moveaxis(values, 1, 2)
        boxes, rest = rows[..., :4], activated(rows[..., 4:], self.activation)
        if self.name == "yolov8":
            best = rest.max(axis=-1)
            return boxes, best, rest, best
        objectness, classes = rest[..., 0], rest[..., 1:]
        return boxes, objectness, classes, objectness * classes.max(axis=-1)

    def _scored(self, scores: Floats) -> tuple[Floats, Floats, Floats]:
        """Tell objectness, classes and scores of (n, p, classes) scores."""
        chances = activated(scores, self.activation)
        if self.background is None:
            best = chances.max(axis=-1)
            return best, chances, best
        nothing = chances[..., self.background]
        classes = np.delete(chances, self.background, axis=-1)
        return 1 - nothing, classes, classes.max(axis=-1)

    def class_column(self, label: int) -> int:
        """Where a class stands among the scores, that of no class counted in."""
        return label + 1 if self.background is not None and 0 <= self.background <= label else label


def _singles(values: Array) -> Any:
    """Keep float32 and wider; half precision and integers are widened."""
    kept = values.dtype in (np.float32, np.float64)
    return values if kept else values.astype(np.float32 if values.dtype.kind == "f" else np.float64)


def activated(scores: Floats, activation: Activation) -> Floats:
    """Turn scores (..., classes) into probabilities."""
    if activation == "sigmoid":
        return np.asarray(1 / (1 + np.exp(-np.clip(scores, -500, 500))))
    if activation == "softmax":
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
    return scores


def _labelled(boxes: Floats, scores: Floats, labels: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Write the number of each box's class as a probability of every class: the score for it, 0 for the others."""
    numbers = np.maximum(np.rint(labels), 0).astype(np.intp)
    classes = np.zeros((*scores.shape, int(numbers.max(initial=0)) + 1))
    np.put_along_axis(classes, numbers[..., None], scores[..., None], axis=-1)
    return boxes, scores, classes, scores


def _batched(values: Floats, axes: int) -> Floats:
    """Give what belongs to one input a batch axis."""
    held = values[None] if values.ndim == axes - 1 else values
    if held.ndim != axes:
        raise ModelError(
            f"the boxes come in arrays of shape {list(values.shape)}; expected {axes} axes, or {axes - 1} for one "
            "input: declare the layout that fits under [answer]"
        )
    return held


Values = Mapping[str, Any]
Classes = npt.NDArray[np.float64]
