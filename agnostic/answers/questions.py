"""From what a person typed to a target on one sample, and what a record has to say of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agnostic.answers import scores
from agnostic.answers.kinds import module_of
from agnostic.answers.scores import VERSUS_REST
from agnostic.engine.model import Model
from agnostic.engine.target import Target
from agnostic.errors import UsageError
from agnostic.inputs.sample import Sample
from agnostic.methods.contrast import against_rivals

OneTarget = str | int | np.integer[Any] | Target | None


@dataclass(frozen=True)
class Question:
    """What is explained.

    Attributes:
        target: the scalar.
        facts: what a record and its figure show of it beside its name: boxes, a region, a reference.
    """

    target: Target
    facts: Mapping[str, Any] = field(default_factory=dict)


def question(model: Model, sample: Sample, asked: OneTarget) -> Question:
    """Resolve a target on a sample: also `top` (what the model says first), and `... vs rest`.

    Raises:
        UsageError: it names nothing, several things, or nothing that this model can answer.
        ItemError: it names something that is not on this sample.
    """
    if asked is None or (isinstance(asked, str) and asked.strip() == "top"):
        return _first(model, sample)
    names = model.names
    typed = isinstance(asked, int | np.integer) and asked >= 0 and bool(names.instead or names.heads)
    # Not every kind of answer has a score for the number of a class: it is resolved as if typed.
    text = str(asked) if typed else asked
    if not isinstance(text, str):
        return _of_scores(model, model.target(text))
    text = text.strip()
    if text.endswith(VERSUS_REST) and model.answer.kind != "segmentation":
        return _against_rest(model, sample, text.removesuffix(VERSUS_REST))
    return _resolved(model, sample, text)


def _first(model: Model, sample: Sample) -> Question:
    """Ask for what the model says first."""
    if model.answer.is_of_scores:
        return _of_scores(model, scores.target_of(model, scores.predict(model, sample, 1)[0]))
    return _resolved(model, sample, module_of(model).default(model, sample))


def _of_scores(model: Model, target: Target) -> Question:
    return Question(target, scores.facts(model, target) if model.answer.is_of_scores else {})


def _resolved(model: Model, sample: Sample, text: str) -> Question:
    if model.answer.is_of_scores:
        return _of_scores(model, model.target(text))
    facts: dict[str, Any] = {}

    def also(part: str) -> Target | None:
        found = module_of(model).target(model, sample, part)
        if found is None:
            return None
        facts.update({**found[1], **facts, **_joined(facts, found[1])})
        target: Target = found[0]
        return target

    return Question(model.names.target(text, also), facts)


def _joined(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Of a difference of two boxes both are explained; of two regions, both are outlined; of two references none is."""
    joined: dict[str, Any] = {}
    if "explained" in earlier:
        joined["explained"] = sorted({*earlier["explained"], *later.get("explained", ())})
    if "region" in earlier and "region" in later:
        joined["region"] = earlier["region"] | later["region"]
    if "reference_name" in earlier:
        joined["reference_name"] = f"{earlier['reference_name']}, {later.get('reference_name', '')}"
        joined["reference"] = None
    return joined


def _against_rest(model: Model, sample: Sample, text: str) -> Question:
    if model.answer.kind != "classes" or len(model.answer.heads) > 1:
        what = {"labels": "labels that do not exclude each other"}.get(model.answer.kind, model.answer.kind)
        raise UsageError(f"'{text}{VERSUS_REST}': only one class of several has a rest; the model answers with {what}")
    alone = question(model, sample, text)
    (contrast,) = against_rivals(model, sample, (alone.target,))
    return Question(Target(contrast.terms, alone.target.name + VERSUS_REST), alone.facts)
