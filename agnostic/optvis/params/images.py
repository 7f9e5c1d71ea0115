"""Pictures composed of a spatial basis, colours, and a squashing into 0..1."""

from collections.abc import Callable

from agnostic.optvis.canvas import Canvas, param
from agnostic.optvis.draws import Draws
from agnostic.optvis.params.colour import PHOTO, Colours, identity, to_valid_rgb
from agnostic.optvis.params.spatial import Basis, fft


@param
def image(
    width: int = 128,
    height: int | None = None,
    *,
    basis: Basis | None = None,
    colours: Colours | None = PHOTO,
    channels: int | None = None,
    alpha: bool = False,
) -> Callable[[Draws], Canvas]:
    """Store a picture, by default as Fourier coefficients in decorrelated colours.

    Args:
        width: in pixels.
        height: in pixels; a square by default.
        basis: what is stored: `fft`, `pixels` or another of `params.spatial`.
        colours: colour statistics; None stores the channels as they are.
        channels: how many, if they are no colours: each is squashed by itself.
        alpha: add a channel of opacity.
    """
    found = identity(channels) if channels is not None else colours
    depth = found.channels if found is not None else 3

    def canvas(draws: Draws) -> Canvas:
        variables, raw = (basis or fft())(draws, depth + alpha, height or width, width)
        return Canvas(variables, lambda: to_valid_rgb(raw(), found), alpha)

    return canvas
