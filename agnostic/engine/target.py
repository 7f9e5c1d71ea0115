"""What is being explained: a scalar read off the model's tensors, with a small algebra.

A `Term` reads one entry per batch row from one tensor, a `Projection` a weighted sum of its entries; a `Target` is a
weighted sum of such terms: `tabby - espresso` is the target with weights 1 and -1 on two entries of the logits.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Term:
    """One entry of a tensor: `index` counts the axes behind the batch axis, None takes the mean along an axis."""

    tensor: str
    index: tuple[int | None, ...]
    weight: float = 1.0

    def read(self, values: Array) -> Floats:
        """Read (n, ...) values into (n,) float64."""
        picked = values[(slice(None), *(slice(None) if i is None else i for i in self.index))]
        numbers: Floats = picked.astype(np.float64)
        return self.weight * (numbers if numbers.ndim == 1 else numbers.reshape(len(values), -1).mean(axis=1))

    def __str__(self) -> str:
        """Write the term as it can be typed: `logits[281]`."""
        return f"{self.tensor}[{','.join(':' if i is None else str(i) for i in self.index)}]"


@dataclass(frozen=True, eq=False)
class Projection:
    """The inner product of a tensor with given numbers: a direction, a place, or a group of units.

    Attributes:
        tensor: its name.
        numbers: (1, ...) or, one of them for each row of a batch, (n, ...), in the tensor's own axis order.
        name: what it is called.
        weight: what it is multiplied by.
    """

    tensor: str
    numbers: npt.NDArray[np.float32]
    name: str
    weight: float = 1.0

    def read(self, values: Array) -> Floats:
        """Read (n, ...) values into (n,) float64."""
        products: Floats = values.astype(np.float64) * self.numbers
        sums: Floats = self.weight * products.reshape(len(values), -1).sum(axis=1)
        return sums

    def __str__(self) -> str:
        """Its name."""
        return self.name


@dataclass(frozen=True)
class Target:
    """A weighted sum of terms, under the name a person gave it.

    >>> cat, cup = Target((Term("logits", (281,)),), "cat"), Target((Term("logits", (968,)),), "cup")
    >>> str(cat - 0.5 * cup)
    'cat - 0.5*cup'
    >>> (cat - 0.5 * cup).key
    'logits[281] - 0.5*logits[968]'
    """

    terms: tuple[Term | Projection, ...]
    name: str

    @property
    def tensors(self) -> tuple[str, ...]:
        """The tensors that have to be fetched, each once, in order of first use."""
        return tuple(dict.fromkeys(term.tensor for term in self.terms))

    @property
    def key(self) -> str:
        """The target written out tensor by tensor, whatever its name."""
        text = ""
        for term in self.terms:
            size = abs(term.weight)
            sign = " - " if term.weight < 0 else " + "
            text += (sign if text or term.weight < 0 else "") + ("" if size == 1 else f"{size:g}*") + str(term)
        return text.strip()

    def read(self, values: Mapping[str, Array]) -> Floats:
        """Read the target off fetched tensors: (n,) float64."""
        total: Floats = np.sum([term.read(values[term.tensor]) for term in self.terms], axis=0)
        return total

    def __str__(self) -> str:
        """The name a person gave it."""
        return self.name

    def __add__(self, other: "Target") -> "Target":
        """Explain the sum of two targets."""
        return Target(self.terms + other.terms, f"{self.name} + {other._bracketed}")

    def __sub__(self, other: "Target") -> "Target":
        """Explain what speaks for one target rather than the other."""
        return Target(self.terms + other._scaled(-1.0), f"{self.name} - {other._bracketed}")

    def __mul__(self, factor: float) -> "Target":
        """Weigh a target."""
        name = self.name if factor == 1 else f"{factor:g}*{self._bracketed}"
        return Target(self._scaled(factor), name)

    __rmul__ = __mul__

    @property
    def _bracketed(self) -> str:
        return self.name if len(self.terms) == 1 else f"({self.name})"

    def _scaled(self, factor: float) -> tuple[Term | Projection, ...]:
        return tuple(replace(term, weight=factor * term.weight) for term in self.terms)
