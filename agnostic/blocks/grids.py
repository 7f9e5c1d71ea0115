"""Activation grids: the activation vector of every position, as directions to be rendered, and how large to draw each.

Rendering one picture for each position is slow; `shared` gives the few factors that all of them can be mixed from.
"""

from dataclasses import dataclass

import numpy as np

from agnostic.blocks.factors import factorise
from agnostic.blocks.maps import Array32, held
from agnostic.engine.model import Model
from agnostic.inputs.sample import Sample


@dataclass(frozen=True, eq=False)
class Grid:
    """The activation vectors of a layer.

    Attributes:
        layer: its name.
        vectors: (h * w, C) float32, row by row.
        shape: (h, w).
    """

    layer: str
    vectors: Array32
    shape: tuple[int, int]

    @property
    def norms(self) -> Array32:
        """The lengths of the vectors: (h, w)."""
        return np.asarray(np.linalg.norm(self.vectors, axis=1).reshape(self.shape), np.float32)

    @property
    def directions(self) -> Array32:
        """The vectors at length one, those of zeros left so: (h * w, C)."""
        lengths = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        unit: Array32 = np.divide(self.vectors, lengths, out=np.zeros_like(self.vectors), where=lengths > 0)
        return unit

    @property
    def sides(self) -> Array32:
        """The side of each square of the scaled grid, (h, w) of 0..1: its area is in proportion to the length."""
        norms = self.norms
        return np.asarray(np.sqrt(norms / (norms.max() or 1)), np.float32)


@dataclass(frozen=True, eq=False)
class Shared:
    """Vectors as mixtures of a few.

    Attributes:
        weights: (h * w, n) float32, none negative: of what each position is mixed.
        factors: (n, C) float32, the directions that are mixed.
        explained: the share of the squared length of the vectors that the mixtures account for.
    """

    weights: Array32
    factors: Array32
    explained: float


def grid(model: Model, sample: Sample, layer: str) -> Grid:
    """Take the activation vectors of a layer on one sample.

    Raises:
        UsageError: there is no such layer, or its tokens are no places.
    """
    maps = held(model, sample, layer).maps
    vectors = np.ascontiguousarray(maps.reshape(len(maps), -1).T)
    return Grid(layer, vectors, (maps.shape[1], maps.shape[2]))


def shared(found: Grid, n: int = 6, seed: int = 0) -> Shared:
    """Mix all vectors of a grid from a few non-negative factors, so that their pictures can share parameters.

    Raises:
        UsageError: n does not fit, or scikit-learn is not installed.
        ItemError: every vector is zero.
    """
    factors = factorise(found.vectors, n, seed)
    return Shared(factors.left.astype(np.float32), factors.right.astype(np.float32), factors.explained)
