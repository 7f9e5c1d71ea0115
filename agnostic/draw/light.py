"""How a picture steps back and is lit up: (picture, colours) -> picture.

A map is not painted over the picture, it is light that falls on it: where there is none, the picture is dim and nearly
grey; where there is much, the picture itself is back at full brightness, in the colour of the light, in all its detail.
"""

import numpy as np
import numpy.typing as npt

from agnostic.errors import InputError

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

# Alpha at which the picture below is back at its own brightness.
_FULL = 0.6
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def lit(picture: Picture, colours: Floats, *, hues: bool = True) -> Picture:
    """Light up a picture, (H, W, 3) uint8, by straight-alpha colours in 0..1, (H, W, 4).

    Args:
        picture: What is lit.
        colours: The light.
        hues: Whether the picture's own hues come back too; not where hue carries the sign.
    """
    return np.rint(light_on(picture.astype(np.float32), colours, hues=hues)).astype(np.uint8)


def light_on(picture: Floats, colours: Floats, *, hues: bool = True) -> Floats:
    """Compute `lit` unrounded: (..., 3) in 0..255 and (..., 4) in 0..1 to (..., 3) in 0..255."""
    alpha = colours[..., 3:]
    dark = _dim(picture)
    bright = picture if hues else _faded(picture)
    below = dark + (bright - dark) * np.minimum(alpha / _FULL, 1) ** 1.5  # late, so that faint light stays faint
    mixed: Floats = below + (255 * colours[..., :3] - below) * alpha
    return mixed


def dimmed(picture: Picture) -> Picture:
    """Show a picture, (H, W, 3) uint8, without any light on it.

    >>> dimmed(np.full((1, 1, 3), 128, np.uint8)).tolist()
    [[[69, 69, 69]]]
    """
    return np.rint(_dim(picture.astype(np.float32))).astype(np.uint8)


def check_picture(picture: Picture) -> None:
    """Refuse what is not a colour picture."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or not picture.size:
        raise InputError(f"the picture is {picture.dtype} {picture.shape}; expected uint8 (height, width, 3)")


def _dim(picture: Floats) -> Floats:
    return 10 + np.float32(0.46) * _faded(picture)


def _faded(picture: Floats) -> Floats:
    """Take four fifths of the colour away; a trace of it keeps things recognisable."""
    return np.float32(0.82) * (picture @ _LUMA)[..., None] + np.float32(0.18) * picture
