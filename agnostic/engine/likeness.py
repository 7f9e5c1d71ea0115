"""How like one embedding is to another: the cosine of the angle between them, or minus their distance."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.engine.answer import Distance, Pooling
from agnostic.engine.target import NUMPY, Array, Floats, Maths, OfOne

# Keeps roots and quotients of nothing finite, far below what float32 tells apart.
_TINY = 1e-24


@dataclass(frozen=True, eq=False)
class Likeness(OfOne):
    """The likeness of an embedding to that of a reference.

    Attributes:
        tensor: what holds the embedding.
        reference: (d,) float64, what it is compared with.
        name: what it is called.
        distance: `cosine`, or `euclidean` for minus the distance.
        pooling: how an embedding of tokens becomes one.
        weight: what it is multiplied by.
    """

    tensor: str
    reference: Floats
    name: str
    distance: Distance = "cosine"
    pooling: Pooling = "none"
    weight: float = 1.0

    def of(self, values: Any, maths: Maths = NUMPY) -> Any:
        """Compare every row with the reference."""
        x = pooled(maths.floats(values), self.pooling)
        own = maths.constant(self.reference[None], x)
        if self.distance == "euclidean":
            return -self.weight * (((x - own) ** 2).sum(1) + _TINY) ** 0.5
        length = ((x**2).sum(1) + _TINY) ** 0.5
        return self.weight * (x * own).sum(1) / (length * float(np.linalg.norm(self.reference)))

    def scaled(self, factor: float) -> "Likeness":
        """Weigh it."""
        return replace(self, weight=factor * self.weight)

    def __str__(self) -> str:
        """Its name, its tensor and the distance: `like:cat.png (cosine of embedding)`."""
        return f"{self.name} ({self.distance} of {self.tensor})"


def pooled(values: Any, pooling: Pooling) -> Any:
    """Turn embeddings (n, ...) into one row each, (n, d): of tokens (n, t, d) the first or their mean.

    >>> pooled(np.arange(12.0).reshape(1, 3, 4), "mean").tolist()
    [[4.0, 5.0, 6.0, 7.0]]
    """
    if pooling == "first":
        values = values[:, 0]
    elif pooling == "mean":
        values = values.mean(1)
    return values.reshape(len(values), -1)


def embedding(values: Mapping[str, Array], tensor: str, pooling: Pooling) -> npt.NDArray[np.float64]:
    """Read the embedding of one input: (d,) float64."""
    row: npt.NDArray[np.float64] = pooled(values[tensor][:1].astype(np.float64), pooling)[0]
    return row
