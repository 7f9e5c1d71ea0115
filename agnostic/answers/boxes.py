"""Answers that are boxes: what a detector found, and `box:N` as a target."""

import re
from typing import Any

import numpy as np

from agnostic.answers.prediction import Prediction
from agnostic.converters import surgery
from agnostic.engine.detection import Detection, LogOdds, Match, anchor, detections
from agnostic.engine.layouts import Layout
from agnostic.engine.model import Model
from agnostic.engine.target import Part, Target, Term
from agnostic.errors import ItemError, ModelError, UsageError
from agnostic.inputs.sample import Sample

BOX = re.compile(r"^box:(\d+)(?:/(.+))?$")
# As many boxes as are still told apart on a picture.
MOST_SHOWN = 50


def layout_of(model: Model) -> Layout:
    """How the model writes boxes down."""
    if model.answer.layout is None:
        raise ModelError(f"{model.name!r} answers with no boxes")
    return model.answer.layout


def found(model: Model, sample: Sample) -> list[Detection]:
    """List the boxes on a sample, the surest first."""
    layout = layout_of(model)
    return detections(layout, model.run(sample.arrays, layout.tensors), _size(sample))


def predict(model: Model, sample: Sample, top: int) -> list[Prediction]:
    """List the boxes on a sample, the surest first: what `box:0`, `box:1`, … mean."""
    height, width = _size(sample)
    sides = np.array([width, height, width, height])
    return [
        Prediction(
            number, model.names.class_name(item.label), item.score, item.score,
            box=tuple(round(float(side), 2) for side in item.box * sides),  # type: ignore[arg-type]
        )
        for number, item in enumerate(found(model, sample)[: max(top, MOST_SHOWN)])
    ]  # fmt: skip


def default(model: Model, sample: Sample) -> str:
    """Name what is explained where nobody says: the surest box."""
    return "box:0"


def target(model: Model, sample: Sample, text: str) -> tuple[Target, dict[str, Any]] | None:
    """Resolve `box:N` and `box:N/CLASS`; None for anything else.

    Raises:
        UsageError: there is no such box, or no such class.
        ItemError: the model finds no box at all.
    """
    match = BOX.match(text)
    if match is None:
        return None
    everything, number = found(model, sample), int(match[1])
    if not everything:
        raise ItemError(
            f"the model finds no box on {sample.name!r} with a score of {layout_of(model).threshold:g} or more; lower "
            "threshold under [answer], or check the preprocessing with `agnostic inspect`"
        )
    if number >= len(everything):
        last = len(everything) - 1
        raise UsageError(f"{text!r}: the model finds {last + 1} on {sample.name!r}, box:0 to box:{last}")
    chosen = everything[number]
    label = chosen.label if match[2] is None else model.names.class_index(match[2])
    part = _match(model, sample, text, chosen, label, as_found=match[2] is None)
    # `box:0/dog` asks why the thing is, or is not, called a dog.
    name = f"box:{number}" if match[2] is None else f"box:{number}/{model.names.class_name(label)}"
    return Target((part,), name), _facts(model, everything, number)


def _match(model: Model, sample: Sample, text: str, chosen: Detection, label: int, *, as_found: bool) -> Match:
    layout = layout_of(model)
    classes = chosen.classes if as_found else np.eye(max(label + 1, len(chosen.classes)))[label]
    parts = tuple(_before_squash(model, part) for part in anchor(layout, chosen.proposal, label))
    return Match(layout, _size(sample), chosen.box, classes, text, parts)


def _before_squash(model: Model, part: Part) -> Part:
    """Take the logit itself in place of one computed back from its probability, where the graph shows it."""
    if not isinstance(part, LogOdds) or len(part.factors) != 1:
        return part
    (factor,) = part.factors
    behind = surgery.entry_before_squash(model.proto, factor.tensor, factor.index)
    return part if behind is None else Term(*behind)


def _facts(model: Model, everything: list[Detection], number: int) -> dict[str, Any]:
    shown = [
        {
            "box": [round(float(side), 5) for side in item.box],
            "name": model.names.class_name(item.label),
            "score": item.score,
        }
        for item in everything[:MOST_SHOWN]
    ]
    return {"boxes": shown, "explained": [number]}


def _size(sample: Sample) -> tuple[int, int]:
    """Height and width of the explained input."""
    shape = sample.features.shape
    if len(shape) != 2:
        raise UsageError(f"{sample.name!r} has no height and width that boxes could be shares of; give a picture")
    return int(shape[0]), int(shape[1])
