"""How like one embedding is to another: the cosine of the angle between them, or minus their distance."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from agnostic.engine.answer import Distance, Pooling
from agnostic.engine.target import NUMPY, Floats, Maths, OfOne

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
        pooling: how an embedding of tokens, or of the places of a map, becomes one.
        places: the axes of tokens or places, the batch axis counted.
        weight: what it is multiplied by.
    """

    tensor: str
    reference: Floats
    name: str
    distance: Distance = "cosine"
    pooling: Pooling = "none"
    places: tuple[int, ...] = (1,)
    weight: float = 1.0

    def of(self, values: Any, maths: Maths = NUMPY) -> Any:
        """Compare every row with the reference."""
        x = pooled(maths.floats(values), self.pooling, self.places)
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


def pooled(values: Any, pooling: Pooling, places: tuple[int, ...] = (1,)) -> Any:
    """Turn embeddings (n, ...) into one row each, (n, d): of tokens the first, or the mean over tokens or places.

    >>> pooled(np.arange(12.0).reshape(1, 3, 4), "mean").tolist()
    [[4.0, 5.0, 6.0, 7.0]]
    """
    if pooling == "first":
        values = values[:, 0]
    elif pooling == "mean":
        values = values.mean(places)
    return values.reshape(len(values), -1)
