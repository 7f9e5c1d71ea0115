"""Local models that lean on a prior: what features are worth over many inputs, by their identity."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.methods._local import Sampling, fit_locally, fitted
from agnostic.methods._regression import Fit, towards
from agnostic.methods.registry import Attribution, Task, check_positive

# The weights by identity, or several of these by the target they are for.
Prior = Mapping[str, Any]


def fit_towards(
    name: str, task: Task, sampling: Sampling, prior: Prior | None, force: float, scale: float | None
) -> Attribution:
    """Fit a local linear model that is drawn towards the prior's weights, one per target.

    Raises:
        UsageError: there is no prior, none for a target, or the features have no identities that it could name.
    """
    check_positive(force=force, **({} if scale is None else {"scale": scale}))
    weights = _weights(name, task, prior)

    def solve(sums: Floats) -> Fit:
        return towards(sums, weights, force, scale)

    found = fitted(task, fit_locally(name, task, sampling, solve))
    known = (weights != 0).sum(axis=1).tolist()
    facts = [{**told, "prior_features": count} for told, count in zip(found.facts, known, strict=True)]
    return found._replace(facts=facts)


def _weights(name: str, task: Task, prior: Prior | None) -> Floats:
    """Look up what the prior says of each feature: (targets, features), 0 where it says nothing.

    What it says of an identity is shared out evenly where that occurs several times.
    """
    identities = task.sample.features.identities
    if not prior:
        raise UsageError(f"{name} needs a prior: --prior FILE, as `agnostic summarize` writes it")
    if identities is None:
        raise UsageError(f"{name}: the features of {task.sample.name!r} have no names that other inputs share")
    times = Counter(identities)
    rows = [_of_target(name, prior, target.name) for target in task.targets]
    return np.array([[row.get(item, 0.0) / times[item] for item in identities] for row in rows], np.float64)


def _of_target(name: str, prior: Prior, target: str) -> Mapping[str, float]:
    if not any(isinstance(value, Mapping) for value in prior.values()):
        return prior
    if target not in prior:
        known = ", ".join(map(repr, list(prior)[:8]))
        raise UsageError(f"{name}: the prior is of the targets {known}; it says nothing of {target!r}")
    found: Mapping[str, float] = prior[target]
    return found
