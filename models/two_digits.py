"""Draws pictures of two handwritten digits among scraps of others, with the box of each: a task with a known answer.

The digits are the 1797 that scikit-learn ships (Alpaydin and Kaynak, 1998), 8 x 8 and grey, drawn larger and turned a
little. What tells a digit lies in its box and nowhere else, so the evidence for it must lie there too.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

SIZE = 56
HELD_OUT = 297  # the last digits of the set

_HALF = SIZE // 2
_SCRAPS = 5
_SCRAP = 7
_NOISE = 10.0
_INKED = 64  # a quarter of the darkest ink

Bytes = npt.NDArray[np.uint8]


class Digits(NamedTuple):
    """Handwritten digits: glyphs (n, 8, 8) uint8 up to 255, and which digit each of them is (n)."""

    glyphs: Bytes
    labels: npt.NDArray[np.int64]


class Box(NamedTuple):
    """A rectangle of pixels."""

    top: int
    left: int
    bottom: int
    right: int


class Scene(NamedTuple):
    """A picture (56, 56) uint8, the two different digits on it, the box of each, and which of them a pixel is ink of.

    In `ink`, (56, 56) uint8, the first digit is 1, the second 2, and everything else 0.
    """

    pixels: Bytes
    labels: tuple[int, int]
    boxes: tuple[Box, Box]
    ink: Bytes


def read_digits() -> tuple[Digits, Digits]:
    """Return the digits to learn from and those held out."""
    from sklearn.datasets import load_digits

    found = load_digits()
    glyphs = np.minimum(found.images * 16, 255).astype(np.uint8)
    kept = len(glyphs) - HELD_OUT
    return Digits(glyphs[:kept], found.target[:kept]), Digits(glyphs[kept:], found.target[kept:])


def scene(digits: Digits, rng: np.random.Generator) -> Scene:
    """Draw one picture: two different digits in two of the four quarters, scraps of others beside them, noise."""
    first = int(rng.integers(len(digits.labels)))
    second = int(rng.choice(np.flatnonzero(digits.labels != digits.labels[first])))
    canvas = np.zeros((SIZE, SIZE), np.uint8)
    boxes = [
        _put(canvas, _drawn(digits.glyphs[index], rng), int(quarter), rng)
        for index, quarter in zip((first, second), rng.choice(4, 2, replace=False), strict=True)
    ]
    ink = _ink(canvas, boxes)
    _litter(canvas, digits, boxes, rng)
    noisy = np.clip(canvas + rng.normal(0, _NOISE, canvas.shape), 0, 255).astype(np.uint8)
    return Scene(noisy, (int(digits.labels[first]), int(digits.labels[second])), (boxes[0], boxes[1]), ink)


def _drawn(glyph: Bytes, rng: np.random.Generator) -> Bytes:
    """Draw a digit 18 to 25 pixels large, turned by up to 12 degrees."""
    side = int(rng.integers(18, 26))
    large = Image.fromarray(glyph).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(large.rotate(float(rng.uniform(-12, 12)), Image.Resampling.BILINEAR))


def _put(canvas: Bytes, drawn: Bytes, quarter: int, rng: np.random.Generator) -> Box:
    """Paste a digit somewhere within a quarter and return its box."""
    side = len(drawn)
    top, left = (int(rng.integers(_HALF - side + 1)) + _HALF * half for half in divmod(quarter, 2))
    canvas[top : top + side, left : left + side] = drawn
    return Box(top, left, top + side, left + side)


def _ink(canvas: Bytes, boxes: list[Box]) -> Bytes:
    """Tell the digits' pixels apart, before there are scraps: 1 for the first digit's, 2 for the second's."""
    ink = np.zeros_like(canvas)
    for number, box in enumerate(boxes, 1):
        inside = slice(box.top, box.bottom), slice(box.left, box.right)
        ink[inside] = np.where(canvas[inside] >= _INKED, number, 0)
    return ink


def _litter(canvas: Bytes, digits: Digits, boxes: list[Box], rng: np.random.Generator) -> None:
    """Paste scraps of digits wherever they touch none of the boxes."""
    for glyph in digits.glyphs[rng.integers(len(digits.glyphs), size=_SCRAPS)]:
        row, column = rng.integers(4, 22 - _SCRAP, size=2)
        scrap = _drawn(glyph, rng)[row : row + _SCRAP, column : column + _SCRAP]
        top, left = (int(start) for start in rng.integers(SIZE - _SCRAP, size=2))
        place = Box(top, left, top + scrap.shape[0], left + scrap.shape[1])
        if not any(_touch(place, box) for box in boxes):
            canvas[place.top : place.bottom, place.left : place.right] = scrap


def _touch(one: Box, other: Box) -> bool:
    apart = one.bottom <= other.top or other.bottom <= one.top or one.right <= other.left or other.right <= one.left
    return not apart
