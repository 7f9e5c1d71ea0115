"""The pieces of a picture: their outlines, and those that speak most for and against the target."""

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from agnostic.draw.colour import CORAL, TEAL, finite, signed
from agnostic.draw.labels import Labels, Mask, edges, eroded, middle, shrunk, smooth_labels
from agnostic.draw.light import Floats, Picture, check_picture, lit
from agnostic.draw.overlays import Scale, shared_scale
from agnostic.errors import InputError

_WHITE, _INK = (255, 255, 255), (20, 20, 19)


def pieces(
    picture: Picture, segments: Labels, weights: npt.ArrayLike, top: int = 6, *, scale: Scale | None = None
) -> Picture:
    """Show the pieces of a picture, (H, W, 3) uint8, that weigh most: teal with a + for, coral with a - against.

    Every piece is outlined by a hairline; all but the `top` heaviest (by magnitude) stay dim.

    Args:
        picture: What the model saw.
        segments: The piece of each pixel, 0..S-1, (h, w) with about the picture's proportions.
        weights: The weight of each piece, (S,).
        top: How many pieces are lit.
        scale: The ends of the colours; the weights' own when None.
    """
    check_picture(picture)
    numbers = _check_pieces(segments, weights)
    scale = scale or shared_scale([numbers], signed=True)
    chosen = heaviest(numbers, top)
    shape = picture.shape[:2]
    fine = smooth_labels(segments, shape)
    placed = np.zeros(len(numbers), np.float32)
    placed[chosen] = scale.fraction(numbers, signed=True)[chosen]
    image = lit(picture, signed(shrunk(placed[fine], shape)), hues=False)
    image = _ruled(image, shrunk(edges(fine), shape), _WHITE, 0.28)
    for piece in chosen[::-1]:
        colour = TEAL if numbers[piece] > 0 else CORAL
        image = _ruled(image, shrunk(_rim(fine == piece), shape), colour, 1.0)
    return _signs(image, segments, numbers, chosen)


def heaviest(weights: npt.NDArray[np.float64], top: int) -> npt.NDArray[np.intp]:
    """Choose the pieces of the largest magnitudes, heaviest first; a weight of zero is never chosen.

    >>> heaviest(np.array([0.1, -3.0, 0.0, 2.0]), top=3).tolist()
    [1, 3, 0]
    """
    order = np.argsort(-np.abs(weights), kind="stable")[: max(top, 0)]
    return np.asarray(order[weights[order] != 0])


def _check_pieces(segments: Labels, weights: npt.ArrayLike) -> npt.NDArray[np.float64]:
    numbers = finite(weights)
    if segments.ndim != 2 or not segments.size or not np.issubdtype(segments.dtype, np.integer):
        raise InputError(f"the pieces are {segments.dtype} {segments.shape}; expected integer labels (height, width)")
    low, high = int(segments.min()), int(segments.max())
    if numbers.ndim != 1 or low < 0 or high >= numbers.size:
        raise InputError(f"pieces {low}..{high} came with weights of shape {numbers.shape}; expected one for each")
    return numbers


def _rim(mask: Mask) -> Mask:
    return mask & ~eroded(eroded(eroded(eroded(mask))))


def _ruled(image: Picture, thickness: Floats, colour: tuple[int, int, int], strength: float) -> Picture:
    """Draw lines, given as how much of each pixel they cover, in one colour."""
    alpha = strength * np.minimum(thickness, 1)[..., None]
    return np.rint(image * (1 - alpha) + np.asarray(colour, np.float32) * alpha).astype(np.uint8)


def _signs(image: Picture, segments: Labels, weights: npt.NDArray[np.float64], chosen: npt.NDArray[np.intp]) -> Picture:
    """Put a + or a - in the middle of each chosen piece: colour alone says nothing to one man in twelve."""
    canvas = Image.fromarray(image)
    draw = ImageDraw.Draw(canvas)
    step_y, step_x = image.shape[0] / segments.shape[0], image.shape[1] / segments.shape[1]
    for piece in chosen:
        mask = segments == piece
        if mask.any():
            y, x, depth = middle(mask)
            arm = round(min(max(0.4 * depth * min(step_y, step_x), 5), image.shape[1] / 48))
            _sign(draw, round((x + 0.5) * step_x), round((y + 0.5) * step_y), arm, positive=weights[piece] > 0)
    return np.asarray(canvas)


def _sign(draw: ImageDraw.ImageDraw, x: int, y: int, arm: int, *, positive: bool) -> None:
    """Draw a white + or - with a thin dark edge, so that it reads on any picture."""
    half = max(arm // 8, 1)
    for edge, colour in ((1, _INK), (0, _WHITE)):
        long, thin = arm + edge, half + edge
        draw.rectangle((x - long, y - thin, x + long, y + thin), fill=colour)
        if positive:
            draw.rectangle((x - thin, y - long, x + thin, y + long), fill=colour)
    if positive:
        draw.rectangle((x - arm, y - half, x + arm, y + half), fill=_WHITE)
