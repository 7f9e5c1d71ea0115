"""Colours that vary as those of photographs do: decorrelated axes in, RGB in 0..1 out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.errors import UsageError

Floats = npt.NDArray[np.float64]
# A pixel of exactly 0 or 1 has no finite number before squashing.
_CLOSEST = 1e-3


@dataclass(frozen=True)
class Colours:
    """The colour statistics of a kind of picture.

    Attributes:
        matrix: (C, C) rows: a square root of the covariance of a pixel's channels.
        mean: (C,) of a pixel, in 0..1.
        origin: where they come from.
    """

    matrix: tuple[tuple[float, ...], ...]
    mean: tuple[float, ...]
    origin: str

    @property
    def channels(self) -> int:
        """How many channels a pixel has."""
        return len(self.mean)

    @property
    def normalised(self) -> Floats:
        """The matrix over the length of its longest column: (C, C)."""
        matrix = np.asarray(self.matrix, np.float64)
        longest: float = np.linalg.norm(matrix, axis=0).max()
        return matrix / longest if longest > 0 else np.eye(len(matrix))


#: Photographs: the square root of the covariance of ImageNet's colours that Lucid uses, and their mean.
PHOTO = Colours(
    ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03)), (0.48, 0.46, 0.41), "photographs (ImageNet)"
)


def identity(channels: int) -> Colours:
    """Take channels as they come, unrelated to each other."""
    rows = tuple(tuple(float(value) for value in row) for row in np.eye(channels))
    return Colours(rows, (0.5,) * channels, f"{channels} unrelated channels")


def estimate(pictures: Sequence[npt.NDArray[np.floating]]) -> Colours:
    """Measure the colour statistics of pictures, each (h, w, C) in 0..1 and of any size.

    Raises:
        UsageError: there is none, or their channels differ.
    """
    depths = {picture.shape[-1] for picture in pictures}
    if len(depths) != 1:
        raise UsageError(f"colour statistics need pictures of one depth, got {sorted(depths) or 'none'}")
    sums = [_moments(picture) for picture in pictures]
    count = sum(size for size, _, _ in sums)
    mean = np.sum([total for _, total, _ in sums], axis=0) / count
    covariance = np.sum([product for _, _, product in sums], axis=0) / count - np.outer(mean, mean)
    directions, strengths, _ = np.linalg.svd(covariance)
    # The sign of a direction is arbitrary: its largest entry is made positive.
    signs = np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(len(mean))])
    root = directions * signs * np.sqrt(strengths)
    rows = tuple(tuple(float(value) for value in row) for row in root)
    return Colours(rows, tuple(map(float, mean)), f"{len(pictures)} pictures")


def _moments(picture: npt.NDArray[np.floating]) -> tuple[int, Floats, Floats]:
    pixels = picture.reshape(-1, picture.shape[-1]).astype(np.float64)
    return len(pixels), pixels.sum(axis=0), pixels.T @ pixels


def to_valid_rgb(raw: Tensor, colours: Colours | None = PHOTO, *, sigmoid: bool = True) -> Tensor:
    """Turn (n, C, h, w) of decorrelated colours into pictures in 0..1.

    Args:
        raw: any numbers; channels beyond those of `colours` are squashed as they are.
        colours: whose axes these are; None: the channels are colours already.
        sigmoid: squash smoothly; otherwise add the mean colour and cut off.
    """
    if colours is not None:
        related, rest = raw[:, : colours.channels], raw[:, colours.channels :]
        matrix = torch.as_tensor(colours.normalised, dtype=raw.dtype, device=raw.device)
        # A convolution by one pixel: several times as fast as a product of matrices this thin.
        mixed = F.conv2d(related, matrix[:, :, None, None])
        raw = torch.cat([mixed, rest], dim=1) if rest.shape[1] else mixed
    if sigmoid:
        return torch.sigmoid(raw)
    mean = torch.full((raw.shape[1],), 0.5)
    if colours is not None:
        mean[: colours.channels] = torch.tensor(colours.mean)
    return (raw + mean.view(1, -1, 1, 1).to(raw)).clamp(0, 1)


def from_valid_rgb(pictures: Tensor, colours: Colours | None = PHOTO) -> Tensor:
    """Find the numbers of which `to_valid_rgb` makes pictures (n, C, h, w), those kept a thousandth off 0 and 1."""
    raw = torch.logit(pictures, eps=_CLOSEST)
    if colours is None:
        return raw
    back = torch.as_tensor(np.linalg.pinv(colours.normalised), dtype=raw.dtype, device=raw.device)
    return torch.einsum("nchw,dc->ndhw", raw, back)
