"""What a model says of a sample, whatever its kind of answer."""

from collections.abc import Sequence

import numpy as np

from agnostic.answers import areas, boxes, references, scores
from agnostic.answers.kinds import module_of
from agnostic.answers.prediction import Prediction
from agnostic.engine.model import Model
from agnostic.engine.target import Target
from agnostic.inputs.sample import Sample
from agnostic.methods import Task

# Scores that move less than this share of their size between a sample and its fill look untouched by it.
UNTOUCHED = 1e-3


def predict(model: Model, sample: Sample, top: int = 5) -> list[Prediction]:
    """List what the model says: the best classes, the values, the boxes, the regions, or the embedding's length.

    Args:
        model: the model.
        sample: the input.
        top: how many classes; of boxes more are listed, as each can be explained.
    """
    said: list[Prediction] = module_of(model).predict(model, sample, top)
    return said


def probabilities(model: Model, sample: Sample, targets: Sequence[Target]) -> list[float | None]:
    """The probability of each target that is a single class, alone or against the rest; None for any other."""
    if not model.answer.is_of_scores:
        return [None] * len(targets)
    return scores.probabilities(model, sample, targets)


def untouched(model: Model, sample: Sample) -> bool:
    """Whether the answer hardly changes when everything in the sample is replaced by its fill."""
    targets = _telling(model, sample)
    if not targets:
        return False
    task = Task(model, sample, targets)
    moved = np.abs(task.scores - task.base_scores).max()
    return bool(moved <= UNTOUCHED * np.abs(task.scores).max())


def _telling(model: Model, sample: Sample) -> tuple[Target, ...]:
    """Targets that say whether the model reacts to its input; none where it finds nothing on it."""
    if model.answer.is_of_scores:
        return tuple(scores.target_of(model, item) for item in predict(model, sample, 5))
    if model.answer.kind == "boxes":
        found = boxes.target(model, sample, "box:0") if boxes.found(model, sample) else None
        return (found[0],) if found is not None else ()
    if model.answer.kind == "segmentation":
        return tuple(model.names.class_target(item.index) for item in areas.predict(model, sample, 5))
    part = references.like(model, references.embed(model, sample), "itself")
    return (Target((part,), part.name),)
