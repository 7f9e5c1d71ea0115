"""What stands in where a feature of a picture is off: its blur, a mean colour, noise, zero, or a plain colour."""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageColor, ImageFilter

from agnostic.engine.preprocess import Preprocess
from agnostic.errors import unknown
from agnostic.inputs.picture import Pixels
from agnostic.inputs.regions import Labels

Painter = Callable[[Pixels], Pixels]


def fill_for(fill: str, pixels: Pixels, labels: Labels, preprocess: Preprocess, seed: int) -> npt.NDArray[np.float32]:
    """Compute the fill in the model's own space: (C, H, W) float32.

    Args:
        fill: `blur`, `mean` (each feature's mean colour), `noise`, `zero` (zero in the model's own space), or a colour.
        pixels: (H, W) or (H, W, C) uint8 at the model's size.
        labels: (H, W) features.
        preprocess: from pixels to the model's space.
        seed: of the noise.

    Raises:
        UsageError: an unknown fill.
    """
    if fill == "zero":
        return np.zeros_like(preprocess.planes(pixels))
    painters: dict[str, Painter] = {
        "blur": _blurred,
        "mean": partial(_segment_means, labels=labels),
        "noise": partial(_noise, seed=seed),
    }
    paint = painters.get(fill) or partial(_coloured, colour=_colour(fill, [*painters, "zero"]))
    return preprocess.planes(paint(pixels))


def _colour(name: str, kinds: list[str]) -> tuple[int, ...]:
    try:
        return ImageColor.getrgb(name)[:3]
    except ValueError:
        raise unknown("fill", name, [*kinds, "gray", "black", "white"], "or any colour such as #808080") from None


def _coloured(pixels: Pixels, colour: tuple[int, ...]) -> Pixels:
    if pixels.ndim == 2:
        return np.full_like(pixels, round(sum(colour) / 3))
    filled = pixels.copy()
    filled[..., :3] = colour
    return filled


def _blurred(pixels: Pixels) -> Pixels:
    radius = max(pixels.shape[:2]) / 14
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def _noise(pixels: Pixels, seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, pixels.shape, np.uint8)


def _segment_means(pixels: Pixels, labels: Labels) -> Pixels:
    from agnostic.kernels.superpixels import segment_means

    planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    means = np.rint(segment_means(np.ascontiguousarray(planes, np.float32), labels)).astype(np.uint8)
    return means[0] if pixels.ndim == 2 else np.ascontiguousarray(np.moveaxis(means, 0, -1))
