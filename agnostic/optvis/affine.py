"""Transforms that look each pixel up at another place: turns, stretches and shifts, which join into one resampling."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import ParamSpec

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.optvis.describing import described
from agnostic.optvis.draws import Draws

Function = Callable[[Tensor, Draws], Tensor]
Size = tuple[int, int]
Matrices = Callable[[Draws, Size], Tensor]
_Arguments = ParamSpec("_Arguments")
#: What is outside a picture when it is turned or made smaller.
GREY = 0.5


def _same_size(size: Size) -> Size:
    """Keep the frame."""
    return size


@dataclass(frozen=True)
class Affine:
    """A turn, stretch or shift of the picture in its frame, and a frame of another size; outside is grey.

    Attributes:
        matrices: gives, from the size of the pictures, where a point of each new picture comes from, in pixels from the
            middle of the old one: (n, 2, 3), x before y.
        name: what it is called.
        resize: gives the new height and width of the frame.
        exact: does it alone without resampling, where it moves by whole pixels.
    """

    matrices: Matrices
    name: str
    resize: Callable[[Size], Size] = _same_size
    exact: Function | None = None

    def __call__(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Transform (n, c, h, w); unless by whole pixels, resample bilinearly, once."""
        if self.exact is not None:
            return self.exact(pictures, draws)
        size = (pictures.shape[2], pictures.shape[3])
        return _resampled(pictures, self.matrices(draws, size), self.resize(size))

    def then(self, after: "Affine") -> "Affine":
        """Join two into one resampling."""

        def matrices(draws: Draws, size: Size) -> Tensor:
            first = _square(self.matrices(draws, size))
            return (first @ _square(after.matrices(draws, self.resize(size))))[:, :2]

        return Affine(matrices, f"{self.name}, {after.name}", lambda size: after.resize(self.resize(size)))


def affine(make: Callable[_Arguments, Matrices]) -> Callable[_Arguments, Affine]:
    """Turn a maker of matrices into a maker of transforms that know their name; the frame keeps its size."""

    @wraps(make)
    def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Affine:
        return Affine(make(*args, **kwargs), described(make, args, kwargs))

    return wrapped


def _square(matrices: Tensor) -> Tensor:
    last = torch.tensor([0.0, 0.0, 1.0]).expand(len(matrices), 1, 3)
    return torch.cat([matrices, last], dim=1)


def matrices_of(*entries: Tensor) -> Tensor:
    """Stack six numbers per picture, row by row: (n, 2, 3)."""
    return torch.stack(entries, dim=1).view(-1, 2, 3)


def shift(offsets: Tensor) -> Tensor:
    """Move by (n, 2) pixels, y before x: (n, 2, 3)."""
    return torch.cat([torch.eye(2).expand(len(offsets), 2, 2), offsets.flip(1)[:, :, None]], dim=2)


def _resampled(pictures: Tensor, matrices: Tensor, size: Size) -> Tensor:
    """Look up where the matrices say, bilinearly."""
    places = matrices.to(pictures)[..., None, None]
    across, down = (torch.arange(length).to(pictures) - (length - 1) / 2 for length in (size[1], size[0]))
    # grid_sample counts in half widths and half heights.
    grid = [
        (2 / sides) * (places[:, axis, 0] * across + (places[:, axis, 1] * down[:, None] + places[:, axis, 2]))
        for axis, sides in enumerate((pictures.shape[3], pictures.shape[2]))
    ]
    # Outside is grey: grid_sample puts zeros there.
    return F.grid_sample(pictures - GREY, torch.stack(grid, dim=-1), align_corners=False) + GREY
