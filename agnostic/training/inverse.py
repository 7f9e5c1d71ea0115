"""What a solver hands out: the inverse of the curvature, applied to vectors and to the samples' own gradients.

Each solver is a function ``(landscape, *, settings) -> Inverse`` in a module of its own, named in `influence.SOLVERS`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.training.landscape import Landscape, Progress
from agnostic.training.store import Ints

#: Solving once for each sample takes a while; more are refused.
MOST_SOLVES = 64


@dataclass(frozen=True)
class Inverse:
    """The inverse of a curvature.

    Attributes:
        solve: from (k, P) vectors to the inverse's products with them, (k, P).
        norms: from samples to g H^-1 g of each one's gradient g of its loss; None where it takes a solve for each.
        facts: what is known of how good it is: plain JSON values, which `solve` may add to.
    """

    solve: Callable[[Floats, Progress | None], Floats]
    norms: Callable[[Ints, Progress | None], Floats] | None = None
    facts: dict[str, Any] = field(default_factory=dict)


def norms_by_solving(landscape: Landscape, inverse: Inverse, ids: Ints, progress: Progress | None = None) -> Floats:
    """Take each sample's g H^-1 g, solving for its gradient.

    Raises:
        UsageError: that would be more than a few solves.
    """
    if len(ids) > MOST_SOLVES:
        raise UsageError(
            f"self-influence of {len(ids)} samples takes as many solves; take --solver exact, ekfac or arnoldi"
        )
    found = []
    for _, gradients in landscape.row_gradients(ids, progress):
        found.append((inverse.solve(gradients, None) * gradients).sum(axis=1))
    return np.concatenate(found)


def subset(landscape: Landscape, samples: int | None, seed: int) -> Ints | None:
    """Draw the samples that the curvature is taken of; None for all."""
    if samples is None or samples >= len(landscape.data):
        return None
    if samples < 1:
        raise UsageError(f"samples={samples}: expected 1 or more")
    return np.sort(np.random.default_rng(seed).permutation(len(landscape.data))[:samples])


def residual(product: Callable[[Floats], Floats], solved: Floats, wanted: Floats) -> float:
    """The largest distance of H x from v, as a share of v, over the rows."""
    sizes = np.linalg.norm(wanted, axis=1)
    apart = [np.linalg.norm(product(x) - v) for x, v in zip(solved, wanted, strict=True)]
    return float(max((a / s for a, s in zip(apart, sizes, strict=True) if s > 0), default=0.0))


def add_worst(facts: dict[str, Any], name: str, value: float) -> None:
    """Note a number, or keep the larger one that is there."""
    facts[name] = max(float(value), float(facts.get(name, 0.0)))
