"""The registry of global methods: functions of a data set and its settings, found by name as methods are.

::

    @global_method("permutation_importance", summary="...")
    def permutation_importance(data: DataSet, *, repeats: int = 5) -> list[Summary]: ...
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agnostic.engine.sweep import Progress
from agnostic.engine.target import Target
from agnostic.errors import unknown
from agnostic.methods.registry import Option, completed, options_of
from agnostic.summary.columns import Columns
from agnostic.summary.record import Summary


@dataclass(frozen=True)
class DataSet:
    """One question about a data set.

    Attributes:
        columns: its samples.
        targets: what is explained.
        truth: (n) the right answer for each sample, a class's name or number, or a number; None where it is not known.
        seed: of everything random.
        batch_size: rows per run.
        progress: called with (done, total).
        meta: what every record says.
    """

    columns: Columns
    targets: tuple[Target, ...]
    truth: Sequence[Any] | None = None
    seed: int = 0
    batch_size: int | None = None
    progress: Progress | None = None
    meta: Mapping[str, Any] | None = None


Function = Callable[..., list[Summary]]


@dataclass(frozen=True)
class GlobalMethod:
    """A registered method of a data set: its name, what runs, one line, its options."""

    name: str
    function: Function
    summary: str
    options: tuple[Option, ...]

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Complete the given options with the defaults.

        Raises:
            UsageError: an option that this method does not have; the nearest are offered.
        """
        return completed(self.name, self.options, given)


_METHODS: dict[str, GlobalMethod] = {}


def global_method(name: str, *, summary: str) -> Callable[[Function], Function]:
    """Register a method of a data set under a name that is not taken."""

    def register(function: Function) -> Function:
        if name in _METHODS:
            raise ValueError(f"the global method {name!r} is registered twice")
        _METHODS[name] = GlobalMethod(name, function, summary, options_of(function))
        return function

    return register


def global_methods() -> tuple[GlobalMethod, ...]:
    """Every registered method of a data set, by name."""
    return tuple(_METHODS[name] for name in sorted(_METHODS))


def get_global(name: str) -> GlobalMethod:
    """Look a method up.

    Raises:
        UsageError: there is none of that name; the nearest names are offered.
    """
    if name not in _METHODS:
        raise unknown("method", name, _METHODS)
    return _METHODS[name]
