"""The verbs behind the public face: open the model, make the sample, resolve the target, call the method."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from agnostic.answers import OneTarget, Prediction, Question, predict, probabilities, question, untouched
from agnostic.engine.limits import time_limit
from agnostic.engine.model import Model
from agnostic.engine.opening import Source, load
from agnostic.engine.sweep import Progress
from agnostic.engine.target import Target
from agnostic.errors import UsageError
from agnostic.explanation import Explanation
from agnostic.inputs.reading import read_sample, several_of
from agnostic.inputs.sample import Sample
from agnostic.methods import Attribution, Method, Task, get
from agnostic.versions import versions

__all__ = ["Prediction", "answer", "explain", "predict", "prepare", "probabilities", "run", "untouched"]


@overload
def explain(
    model: Model | Source, x: Any, method: str = "lime", target: OneTarget = None, **options: Any
) -> Explanation: ...


@overload
def explain(
    model: Model | Source, x: Any, method: str = "lime", target: Sequence[str | int | Target] = (), **options: Any
) -> list[Explanation]: ...


def explain(
    model: Model | Source,
    x: Any,
    method: str = "lime",
    target: OneTarget | Sequence[str | int | Target] = None,
    *,
    at: str | None = None,
    source: str | None = None,
    features: str | npt.NDArray[np.int32] | None = None,
    fill: str | None = None,
    baseline: npt.ArrayLike | None = None,
    row: int | None = None,
    background: Any = None,
    seed: int = 0,
    batch_size: int | None = None,
    timeout: float | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Explanation | list[Explanation]:
    """Explain why a model gives a score to a target on one input.

    Args:
        model: a Model, or anything `load` opens.
        x: a path, a PIL image, pixels, a text where the model eats text, or the array (or arrays by input name) that
            it eats. A list of texts returns a list: each text in turn, for each target.
        method: a name that `agnostic methods` lists.
        target: a class name or number, `layer:unit`, a difference such as `tabby - espresso`, or `tabby vs rest`: what
            speaks for the class rather than for all that the model weighs it against. `box:0` is the surest box of a
            detector, `CLASS@mask` a region of a segmentation, `like:FILE` the likeness to another input. What the
            model says first by default, which `top` names too. A list explains several targets in the same forward
            passes and returns a list.
        at: the layer, for methods that read activations.
        source: the input that is explained, where the model has several.
        features: the pieces: of a picture `superpixels:N`, `grid:N`, or a label map; of a text `words`, `tokens` or
            `sentences`; of a row `columns`, `groups` or `bins:N`; of a series `changes:N`, `windows:N` or `steps`, with
            `,per-channel` for single channels.
        fill: what stands in where a piece is off: of a picture `blur`, `mean`, `noise`, `zero`, or a colour, the
            method's own choice by default; of a text `remove`, `mask`, `unknown` or `pad`, the model's own convention
            by default; of a series `mean`, `line`, `zero` or `noise`.
        baseline: what stands in where an entry of another array, or a column of a table, is off: 0 by default, or what
            the model declares.
        row: which row of a table is explained, from 0.
        background: rows that stand in where a column of a table is off: a file, or rows as `x` may be.
        seed: of everything random.
        batch_size: rows per run of the model.
        timeout: seconds after which a LimitError is raised.
        progress: called with (done, total).
        **settings: the method's own options; `agnostic methods NAME` lists them.

    Returns:
        One Explanation, or a list of them for a list of targets.

    Raises:
        AgnosticError: one line that says what was given, what was expected, what to do; see `agnostic.errors`.
    """
    chosen = get(method)
    several = isinstance(target, Sequence) and not isinstance(target, str)
    targets: Sequence[OneTarget] = target if several else [target]  # type: ignore[assignment,list-item]
    found: list[Explanation] = []
    with time_limit(timeout):
        opened = model if isinstance(model, Model) else load(model)
        given = several_of(opened, x)
        for item in [x] if given is None else given:
            sample = prepare(
                opened, item, chosen, source=source, features=features, fill=fill, baseline=baseline, seed=seed,
                row=row, background=background,
            )  # fmt: skip
            found += answer(
                opened, sample, chosen, targets, settings, at=at, seed=seed, batch_size=batch_size, progress=progress
            )
    return found if several or given is not None else found[0]


def prepare(model: Model, x: Any, method: Method, **options: Any) -> Sample:
    """Make the sample that a method explains, once it is known that it can run on the model.

    Args:
        model: the model.
        x: as for `explain`.
        method: the method; its own choice of fill holds for a picture where none is given.
        **options: the fields of `inputs.reading.Reading`.

    Raises:
        UsageError: the method cannot run on this model, with the reason; or torch is not installed.
        ConversionError: the model has operators without a gradient.
    """
    if "gradient" in method.needs:
        _ = model.autograd.module  # says itself what is missing, with the status that belongs to it
    reason = method.obstacle(model)
    if reason is not None:
        raise UsageError(
            f"{method.name} cannot run on {model.name!r}: {reason}; `agnostic methods MODEL` lists what can"
        )
    return read_sample(model, x, usual_fill=method.fill, **options)


def answer(
    model: Model,
    sample: Sample,
    method: Method,
    targets: Sequence[OneTarget],
    settings: Mapping[str, Any],
    *,
    at: str | None = None,
    seed: int = 0,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> list[Explanation]:
    """Explain targets of one sample by one method, in the same forward passes: one record per target.

    Raises:
        UsageError: there is no target, or a setting that the method does not have or that makes no sense.
    """
    if not targets:
        raise UsageError("the list of targets is empty")
    if batch_size is not None and batch_size < 1:
        raise UsageError(f"--batch-size {batch_size}: expected at least 1")
    if at is None and "gradient" in method.needs and not {"activations", "attention"} & set(method.needs):
        at = sample.differentiable
    if at is not None and not {"activations", "gradient"} & set(method.needs):
        raise UsageError(f"{method.name} looks at no layer; drop --at {at}")
    asked = [question(model, sample, item) for item in targets]
    wanted = tuple(item.target.smooth if "gradient" in method.needs else item.target for item in asked)
    settings, sample = _with_prior(model, sample, method, settings)
    task = Task(model, sample, wanted, seed, at, batch_size, progress)
    return run(method, task, method.settings(settings), asked)


def _with_prior(
    model: Model, sample: Sample, method: Method, settings: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Sample]:
    """Read the file of a prior, take from it what the method leans on, and name the sample's pieces as it does."""
    from agnostic.summary.priors import Prior

    prior = settings.get("prior")
    if isinstance(prior, str | os.PathLike):
        prior = Prior.load(prior)
    if not isinstance(prior, Prior):
        return settings, sample
    return {**settings, "prior": prior.weights(method.name)}, prior.named(model, sample)


