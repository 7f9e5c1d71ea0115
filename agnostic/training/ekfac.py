"""EK-FAC: the curvature layer by layer, in the eigenvectors of its two factors, with its diagonal there corrected.

George et al., "Fast Approximate Natural Gradient Descent in a Kronecker-factored Eigenbasis" (NeurIPS 2018); Grosse et
al., "Studying Large Language Model Generalization with Influence Functions" (2023). The Fisher information, which for a
softmax is the Gauss-Newton curvature, is taken with labels drawn from the model's own probabilities. Convolutions
factorise as in Grosse & Martens (ICML 2016).
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.factors import Factors, Layout, factors, layouts
from agnostic.engine.target import Array, Floats
from agnostic.errors import UsageError
from agnostic.training.inverse import Inverse
from agnostic.training.landscape import Landscape, Progress
from agnostic.training.store import Ints

#: The damping of a layer where none is given, as a share of the mean of its curvatures (Grosse et al.).
SHARE = 0.1


class Basis(NamedTuple):
    """One layer: eigenvectors of its factors, and the curvature along each pair of them.

    Attributes:
        layout: where its weights lie.
        left: (o, o) columns of output directions.
        right: (i, i) columns of input directions.
        bends: (o, i) curvatures, damping and l2 included.
    """

    layout: Layout
    left: Floats
    right: Floats
    bends: Floats

    def turned(self, matrix: Floats) -> Floats:
        """A matrix (..., o, i) in the eigenvectors."""
        found: Floats = self.left.T @ matrix @ self.right
        return found


def ekfac(landscape: Landscape, *, seed: int = 0) -> Inverse:
    """Factorise the curvature of every linear layer, in two passes over the training set.

    Args:
        landscape: the loss; without damping, a tenth of each layer's mean curvature is taken.
        seed: of the labels drawn.

    Raises:
        UsageError: the Hessian is asked for, which does not factorise.
        ModelError: a weight belongs to no layer that factorises.
    """
    if landscape.curvature != "gauss-newton":
        raise UsageError("ekfac factorises the Gauss-Newton curvature; take the solver cg for the Hessian")
    found = layouts(landscape.parameters)
    turns = [_eigenvectors(*pair) for pair in _covariances(landscape, found, seed)]
    squares = _squares(landscape, found, turns, seed)
    bases = [
        _damped(landscape, layout, left, right, square)
        for layout, (left, right), square in zip(found, turns, squares, strict=True)
    ]

    def solve(vectors: Floats, _progress: Progress | None) -> Floats:
        return np.stack([_solved(bases, vector) for vector in vectors])

    def norms(ids: Ints, progress: Progress | None) -> Floats:
        parts = [
            _norms(landscape, bases, batch.feeds, batch.labels) for batch in landscape.batches(ids, None, progress)
        ]
        return np.concatenate(parts)

    return Inverse(solve, norms, {"layers": len(bases)})


def _covariances(landscape: Landscape, found: tuple[Layout, ...], seed: int) -> list[tuple[Floats, Floats]]:
    """The mean products of each layer's slopes (o, o) and of its inputs (i, i)."""
    sums: list[tuple[Floats, Floats]] | None = None
    for part in _drawn(landscape, found, seed):
        now = [(_gram(item.slopes), _gram(item.inputs)) for item in part]
        sums = now if sums is None else [(a + c, b + d) for (a, b), (c, d) in zip(sums, now, strict=True)]
    return sums or []


def _gram(values: npt.NDArray[Any]) -> Floats:
    flat = values.reshape(-1, values.shape[-1]).astype(np.float64)
    found: Floats = flat.T @ flat
    return found


def _drawn(landscape: Landscape, found: tuple[Layout, ...], seed: int) -> Iterator[list[Factors]]:
    """All layers' factors batch by batch, with labels drawn from the model; the same draw each time."""
    for number, batch in enumerate(landscape.batches()):
        yield factors(landscape.parameters, found, batch.feeds, None, seed + number)


def _eigenvectors(left: Floats, right: Floats) -> tuple[Floats, Floats]:
    return np.linalg.eigh(left)[1], np.linalg.eigh(right)[1]


def _squares(
    landscape: Landscape, found: tuple[Layout, ...], turns: list[tuple[Floats, Floats]], seed: int
) -> list[Floats]:
    """The mean square of the gradients along each pair of eigenvectors."""
    sums = [np.zeros((len(left), len(right))) for left, right in turns]
    for part in _drawn(landscape, found, seed):
        for total, (left, right), item in zip(sums, turns, part, strict=True):
            total += ((left.T @ item.gradients().astype(np.float64) @ right) ** 2).sum(axis=0)
    return [total / len(landscape.data) for total in sums]


def _damped(landscape: Landscape, layout: Layout, left: Floats, right: Floats, square: Floats) -> Basis:
    # l2 leaves biases out, which the eigenvectors mix with weights; it is taken over the layer.
    ridge = (landscape.damping or SHARE * float(square.mean())) + landscape.l2
    return Basis(layout, left, right, square + ridge)


def _solved(bases: list[Basis], vector: Floats) -> Floats:
    found = np.zeros_like(vector)
    for basis in bases:
        along = basis.turned(basis.layout.matrix(vector)) / basis.bends
        basis.layout.put(basis.left @ along @ basis.right.T, found)
    return found


def _norms(landscape: Landscape, bases: list[Basis], feeds: Mapping[str, Array], labels: Ints) -> Floats:
    total = np.zeros(len(labels))
    parts = factors(landscape.parameters, [basis.layout for basis in bases], feeds, labels)
    for basis, item in zip(bases, parts, strict=True):
        total += (basis.turned(item.gradients().astype(np.float64)) ** 2 / basis.bends).sum(axis=(1, 2))
    return total
