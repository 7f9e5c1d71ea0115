"""How a picture is stored while it is optimised: ``maker(settings) -> (Draws) -> Canvas``.

A picture is a spatial basis (pixels, Fourier coefficients, a pyramid, a network) seen through decorrelated colours and
a squashing into 0..1. `image` composes the usual ones.
"""

from agnostic.optvis.params.colour import PHOTO, Colours, to_valid_rgb
from agnostic.optvis.params.images import image
from agnostic.optvis.params.spatial import fft, pixels

__all__ = ["PHOTO", "Colours", "fft", "image", "pixels", "to_valid_rgb"]
