"""Boxes: those that a detector finds, and one of them as a target.

A box has no entry of an output that would be its score whatever the input: on a changed input another anchor may find
the same thing. So the score is how well anything that is proposed there matches the box (Petsiuk et al., "Black-box
Explanation of Object Detectors via Saliency Maps", CVPR 2021): the largest, over all proposals, of overlap x likeness
of the classes x objectness. Any method that only changes the input can explain that. Gradients are taken of the logit
of the very anchor that found the box, where the layout keeps anchors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from agnostic.engine.layouts import Layout
from agnostic.engine.target import NUMPY, Array, Floats, Maths, Part, Term
from agnostic.errors import ItemError, UsageError
from agnostic.kernels.boxes import best_of_overlapping, overlaps

MOST_BOXES = 300
# So near to certain that a probability in float32 no longer says how certain.
_SURE = 1e-7


class Detection(NamedTuple):
    """One box that was found.

    Attributes:
        box: (4,) left, top, right, bottom as shares of the input's width and height.
        label: its likeliest class.
        score: how sure the detector is.
        proposal: which of the proposals it is.
        classes: (c,) the probability of each class.
    """

    box: Floats
    label: int
    score: float
    proposal: int
    classes: Floats


def detections(layout: Layout, values: Mapping[str, Array], size: tuple[int, int]) -> list[Detection]:
    """List the boxes found on one input, the surest first.

    Where the graph has not dropped boxes that overlap, the surest of each class is kept.

    Args:
        layout: how they are written down.
        values: the outputs, of one input.
        size: its height and width.

    Raises:
        ItemError: a number is NaN or infinite.
    """
    found = layout.read(values, size)
    if not all(np.isfinite(part).all() for part in found):
        raise ItemError("the model's boxes hold NaN or infinite numbers on this input: there is nothing to explain")
    boxes, classes, scores = found.boxes[0], found.classes[0], found.scores[0]
    labels = classes.argmax(axis=1)
    sure = np.flatnonzero(scores >= layout.threshold)
    kept = _kept(sure, boxes, labels, scores, layout.overlap)
    return [
        Detection(boxes[i], int(labels[i]), float(scores[i]), int(i), classes[i].astype(np.float64))
        for i in kept[:MOST_BOXES]
    ]


def _kept(sure: Any, boxes: Floats, labels: Any, scores: Floats, overlap: float | None) -> Any:
    """Order proposals by score, and of those of a class that overlap keep the best."""
    if overlap is not None:
        each = [sure[labels[sure] == label] for label in np.unique(labels[sure])]
        sure = np.concatenate([sure[:0], *(own[best_of_overlapping(boxes[own], scores[own], overlap)] for own in each)])
    return sure[np.lexsort((sure, -scores[sure]))]


@dataclass(frozen=True, eq=False)
class Match(Part):
    """How well the best proposal matches a box: overlap x cosine of the class probabilities x objectness.

    Attributes:
        layout: how the boxes are written down.
        size: height and width of the input.
        box: (4,) left, top, right, bottom as shares of the input's sides.
        classes: (c,) the probability of each class.
        name: what it is called.
        anchor: what gradients are taken of: the logit at the anchor that found the box; none where there is no anchor.
        weight: what it is multiplied by.
    """

    layout: Layout
    size: tuple[int, int]
    box: Floats
    classes: Floats
    name: str
    anchor: tuple[Part, ...] = ()
    weight: float = 1.0

    @property
    def tensors(self) -> tuple[str, ...]:
        """The outputs that hold boxes, scores and labels."""
        return self.layout.tensors

    @property
    def smooth(self) -> tuple[Part, ...]:
        """The logit at the anchor that found the box."""
        if not self.anchor:
            raise UsageError(
                f"no gradient at {self.name!r}: these boxes are what is left of the model's proposals, and gradients "
                "end there; drise, rise, lime and occlusion do work"
            )
        return tuple(part.scaled(self.weight) for part in self.anchor)

    @property
    def row_by_row(self) -> bool:
        """Whether the number of boxes differs from input to input."""
        return self.layout.row_by_row

    def read(self, values: Mapping[str, Any], maths: Maths = NUMPY) -> Any:
        """Match the proposals on each input: (n,) in 0..1, times the weight.

        Raises:
            UsageError: gradients are asked for; they are taken of `smooth`.
        """
        if maths.differentiates:
            raise UsageError(f"no gradient of {self.name!r} itself; take that of its target's `smooth`")
        found = self.layout.read(values, self.size)
        shared = overlaps(found.boxes, self.box)
        matches = np.zeros(shared.shape)
        near = shared > 0  # the rest, of thousands, needs no cosine
        matches[near] = shared[near] * likeness(found.classes[near], self.classes) * found.objectness[near]
        best: Floats = matches.max(axis=1, initial=0.0)
        return self.weight * best

    def scaled(self, factor: float) -> "Match":
        """Weigh it."""
        return replace(self, weight=factor * self.weight)

    def __str__(self) -> str:
        """Its name and where it is: `box:0 at 0.12,0.3,0.5,0.71`."""
        return f"{self.name} at {','.join(f'{side:.4g}' for side in self.box)}"


def likeness(classes: Floats, own: Floats) -> Floats:
    """Take the cosine of the angle between class probabilities (p, c) and those of a box (c,): (p,) in 0..1.

    A layout that names classes by number shows only as many of them as it has found.

    >>> likeness(np.array([[0.0, 2.0], [1.0, 1.0], [0.0, 0.0]]), np.array([0.0, 1.0, 0.0])).round(3).tolist()
    [1.0, 0.707, 0.0]
    """
    shared = min(classes.shape[1], len(own))
    wide = classes.astype(np.float64)
    products = wide[:, :shared] @ own[:shared]
    lengths = np.linalg.norm(wide, axis=1) * np.linalg.norm(own)
    cosines: Floats = np.divide(products, lengths, out=np.zeros_like(products), where=lengths > 0)
    return cosines


@dataclass(frozen=True)
class LogOdds(Part):
    """The logit of a product of probabilities that the graph gives: log p - log(1 - p)."""

    factors: tuple[Term, ...]
    weight: float = 1.0

    @property
    def tensors(self) -> tuple[str, ...]:
        """Those that hold the probabilities."""
        return tuple(dict.fromkeys(factor.tensor for factor in self.factors))

    def read(self, values: Mapping[str, Any], maths: Maths = NUMPY) -> Any:
        """Multiply and take the logit: (n,)."""
        chance = self.factors[0].read(values, maths)
        for factor in self.factors[1:]:
            chance = chance * factor.read(values, maths)
        return self.weight * (maths.log(chance + _SURE) - maths.log(1 - chance + _SURE))

    def scaled(self, factor: float) -> "LogOdds":
        """Weigh it."""
        return replace(self, weight=factor * self.weight)

    def __str__(self) -> str:
        """Write it out: `logit(output0[2100,4]*output0[2100,10])`."""
        return f"logit({'*'.join(map(str, self.factors))})"


def anchor(layout: Layout, proposal: int, label: int) -> tuple[Part, ...]:
    """Give the logit of a class at an anchor; nothing where the layout has none."""
    if not layout.is_raw:
        return ()
    if layout.name == "yolov8":
        entries = [Term(layout.boxes, (4 + label, proposal))]
    elif layout.name == "yolov5":
        entries = [Term(layout.boxes, (proposal, at)) for at in (4, 5 + label)]
    else:
        entries = [Term(layout.scores or layout.boxes, (proposal, layout.class_column(label)))]
    return tuple(entries) if layout.activation != "none" else (LogOdds(tuple(entries)),)
