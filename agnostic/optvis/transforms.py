"""What pictures are shaken by before the model sees them: ``(pictures, Draws) -> pictures``, (n, c, h, w) both.

Every picture draws its own numbers, and all pictures of a batch keep one size. To add one, write a decorated function
that returns such a function, or, for a geometric one, a function that gives each picture's matrix: `compose` makes one
resampling of neighbouring ones.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce, wraps
from typing import Literal, ParamSpec

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.describing import described
from agnostic.optvis.draws import Draws
from agnostic.optvis.params.colour import PHOTO, to_valid_rgb
from agnostic.optvis.params.spatial import fft

Function = Callable[[Tensor, Draws], Tensor]
Matrices = Callable[[Draws], Tensor]
_Arguments = ParamSpec("_Arguments")
# What is outside a picture when it is turned or made smaller.
_GREY = 0.5


@dataclass(frozen=True)
class Transform:
    """A function of pictures and draws that knows its name."""

    function: Function
    name: str

    def __call__(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Transform (n, c, h, w)."""
        return self.function(pictures, draws)


@dataclass(frozen=True)
class Affine:
    """A turn, stretch or shift about the middle of the picture.

    Attributes:
        matrices: gives, for each picture, where in units of half its height a point of the new picture comes from:
            (n, 2, 3), x before y.
        name: what it is called.
    """

    matrices: Matrices
    name: str

    def __call__(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Resample (n, c, h, w) bilinearly, once."""
        return _resampled(pictures, self.matrices(draws))

    def then(self, after: "Affine") -> "Affine":
        """Join two into one resampling."""

        def matrices(draws: Draws) -> Tensor:
            first = _square(self.matrices(draws))
            return (first @ _square(after.matrices(draws)))[:, :2]

        return Affine(matrices, f"{self.name}, {after.name}")


Transforms = Sequence[Transform | Affine | Function]


def transform(make: Callable[_Arguments, Function]) -> Callable[_Arguments, Transform]:
    """Turn a maker of functions into a maker of transforms that know their name."""

    @wraps(make)
    def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Transform:
        return Transform(make(*args, **kwargs), described(make, args, kwargs))

    return wrapped


def affine(make: Callable[_Arguments, Matrices]) -> Callable[_Arguments, Affine]:
    """Turn a maker of matrices into a maker of transforms that know their name."""

    @wraps(make)
    def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Affine:
        return Affine(make(*args, **kwargs), described(make, args, kwargs))

    return wrapped


def _square(matrices: Tensor) -> Tensor:
    last = torch.tensor([0.0, 0.0, 1.0]).expand(len(matrices), 1, 3)
    return torch.cat([matrices, last], dim=1)


def _resampled(pictures: Tensor, matrices: Tensor) -> Tensor:
    """Sample where the matrices say; they count x and y in the same unit, grid_sample in half widths and heights."""
    height, width = pictures.shape[2:]
    stretch = width / height
    scaled = matrices * torch.tensor([[1.0, 1.0 / stretch, 1.0 / stretch], [stretch, 1.0, 1.0]])
    grid = F.affine_grid(scaled.to(pictures), list(pictures.shape), align_corners=False)
    # Outside is grey: grid_sample puts zeros there.
    return F.grid_sample(pictures - _GREY, grid, align_corners=False) + _GREY


@transform
def pad(width: int, mode: Literal["reflect", "constant", "uniform"] = "reflect", value: float = _GREY) -> Function:
    """Add a border: the picture mirrored, one value, or one random grey level per picture."""
    if width < 0 or mode not in ("reflect", "constant", "uniform"):
        raise UsageError(f"pad({width}, {mode!r}): expected a width of 0 or more, and reflect, constant or uniform")

    def function(pictures: Tensor, draws: Draws) -> Tensor:
        if mode == "reflect":
            return F.pad(pictures, [width] * 4, mode="reflect")
        level = draws.uniform(0, 1, 1, 1, 1).to(pictures) if mode == "uniform" else torch.tensor(value).to(pictures)
        return F.pad(pictures - level, [width] * 4) + level

    return function


@transform
def jitter(amount: int) -> Function:
    """Crop at random to a size smaller by `amount`."""

    def function(pictures: Tensor, draws: Draws) -> Tensor:
        height, width = (size - amount for size in pictures.shape[2:])
        if min(height, width) < 1:
            raise UsageError(f"jitter({amount}) leaves nothing of a picture of {tuple(pictures.shape[2:])} pixels")
        offsets = draws.integers(amount + 1, 2).tolist() if amount else [[0, 0]] * len(pictures)
        rows = [
            picture[:, top : top + height, left : left + width]
            for picture, (top, left) in zip(pictures, offsets, strict=True)
        ]
        return torch.stack(rows)

    return function


@affine
def random_scale(factors: Sequence[float]) -> Matrices:
    """Make the picture larger or smaller inside its frame, by one of the factors."""
    if not factors or min(factors) <= 0:
        raise UsageError(f"random_scale({list(factors)}): expected factors above 0")

    def matrices(draws: Draws) -> Tensor:
        inverse = 1 / draws.choice(list(factors))
        zero = torch.zeros_like(inverse)
        return torch.stack([inverse, zero, zero, zero, inverse, zero], dim=1).view(-1, 2, 3)

    return matrices


@affine
def random_rotate(degrees: Sequence[float]) -> Matrices:
    """Turn the picture about its middle by one of the angles, anticlockwise."""
    if not degrees:
        raise UsageError("random_rotate([]): expected at least one angle in degrees")

    def matrices(draws: Draws) -> Tensor:
        angle = torch.deg2rad(draws.choice(list(degrees)))
        cos, sin, zero = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
        # Rows point down: the new picture's points are looked up turned the other way.
        return torch.stack([cos, -sin, zero, sin, cos, zero], dim=1).view(-1, 2, 3)

    return matrices


@transform
def crop_or_pad_to(height: int, width: int) -> Function:
    """Cut the middle out, or add grey around, for models that take one size only; the last transform of a list."""

    def function(pictures: Tensor, draws: Draws) -> Tensor:
        edges = []
        for wanted, given in ((width, pictures.shape[3]), (height, pictures.shape[2])):
            before = (wanted - given) // 2
            edges += [before, wanted - given - before]
        return F.pad(pictures - _GREY, edges) + _GREY

    return function


@transform
def on_background(sd: float = 0.5) -> Function:
    """Lay a picture with opacity, its last channel, on a random background of photographs' frequencies and colours.

    Only what is opaque then excites a unit reliably.
    """

    def function(pictures: Tensor, draws: Draws) -> Tensor:
        with torch.no_grad():
            behind = _background(draws, pictures.shape[1] - 1, pictures.shape[2], pictures.shape[3], sd).to(pictures)
        colours, alpha = pictures[:, :-1], pictures[:, -1:]
        return alpha * colours + (1 - alpha) * behind

    return function


def _background(draws: Draws, channels: int, height: int, width: int, sd: float) -> Tensor:
    _, raw = fft(sd)(draws, channels, height, width)
    return to_valid_rgb(raw(), PHOTO if channels == PHOTO.channels else None)


def compose(transforms: Transforms) -> Transform:
    """Apply one after the other; neighbouring affine ones in a single resampling."""
    merged: list[Transform | Affine | Function] = []
    for item in transforms:
        if merged and isinstance(item, Affine) and isinstance(merged[-1], Affine):
            merged[-1] = merged[-1].then(item)
        else:
            merged.append(item)

    def function(pictures: Tensor, draws: Draws) -> Tensor:
        return reduce(lambda shaken, item: item(shaken, draws), merged, pictures)

    names = (getattr(item, "name", getattr(item, "__name__", type(item).__name__)) for item in transforms)
    return Transform(function, ", ".join(names))


def standard() -> list[Transform | Affine]:
    """List Lucid's default: a grey border, shifts, scales of 0.9 to 1.1, turns of up to 10 degrees."""
    return [
        pad(12, "constant"),
        jitter(8),
        random_scale([round(0.90 + 0.02 * step, 2) for step in range(11)]),
        random_rotate([*range(-10, 11), 0, 0, 0, 0, 0]),
        jitter(4),
    ]
