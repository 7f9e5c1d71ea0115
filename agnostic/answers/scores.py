"""Answers that are entries of outputs: one of several classes, any of several labels, values of a regression."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from agnostic.answers.prediction import Prediction
from agnostic.engine.answer import Head
from agnostic.engine.model import Model
from agnostic.engine.naming import NamedHead
from agnostic.engine.target import Array, Floats, Target, Term
from agnostic.errors import ItemError
from agnostic.inputs.sample import Sample

VERSUS_REST = " vs rest"


def predict(model: Model, sample: Sample, top: int) -> list[Prediction]:
    """List the classes with the highest scores, or the values, of every output that answers."""
    fetched = fetch(model, sample)
    found: list[Prediction] = []
    for head, named in zip(model.answer.heads, named_heads(model), strict=True):
        scores, chances = class_scores(fetched, head, named, sample.name)
        best = range(len(scores)) if head.kind == "regression" else np.argsort(-scores, kind="stable")
        found += [_said(model, head, named, int(i), scores, chances) for i in list(best)[:top]]
    return found


def named_heads(model: Model) -> Sequence[NamedHead]:
    """The outputs that answer, with the names of their entries."""
    names = model.names
    single = NamedHead(model.class_output.name, names.scores, names.class_axis, None, names.class_count)
    return names.heads or (single,)


def _said(model: Model, head: Head, named: NamedHead, index: int, scores: Floats, chances: Floats | None) -> Prediction:
    several = bool(model.names.heads)
    name = f"{head.output}[{index}]" if model.names.instead else model.names.class_name(index)
    if several or head.kind == "regression":
        labels = named.labels if several else model.names.labels
        name = labels[index] if labels else head.output if len(scores) == 1 else f"{head.output}[{index}]"
    chance = None if chances is None else float(chances[index])
    output = head.output if several else None
    return Prediction(index, name, float(scores[index]), chance, output=output, unit=head.unit(index))


def target_of(model: Model, prediction: Prediction) -> Target:
    """The target that a prediction is about."""
    for head in model.names.heads:
        if head.output == prediction.output:
            return model.names.head_target(head, prediction.index)
    return model.names.class_target(prediction.index)


def facts(model: Model, target: Target) -> dict[str, str]:
    """What a record says of a target beside its name: the unit of a value."""
    place = _class_of(model, target)
    unit = None if place is None else model.answer.heads[place[0]].unit(place[1])
    return {} if unit is None else {"unit": unit}


def fetch(model: Model, sample: Sample) -> Mapping[str, Array]:
    """Run the model for all outputs that answer, and the scores behind them."""
    wanted = [name for head in named_heads(model) for name in (head.scores, head.output)]
    return model.run(sample.arrays, tuple(dict.fromkeys(wanted)))


def probabilities(model: Model, sample: Sample, targets: Sequence[Target]) -> list[float | None]:
    """The probability of each target that is a single class, alone or against the rest; None for any other."""
    places = [_class_of(model, target) for target in targets]
    if all(place is None for place in places):
        return [None] * len(places)
    fetched, heads = fetch(model, sample), list(zip(model.answer.heads, named_heads(model), strict=True))
    chances = [class_scores(fetched, head, named, sample.name)[1] for head, named in heads]
    found = [None if place is None else (chances[place[0]], place[1]) for place in places]
    return [None if item is None or item[0] is None else float(item[0][item[1]]) for item in found]


def _class_of(model: Model, target: Target) -> tuple[int, int] | None:
    """The output and the class that a target is the score of, unweighted, or is set against the rest."""
    terms = target.terms[:1] if target.name.endswith(VERSUS_REST) else target.terms
    term = terms[0]
    if len(terms) != 1 or not isinstance(term, Term) or term.weight != 1:
        return None
    for number, head in enumerate(named_heads(model)):
        index = (term.index[head.axis] if term.index else 0) if term.tensor == head.scores else None
        if index is not None and all(at is None for axis, at in enumerate(term.index) if axis != head.axis):
            return number, index
    return None


def class_scores(
    fetched: Mapping[str, Array], head: Head, named: NamedHead, sample: str
) -> tuple[Floats, Floats | None]:
    """The scores of all classes of an output and their probabilities, (classes,) float64 each.

    Raises:
        ItemError: a score is NaN or infinite.
    """
    scores, answer = (per_class(fetched[name][0], named.axis) for name in (named.scores, named.output))
    if not np.isfinite(scores).all():
        raise ItemError(f"the model's class scores are not finite on {sample!r}: there is nothing to explain")
    if head.kind == "regression":
        return scores, None
    inside = bool(0 <= answer.min() <= answer.max() <= 1)
    if named.scores != named.output and inside:
        return scores, answer
    if head.kind == "labels":
        return scores, answer if inside else 1 / (1 + np.exp(-np.clip(scores, -500, 500)))
    if len(scores) < 2:
        return scores, None
    if answer.min() >= 0 and abs(answer.sum() - 1) < 1e-3:
        return scores, answer
    spread = np.exp(scores - scores.max())
    return scores, spread / spread.sum()


def per_class(values: npt.NDArray[np.generic], axis: int) -> Floats:
    """Average one row of scores over all axes but that of the classes: (classes,) float64."""
    if values.ndim == 0:
        return values.astype(np.float64).reshape(1)
    moved = np.moveaxis(values.astype(np.float64), axis, 0)
    means: Floats = moved.reshape(len(moved), -1).mean(axis=1)
    return means
