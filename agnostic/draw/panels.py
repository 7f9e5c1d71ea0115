"""A panel: one picture of a figure with its words, and how it is drawn at the size it has on the sheet."""

from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from agnostic.draw.colour import Colour
from agnostic.draw.contours import pieces
from agnostic.draw.labels import Labels
from agnostic.draw.light import Picture, check_picture
from agnostic.draw.marks import Marks, marked
from agnostic.draw.overlays import Scale, check_map, overlay, shared_scale
from agnostic.errors import UsageError

_Number = TypeVar("_Number", bound=np.generic)

# A picture that is enlarged this much shows its pixels as squares.
_PIXELS = 4


@dataclass(frozen=True)
class Panel:
    """One picture of a figure, its words, and the values that are drawn on it.

    Attributes:
        picture: What the model saw, (H, W, 3) uint8.
        title: One or two words above it.
        caption: One line below it: target, probability, the number that matters.
        values: The map of a "heat" panel, (h, w).
        segments: The pieces of a "pieces" panel, (h, w) of 0..S-1; or those on which a heat is constant.
        weights: The weight of each piece, (S,).
        style: The picture untouched, lit up by its map, or cut into its pieces.
        signed: Whether the values speak for and against.
        scale: The ends of the colours; the panel's own when None. Neighbours of equal scale share one colour bar.
        accent: The colour of the compared target that this panel is about.
        marks: What is pointed at.
    """

    picture: Picture
    title: str
    caption: str = ""
    values: npt.NDArray[np.floating] | None = None
    segments: Labels | None = None
    weights: npt.NDArray[np.floating] | None = None
    style: Literal["input", "heat", "pieces"] = "input"
    signed: bool = False
    scale: Scale | None = None
    accent: Colour | None = None
    marks: Marks | None = None

    def __post_init__(self) -> None:
        """Refuse a panel that lacks what its style draws."""
        check_picture(self.picture)
        if self.style == "heat" and self.values is None:
            raise UsageError(f"the heat panel {self.title!r} has no values; give values=, an array (height, width)")
        if self.style == "pieces" and (self.segments is None or self.weights is None):
            raise UsageError(f"the pieces panel {self.title!r} lacks its pieces; give segments= and weights=")


@dataclass(frozen=True)
class Drawn:
    """A panel that is ready to be placed.

    Attributes:
        panel: What was drawn.
        image: Its picture, lit.
        scale: The ends of its colours; None where there are none.
        diverging: Whether these colours are the signed ones.
    """

    panel: Panel
    image: Picture
    scale: Scale | None
    diverging: bool

    def shares_bar(self, other: "Drawn") -> bool:
        """Whether one colour bar speaks for both panels: they were given the same scale."""
        given = self.panel.scale is not None and other.panel.scale is not None
        return given and self.scale == other.scale and self.diverging == other.diverging


def drawn(panel: Panel, width: int) -> Drawn:
    """Draw the picture of a panel as wide as its column, in pixels, and what is pointed at on it."""
    ready = _lit(panel, width)
    return ready if panel.marks is None else replace(ready, image=marked(ready.image, panel.marks))


def _lit(panel: Panel, width: int) -> Drawn:
    picture = enlarged(panel.picture, width)
    diverging = panel.signed or panel.style == "pieces"
    if panel.style == "heat" and panel.values is not None:
        values, segments = check_map(panel.values), panel.segments
        scale = panel.scale or shared_scale([values], signed=diverging)
        if values.shape == panel.picture.shape[:2] and picture.shape[0] >= _PIXELS * values.shape[0]:
            times = picture.shape[0] // values.shape[0]
            values, segments = _squares(values, times), None if segments is None else _squares(segments, times)
        image = overlay(picture, values, scale, panel.signed, segments=segments)
    elif panel.style == "pieces" and panel.segments is not None and panel.weights is not None:
        scale = panel.scale or shared_scale([panel.weights], signed=True)
        image = pieces(picture, panel.segments, panel.weights, scale=scale)
    else:
        return Drawn(panel, picture, None, diverging=False)
    return Drawn(panel, image, scale, diverging)


def enlarged(picture: Picture, width: int) -> Picture:
    """Bring a picture, (H, W, 3), to the width of its column; a tiny one keeps its pixels as squares.

    A picture much taller than wide is held to one and a half times the column's width.

    >>> enlarged(np.zeros((28, 28, 3), np.uint8), 570).shape
    (560, 560, 3)
    """
    height, across = picture.shape[:2]
    ratio = min(width / across, 1.5 * width / height)
    if ratio >= _PIXELS or ratio == int(ratio):
        return _squares(picture, int(ratio))
    shape = max(round(across * ratio), 1), max(round(height * ratio), 1)
    return np.asarray(Image.fromarray(picture).resize(shape, Image.Resampling.LANCZOS))


def _squares(array: npt.NDArray[_Number], times: int) -> npt.NDArray[_Number]:
    return array.repeat(times, axis=0).repeat(times, axis=1)
