"""What is maximised, as a small algebra: objectives add, subtract and are weighed, and their names travel along.

An objective is a function of what the model sees, ``(T) -> (n,)``: one number for each picture. Its mean over the
pictures is maximised, so that weights mean the same whatever the batch. See `objectives` for those there are.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce, wraps
from typing import ParamSpec, Union, overload

import numpy as np
import torch
from torch import Tensor

from agnostic.engine.target import Projection, Target, Term
from agnostic.errors import ItemError, UsageError
from agnostic.optvis.describing import described
from agnostic.optvis.lens import Lens, Seen

Function = Callable[[Seen], Tensor]
Objectives = Union["Objective", str, int, Target, Function]
_Arguments = ParamSpec("_Arguments")
_BRACKETS = re.compile(r"\([^()]*\)")


@dataclass(frozen=True)
class Objective:
    """A function from what the model sees to one number per picture.

    Attributes:
        function: the function.
        name: what it is called in reports, such as ``channel(fire8/concat, 12)``.
        couples: whether a picture's number depends on the other pictures, which then have to be rendered in one batch.
    """

    function: Function
    name: str
    couples: bool = False
    # A NumPy number on the left leaves the joining to us.
    __array_ufunc__ = None

    def __call__(self, seen: Seen) -> Tensor:
        """Compute it: (n,).

        Raises:
            UsageError: the function gives neither one number nor one for each picture.
        """
        values = self.function(seen)
        if values.numel() not in (1, len(seen)):
            raise UsageError(
                f"the objective {self.name} gives {tuple(values.shape)}: expected one number for each of the "
                f"{len(seen)} pictures; take a mean over the other axes"
            )
        return values.reshape(-1).expand(len(seen))

    def __str__(self) -> str:
        """Its name."""
        return self.name

    def __add__(self, other: "Objective | float") -> "Objective":
        """Maximise two at once."""
        return _joined(torch.add, self, other, "+")

    def __sub__(self, other: "Objective | float") -> "Objective":
        """Maximise one and minimise the other."""
        return _joined(torch.sub, self, other, "-")

    def __mul__(self, other: "Objective | float") -> "Objective":
        """Weigh by a number, or multiply two objectives picture by picture."""
        return _joined(torch.mul, self, other, "*")

    def __neg__(self) -> "Objective":
        """Minimise."""
        return Objective(lambda seen: -self(seen), f"-{_bracketed(self)}", self.couples)

    def __radd__(self, other: float) -> "Objective":
        """Add to a number."""
        return self if other == 0 else _joined(torch.add, other, self, "+")

    def __rsub__(self, other: float) -> "Objective":
        """Take from a number."""
        return _joined(torch.sub, other, self, "-")

    def __rmul__(self, other: float) -> "Objective":
        """Weigh by a number."""
        return _joined(torch.mul, other, self, "*")

    @staticmethod
    def sum(objectives: "Iterable[Objective]") -> "Objective":
        """Maximise all of them at once.

        Raises:
            UsageError: there are none.
        """
        several = list(objectives)
        if not several:
            raise UsageError("a sum of no objectives: expected at least one")
        return reduce(lambda left, right: left + right, several)

    @staticmethod
    def each(objectives: "Sequence[Objective]") -> "Objective":
        """Give every picture an objective of its own: picture number i maximises objectives[i].

        Raises:
            UsageError: one of them depends on several pictures.
        """
        if coupled := [item.name for item in objectives if item.couples]:
            raise UsageError(f"{coupled[0]} compares pictures: it cannot be one picture's own objective")

        def function(seen: Seen) -> Tensor:
            return torch.cat([objectives[number](seen.only(row)) for row, number in enumerate(seen.numbers)])

        return Objective(function, ", ".join(item.name for item in objectives))


def _joined(
    how: Callable[..., Tensor], left: "Objective | float", right: "Objective | float", sign: str
) -> "Objective":
    for item in (left, right):
        if not isinstance(item, Objective | int | float | np.number):
            raise UsageError(f"{item!r} cannot be joined to an objective; expected an objective or a number")
    both = [item for item in (left, right) if isinstance(item, Objective)]

    def function(seen: Seen) -> Tensor:
        values = [item(seen) if isinstance(item, Objective) else torch.tensor(float(item)) for item in (left, right)]
        return how(*values)

    names = [
        _bracketed(item) if sign == "*" or (sign == "-" and place) else _named(item)
        for place, item in enumerate((left, right))
    ]
    return Objective(function, f" {sign} ".join(names), any(item.couples for item in both))


def _named(item: "Objective | float") -> str:
    return item.name if isinstance(item, Objective) else f"{item:g}"


def _bracketed(item: "Objective | float") -> str:
    name = outside = _named(item)
    while (shorter := _BRACKETS.sub("", outside)) != outside:
        outside = shorter
    return f"({name})" if " + " in outside or " - " in outside else name


@overload
def objective(make: Callable[_Arguments, Function]) -> Callable[_Arguments, Objective]: ...


@overload
def objective(*, couples: bool) -> Callable[[Callable[_Arguments, Function]], Callable[_Arguments, Objective]]: ...


def objective(
    make: Callable[_Arguments, Function] | None = None, *, couples: bool = False
) -> Callable[_Arguments, Objective] | Callable[[Callable[_Arguments, Function]], Callable[_Arguments, Objective]]:
    """Turn a maker of functions into a maker of objectives that know their name.

    Args:
        make: the maker; its function of what is seen may itself be an objective.
        couples: whether a picture's number depends on the other pictures: ``@objective(couples=True)``.

    >>> @objective
    ... def brightness(layer: str = "input"):
    ...     return lambda seen: seen(layer).mean(dim=(1, 2, 3))
    >>> str(brightness("input") - 0.5 * brightness("fire2"))
    'brightness(input) - 0.5 * brightness(fire2)'
    """

    def decorate(make: Callable[_Arguments, Function]) -> Callable[_Arguments, Objective]:
        @wraps(make)
        def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Objective:
            return Objective(make(*args, **kwargs), described(make, args, kwargs), couples)

        return wrapped

    return decorate if make is None else decorate(make)


def as_objective(given: Objectives, lens: Lens) -> Objective:
    """Make an objective of what a user gives.

    Args:
        given: an objective; a target such as ``"fire8/concat:12"``, ``"tabby"``, ``281`` or ``"tabby - espresso"``; or
            a function from what is seen to one number per picture.
        lens: the model that names are looked up in.

    Raises:
        UsageError: a name is unknown, or it is none of these.
    """
    if isinstance(given, Objective):
        return given
    if isinstance(given, str | int | np.integer | Target):
        return of_target(lens.model.target(given))
    if callable(given):
        return Objective(given, getattr(given, "__name__", "objective"), couples=True)
    raise UsageError(f"the objective {given!r} is a {type(given).__name__}; give an objective, layer:unit or a class")


def of_target(target: Target) -> Objective:
    """Maximise a target: a unit before its activation function, a neuron, a class score, or a sum of them.

    A unit counts at the places of its layer: a class token, as in the unit of a vision transformer, is none.
    """

    def function(seen: Seen) -> Tensor:
        return torch.stack([_term(seen, term) for term in target.entries]).sum(dim=0)

    return Objective(function, target.name)


def _term(seen: Seen, term: Term | Projection) -> Tensor:
    if isinstance(term, Projection):
        values = seen.whole(term.tensor)
        return term.weight * (values * torch.from_numpy(term.numbers).to(values)).flatten(1).sum(dim=1)
    layer = seen.lens.layers.get(term.tensor)
    whole = layer is not None and [at for at, i in enumerate(term.index, 1) if i is not None] == [layer.channel_axis]
    values = seen(term.tensor) if whole else seen.whole(term.tensor)
    index = [i for i in term.index if i is not None] if whole else [slice(None) if i is None else i for i in term.index]
    try:
        picked = values[(slice(None), *index)]
    except IndexError:
        raise ItemError(
            f"{term} does not exist on a picture of this size, where {term.tensor} is {list(values.shape[1:])}; "
            "choose a position inside, or give --size"
        ) from None
    return term.weight * picked.reshape(len(values), -1).mean(dim=1)
