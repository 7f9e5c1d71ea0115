"""Figures of explanations: of pictures, and of whatever else explains itself in a figure or a page of its own.

A kind of input is one module here with `figure(explanations, *, heading, dark) -> Image`, for explanations of one
sample, and, where it can be read as a page too, `html(explanations, *, heading) -> str`. It is found by the `kind` that
its samples carry in `meta["shown"]`.
"""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from agnostic.errors import UsageError
from agnostic.explanation import Explanation
from agnostic.gallery.pictures import short

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["KINDS", "figure", "html", "is_drawn", "short"]

# The kinds of samples that are no pictures, and the module of each.
KINDS: dict[str, str] = {}


def is_drawn(explanation: Explanation) -> bool:
    """Whether there is a way to draw an explanation."""
    return _kind(explanation) in {"picture", *KINDS}


def figure(explanations: Sequence[Explanation], *, heading: str = "", dark: bool = False) -> "Image":
    """Draw explanations of one sample, by any methods and for any targets.

    Args:
        explanations: of one sample.
        heading: one line above everything.
        dark: light on dark.

    Raises:
        UsageError: there is none, one cannot be drawn, or they are not of the same sample.
    """
    drawn: Image = _module(explanations).figure(explanations, heading=heading, dark=dark)
    return drawn


def html(explanations: Sequence[Explanation], *, heading: str = "") -> str | None:
    """Write explanations of one sample as a page that needs nothing else; None where its kind has no page.

    Raises:
        UsageError: as for `figure`.
    """
    write: Callable[..., str] | None = getattr(_module(explanations), "html", None)
    return None if write is None else write(explanations, heading=heading)


def _module(explanations: Sequence[Explanation]) -> Any:
    if not explanations:
        raise UsageError("there is no explanation to draw")
    kinds = {_kind(item) for item in explanations}
    if len(kinds) > 1:
        raise UsageError("the explanations are of different kinds of input; draw one figure for each")
    kind = kinds.pop()
    if kind not in {"picture", *KINDS}:
        raise UsageError(f"{explanations[0]!r} is not of a picture; read its values instead")
    return import_module(KINDS.get(kind, "agnostic.gallery.pictures"))


def _kind(item: Explanation) -> str:
    return "picture" if item.picture is not None else str(item.meta.get("shown", {}).get("kind", "array"))
