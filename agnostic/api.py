"""The verbs behind the public face: open the model, make the sample, resolve the target, call the method."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

from agnostic.engine.limits import time_limit
from agnostic.engine.model import Model
from agnostic.engine.opening import Source, load
from agnostic.engine.sweep import Progress
from agnostic.engine.target import Floats, Projection, Target
from agnostic.errors import ItemError, UsageError
from agnostic.explanation import Explanation
from agnostic.inputs.reading import read_sample
from agnostic.inputs.sample import Sample
from agnostic.methods import Attribution, Method, Task, get
from agnostic.methods.contrast import against_rivals
from agnostic.versions import versions

OneTarget = str | int | Target | None

# Scores that move less than this share of their size between a picture and its fill look untouched by the picture.
UNTOUCHED = 1e-3
VERSUS_REST = " vs rest"


@dataclass(frozen=True)
class Prediction:
    """What the model says of a sample.

    Attributes:
        index: the class.
        name: its label, or `class N`.
        score: what is explained by default, before the softmax where the graph has one.
        probability: after the softmax; None where the model's answer is no distribution over classes.
    """

    index: int
    name: str
    score: float
    probability: float | None


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
    baseline: npt.ArrayLike = 0.0,
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
        x: a path, a PIL image, pixels, or the array (or arrays by input name) that the model eats.
        method: a name that `agnostic methods` lists.
        target: a class name or number, `layer:unit`, a difference such as `tabby - espresso`, or `tabby vs rest`: what
            speaks for the class rather than for all that the model weighs it against. The top class by default,
            which `top` names too. A list explains several targets in the same forward passes and returns a list.
        at: the layer, for methods that read activations.
        source: the input that is explained, where the model has several.
        features: the pieces of a picture: `superpixels:N`, `grid:N`, or a label map.
        fill: what stands in where a piece of a picture is off: `blur`, `mean`, `noise`, `zero`, or a colour; the
            method's own choice by default.
        baseline: what stands in where an entry of another array is off.
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
    with time_limit(timeout):
        opened = model if isinstance(model, Model) else load(model)
        sample = prepare(
            opened, x, chosen, source=source, features=features, fill=fill, baseline=baseline, seed=seed, row=row,
            background=background,
        )  # fmt: skip
        found = answer(
            opened, sample, chosen, targets, settings, at=at, seed=seed, batch_size=batch_size, progress=progress
        )
    return found if several else found[0]


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
    resolved = tuple(_resolve(model, sample, item) for item in targets)
    return run(method, Task(model, sample, resolved, seed, at, batch_size, progress), method.settings(settings))


def run(method: Method, task: Task, settings: dict[str, Any]) -> list[Explanation]:
    """Run one method on a task and write the records, one per target."""
    if method.needs_plane and not task.sample.features.is_plane:
        raise UsageError(f"{method.name} explains pictures; use occlusion, lime or kernelshap here")
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
    return [
        _record(method, task, attribution, i, {**common, "probability": chance}) for i, chance in enumerate(chances)
    ]


def _proof(method: Method, task: Task) -> dict[str, Any]:
    """The re-import's parity with the model on this input and on a random one, where gradients were taken."""
    if "gradient" not in method.needs:
        return {"parity": None, "random_parity": None}
    own, random = task.parity, task.random_parity
    return {"parity": own._asdict(), "random_parity": random._asdict() if random is not None else None}


def _record(method: Method, task: Task, found: Attribution, index: int, common: dict[str, Any]) -> Explanation:
    target, features = task.targets[index], task.sample.features
    facts = dict(found.facts[index]) if found.facts else {}
    meta = {
        **common,
        "target_key": target.key,
        "score": float(task.scores[index]),
        "feature_names": list(features.names),
        **({"shown": dict(task.sample.shown)} if task.sample.shown else {}),
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
    )


def predict(model: Model, sample: Sample, top: int = 5) -> list[Prediction]:
    """List the classes with the highest scores, best first."""
    scores, probabilities = _class_scores(model, sample)
    best = np.argsort(-scores, kind="stable")[:top]
    return [
        Prediction(
            int(i),
            model.names.class_name(int(i)),
            float(scores[i]),
            float(probabilities[i]) if probabilities is not None else None,
        )
        for i in best
    ]


def probabilities(model: Model, sample: Sample, targets: Sequence[Target]) -> list[float | None]:
    """The probability of each target that is a single class, alone or against the rest; None for any other."""
    classes = [_class_of(model, target) for target in targets]
    if all(index is None for index in classes):
        return [None] * len(classes)
    _, chances = _class_scores(model, sample)
    return [None if chances is None or index is None else float(chances[index]) for index in classes]


def _class_of(model: Model, target: Target) -> int | None:
    """The class that a target is the score of, unweighted, or is set against the rest."""
    terms, names = target.terms[:1] if target.name.endswith(VERSUS_REST) else target.terms, model.names
    term = terms[0]
    if len(terms) != 1 or isinstance(term, Projection) or term.tensor != names.scores or term.weight != 1:
        return None
    index = term.index[names.class_axis] if term.index else 0
    return index if index is not None and names.class_target(index).terms == terms else None


def untouched(model: Model, sample: Sample) -> bool:
    """Whether the class scores hardly change when everything in the sample is replaced by its fill."""
    task = Task(model, sample, tuple(model.names.class_target(item.index) for item in predict(model, sample, 5)))
    moved = np.abs(task.scores - task.base_scores).max()
    return bool(moved <= UNTOUCHED * np.abs(task.scores).max())


def _class_scores(model: Model, sample: Sample) -> tuple[Floats, Floats | None]:
    """The scores of all classes and their probabilities, (classes,) float64 each."""
    names = (model.scores_tensor, model.class_output.name)
    fetched = model.run(sample.arrays, tuple(dict.fromkeys(names)))
    scores, answer = (_per_class(fetched[name][0], model.names.class_axis) for name in names)
    if not np.isfinite(scores).all():
        raise ItemError(f"the model's class scores are not finite on {sample.name!r}: there is nothing to explain")
    if names[0] != names[1] and 0 <= answer.min() <= answer.max() <= 1:
        return scores, answer
    if len(scores) < 2:
        return scores, None
    if answer.min() >= 0 and abs(answer.sum() - 1) < 1e-3:
        return scores, answer
    spread = np.exp(scores - scores.max())
    return scores, spread / spread.sum()


def _per_class(values: npt.NDArray[np.generic], axis: int) -> Floats:
    if values.ndim == 0:
        return values.astype(np.float64).reshape(1)
    moved = np.moveaxis(values.astype(np.float64), axis, 0)
    means: Floats = moved.reshape(len(moved), -1).mean(axis=1)
    return means


def _resolve(model: Model, sample: Sample, target: OneTarget) -> Target:
    """Resolve what depends on the sample: `top` (the predicted class), and `... vs rest`."""
    if isinstance(target, str) and target.strip().endswith(VERSUS_REST):
        alone = _resolve(model, sample, target.strip().removesuffix(VERSUS_REST))
        (contrast,) = against_rivals(model, sample, (alone,))
        return Target(contrast.terms, alone.name + VERSUS_REST)
    if target is None or (isinstance(target, str) and target.strip() == "top"):
        return model.names.class_target(predict(model, sample, 1)[0].index)
    return model.target(target)


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
