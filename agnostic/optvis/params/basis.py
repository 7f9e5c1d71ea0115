"""What a spatial basis is: ``basis(Draws, channels, height, width) -> Stored``, whose ``raw()`` is (n, c, h, w).

Bases add and are weighed: ``0.7 * fft() + 0.5 * laplacian_pyramid()`` stores both and draws their sum.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial, wraps
from typing import ParamSpec

from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.describing import described
from agnostic.optvis.draws import Draws

_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True)
class Stored:
    """Numbers in the making.

    Attributes:
        variables: what is optimised, by name; leaves that require gradients.
        raw: gives the numbers (n, c, h, w).
        couples: whether pictures share variables.
        learning_rate: Adam's step that suits them; None for the usual one.
        constrain: brings the variables back to where they may be, after each step.
    """

    variables: Mapping[str, Tensor]
    raw: Callable[[], Tensor]
    couples: bool = False
    learning_rate: float | None = None
    constrain: Callable[[], None] | None = field(default=None, repr=False)


Store = Callable[[Draws, int, int, int], Stored]


@dataclass(frozen=True)
class Basis:
    """A way to store (n, channels, height, width) numbers; called, it makes the variables and what reads them."""

    store: Store
    name: str

    def __call__(self, draws: Draws, channels: int, height: int, width: int) -> Stored:
        """Make the variables, drawn from the streams."""
        return self.store(draws, channels, height, width)

    def __add__(self, other: "Basis") -> "Basis":
        """Store both and draw their sum."""

        def store(draws: Draws, channels: int, height: int, width: int) -> Stored:
            return _summed([each(draws, channels, height, width) for each in (self, other)])

        return Basis(store, f"{self.name} + {other.name}")

    def __rmul__(self, weight: float) -> "Basis":
        """Draw it weaker or stronger."""

        def store(draws: Draws, channels: int, height: int, width: int) -> Stored:
            stored = self(draws, channels, height, width)
            return replace(stored, raw=lambda: weight * stored.raw())

        return Basis(store, f"{weight:g} * ({self.name})" if " + " in self.name else f"{weight:g} * {self.name}")

    @staticmethod
    def sum(bases: "list[Basis]") -> "Basis":
        """Store all and draw their sum.

        Raises:
            UsageError: there are none.
        """
        if not bases:
            raise UsageError("a sum of no bases: expected at least one")
        total = bases[0]
        for item in bases[1:]:
            total = total + item
        return total


def basis(maker: Callable[_Arguments, Store]) -> Callable[_Arguments, Basis]:
    """Turn a maker of stores into a maker of bases that know their name."""

    @wraps(maker)
    def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Basis:
        return Basis(maker(*args, **kwargs), described(maker, args, kwargs))

    return wrapped


def _summed(parts: list[Stored]) -> Stored:
    left, right = parts
    rates = [part.learning_rate for part in parts if part.learning_rate is not None]
    rules = [part.constrain for part in parts if part.constrain is not None]
    return Stored(
        {f"{place}.{name}": value for place, part in enumerate(parts) for name, value in part.variables.items()},
        lambda: left.raw() + right.raw(),
        couples=left.couples or right.couples,
        learning_rate=min(rates, default=None),
        constrain=partial(_obey, rules) if rules else None,
    )


def _obey(rules: list[Callable[[], None]]) -> None:
    for rule in rules:
        rule()
