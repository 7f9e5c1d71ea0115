"""How wrong a model is where the right answers are known: cross-entropy and accuracy of classes, error of a number."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.engine.model import Model
from agnostic.engine.target import Floats, Target
from agnostic.errors import InputError, unknown

Measures = dict[str, float]


@dataclass(frozen=True)
class Judge:
    """What has to be read off the model, and what its errors are: `measure` takes (n, targets)."""

    targets: tuple[Target, ...]
    measure: Callable[[Floats], Measures]


def judge_of(model: Model, truth: Sequence[Any] | None) -> Judge | None:
    """Make the judge that fits the model; None where the right answers are not known.

    Raises:
        InputError: an answer is no class of the model, or no number.
    """
    if truth is None:
        return None
    count = model.names.class_count or 1
    targets = tuple(model.names.class_target(index) for index in range(count))
    if count == 1:
        wanted = np.array([_number(item) for item in truth])
        return Judge(targets, lambda scores: {"loss": float(np.square(scores[:, 0] - wanted).mean())})
    classes = np.array([_class_of(model, item, count) for item in truth])
    return Judge(targets, lambda scores: _of_classes(scores, classes))


def _of_classes(scores: Floats, classes: npt.NDArray[np.intp]) -> Measures:
    """Judge scores before the softmax; where there is none in the graph, they may be probabilities already."""
    rows = np.arange(len(scores))
    given = scores.min() >= 0 and bool(np.all(np.abs(scores.sum(axis=1) - 1) < 1e-3))
    if given:
        logs = np.log(np.maximum(scores, 1e-12))
    else:
        shifted = scores - scores.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    right = scores.argmax(axis=1) == classes
    return {"loss": float(-logs[rows, classes].mean()), "accuracy": float(right.mean())}


def _class_of(model: Model, item: Any, count: int) -> int:
    labels = list(model.labels or ())
    text = str(item).strip()
    if text in labels:
        return labels.index(text)
    lowered = [label.lower() for label in labels]
    if text.lower() in lowered:
        return lowered.index(text.lower())
    try:
        index = int(float(text))
    except ValueError:
        index = -1
    if not 0 <= index < count or float(text) != index:
        raise InputError(str(unknown("class", text, labels, f"expected a number from 0 to {count - 1}")))
    return index


def _number(item: Any) -> float:
    try:
        value = float(item)
    except (TypeError, ValueError):
        value = float("nan")
    if not np.isfinite(value):
        raise InputError(f"the right answer {item!r} is no number, and the model gives one")
    return value
