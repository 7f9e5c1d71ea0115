"""Spatial bases: ``basis(Draws, channels, height, width) -> (variables, raw)``, where raw() is (n, c, h, w)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial, wraps
from typing import ParamSpec

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from agnostic.optvis.describing import described
from agnostic.optvis.draws import Draws

Stored = tuple[Mapping[str, Tensor], Callable[[], Tensor]]
_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True)
class Basis:
    """A way to store (n, channels, height, width) numbers; called, it gives the variables and what makes them."""

    store: Callable[[Draws, int, int, int], Stored]
    name: str

    def __call__(self, draws: Draws, channels: int, height: int, width: int) -> Stored:
        """Make the variables, drawn from the streams."""
        return self.store(draws, channels, height, width)


def basis(maker: Callable[_Arguments, Callable[[Draws, int, int, int], Stored]]) -> Callable[_Arguments, Basis]:
    """Turn a maker of stores into a maker of bases that know their name."""

    @wraps(maker)
    def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Basis:
        return Basis(maker(*args, **kwargs), described(maker, args, kwargs))

    return wrapped


@basis
def pixels(sd: float = 0.01) -> Callable[[Draws, int, int, int], Stored]:
    """Store the pixels themselves; the naive way, whose pictures are noisy."""

    def stored(draws: Draws, channels: int, height: int, width: int) -> Stored:
        variable = (draws.normal(channels, height, width) * sd).requires_grad_()
        return {"pixels": variable}, lambda: variable

    return stored


@basis
def fft(sd: float = 0.01, decay: float = 1.0) -> Callable[[Draws, int, int, int], Stored]:
    """Store Fourier coefficients over their frequency to the power of `decay` (Olah, Mordvintsev & Schubert 2017).

    Steps then go along patterns of natural pictures, whose low frequencies are strong, not along single pixels.
    """

    def stored(draws: Draws, channels: int, height: int, width: int) -> Stored:
        variable = (draws.normal(channels, height, width // 2 + 1, 2) * sd).requires_grad_()
        scale = torch.from_numpy(spectrum_scale(height, width, decay))
        return {"spectrum": variable}, partial(_from_spectrum, variable, scale, height, width)

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
