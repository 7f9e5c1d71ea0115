"""What is being explained: a scalar read off the model's tensors, with a small algebra.

A `Target` is a weighted sum of parts: `tabby - espresso` is the target with weights 1 and -1 on two entries of the
logits. A part gives one number per row of a batch. What it computes is written once, in operators that NumPy's arrays
and torch's tensors have in common, so that the score that is explained and the one that is differentiated are the same;
where the two differ it asks its `Maths`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.errors import UsageError

Array = npt.NDArray[np.generic]
Floats = npt.NDArray[np.float64]


class Maths(NamedTuple):
    """What NumPy and torch write differently.

    Attributes:
        floats: brings an array to the precision that sums are taken in.
        constant: `constant(numbers, like)` turns a NumPy array into what goes with the array `like`.
        log: the natural logarithm.
        differentiates: whether gradients are to flow.
    """

    floats: Callable[[Any], Any]
    constant: Callable[[npt.NDArray[Any], Any], Any]
    log: Callable[[Any], Any]
    differentiates: bool = False


NUMPY = Maths(lambda values: values.astype(np.float64), lambda numbers, _like: numbers, np.log)


class Part(ABC):
    """One number per row of a batch, read off fetched tensors."""

    weight: float

    @property
    @abstractmethod
    def tensors(self) -> tuple[str, ...]:
        """The tensors it is read off."""

    @abstractmethod
    def read(self, values: Mapping[str, Any], maths: Maths = NUMPY) -> Any:
        """Read (n, ...) values by tensor name into (n,): float64 in NumPy, a tensor in torch."""

    @abstractmethod
    def scaled(self, factor: float) -> "Part":
        """Weigh it."""

    @property
    def smooth(self) -> "tuple[Part, ...]":
        """The parts whose sum gradients are taken of in its place: itself, where it has gradients.

        Raises:
            UsageError: there is nothing that stands for it.
        """
        return (self,)

    @property
    def row_by_row(self) -> bool:
        """Whether it is read off tensors without a batch axis, so that the model has to be run row by row."""
        return False


class OfOne(Part):
    """A part that is read off one tensor."""

    tensor: str

    @property
    def tensors(self) -> tuple[str, ...]:
        """The one."""
        return (self.tensor,)

    def read(self, values: Mapping[str, Any], maths: Maths = NUMPY) -> Any:
        """Read it off its tensor."""
        return self.of(values[self.tensor], maths)

    @abstractmethod
    def of(self, values: Any, maths: Maths = NUMPY) -> Any:
        """Read (n, ...) values of its tensor into (n,)."""


@dataclass(frozen=True)
class Term(OfOne):
    """One entry of a tensor: `index` counts the axes behind the batch axis, None takes the mean along an axis."""

    tensor: str
    index: tuple[int | None, ...]
    weight: float = 1.0

    def of(self, values: Any, maths: Maths = NUMPY) -> Any:
        """Pick the entry."""
        picked = values[(slice(None), *(slice(None) if i is None else i for i in self.index))]
        return self.weight * maths.floats(picked).reshape(len(values), -1).mean(1)

    def scaled(self, factor: float) -> "Term":
        """Weigh it."""
        return replace(self, weight=factor * self.weight)

    def __str__(self) -> str:
        """Write the term as it can be typed: `logits[281]`."""
        return f"{self.tensor}[{','.join(':' if i is None else str(i) for i in self.index)}]"


@dataclass(frozen=True, eq=False)
class Projection(OfOne):
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

    def of(self, values: Any, maths: Maths = NUMPY) -> Any:
        """Multiply and sum up."""
        products = maths.floats(values) * maths.constant(self.numbers, values)
        return self.weight * products.reshape(len(values), -1).sum(1)

    def scaled(self, factor: float) -> "Projection":
        """Weigh it."""
        return replace(self, weight=factor * self.weight)

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

    terms: tuple[Part, ...]
    name: str

    @property
    def tensors(self) -> tuple[str, ...]:
        """The tensors that have to be fetched, each once, in order of first use."""
        return tuple(dict.fromkeys(name for term in self.terms for name in term.tensors))

    @property
    def entries(self) -> tuple[Term | Projection, ...]:
        """Its parts, where each reads entries of one tensor.

        Raises:
            UsageError: one is computed from several, or not linear.
        """
        found = tuple(term for term in self.terms if isinstance(term, Term | Projection))
        if len(found) < len(self.terms):
            raise UsageError(f"the target {self.name!r} is no sum of units or scores; expected e.g. layer:unit here")
        return found

    @property
    def smooth(self) -> "Target":
        """The target that gradients are taken of in its place: itself, but for boxes.

        Raises:
            UsageError: nothing stands for a part of it.
        """
        parts = tuple(own for term in self.terms for own in term.smooth)
        return self if parts == self.terms else Target(parts, self.name)

    @property
    def row_by_row(self) -> bool:
        """Whether the model has to be run row by row to read it."""
        return any(term.row_by_row for term in self.terms)

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
        total: Floats = self.compute(values, NUMPY)
        return total

    def compute(self, values: Mapping[str, Any], maths: Maths) -> Any:
        """Read the target off arrays or tensors alike: (n,)."""
        parts = [term.read(values, maths) for term in self.terms]
        return sum(parts[1:], parts[0])

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

    def _scaled(self, factor: float) -> tuple[Part, ...]:
        return tuple(term.scaled(factor) for term in self.terms)
