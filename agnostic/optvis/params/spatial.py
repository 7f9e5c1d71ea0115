"""The plain spatial bases: pixels, pixels kept small, and Fourier coefficients."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.draws import Draws
from agnostic.optvis.params.basis import Basis, Store, Stored, basis

__all__ = ["Basis", "fft", "fixed", "frequencies", "limited", "pixels", "spectrum_scale", "unit_ball"]


@basis
def pixels(sd: float = 0.01) -> Store:
    """Store the pixels themselves; the naive way, whose pictures are noisy."""

    def stored(draws: Draws, channels: int, height: int, width: int) -> Stored:
        variable = (draws.normal(channels, height, width) * sd).requires_grad_()
        return Stored({"pixels": variable}, lambda: variable)

    return stored


@basis
def fft(sd: float = 0.01, decay: float = 1.0) -> Store:
    """Store Fourier coefficients over their frequency to the power of `decay` (Olah, Mordvintsev & Schubert 2017).

    Steps then go along patterns of natural pictures, whose low frequencies are strong, not along single pixels.
    """

    def stored(draws: Draws, channels: int, height: int, width: int) -> Stored:
        variable = (draws.normal(channels, height, width // 2 + 1, 2) * sd).requires_grad_()
        scale = torch.from_numpy(spectrum_scale(height, width, decay))
        return Stored({"spectrum": variable}, partial(_from_spectrum, variable, scale, height, width))

    return stored


def _from_spectrum(variable: Tensor, scale: Tensor, height: int, width: int) -> Tensor:
    spectrum = torch.view_as_complex(variable) * scale.to(variable.device)
    found: Tensor = torch.fft.irfft2(spectrum, s=(height, width), norm="ortho") / 4
    return found


def frequencies(height: int, width: int) -> npt.NDArray[np.float64]:
    """Give the length of every frequency that rfft2 has, in cycles per pixel: (h, w // 2 + 1)."""
    lengths: npt.NDArray[np.float64] = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    return lengths


def spectrum_scale(height: int, width: int, decay: float) -> npt.NDArray[np.float32]:
    """Weigh frequencies by their length to the power of -decay; no wave counts as longer than the longer side."""
    scale: npt.NDArray[np.float64] = np.maximum(frequencies(height, width), 1.0 / max(height, width)) ** -decay
    return scale.astype(np.float32)


@basis
def fixed(values: npt.NDArray[np.float32]) -> Store:
    """Draw the same (c, h, w) numbers for every picture and store nothing: what another basis is added to."""

    def stored(draws: Draws, channels: int, height: int, width: int) -> Stored:
        if values.shape != (channels, height, width):
            raise UsageError(f"fixed numbers {list(values.shape)} for a picture of {[channels, height, width]}")
        one = torch.from_numpy(values)
        return Stored({}, lambda: one.expand(len(draws), -1, -1, -1))

    return stored


@basis
def unit_ball(norm: Literal["l2", "linf"] = "l2", radius: float = 1.0) -> Store:
    """Store pixels that stay within a distance of zero: for the least that has to be added to a given picture.

    Args:
        norm: l2, the length of the picture as one vector; linf, its largest pixel.
        radius: the distance.
    """
    if norm not in _PROJECTIONS or radius <= 0:
        raise UsageError(f"unit_ball({norm!r}, {radius:g}): expected l2 or linf and a radius above 0")

    def stored(draws: Draws, channels: int, height: int, width: int) -> Stored:
        variable = torch.zeros(len(draws), channels, height, width, requires_grad=True)
        return Stored({"ball": variable}, lambda: variable, constrain=partial(_project, variable, norm, radius))

    return stored


def _project(variable: Tensor, norm: str, radius: float) -> None:
    with torch.no_grad():
        _PROJECTIONS[norm](variable, radius)


def _into_sphere(variable: Tensor, radius: float) -> None:
    lengths = torch.linalg.vector_norm(variable, dim=(1, 2, 3), keepdim=True)
    variable.mul_((radius / lengths).clamp(max=1))


def _into_cube(variable: Tensor, radius: float) -> None:
    variable.clamp_(-radius, radius)


_PROJECTIONS: dict[str, Callable[[Tensor, float], None]] = {"l2": _into_sphere, "linf": _into_cube}


def limited(numbers: Basis, contrast: float) -> Basis:
    """Draw pictures weaker that have more contrast than photographs: `contrast` is the largest root mean square.

    Which way the numbers point stays, and how many steps they took: a unit that is easy to excite does not end in
    colours at their limits while another is still grey.

    Raises:
        UsageError: the contrast is not above 0.
    """
    if contrast <= 0:
        raise UsageError(f"limited({numbers.name}, {contrast:g}): expected a contrast above 0")

    def store(draws: Draws, channels: int, height: int, width: int) -> Stored:
        stored = numbers(draws, channels, height, width)
        return replace(stored, raw=lambda: _weaker(stored.raw(), contrast))

    return Basis(store, f"limited({numbers.name}, {contrast:g})")


def _weaker(raw: Tensor, contrast: float) -> Tensor:
    # One by one: a sum over several axes of a batch rounds as the batch's size has it.
    sizes = torch.stack([one.square().mean().sqrt() for one in raw.detach()]).view(-1, 1, 1, 1)
    return raw * (contrast / sizes.clamp_min(contrast))
