"""Consensus: what several models have in common in why they give a score."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.answers import OneTarget
from agnostic.api import explain
from agnostic.engine.model import Model
from agnostic.engine.opening import Source, load
from agnostic.errors import InputError, UsageError
from agnostic.explanation import Explanation

if TYPE_CHECKING:
    from PIL.Image import Image

Floats = npt.NDArray[np.float32]


class Consensus(NamedTuple):
    """What models agree on.

    Attributes:
        explanation: the mean of the models' values, each brought to length one; its method is `consensus`.
        parts: the explanation of each model.
        agreement: for each model, the cosine between its values and the mean: 1 where it says what all say.
    """

    explanation: Explanation
    parts: tuple[Explanation, ...]
    agreement: tuple[float, ...]

    def figure(self, *, heading: str = "", dark: bool = False) -> "Image":
        """Draw the mean beside what each model says.

        Raises:
            UsageError: there is no way to draw it, as for a plain array.
        """
        from agnostic.gallery import figure

        named = [
            replace(part, method=str(part.meta["model"]), meta={**part.meta, "agreement": agreement, "settings": {}})
            for part, agreement in zip(self.parts, self.agreement, strict=True)
        ]
        whole = replace(self.explanation, method=f"consensus of {self.explanation.meta['of']}")
        return figure([whole, *named], heading=heading, dark=dark)


def consensus(
    models: Sequence[Model | Source], x: Any, method: str = "lime", target: OneTarget = None, **options: Any
) -> Consensus:
    """Average the explanations of several models of one input (Li et al., Machine Learning 112, 2023).

    A model that looks at something else than all others do shows in its agreement. Maps of other sizes are brought to
    that of the first model's. Targets are found by name in each model, or by number where there are no labels.

    Args:
        models: Models, or anything `load` opens; two or more.
        x: as for `explain`.
        method: the method, the same for all.
        target: one target; the first model's top class by default.
        **options: as for `explain`, the method's own settings included.

    Raises:
        UsageError: there is but one model, or a model does not know the target.
        InputError: the models see different parts of the input.
    """
    if len(models) < 2:
        raise UsageError(f"a consensus of {len(models)} model: expected two or more")
    opened = [model if isinstance(model, Model) else load(model) for model in models]
    first = explain(opened[0], x, method, target, **options)
    wanted = first.target if target is None else target
    rest = [explain(model, x, method, _same(wanted), **options) for model in opened[1:]]
    return joined([first, *rest])


def _same(target: OneTarget) -> OneTarget:
    """Give a class without a label by its number."""
    if isinstance(target, str) and target.startswith("class ") and target[6:].isdigit():
        return int(target[6:])
    return target


def joined(parts: Sequence[Explanation]) -> Consensus:
    """Average explanations of one input by one method, each brought to length one.

    Raises:
        InputError: they are not of the same input, or one is zero everywhere.
    """
    values = np.stack([_unit(part, item) for part, item in zip(parts, _values(parts), strict=True)])
    mean = values.mean(axis=0)
    agreement = tuple(float(item) for item in np.tensordot(values, mean, mean.ndim) / np.linalg.norm(mean))
    first = parts[0]
    # Pieces are averaged where they are the same for all; pieces of a picture are, where models see it at one size.
    shared = all(_same_pieces(first, part) for part in parts)
    weights = np.mean([_unit(part, part.weights) for part in parts], axis=0) if shared else None
    models = [_told(part, item) for part, item in zip(parts, agreement, strict=True)]
    kept = ("settings", "seed", "at", "model", "model_sha256", "input", "source", "versions", "feature_names", "shown")
    meta = {name: first.meta[name] for name in kept if name in first.meta}
    together = Explanation(
        values=mean,
        base_value=float("nan"),
        target=first.target,
        method="consensus",
        meta={**meta, "of": first.method, "models": models, "agreement": float(np.mean(agreement))},
        picture=first.picture,
        segments=first.segments if shared else None,
        weights=weights,
        data=first.data,
    )
    return Consensus(together, tuple(parts), agreement)


def _told(part: Explanation, agreement: float) -> dict[str, Any]:
    facts = {name: part.meta.get(name) for name in ("model", "model_sha256", "score", "probability", "evaluations")}
    return {**facts, "agreement": agreement}


def _values(parts: Sequence[Explanation]) -> list[Floats]:
    """What each model found, at the size of the first one's."""
    first = parts[0]
    for part in parts:
        seen = (part.picture is None, None if part.picture is None else part.picture.shape)
        if seen != (first.picture is None, None if first.picture is None else first.picture.shape):
            raise InputError(
                f"{first.meta['model']} and {part.meta['model']} see different parts of the input; give both the same "
                "--resize"
            )
        if first.picture is None and part.values.shape != first.values.shape:
            raise InputError(
                f"{first.meta['model']} explains {list(first.values.shape)} positions, {part.meta['model']} "
                f"{list(part.values.shape)}: they do not eat the same input"
            )
    return [_sized(part.values, first.values.shape) for part in parts]


def _sized(values: Floats, shape: tuple[int, ...]) -> Floats:
    from agnostic.kernels.resize import bilinear

    if values.shape == shape:
        return values
    enlarged: Floats = bilinear(np.ascontiguousarray(values[None], np.float32), (shape[0], shape[1]))[0]
    return enlarged


def _unit(part: Explanation, values: Floats | None) -> Floats:
    length = 0.0 if values is None else float(np.linalg.norm(values))
    if values is None or length == 0:
        raise InputError(f"{part.meta['model']}: {part.method} is zero everywhere on this input: nothing to average")
    return np.asarray(values / length, np.float32)


def _same_pieces(first: Explanation, other: Explanation) -> bool:
    if first.weights is None or other.weights is None or first.weights.shape != other.weights.shape:
        return False
    if first.segments is None or other.segments is None:
        return first.meta.get("feature_names") == other.meta.get("feature_names")
    return np.array_equal(first.segments, other.segments)
