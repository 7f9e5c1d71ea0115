"""The piece of a picture that made a unit respond."""

import os
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from agnostic.blocks.examples_layers import Box
from agnostic.engine.preprocess import Preprocess
from agnostic.inputs.image import fit
from agnostic.inputs.picture import on_white, open_picture

PAD = 128


class Patch(NamedTuple):
    """A square piece of a picture around a peak.

    Attributes:
        pixels: (side, side, 3) uint8; mid-grey where it leaves the picture.
        peak: down and across, in 0..1 of the patch.
        box: the receptive field in it: top, left, bottom, right in 0..1, cut off at the patch.
    """

    pixels: npt.NDArray[np.uint8]
    peak: tuple[float, float]
    box: tuple[float, float, float, float]


def patch(
    picture: str | os.PathLike[str] | Image.Image, preprocess: Preprocess, box: Box, *, side: int = 96, least: int = 48
) -> Patch:
    """Cut out what a place of a layer sees, centred on it.

    Args:
        picture: a file or an opened picture.
        preprocess: the model's way from pixels to its input, which tells what part of the picture it saw.
        box: the receptive field in pixels of the model's input: top, left, bottom, right, as an `Example` has it.
        side: of the patch, in its own pixels.
        least: of the model's pixels to show at least, so that fields of a few pixels can be recognised; at most the
            whole picture is shown.

    Raises:
        InputError: the picture cannot be read.
    """
    seen = on_white(fit(open_picture(picture), preprocess))
    height, width = preprocess.size
    length = min(max(box[2] - box[0], box[3] - box[1], least), max(height, width))
    top, left = (box[0] + box[2] - length) / 2, (box[1] + box[3] - length) / 2
    scale = side / length
    place = ((box[0] - top) * scale, (box[1] - left) * scale, (box[2] - top) * scale, (box[3] - left) * scale)
    inside = [min(max(edge / side, 0.0), 1.0) for edge in place]
    pixels = _cut(seen, (left / width, top / height, (left + length) / width, (top + length) / height), side)
    return Patch(pixels, (0.5, 0.5), (inside[0], inside[1], inside[2], inside[3]))


def _cut(seen: Image.Image, window: tuple[float, float, float, float], side: int) -> npt.NDArray[np.uint8]:
    """Scale the part of a window, in shares of the picture, that lies in the picture, and lay it on grey."""
    sheet = Image.new("RGB", (side, side), (PAD, PAD, PAD))
    left, top, right, bottom = window
    kept = (max(left, 0.0), max(top, 0.0), min(right, 1.0), min(bottom, 1.0))
    if kept[0] < kept[2] and kept[1] < kept[3]:
        x0, x1 = (round((edge - left) / (right - left) * side) for edge in (kept[0], kept[2]))
        y0, y1 = (round((edge - top) / (bottom - top) * side) for edge in (kept[1], kept[3]))
        if x0 < x1 and y0 < y1:
            source = (kept[0] * seen.width, kept[1] * seen.height, kept[2] * seen.width, kept[3] * seen.height)
            sheet.paste(
                seen.resize((x1 - x0, y1 - y0), Image.Resampling.LANCZOS, box=source, reducing_gap=2.0), (x0, y0)
            )
    return np.asarray(sheet)
