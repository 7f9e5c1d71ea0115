"""Answers that are embeddings: the likeness to another input as a target, `like:FILE`."""

from typing import Any

import numpy as np

from agnostic.answers.prediction import Prediction
from agnostic.engine.likeness import Likeness, pooled
from agnostic.engine.model import Model
from agnostic.engine.target import Floats, Target
from agnostic.errors import ItemError, UsageError
from agnostic.inputs.sample import Sample

LIKE = "like:"


def embed(model: Model, sample: Sample) -> Floats:
    """Compute the embedding of a sample: (d,) float64.

    Raises:
        ItemError: it is not finite, or has no length, so that nothing is like it.
    """
    name = model.scores_tensor
    row = model.run(sample.arrays, (name,))[name][:1].astype(np.float64)
    found: Floats = pooled(row, model.answer.pooling, _places(model))[0]
    if not np.isfinite(found).all():
        raise ItemError(f"the embedding of {sample.name!r} is not finite: there is nothing to compare")
    if not found.any():
        raise ItemError(f"the embedding of {sample.name!r} is zero: it has no direction that another could share")
    return found


def predict(model: Model, sample: Sample, top: int) -> list[Prediction]:
    """Say how long the embedding is; what it means is seen only beside another one."""
    return [Prediction(0, model.class_output.name, float(np.linalg.norm(embed(model, sample))), None)]


def default(model: Model, sample: Sample) -> str:
    """Refuse to choose what a sample is compared with."""
    raise UsageError("the model answers with an embedding: say what to compare with, --target like:FILE")


def target(model: Model, sample: Sample, text: str) -> tuple[Target, dict[str, Any]] | None:
    """Resolve `like:REFERENCE`, which is read just as the sample was; None for anything else.

    Raises:
        UsageError: samples of this kind cannot be read again.
        InputError: the reference cannot be read.
    """
    if not text.startswith(LIKE):
        return None
    reference = sample.another(text.removeprefix(LIKE).strip())
    part = like(model, embed(model, reference), f"{LIKE}{reference.name}")
    facts: dict[str, Any] = {"reference_name": reference.name}
    if reference.picture is not None:
        facts["reference"] = reference.picture
    return Target((part,), part.name), facts


def like(model: Model, reference: Floats, name: str) -> Likeness:
    """Make the likeness to an embedding (d,) a part of a target."""
    answer = model.answer
    return Likeness(model.scores_tensor, reference, name, answer.distance, answer.pooling, _places(model))


def _places(model: Model) -> tuple[int, ...]:
    """The axes of the embedding that are tokens or places, the batch axis counted: all but that of the channels."""
    layer = next((item for item in model.layers if item.name == model.scores_tensor), None)
    axes = len(model.names.shapes[model.scores_tensor]) + 1
    channels = layer.channel_axis if layer is not None else axes - 1 if axes == 3 else 1
    places = tuple(axis for axis in range(1, axes) if axis != channels)
    if model.answer.pooling != "none" and not places:
        raise UsageError(f"[answer] pooling={model.answer.pooling!r}: {model.scores_tensor!r} has no tokens or places")
    return places
