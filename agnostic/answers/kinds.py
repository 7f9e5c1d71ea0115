"""The module of each kind of answer.

Every one of them has `predict(model, sample, top) -> list[Prediction]`. Those whose targets depend on the sample also
have `target(model, sample, text) -> (Target, facts) | None` and `default(model, sample) -> str`. The facts go into the
record: plain values, and arrays under `region` and `reference`.
"""

from types import ModuleType

from agnostic.answers import areas, boxes, references, scores
from agnostic.engine.answer import Kind
from agnostic.engine.model import Model

MODULES: dict[Kind, ModuleType] = {
    "classes": scores,
    "labels": scores,
    "regression": scores,
    "boxes": boxes,
    "segmentation": areas,
    "embedding": references,
}


def module_of(model: Model) -> ModuleType:
    """The module of a model's kind of answer."""
    return MODULES[model.answer.kind]
