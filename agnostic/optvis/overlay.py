"""Dreams on top of a picture: a group of units is raised only where it fired, and the rest of the picture stays."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from agnostic.errors import UsageError
from agnostic.kernels.resize import bilinear
from agnostic.optvis import objectives
from agnostic.optvis.params import fft, from_picture
from agnostic.optvis.recipes.registry import Order
from agnostic.optvis.rendering import Pictures, Rendering, named
from agnostic.optvis.transforms import jitter

# Low frequencies move first, so that a dream is seen as a whole and not as grain.
_SOFT, _RATE = 1.2, 0.03
# A place that holds this share of a group's strongest is drawn over as much.
_FULL = 0.6


def overlay(order: Order, layer: str, maps: npt.ArrayLike, directions: npt.ArrayLike) -> Rendering:
    """Raise groups on top of a picture, each in a picture of its own, only where it fired (Olah et al. 2018).

    Args:
        order: the order; its picture is what the model sees, at the model's own size.
        layer: the layer of the groups.
        maps: (n, h, w) how much of each group every place holds; never negative.
        directions: (n, C) what each is in units.

    Raises:
        UsageError: maps and directions do not belong together.
        InputError: there is no picture.
    """
    places, units = np.asarray(maps, np.float32), np.asarray(directions, np.float32)
    if places.ndim != 3 or units.ndim != 2 or len(places) != len(units):
        raise UsageError(
            f"groups of maps {list(places.shape)} and directions {list(units.shape)}: expected (n, h, w) and (n, C)"
        )
    picture = order.given_picture()
    most = places.max(axis=(1, 2), keepdims=True)
    shares = np.divide(places, most, out=np.zeros_like(places), where=most > 0)
    aims = [
        objectives.tensor_direction(layer, share[None] * unit[:, None, None])
        for share, unit in zip(shares, units, strict=True)
    ]
    canvas = from_picture(picture, basis=fft(sd=0, decay=_SOFT), colours=order.colours)
    # Shifts are small against a place of the layer: what is raised must stay where it fired.
    found = order.render(aims, canvas, transforms=[jitter(4)], learning_rate=_RATE)
    blended = [laid(picture, dream, share) for dream, share in zip(found.pictures, shares, strict=True)]
    names = [f"group {number} of {layer}" for number in range(len(units))]
    return named(replace(found, pictures=np.stack(blended)), names)


def laid(picture: Pictures, dream: Pictures, share: npt.NDArray[np.float32]) -> Pictures:
    """Lay a dream (h, w, c) on a picture as thickly as a map (rows, columns) in 0..1 says."""
    height, width = picture.shape[:2]
    wide = bilinear(np.ascontiguousarray(share[None]), (height, width))[0]
    thick = np.clip(wide / _FULL, 0, 1)[..., None]
    return np.asarray(picture + thick * (dream - picture), np.float32)