def run(method: Method, task: Task, settings: dict[str, Any], asked: Sequence[Question] = ()) -> list[Explanation]:
    """Run one method on a task and write the records, one per target.

    Args:
        method: the method.
        task: what it is to explain.
        settings: all of its own.
        asked: the questions that the targets come from, for what records show of them.
    """
    if method.needs_plane and not _has_places(method, task.sample):
        raise UsageError(f"{method.name} explains pictures; use occlusion, lime or kernelshap here")
    if "gradient" in method.needs and "attention" not in method.needs and task.at is None:
        _ = task.sample.numbers  # says itself what has no gradient; attention's lies behind the embedding
    started, before = time.perf_counter(), task.model.evaluations
    attribution = method.function(task, **settings)
    seconds, evaluations = time.perf_counter() - started, task.model.evaluations - before
    common = {
        "settings": _plain(settings),
        "seed": task.seed,
        "at": task.at,
        "model": task.model.name,
        "model_sha256": task.model.sha256,
        "input": task.sample.name,
        "source": task.sample.source,
        "evaluations": evaluations,
        "seconds": round(seconds, 3),
        "provider": task.model.provider,
        "versions": dict(versions()),
        **_proof(method, task),
        "surrogates": list(task.model.autograd.surrogates) if "gradient" in method.needs else [],
    }
    chances = probabilities(task.model, task.sample, task.targets)
    about = [dict(item.facts) for item in asked] or [{} for _ in task.targets]
    return [
        _record(method, task, attribution, i, {**common, "probability": chance}, about[i])
        for i, chance in enumerate(chances)
    ]


def _has_places(method: Method, sample: Sample) -> bool:
    """Whether a sample's positions do for a method that needs a plane: what enlarges a layer's map takes a line too."""
    return sample.features.is_plane or (sample.features.is_grid and "activations" in method.needs)


def _proof(method: Method, task: Task) -> dict[str, Any]:
    """The re-import's parity with the model on this input and on a random one, where gradients were taken."""
    if "gradient" not in method.needs:
        return {"parity": None, "random_parity": None}
    own, random = task.parity, task.random_parity
    return {"parity": own._asdict(), "random_parity": random._asdict() if random is not None else None}


def _record(
    method: Method, task: Task, found: Attribution, index: int, common: dict[str, Any], about: dict[str, Any]
) -> Explanation:
    region, reference = about.pop("region", None), about.pop("reference", None)
    target, features = task.targets[index], task.sample.features
    facts = dict(found.facts[index]) if found.facts else {}
    meta = {
        **common,
        "target_key": target.key,
        "score": float(task.scores[index]),
        "feature_names": list(features.names),
        **({"shown": dict(task.sample.shown)} if task.sample.shown else {}),
        **_plain(about),
        **_plain(facts),
    }
    scored, weights = found.weights is not None, found.weights
    if weights is None and not features.is_grid and found.values.shape[1:] == features.shape:
        weights = features.gather(found.values)
    return Explanation(
        values=np.ascontiguousarray(found.values[index], np.float32),
        base_value=float(found.base_values[index]),
        target=target.name,
        method=method.name,
        meta=meta,
        picture=task.sample.picture if found.values.shape[1:] == features.shape else None,
        segments=features.labels if scored and features.is_grid else None,
        weights=np.ascontiguousarray(weights[index], np.float32) if weights is not None else None,
        detail=np.ascontiguousarray(found.detail[index], np.float32) if found.detail is not None else None,
        data=task.sample.data,
        region=None if region is None else np.asarray(region, np.uint8),
        reference=reference,
    )


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn NumPy scalars, tuples, arrays and whatever else a setting may be into plain JSON values."""
    return {str(name): _plain_value(value) for name, value in values.items()}


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return _plain_value(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    if isinstance(value, Mapping):
        return _plain(value)
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)
