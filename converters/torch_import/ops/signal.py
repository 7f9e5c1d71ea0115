"""Fourier transforms and mel filters."""

import numpy as np
import torch
from torch import Tensor

from agnostic.converters.torch_import.registry import Node, operator


def _complex(x: Tensor) -> Tensor:
    """Read a last axis of (real) or (real, imaginary)."""
    return torch.view_as_complex(x.contiguous()) if x.shape[-1] == 2 else x.squeeze(-1)


@operator("DFT")
def dft(
    x: Tensor, length: Tensor | None = None, axis: Tensor | None = None, *, inverse: int = 0, onesided: int = 0
) -> Tensor:
    """Discrete Fourier transform along an axis, one-sided or inverse if asked; the last axis holds the parts."""
    at = (-2 if axis is None else int(axis)) % x.ndim
    n = None if length is None else int(length)
    signal = _complex(x)
    if inverse and onesided:
        real: Tensor = torch.fft.irfft(signal, n, at)
        return real[..., None]
    if inverse:
        return torch.view_as_real(torch.fft.ifft(signal, n, at))
    if onesided:
        return torch.view_as_real(torch.fft.rfft(signal.real if signal.is_complex() else signal, n, at))
    return torch.view_as_real(torch.fft.fft(signal, n, at))


@operator("STFT")
def stft(
    x: Tensor, step: Tensor, window: Tensor | None = None, length: Tensor | None = None, *, onesided: int = 1
) -> Tensor:
    """Fourier transforms of windowed frames: (b, time, parts) becomes (b, frames, bins, 2)."""
    signal = _complex(x)
    size = int(length) if length is not None else len(window) if window is not None else signal.shape[-1]
    frames = signal.unfold(1, size, int(step))
    frames = frames if window is None else frames * window
    spectrum = torch.fft.rfft(frames) if onesided and not frames.is_complex() else torch.fft.fft(frames)
    return torch.view_as_real(spectrum)


@operator("MelWeightMatrix")
def mel_weight_matrix(
    bins: Tensor,
    dft_length: Tensor,
    sample_rate: Tensor,
    lower: Tensor,
    upper: Tensor,
    *,
    output_datatype: int = 1,
    node: Node,
) -> Tensor:
    """Triangular filters, evenly spaced on the mel scale, as a matrix (spectrum bins, mel bins)."""
    count, n = int(bins), int(dft_length) // 2 + 1
    ends = [2595 * np.log10(1 + float(f) / 700) for f in (lower, upper)]
    mels = np.arange(count + 2) * (ends[1] - ends[0]) / (count + 2) + ends[0]
    edges = ((int(dft_length) + 1) * (700 * (10 ** (mels / 2595) - 1)) // int(sample_rate)).astype(int)
    cells = np.arange(n)[:, None]
    low, centre, high = edges[:-2], edges[1:-1], edges[2:]
    rising = np.where(centre == low, cells == centre, (cells - low) / np.maximum(centre - low, 1))
    falling = (high - cells) / np.maximum(high - centre, 1)
    weights = np.where(cells <= centre, np.where(cells >= low, rising, 0), np.where(cells < high, falling, 0))
    return torch.from_numpy(weights).to(node.precision.computed(output_datatype))
