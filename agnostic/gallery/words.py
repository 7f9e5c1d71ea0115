"""Figures and pages of explanations of a text: its words marked, for and against, by each method for each target."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from agnostic.draw.colour import BLUE, ORANGE, Colour
from agnostic.draw.words import Mark, Passage
from agnostic.draw.words import passages as draw_passages
from agnostic.errors import UsageError
from agnostic.explanation import Explanation
from agnostic.gallery.pictures import caption, footer
from agnostic.gallery.words_html import page, part

if TYPE_CHECKING:
    from PIL.Image import Image


def figure(explanations: Sequence[Explanation], *, heading: str = "", dark: bool = False) -> "Image":
    """Draw the text once for each explanation. Those of one method share their scale; two targets are orange and blue.

    Args:
        explanations: of one text, by any methods and for any targets.
        heading: one line above everything.
        dark: light on dark.

    Raises:
        UsageError: there is none, or they are not of the same text.
    """
    return draw_passages(passages(explanations), heading=heading, footer=footer(explanations), dark=dark)


def html(explanations: Sequence[Explanation], *, heading: str = "") -> str:
    """Write the same as a page that needs nothing else; hovering a word, or coming to it by Tab, shows its number.

    Raises:
        UsageError: as for `figure`.
    """
    return page(passages(explanations), heading=heading or text_of(explanations[0])[:60], footer=footer(explanations))


def snippet(explanations: Sequence[Explanation]) -> str:
    """Write the same as a piece of a page, for a notebook."""
    return part(passages(explanations))


def text_of(item: Explanation) -> str:
    """The text that was explained."""
    return str(item.meta["shown"]["text"])


def passages(explanations: Sequence[Explanation]) -> list[Passage]:
    """Lay explanations of one text out as passages.

    Raises:
        UsageError: there is none, or they are not of the same text.
    """
    if not explanations:
        raise UsageError("there is no explanation to draw")
    if len({text_of(item) for item in explanations}) > 1:
        raise UsageError("the explanations are of different texts; draw one figure for each")
    targets = list(dict.fromkeys(item.target for item in explanations))
    accents: dict[str, Colour | None] = dict.fromkeys(targets)
    if len(targets) == 2:
        accents = dict(zip(targets, (ORANGE, BLUE), strict=True))
    return [_passage(item, explanations, accents[item.target]) for item in explanations]


def _passage(item: Explanation, together: Sequence[Explanation], accent: Colour | None) -> Passage:
    alike = [other for other in together if other.method == item.method]
    signed = any(other.meta.get("signed", True) for other in alike)
    return Passage(item.method, caption(item), marks(item), max(map(_largest, alike)), signed, accent)


def _largest(item: Explanation) -> float:
    return float(abs(weights(item)).max(initial=0.0))


def weights(item: Explanation) -> npt.NDArray[np.float32]:
    """What each piece of the text got."""
    if item.weights is None or len(item.weights) != len(item.meta["shown"]["pieces"]):
        raise UsageError(f"{item!r} has no value for each piece of its text; read its values instead")
    return item.weights


def marks(item: Explanation) -> list[Mark]:
    """Cut a text into the pieces that were explained and what stands between them."""
    text, found, at = text_of(item), [], 0
    for number, (span, weight) in enumerate(zip(item.meta["shown"]["pieces"], weights(item), strict=True)):
        start, stop = (max(at, int(end)) for end in span)
        found += [Mark(text[at:start]), Mark(text[start:stop], float(weight), number)]
        at = stop
    return [mark for mark in [*found, Mark(text[at:])] if mark.text]
