"""Influence: which training samples made a prediction, or a hidden unit, what it is.

Koh & Liang, "Understanding Black-box Predictions via Influence Functions" (ICML 2017): without a sample of n the
weights, trained to the minimum of the mean loss, would move by H^-1 g / n, g being the gradient of its loss and H the
curvature of the mean loss; a target f would move by f' H^-1 g / n. What is reported here is what the sample does by
being there, the negative of that: above zero it raises the target, below it lowers it.
"""

import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from agnostic.engine.model import Model
from agnostic.engine.target import Array, Floats, Target
from agnostic.errors import InputError, ItemError, UsageError, unknown
from agnostic.training.arnoldi import arnoldi
from agnostic.training.cg import cg
from agnostic.training.checkpoints import scores_of
from agnostic.training.data import TrainingSet
from agnostic.training.ekfac import ekfac
from agnostic.training.exact import LastLayer
from agnostic.training.inverse import Inverse, norms_by_solving
from agnostic.training.landscape import ALL, LAST, Landscape, Progress, landscape
from agnostic.training.lissa import lissa
from agnostic.training.store import Ints

#: Solvers of the curvature, besides `exact` for the last layer.
SOLVERS: Mapping[str, Callable[..., Inverse]] = {"arnoldi": arnoldi, "cg": cg, "ekfac": ekfac, "lissa": lissa}
EXACT = "exact"
#: Damping where neither it nor l2 is given; ekfac has its own.
DAMPING = 0.01


class Query(NamedTuple):
    """What is asked about: a target on one input.

    Attributes:
        name: of the input, as a person calls it.
        feeds: what the model eats, one row.
        target: a class score, a hidden unit, a sum of them; None for the log-probability of a class.
        label: that class; the predicted one where it is None.
    """

    name: str
    feeds: Mapping[str, Array]
    target: Target | None = None
    label: int | None = None


@dataclass(frozen=True, eq=False)
class Influence:
    """What each training sample adds to some targets.

    Attributes:
        values: (queries, n) float64; above zero a sample raises the target.
        names: of the inputs asked about.
        targets: what was asked about, as a person calls it.
        meta: what is needed to repeat it, and how good the solution is: plain JSON values.
    """

    values: Floats
    names: tuple[str, ...]
    targets: tuple[str, ...]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def order(self, query: int = 0) -> Ints:
        """The samples from the one that raises a target most to the one that lowers it most."""
        return np.argsort(-self.values[query], kind="stable")


