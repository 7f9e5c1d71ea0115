"""Objectives to keep pictures simple: weigh them below 0, but for `penalize_boundary_complexity`, a minus itself."""

import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.lens import Seen
from agnostic.optvis.objective import Function, objective
from agnostic.optvis.objectives.picking import given_array

# How much the border's own level counts beside its roughness.
_LEVEL_WEIGHT = 0.8


@objective
def total_variation(layer: str = "input") -> Function:
    """Sum the sizes of all steps between neighbours, across and down (Simonyan, Vedaldi & Zisserman 2014)."""

    def function(seen: Seen) -> Tensor:
        maps = seen.activated(layer)
        across, down = (maps.diff(dim=axis).abs().sum(dim=(1, 2, 3)) for axis in (3, 2))
        return across + down

    return function


@objective
def l1(layer: str = "input", constant: float = 0.0) -> Function:
    """Sum the distances from a constant."""
    return lambda seen: (seen.activated(layer) - constant).abs().sum(dim=(1, 2, 3))


@objective
def l2(layer: str = "input", constant: float = 0.0, epsilon: float = 1e-6) -> Function:
    """Take the root of the sum of squared distances from a constant; epsilon is what is below the root at least."""
    return lambda seen: (epsilon + (seen.activated(layer) - constant).square().sum(dim=(1, 2, 3))).sqrt()


#: What Lucid calls them.
L1, L2 = l1, l2


@objective
def blur_input_each_step() -> Function:
    """Measure what a small blur takes from the picture: a weight of -k blurs it by k each step (Nguyen et al. 2015)."""
    return lambda seen: _lost_in_blur(seen.pictures)


@objective
def blur_alpha_each_step() -> Function:
    """Measure what a small blur takes from the opacity."""
    return lambda seen: _lost_in_blur(_alpha(seen, "blur_alpha_each_step"))


def _lost_in_blur(values: Tensor) -> Tensor:
    return 0.5 * (values - blurred(values, 3).detach()).square().sum(dim=(1, 2, 3))


def blurred(pictures: Tensor, width: int) -> Tensor:
    """Average width x width pixels, the outermost of which count half; at the border, those there are."""
    weights = F.pad(torch.full((width - 2, width - 2), 1.0), [1] * 4, value=0.5).to(pictures)
    channels = pictures.shape[1]
    kernel = weights.expand(channels, 1, width, width)
    sums, counts = (
        F.conv2d(values, kernel, padding=width // 2, groups=channels)
        for values in (pictures, torch.ones_like(pictures[:1]))
    )
    return sums / counts


@objective
def penalize_boundary_complexity(width: int = 20, mask: npt.ArrayLike | None = None, level: float = 0.5) -> Function:
    """Make the border smooth and of one level, so that a picture stands by itself.

    Args:
        width: of the border in pixels.
        mask: (h, w) how much each pixel counts; then `width` is not used.
        level: what the border is drawn to, in 0..1.
    """
    if width < 1:
        raise UsageError(f"penalize_boundary_complexity({width}): expected a width of at least one pixel")
    given = None if mask is None else given_array("the mask", mask, ["(h, w)"])

    def function(seen: Seen) -> Tensor:
        pictures = seen.pictures
        counts = _border(pictures, width) if given is None else _mask(pictures, given)
        rough = (blurred(pictures, 5) - pictures).square() + _LEVEL_WEIGHT * (pictures - level).square()
        return -(rough * counts).sum(dim=(1, 2, 3))

    return function


def _border(pictures: Tensor, width: int) -> Tensor:
    border = torch.ones_like(pictures[:1, :1])
    border[..., width:-width, width:-width] = 0
    return border


def _mask(pictures: Tensor, given: Tensor) -> Tensor:
    if given.shape != pictures.shape[2:]:
        raise UsageError(f"the mask is {list(given.shape)}, the pictures are {list(pictures.shape[2:])}: give one size")
    return given.to(pictures)


@objective
def opacity(margin: int = 0) -> Function:
    """Average the alpha channel; an objective times one minus this draws only what it needs.

    Args:
        margin: the pixels at each edge that do not count.
    """
    if margin < 0:
        raise UsageError(f"opacity({margin}): expected a margin of 0 pixels or more")

    def function(seen: Seen) -> Tensor:
        alpha = _alpha(seen, "opacity")
        height, width = alpha.shape[2:]
        if 2 * margin >= min(height, width):
            raise UsageError(f"opacity({margin}) leaves nothing of a picture of {width} x {height} pixels")
        return alpha[..., margin : height - margin, margin : width - margin].mean(dim=(1, 2, 3))

    return function


def _alpha(seen: Seen, name: str) -> Tensor:
    if seen.alpha is None:
        raise UsageError(f"{name} is about pictures with opacity, these have none: store them with image(alpha=True)")
    return seen.alpha
