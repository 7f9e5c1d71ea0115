"""Pictures whose spectrum is fixed and of which only the phases are optimised (Fel et al. 2023, *MaCo*).

A picture then cannot leave the statistics of the pictures that the spectrum was taken from, however large it is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.draws import Draws
from agnostic.optvis.params.basis import Store, Stored, basis
from agnostic.optvis.params.colour import PHOTO, Colours
from agnostic.optvis.params.spatial import frequencies

Floats = npt.NDArray[np.float64]
_LEARNING_RATE = 1.0
_SMALL = 1e-5
# The standard deviation of angles that are spread evenly: with a smaller one all waves agree in the picture's corner.
_EVEN = np.pi / 3**0.5
# Spectra are averaged on one grid of frequencies, whatever the pictures' sizes.
_GRID = 256


@dataclass(frozen=True)
class Spectrum:
    """How strong each frequency is in a kind of picture.

    Attributes:
        at: gives the magnitudes for channels, a height and a width: (c, h, w // 2 + 1), up to a factor.
        name: whose spectrum it is.
    """

    at: Callable[[int, int, int], Floats]
    name: str


def _photo_law(channels: int, height: int, width: int) -> Floats:
    """Fall as f^-1.25 up to half of the highest frequency, and as f^-2.2 from there."""
    lengths = np.maximum(frequencies(height, width), 1.0 / max(height, width)) / 0.25
    law = np.where(lengths < 1, lengths**-1.25, lengths**-2.2)
    return np.broadcast_to(law, (channels, *law.shape))


#: Photographs, in decorrelated colours, whose axes vary alike.
PHOTO_SPECTRUM = Spectrum(_photo_law, "photographs")


def spectrum_of(pictures: Sequence[npt.NDArray[np.floating]], colours: Colours | None = PHOTO) -> Spectrum:
    """Measure the mean spectrum of pictures, each (h, w, c) in 0..1 and of any size.

    Frequencies are counted per pixel. Pictures fade towards their edges first, which do not meet as a period's would.

    Args:
        pictures: at least one, all of one depth.
        colours: the statistics that the pictures will be drawn with; None for unrelated channels.

    Raises:
        UsageError: there is none, or the depths differ among each other or from that of the colours.
    """
    depths = {picture.shape[2] for picture in pictures}
    if len(depths) != 1 or (colours is not None and depths != {colours.channels}):
        wanted = "one depth" if colours is None else f"{colours.channels} channels"
        raise UsageError(f"a spectrum needs pictures of {wanted}, got those of {sorted(depths) or 'none'}")
    axes = np.eye(depths.pop()) if colours is None else np.linalg.pinv(colours.normalised)
    found = [_resampled(_magnitudes(picture @ axes.T), picture.shape[1], _GRID, _GRID) for picture in pictures]
    mean = np.mean(found, axis=0)

    def at(channels: int, height: int, width: int) -> Floats:
        if channels != len(mean):
            raise UsageError(f"the spectrum has {len(mean)} channels, the picture {channels}")
        return _resampled(mean, _GRID, height, width)

    return Spectrum(at, f"{len(pictures)} pictures")


def _magnitudes(picture: Floats) -> Floats:
    """Give |rfft2| of each channel, whatever the size as strong: (c, h, w // 2 + 1)."""
    height, width = picture.shape[:2]
    fade = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])[..., None]
    waves = np.fft.rfft2((picture - picture.mean(axis=(0, 1))) * fade, axes=(0, 1))
    magnitudes: Floats = np.abs(waves).transpose(2, 0, 1) / np.sqrt(height * width)
    return magnitudes


def _resampled(magnitudes: Floats, columns: int, height: int, width: int) -> Floats:
    """Read the magnitudes of pictures so many columns wide between their frequencies: (c, h, w // 2 + 1)."""
    rows = magnitudes.shape[1]
    y = np.fft.fftfreq(height) * rows
    x = np.minimum(np.fft.rfftfreq(width) * columns, columns // 2)
    # Rows are periodic, columns end at the highest frequency.
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    down, right = (y - top)[:, None], x - left
    upper, lower = magnitudes[:, top % rows], magnitudes[:, (top + 1) % rows]
    between = upper + (lower - upper) * down
    beyond = np.minimum(left + 1, magnitudes.shape[2] - 1)
    found: Floats = between[..., left] + (between[..., beyond] - between[..., left]) * right
    return found


@basis
def phases(spectrum: Spectrum = PHOTO_SPECTRUM, contrast: float = 1.85) -> Store:
    """Store the phases of waves whose strengths are those of a spectrum.

    The phases of a picture are brought to one mean and variance, and so are the numbers that come out.

    Args:
        spectrum: how strong the waves are.
        contrast: the standard deviation of what comes out; by default pixels then vary as those of photographs do.
    """
    if contrast <= 0:
        raise UsageError(f"phases with contrast={contrast:g}: expected more than 0")

    def stored(draws: Draws, channels: int, height: int, width: int) -> Stored:
        shape = (channels, height, width // 2 + 1)
        variable = draws.uniform(-(3**0.5), 3**0.5, *shape).requires_grad_()
        magnitudes = torch.from_numpy(spectrum.at(channels, height, width).astype(np.float32))
        raw = partial(_from_phases, variable, magnitudes, height, width, contrast)
        return Stored({"phases": variable}, raw, learning_rate=_LEARNING_RATE)

    return stored


def _from_phases(variable: Tensor, magnitudes: Tensor, height: int, width: int, contrast: float) -> Tensor:
    waves = torch.polar(magnitudes.expand_as(variable), _EVEN * standardised(variable))
    return contrast * standardised(torch.fft.irfft2(waves, s=(height, width), norm="ortho"))


def standardised(values: Tensor) -> Tensor:
    """Bring each picture's numbers to mean 0 and variance 1: (n, c, h, w)."""
    # One by one: a sum over several axes of a batch rounds as the batch's size has it.
    return torch.stack([_standardised(one) for one in values])


def _standardised(one: Tensor) -> Tensor:
    deviations = one - one.mean()
    return deviations / (deviations.square().mean().sqrt() + _SMALL)
