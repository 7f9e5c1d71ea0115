"""What is pointed at on a picture: boxes with their names, the outline of a region, one place."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from agnostic.draw import text
from agnostic.draw.colour import Colour
from agnostic.draw.labels import Mask, edges, shrunk, smooth_labels
from agnostic.draw.light import Picture
from agnostic.errors import InputError

_WHITE, _INK = (255, 255, 255), (20, 20, 19)
_THICK, _THIN = 5, 2
_PAD = 6


@dataclass(frozen=True)
class BoxMark:
    """A box on a picture.

    Attributes:
        box: left, top, right, bottom as shares of the picture's width and height; what lies outside is cut off.
        label: what stands on it; nothing where empty.
        strong: whether it is what the panel is about.
        colour: of a strong one.
    """

    box: tuple[float, float, float, float]
    label: str = ""
    strong: bool = False
    colour: Colour = _WHITE


@dataclass(frozen=True)
class Marks:
    """Everything that is pointed at.

    Attributes:
        boxes: of which the strong ones are drawn last, on top.
        regions: (h, w) bool each, with about the picture's proportions; the outline of each is drawn, and a ring
            around one that is a single place.
    """

    boxes: tuple[BoxMark, ...] = ()
    regions: tuple[Mask, ...] = ()


def marked(picture: Picture, marks: Marks) -> Picture:
    """Draw marks on a picture, (H, W, 3) uint8, as it is shown: lines keep their width whatever its size.

    Raises:
        InputError: a region is no map of places.
    """
    for region in marks.regions:
        _check(region)
        picture = _ringed(picture, region) if region.sum() == 1 else _outlined(picture, region)
    if not marks.boxes:
        return picture
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    ordered = sorted(marks.boxes, key=lambda mark: mark.strong)
    for mark in ordered:
        _box(draw, mark, image.size)
    taken: list[tuple[int, int, int, int]] = []
    for mark in ordered[::-1]:
        _label(draw, mark, image.size, taken)
    return np.asarray(image)


def _check(region: Mask) -> None:
    if region.ndim != 2 or not region.size or not region.any():
        raise InputError(f"the region has the shape {region.shape}; expected (height, width) with a place in it")


def _box(draw: ImageDraw.ImageDraw, mark: BoxMark, size: tuple[int, int]) -> None:
    """Draw four sides with a thin dark edge, so that they read on any picture."""
    left, top, right, bottom = _corners(mark, size)
    width = _THICK if mark.strong else _THIN
    around = (left - 1, top - 1, right + 1, bottom + 1)
    draw.rectangle(around, outline=_INK, width=width + 2)
    draw.rectangle((left, top, right, bottom), outline=mark.colour if mark.strong else _WHITE, width=width)


def _corners(mark: BoxMark, size: tuple[int, int]) -> tuple[int, int, int, int]:
    ends = [size[0] - 1, size[1] - 1] * 2
    left, top, right, bottom = (
        round(min(max(share, 0.0), 1.0) * end) for share, end in zip(mark.box, ends, strict=True)
    )
    return left, top, max(right, left), max(bottom, top)


def _label(
    draw: ImageDraw.ImageDraw, mark: BoxMark, size: tuple[int, int], taken: list[tuple[int, int, int, int]]
) -> None:
    """Write a box's name above it, or inside where there is no room; not at all where it would cover another name."""
    if not mark.label:
        return
    left, top, *_ = _corners(mark, size)
    line = text.ellipsised(mark.label, text.SMALL, max(size[0] - 2 * _PAD, 1))
    width, height = text.width(line, text.SMALL) + 2 * _PAD, text.line_height(text.SMALL)
    x = min(left, size[0] - width)
    y = top - height if top >= height else top
    chip = (x, y, x + width, y + height)
    if not line or any(_touch(chip, other) for other in taken):
        return
    taken.append(chip)
    draw.rectangle(chip, fill=_INK)
    text.write(draw, (x + _PAD, y), line, text.SMALL, mark.colour if mark.strong else _WHITE)


def _touch(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _outlined(picture: Picture, region: Mask) -> Picture:
    """Draw the rim of a region: white, with a dark line on either side of it."""
    shape = picture.shape[0], picture.shape[1]
    fine = smooth_labels(region.astype(np.int32), shape)
    rim = edges(fine)
    for strength, times, colour in ((0.8, 3, _INK), (1.0, 1, _WHITE)):
        line = rim
        for _ in range(times * max(1, fine.shape[0] // shape[0])):
            line = _grown(line)
        alpha = strength * np.minimum(shrunk(line, shape), 1)[..., None]
        picture = np.rint(picture * (1 - alpha) + np.asarray(colour, np.float32) * alpha).astype(np.uint8)
    return picture


def _grown(mask: Mask) -> Mask:
    padded = np.pad(mask, 1)
    grown: Mask = mask | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return grown


def _ringed(picture: Picture, region: Mask) -> Picture:
    """Draw a ring around the one place of a region."""
    row, column = (float(axis.mean()) for axis in np.nonzero(region))
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    y, x = (row + 0.5) / region.shape[0] * image.height, (column + 0.5) / region.shape[1] * image.width
    radius = max(image.width / region.shape[1], image.height / region.shape[0], image.width / 40)
    for edge, width, colour in ((1, 6, _INK), (0, 4, _WHITE)):
        reach = radius + edge
        draw.ellipse((x - reach, y - reach, x + reach, y + reach), outline=colour, width=width)
    return np.asarray(image)
