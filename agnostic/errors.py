"""What can go wrong, as exceptions a caller can catch and a command can turn into an exit status.

::

    AgnosticError                 exit 1
    ├── UsageError                exit 2   an unknown method, target, layer or option
    ├── ModelError                exit 3   the model file is refused
    │   └── ConversionError                a source that cannot become ONNX
    ├── InputError                exit 4   the picture, text or row cannot be used with this model
    │   └── ItemError                      the model's answer on this input cannot be explained (NaN, constant)
    └── LimitError                exit 5   time, memory or disk ran out

Every message is one line: what was given, what was expected, what to do.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class AgnosticError(Exception):
    """The root of the tree; catch it to catch everything this package raises on purpose."""

    exit_status = 1


class UsageError(AgnosticError):
    """A name or an option that does not exist or does not fit."""

    exit_status = 2


class ModelError(AgnosticError):
    """A model file that is missing, broken, unsafe or of a kind that cannot be run."""

    exit_status = 3


class ConversionError(ModelError):
    """A source that cannot be converted to ONNX."""


class InputError(AgnosticError):
    """An input that cannot be read or does not fit the model."""

    exit_status = 4


class ItemError(InputError):
    """An answer of the model that cannot be explained: NaN, infinite, or the same whatever the input."""


class LimitError(AgnosticError):
    """A limit on time, memory or disk that was hit."""

    exit_status = 5


def missing_extra(package: str, extra: str, purpose: str) -> UsageError:
    """Say which optional package is needed, for what, and the line that installs it."""
    return UsageError(f"{purpose} needs the package {package!r}: pip install 'agnostic-xai[{extra}]'")


def unknown(kind: str, given: str, known: Iterable[str], hint: str = "") -> UsageError:
    """Name what was not found and the nearest names that exist.

    >>> str(unknown("method", "lim", ["lime", "rise"]))
    "unknown method 'lim'; did you mean 'lime'?"
    """
    names = list(known)
    lowered = {name.lower(): name for name in names}
    near = [lowered[name] for name in get_close_matches(given.lower(), list(lowered), n=3, cutoff=0.5)]
    tip = f"did you mean {', '.join(map(repr, near))}?" if near else hint or f"known: {', '.join(names[:12])}"
    return UsageError(f"unknown {kind} {given!r}; {tip}")
