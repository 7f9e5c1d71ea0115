"""Solve for the inverse curvature's products by conjugate gradients.

Martens, "Deep learning via Hessian-free optimization" (ICML 2010); Koh & Liang (ICML 2017) use it for influence.
"""

from collections.abc import Callable

import numpy as np

from agnostic.engine.target import Floats
from agnostic.errors import ModelError, UsageError
from agnostic.training.inverse import Inverse, add_worst, residual, subset
from agnostic.training.landscape import Landscape, Progress

Product = Callable[[Floats], Floats]


def cg(
    landscape: Landscape, *, iterations: int = 100, tolerance: float = 1e-5, samples: int | None = None, seed: int = 0
) -> Inverse:
    """Solve H x = v for each vector, each step a pass over the training set.

    Args:
        landscape: the loss; its curvature has to be positive, which `gauss-newton` with some damping is.
        iterations: steps at most.
        tolerance: how far H x may be from v, as a share of v.
        samples: how many samples the curvature is taken of; all by default.
        seed: of their choice.

    Raises:
        UsageError: a setting makes no sense.
    """
    if iterations < 1 or not tolerance > 0:
        raise UsageError(f"iterations={iterations}, tolerance={tolerance:g}: expected 1 or more, and above 0")
    ids = subset(landscape, samples, seed)
    inverse = Inverse(lambda vectors, progress: solve(vectors, progress))

    def product(vector: Floats) -> Floats:
        return landscape.product(vector, ids)

    def solve(vectors: Floats, progress: Progress | None) -> Floats:
        rows = []
        for number, vector in enumerate(vectors):

            def told(step: int, _all: int, number: int = number) -> None:
                if progress is not None:
                    progress(number * iterations + step, len(vectors) * iterations)

            x, steps = _solved(landscape, product, vector, iterations, tolerance, told)
            rows.append(x)
            add_worst(inverse.facts, "iterations", steps)
        found = np.stack(rows)
        add_worst(inverse.facts, "residual", residual(product, found, vectors))
        return found

    return inverse


def _solved(
    landscape: Landscape, product: Product, vector: Floats, iterations: int, tolerance: float, progress: Progress
) -> tuple[Floats, int]:
    """The textbook loop; gives the solution and how many steps it took."""
    x, rest = np.zeros_like(vector), vector.copy()
    way, left = rest.copy(), float(rest @ rest)
    bound = tolerance**2 * left
    step = 0
    while step < iterations and left > bound:
        along = product(way)
        bend = float(way @ along)
        if bend <= 0:
            raise ModelError(
                f"{landscape.model.name}: the loss has a direction without curvature, or bent the other way; give a "
                "larger --damping, or --curvature gauss-newton"
            )
        length = left / bend
        x, rest = x + length * way, rest - length * along
        before, left = left, float(rest @ rest)
        way = rest + (left / before) * way
        step += 1
        progress(step, iterations)
    return x, step
