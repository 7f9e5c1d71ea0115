"""How a picture is stored while it is optimised: ``maker(settings) -> (Draws) -> Canvas``.

A picture is a spatial basis (pixels, Fourier coefficients, a pyramid, a network, phases) seen through decorrelated
colours and a squashing into 0..1. `image` composes them, and bases add::

    image(128, basis=fft(decay=1.5))                        # a picture
    image(128, basis=aligned())                             # pictures that can be compared and blended
    image(64, basis=0.7 * fft() + 0.5 * grouped(weights))   # cells of a grid whose neighbours look alike
    image(512, basis=phases(), alpha="gradient")            # a large one with a photograph's spectrum
    from_picture(photograph)                                # what this picture lacks
"""

from agnostic.optvis.params.basis import Basis, Stored, basis
from agnostic.optvis.params.colour import PHOTO, Colours, estimate, from_valid_rgb, identity, to_valid_rgb
from agnostic.optvis.params.cppn import cppn
from agnostic.optvis.params.images import from_picture, image, image_sample
from agnostic.optvis.params.lowres import aligned, aligned_pairs, grouped, laplacian_pyramid, lowres, lowres_tensor
from agnostic.optvis.params.maco import PHOTO_SPECTRUM, Spectrum, phases, spectrum_of
from agnostic.optvis.params.spatial import fft, fixed, limited, pixels, unit_ball

__all__ = [
    "PHOTO",
    "PHOTO_SPECTRUM",
    "Basis",
    "Colours",
    "Spectrum",
    "Stored",
    "aligned",
    "aligned_pairs",
    "basis",
    "cppn",
    "estimate",
    "fft",
    "fixed",
    "from_picture",
    "from_valid_rgb",
    "grouped",
    "identity",
    "image",
    "image_sample",
    "laplacian_pyramid",
    "limited",
    "lowres",
    "lowres_tensor",
    "phases",
    "pixels",
    "spectrum_of",
    "to_valid_rgb",
    "unit_ball",
]
