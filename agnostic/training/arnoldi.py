"""Take the inverse curvature along its largest directions alone.

Schioppa et al., "Scaling Up Influence Functions" (AAAI 2022): a Krylov space from a random start, the curvature's
eigenvectors in it, and of these the ones with the largest eigenvalues. The curvature is symmetric, so that Arnoldi's
iteration is Lanczos' with every new vector made orthogonal to all before it.
"""

import numpy as np

from agnostic.engine.target import Floats
from agnostic.errors import ModelError, UsageError
from agnostic.training.inverse import Inverse, subset
from agnostic.training.landscape import Landscape, Progress
from agnostic.training.store import Ints

#: A new direction this short lies in the space already.
SHORT = 1e-8


def arnoldi(
    landscape: Landscape, *, rank: int = 50, iterations: int | None = None, samples: int | None = None, seed: int = 0
) -> Inverse:
    """Find the largest directions of the curvature, each step a pass over the training set.

    Args:
        landscape: the loss.
        rank: how many directions are kept.
        iterations: the size of the space they are looked for in; three times as large, with twenty more, by default.
        samples: how many samples the curvature is taken of; all by default.
        seed: of the start and of their choice.

    Raises:
        UsageError: a setting makes no sense.
        ModelError: the loss has no curvature at all.
    """
    size = landscape.parameters.size
    steps = min(3 * rank + 20 if iterations is None else iterations, size)
    if rank < 1 or steps < 1:
        raise UsageError(f"rank={rank}, iterations={iterations}: expected 1 or more")
    basis, inside = _krylov(landscape, steps, subset(landscape, samples, seed), seed)
    values, turns = np.linalg.eigh(inside)
    kept = [at for at in np.argsort(-values)[:rank] if values[at] > SHORT * max(values.max(), 0.0)]
    if not kept:
        raise ModelError(f"{landscape.model.name}: the loss has no positive curvature here; take --curvature hessian")
    directions, values = turns[:, kept].T @ basis, values[kept]

    def solve(vectors: Floats, _progress: Progress | None) -> Floats:
        found: Floats = (vectors @ directions.T / values) @ directions
        return found

    def norms(ids: Ints, progress: Progress | None) -> Floats:
        parts = [
            ((rows @ directions.T) ** 2 / values).sum(axis=1) for _, rows in landscape.row_gradients(ids, progress)
        ]
        return np.concatenate(parts)

    facts = {"rank": len(kept), "largest": float(values[0]), "smallest": float(values[-1])}
    return Inverse(solve, norms, facts)


def _krylov(landscape: Landscape, steps: int, ids: Ints | None, seed: int) -> tuple[Floats, Floats]:
    """An orthonormal basis (k, P) of what the curvature makes of a random vector, and the curvature in it (k, k)."""
    start = np.random.default_rng(seed).normal(size=landscape.parameters.size)
    basis = [start / np.linalg.norm(start)]
    diagonal, beside = [], []
    for _ in range(steps):
        found = landscape.product(basis[-1], ids)
        diagonal.append(float(found @ basis[-1]))
        for _again in range(2):
            # Once leaves rounding behind, which grows; twice is enough.
            held = np.stack(basis)
            found = found - held.T @ (held @ found)
        length = float(np.linalg.norm(found))
        if length <= SHORT * abs(diagonal[0]) or len(diagonal) == steps:
            break
        beside.append(length)
        basis.append(found / length)
    count = len(diagonal)
    inside = np.diag(diagonal) + np.diag(beside[: count - 1], 1) + np.diag(beside[: count - 1], -1)
    return np.stack(basis[:count]), inside
