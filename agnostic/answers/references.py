"""Answers that are embeddings: the likeness to another input as a target, `like:FILE`."""

from typing import Any

import numpy as np

from agnostic.answers.prediction import Prediction
from agnostic.engine.likeness import Likeness, embedding
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
    found = embedding(model.run(sample.arrays, (name,)), name, model.answer.pooling)
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
    return Likeness(model.scores_tensor, reference, name, model.answer.distance, model.answer.pooling)
