"""Sum up the inverse curvature's products as a series, on small batches.

Agarwal et al., "Second-Order Stochastic Optimization for Machine Learning in Linear Time" (JMLR 2017); Koh & Liang,
"Understanding Black-box Predictions via Influence Functions" (ICML 2017): x <- v + (1 - H / scale) x, on a batch drawn
anew each time, ends in scale H^-1 v where the scale is above the curvature.
"""

from collections.abc import Callable

import numpy as np

from agnostic.engine.target import Floats
from agnostic.errors import ModelError, UsageError
from agnostic.training.inverse import Inverse, add_worst, residual
from agnostic.training.landscape import Landscape, Progress

#: Steps of the power iteration that estimates the largest curvature, and what is put on top of it.
POWER_STEPS, ABOVE = 12, 1.5
#: A sum that has grown so far beyond its start diverges.
DIVERGED = 1e6
Steps = Callable[[int], None]


def lissa(
    landscape: Landscape, *, depth: int = 1000, batch: int = 32, repeats: int = 1, scale: float | None = None,
    seed: int = 0,
) -> Inverse:  # fmt: skip
    """Sum up the series for each vector.

    Args:
        landscape: the loss; with little damping the series is long.
        depth: its terms.
        batch: samples per term.
        repeats: how often it is summed up; the mean is taken.
        scale: what the curvature is divided by; half more than the largest one of some batches by default.
        seed: of the batches.

    Raises:
        UsageError: a setting makes no sense.
    """
    if min(depth, batch, repeats) < 1 or (scale is not None and not scale > 0):
        raise UsageError(f"depth={depth}, batch={batch}, repeats={repeats}, scale={scale}: expected 1 or more")
    width = min(batch, len(landscape.data))
    chosen = ABOVE * _largest(landscape, width, seed) if scale is None else scale
    inverse = Inverse(lambda vectors, progress: solve(vectors, progress), facts={"scale": chosen})

    def solve(vectors: Floats, progress: Progress | None) -> Floats:
        runs = []
        for repeat in range(repeats):
            rng = np.random.default_rng([seed, repeat])

            def told(step: int, repeat: int = repeat) -> None:
                if progress is not None:
                    progress(repeat * depth + step, repeats * depth)

            runs.append(_series(landscape, vectors, depth, width, chosen, rng, told))
        found: Floats = np.mean(runs, axis=0)
        add_worst(inverse.facts, "residual", residual(landscape.product, found, vectors))
        return found

    return inverse


def _series(
    landscape: Landscape, vectors: Floats, depth: int, width: int, scale: float, rng: np.random.Generator,
    progress: Steps,
) -> Floats:  # fmt: skip
    sums = vectors.copy()
    bound = DIVERGED * float(np.abs(vectors).max())
    for step in range(depth):
        ids = rng.choice(len(landscape.data), width, replace=False)
        sums = vectors + sums - np.stack([landscape.product(row, ids) for row in sums]) / scale
        if not np.abs(sums).max() < bound:
            raise ModelError(
                f"{landscape.model.name}: the series diverges after {step + 1} terms at the scale {scale:.3g}; give a "
                "larger --scale, or take the solver cg"
            )
        progress(step + 1)
    return sums / scale


def _largest(landscape: Landscape, width: int, seed: int) -> float:
    """The largest curvature of a few batches, by power iteration."""
    rng = np.random.default_rng([seed, 1])
    found = 0.0
    for _ in range(4):
        ids = rng.choice(len(landscape.data), width, replace=False)
        vector = rng.normal(size=landscape.parameters.size)
        size = 0.0
        for _ in range(POWER_STEPS):
            vector = landscape.product(vector / np.linalg.norm(vector), ids)
            size = float(np.linalg.norm(vector))
        found = max(found, size)
    return found