def influence(
    model: Model,
    data: TrainingSet,
    queries: Sequence[Query],
    *,
    solver: str = EXACT,
    weights: str | Sequence[str] | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Influence:
    """Estimate what each training sample adds to each query's target by being in the training set.

    Args:
        model: the trained model.
        data: its training set.
        queries: what is asked about.
        solver: `exact` for the last linear layer, which needs no torch; `cg`, `lissa`, `arnoldi` or `ekfac`.
        weights: `all` (what all but `exact` take by default), `last`, or names of tensors; the others are held fixed.
        progress: called with what is done, and of how much.
        **settings: l2, damping, curvature, batch_size, double (see `landscape`), and the solver's own.

    Raises:
        UsageError: an unknown solver or setting, or torch is not installed.
        ModelError: there are no gradients, or the weights do not reach a target.
        InputError: the data or a query does not fit the model.
    """
    if not queries:
        raise InputError("nothing was asked about; give an input, or the number of a training sample")
    started = time.perf_counter()
    weights = _weights(solver, weights)
    if solver == EXACT:
        values, facts = _exactly(model, data, queries, settings, progress)
    else:
        values, facts = _solved(model, data, queries, solver, weights, settings, progress)
    meta = {
        "model": model.name, "model_sha256": model.sha256, "samples": len(data), "solver": solver,
        "weights": weights if isinstance(weights, str) else list(weights), "settings": dict(settings), **facts,
        "seconds": time.perf_counter() - started,
    }  # fmt: skip
    return Influence(values, tuple(q.name for q in queries), tuple(said(model, q) for q in queries), meta)


def self_influence(
    model: Model,
    data: TrainingSet,
    *,
    solver: str = EXACT,
    weights: str | Sequence[str] | None = None,
    ids: Ints | None = None,
    progress: Progress | None = None,
    **settings: Any,
) -> Floats:
    """Estimate how much a sample's own loss falls by its being in the training set: (n,), or (k,) for k ids.

    Samples that the model fits only because they are there have the highest; wrong labels are among them.

    Args:
        model: the trained model.
        data: its training set.
        solver: as for `influence`.
        weights: as for `influence`.
        ids: the samples; all by default. With cg and lissa a few, as each takes a solve.
        progress: called with what is done, and of how much.
        **settings: as for `influence`.

    Raises:
        UsageError: as for `influence`, or too many samples for the solver.
    """
    chosen = np.arange(len(data)) if ids is None else np.asarray(ids, np.int64)
    if chosen.size and (chosen.min() < 0 or chosen.max() >= len(data)):
        raise InputError(f"ids: expected numbers from 0 to {len(data) - 1}")
    weights = _weights(solver, weights)
    if solver == EXACT:
        return _last_layer(model, data, settings, progress).norms(chosen) / len(data)
    scape, inverse = _prepared(model, data, solver, weights, settings)
    if inverse.norms is not None:
        return inverse.norms(chosen, progress) / len(data)
    return norms_by_solving(scape, inverse, chosen, progress) / len(data)


def _weights(solver: str, weights: str | Sequence[str] | None) -> str | Sequence[str]:
    """Which weights are meant where nothing is said."""
    if solver == EXACT and weights not in (None, LAST):
        raise UsageError("the solver exact is of the last layer alone; take another, or leave the weights to it")
    return weights or (LAST if solver == EXACT else ALL)


def _exactly(
    model: Model, data: TrainingSet, queries: Sequence[Query], settings: Mapping[str, Any], progress: Progress | None
) -> tuple[Floats, dict[str, Any]]:
    layer = _last_layer(model, data, settings, progress)
    slopes = slopes_of(model, queries, layer)
    return -layer.row_dots(layer.solve(slopes)).T / len(data), {"parameters": layer.size}


def _last_layer(model: Model, data: TrainingSet, settings: Mapping[str, Any], progress: Progress | None) -> LastLayer:
    _check(EXACT, settings, {"l2", "damping", "batch_size"})
    return LastLayer(model, data, progress=progress, **_damped(settings))


def _damped(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Add some damping where the loss has no other term beside the cross-entropy."""
    given = "l2" in settings or "damping" in settings
    return dict(settings) if given else {**settings, "damping": DAMPING}


def _solved(
    model: Model, data: TrainingSet, queries: Sequence[Query], solver: str, weights: str | Sequence[str],
    settings: Mapping[str, Any], progress: Progress | None,
) -> tuple[Floats, dict[str, Any]]:  # fmt: skip
    scape, inverse = _prepared(model, data, solver, weights, settings)
    slopes = slopes_of(model, queries, scape.parameters)
    solved = inverse.solve(slopes, progress)
    values = -scape.row_dots(solved, progress).T / len(data)
    return values, {"parameters": scape.parameters.size, "damping": scape.damping, **inverse.facts}


def _prepared(
    model: Model, data: TrainingSet, solver: str, weights: str | Sequence[str], settings: Mapping[str, Any]
) -> tuple[Landscape, Inverse]:
    if solver not in SOLVERS:
        raise unknown("solver", solver, (EXACT, *SOLVERS))
    own = set(inspect.signature(SOLVERS[solver]).parameters) - {"landscape"}
    shared = {"l2", "damping", "curvature", "batch_size", "double"}
    _check(solver, settings, own | shared)
    how = {name: value for name, value in settings.items() if name in shared}
    scape = landscape(model, data, weights=weights, **(how if solver == "ekfac" else _damped(how)))
    return scape, SOLVERS[solver](scape, **{name: value for name, value in settings.items() if name in own})


def _check(solver: str, settings: Mapping[str, Any], known: set[str]) -> None:
    stray = sorted(set(settings) - known)
    if stray:
        raise UsageError(f"the solver {solver} has no setting {stray[0]!r}; it has {', '.join(sorted(known))}")


def slope_of(model: Model, query: Query, of: Any) -> Floats:
    """The gradient of a query's target by the weights: (P,)."""
    feeds = model.feeds(query.feeds)
    slope: Floats
    if query.target is not None:
        slope = of.target_gradient(feeds, query.target)
    else:
        slope = -of.loss_gradient(feeds, np.array([class_of(model, query)]))
    return slope


def slopes_of(model: Model, queries: Sequence[Query], of: Any) -> Floats:
    """The gradients of all queries' targets: (queries, P).

    Raises:
        ItemError: one is zero, as that of a unit that is off: then no sample would seem to do anything.
    """
    found = np.stack([slope_of(model, query, of) for query in queries])
    for query, slope in zip(queries, found, strict=True):
        if not np.isfinite(slope).all() or not slope.any():
            raise ItemError(
                f"{said(model, query)} does not move with the weights on {query.name} (a unit that is off there?): ask "
                "about an input that it answers to"
            )
    return found


def class_of(model: Model, query: Query) -> int:
    """The class whose log-probability is asked about."""
    if query.label is not None:
        return query.label
    return int(scores_of(model, query.feeds)[0].argmax())


def said(model: Model, query: Query) -> str:
    """What is asked about, as a person calls it."""
    if query.target is not None:
        return query.target.name
    return f"log p({model.names.class_name(class_of(model, query))})"
