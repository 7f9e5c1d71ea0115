"""Pictures composed of a spatial basis, colours, and a squashing into 0..1."""

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.canvas import Canvas, param
from agnostic.optvis.draws import Draws
from agnostic.optvis.params.basis import Basis
from agnostic.optvis.params.colour import PHOTO, Colours, from_valid_rgb, identity, to_valid_rgb
from agnostic.optvis.params.spatial import fft, fixed

#: Opacity: none, a channel that is optimised, or what the gradients have asked for.
Alpha = bool | Literal["gradient"]
# The share of a picture that its gradients make transparent, at least in part.
_FAINT = 0.8


@param
def image(
    width: int = 128,
    height: int | None = None,
    *,
    basis: Basis | None = None,
    colours: Colours | None = PHOTO,
    channels: int | None = None,
    grey: bool = False,
    alpha: Alpha = False,
) -> Callable[[Draws], Canvas]:
    """Store a picture, by default as Fourier coefficients in decorrelated colours.

    Args:
        width: in pixels.
        height: in pixels; a square by default.
        basis: what is stored: `fft`, `pixels`, `phases` or another basis, or a sum of them.
        colours: colour statistics; None stores the channels as they are.
        channels: how many, if they are no colours: each is squashed by itself.
        grey: store one channel and show it in all.
        alpha: add a channel of opacity: True optimises it; "gradient" leaves the optimised picture opaque and shows at
            the end only what the objective cared for, the sum of its gradients' sizes.
    """
    found = identity(channels) if channels is not None else colours
    shown = found.channels if found is not None else 3
    if alpha not in (False, True, "gradient"):
        raise UsageError(f'alpha={alpha!r}: expected True, False or "gradient"')

    def canvas(draws: Draws) -> Canvas:
        depth = (1 if grey else shown) + (alpha is True)
        stored = (basis or fft())(draws, depth, height or width, width)

        def draw() -> Tensor:
            drawn = to_valid_rgb(stored.raw(), None if grey else found)
            return torch.cat([drawn[:, :1].expand(-1, shown, -1, -1), drawn[:, 1:]], dim=1) if grey else drawn

        made = Canvas(stored.variables, draw, alpha is True, stored.couples, stored.learning_rate, stored.constrain)
        return _attended(made) if alpha == "gradient" else made

    return canvas


@param
def from_picture(
    picture: npt.NDArray[np.floating],
    *,
    basis: Basis | None = None,
    colours: Colours | None = PHOTO,
    alpha: Alpha = False,
) -> Callable[[Draws], Canvas]:
    """Start from a picture (h, w, c) in 0..1: what would this very picture need more of (Hamblin et al. 2024)?

    The first drawn picture is the given one, to one part in a thousand. What is stored is what is added to it before
    colours and squashing, by default Fourier coefficients over their frequency.

    Args:
        picture: the picture.
        basis: of what is added; should begin at zero.
        colours: colour statistics; None stores the channels as they are.
        alpha: see `image`.
    """
    if picture.ndim != 3:
        raise UsageError(f"a picture {list(picture.shape)} to start from: expected (h, w, c)")
    height, width, depth = picture.shape
    related = colours if colours is not None and colours.channels == depth else None
    start = from_valid_rgb(torch.from_numpy(picture.astype(np.float32)).movedim(2, 0)[None], related)[0].numpy()
    if alpha is True:
        start = np.concatenate([start, np.zeros_like(start[:1])])
    around = fixed(np.ascontiguousarray(start)) + (basis or fft(sd=0))
    channels = None if related else depth
    return image(width, height, basis=around, colours=related, channels=channels, alpha=alpha).make


def _attended(canvas: Canvas) -> Canvas:
    attention = Attention()
    return replace(canvas, observe=attention.observe, finish=attention.finish)


def image_sample(
    draws: Draws, channels: int, height: int, width: int, *, sd: float = 0.2, decay: float = 1.5
) -> Tensor:
    """Draw random pictures of photographs' frequencies and colours, to lay others on: (n, c, h, w) in 0..1."""
    with torch.no_grad():
        raw = fft(sd, decay)(draws, channels, height, width).raw()
        return to_valid_rgb(raw, PHOTO if channels == PHOTO.channels else None)


class Attention:
    """What of each picture an objective has cared for so far."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._sizes: Tensor | None = None

    def observe(self, gradient: Tensor) -> None:
        """Add a gradient with respect to the pictures: (n, c, h, w)."""
        sizes = gradient.detach().abs().mean(dim=1, keepdim=True)
        self._sizes = sizes if self._sizes is None else self._sizes + sizes

    def finish(self, pictures: Tensor) -> Tensor:
        """Add opacity to pictures: full where the gradients were strongest."""
        if self._sizes is None:
            return torch.cat([pictures, torch.ones_like(pictures[:, :1])], dim=1)
        sizes = _smoothed(self._sizes)
        strong = sizes.flatten(1).quantile(_FAINT, dim=1).view(-1, 1, 1, 1).clamp(min=torch.finfo(sizes.dtype).tiny)
        return torch.cat([pictures, (sizes / strong).clamp(max=1)], dim=1)


def _smoothed(sizes: Tensor) -> Tensor:
    """Average over a hundredth of the picture: gradients are grainy, opacity should not be."""
    reach = max(1, max(sizes.shape[2:]) // 100)
    window = 2 * reach + 1
    for _ in range(2):
        sizes = F.avg_pool2d(sizes, window, stride=1, padding=reach, count_include_pad=False)
    return sizes
