"""What pictures are shaken by before the model sees them: ``(pictures, Draws) -> pictures``, (n, c, h, w) both.

Every picture draws its own numbers, and all pictures of a batch keep one size. To add one, write a decorated function
that returns such a function, or, for a geometric one, a function that gives each picture's matrix: `compose` makes one
resampling of neighbouring ones.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce, wraps
from itertools import groupby
from typing import Any, Literal, ParamSpec

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis.describing import described
from agnostic.optvis.draws import Draws
from agnostic.optvis.params.images import image_sample

Function = Callable[[Tensor, Draws], Tensor]
Size = tuple[int, int]
Matrices = Callable[[Draws, Size], Tensor]
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


Transforms = Sequence[Transform | Affine | Function]


def transform(make: Callable[_Arguments, Function]) -> Callable[_Arguments, Transform]:
    """Turn a maker of functions into a maker of transforms that know their name."""

    @wraps(make)
    def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Transform:
        return Transform(make(*args, **kwargs), described(make, args, kwargs))

    return wrapped


def affine(make: Callable[_Arguments, Matrices]) -> Callable[_Arguments, Affine]:
    """Turn a maker of matrices into a maker of transforms that know their name; the frame keeps its size."""

    @wraps(make)
    def wrapped(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Affine:
        return Affine(make(*args, **kwargs), described(make, args, kwargs))

    return wrapped


def _square(matrices: Tensor) -> Tensor:
    last = torch.tensor([0.0, 0.0, 1.0]).expand(len(matrices), 1, 3)
    return torch.cat([matrices, last], dim=1)


def _matrices(*entries: Tensor) -> Tensor:
    """Stack six numbers per picture, row by row: (n, 2, 3)."""
    return torch.stack(entries, dim=1).view(-1, 2, 3)


def _shift(offsets: Tensor) -> Tensor:
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
    return F.grid_sample(pictures - _GREY, torch.stack(grid, dim=-1), align_corners=False) + _GREY


def _checked(width: int, what: str) -> int:
    if width < 0:
        raise UsageError(f"{what}: expected 0 pixels or more")
    return width


def _grown(amount: int, name: str) -> Callable[[Size], Size]:
    """Make frames larger by so many pixels, or smaller."""

    def resize(size: Size) -> Size:
        height, width = (length + amount for length in size)
        if min(height, width) < 1:
            raise UsageError(f"{name} leaves nothing of a picture of {size} pixels")
        return height, width

    return resize


def _still(draws: Draws, size: Size) -> Tensor:
    return _shift(torch.zeros(len(draws), 2))


def pad(
    width: int, mode: Literal["reflect", "constant", "uniform"] = "reflect", value: float = _GREY
) -> Transform | Affine:
    """Add a border: the picture mirrored, one value, or one random grey level per picture."""
    name = described(pad, (_checked(width, f"pad({width})"), mode), {} if value == _GREY else {"value": value})
    functions: dict[str, Function] = {
        "reflect": lambda pictures, draws: F.pad(pictures, [width] * 4, mode="reflect"),
        "constant": lambda pictures, draws: F.pad(pictures, [width] * 4, value=value),
        "uniform": lambda pictures, draws: _bordered(pictures, width, draws.uniform(0, 1, 1, 1, 1).to(pictures)),
    }
    if mode not in functions:
        raise UsageError(f"{name}: expected the mode reflect, constant or uniform")
    if mode == "constant" and value == _GREY:
        return Affine(_still, name, _grown(2 * width, name), functions[mode])
    return Transform(functions[mode], name)


def _bordered(pictures: Tensor, width: int, levels: Tensor) -> Tensor:
    return F.pad(pictures - levels, [width] * 4) + levels


def crop(width: int) -> Affine:
    """Cut a border off."""
    name = described(crop, (_checked(width, f"crop({width})"),), {})
    resize = _grown(-2 * width, name)

    def exact(pictures: Tensor, draws: Draws) -> Tensor:
        height, across = resize((pictures.shape[2], pictures.shape[3]))
        return pictures[:, :, width : width + height, width : width + across]

    return Affine(_still, name, resize, exact)


def jitter(amount: int) -> Affine:
    """Crop at random to a size smaller by `amount`."""
    name = described(jitter, (_checked(amount, f"jitter({amount})"),), {})
    resize = _grown(-amount, name)

    def offsets(draws: Draws) -> Tensor:
        return draws.integers(amount + 1, 2)

    def exact(pictures: Tensor, draws: Draws) -> Tensor:
        height, width = resize((pictures.shape[2], pictures.shape[3]))
        places = zip(pictures.unbind(), offsets(draws).tolist(), strict=True)
        return torch.stack([one[:, top : top + height, left : left + width] for one, (top, left) in places])

    return Affine(lambda draws, size: _shift(offsets(draws) - amount / 2), name, resize, exact)


@affine
def random_scale(factors: Sequence[float]) -> Matrices:
    """Make the picture larger or smaller inside its frame, by one of the factors."""
    if not factors or min(factors) <= 0:
        raise UsageError(f"random_scale({list(factors)}): expected factors above 0")

    def matrices(draws: Draws, size: Size) -> Tensor:
        inverse = 1 / draws.choice(list(factors))
        zero = torch.zeros_like(inverse)
        return _matrices(inverse, zero, zero, zero, inverse, zero)

    return matrices


@affine
def random_rotate(degrees: Sequence[float]) -> Matrices:
    """Turn the picture about its middle by one of the angles, anticlockwise."""
    if not degrees:
        raise UsageError("random_rotate([]): expected at least one angle in degrees")

    def matrices(draws: Draws, size: Size) -> Tensor:
        angle = torch.deg2rad(draws.choice(list(degrees)))
        cos, sin, zero = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
        # Rows point down: the new picture's points are looked up turned the other way.
        return _matrices(cos, -sin, zero, sin, cos, zero)

    return matrices


@affine
def random_flip() -> Matrices:
    """Swap left and right of every second picture."""

    def matrices(draws: Draws, size: Size) -> Tensor:
        sign = draws.choice([-1, 1])
        zero, one = torch.zeros_like(sign), torch.ones_like(sign)
        return _matrices(sign, zero, zero, zero, one, zero)

    return matrices


def random_crop(
    size: int, first: float = 0.5, last: float = 0.25, spread: float = 0.05, wander: float = 0.15
) -> Affine:
    """Look at a random window of the picture, `size` pixels square; MaCo's way (Fel et al. 2023).

    Args:
        size: of the new picture in pixels.
        first: the mean side of the window when rendering begins, as a share of the picture's.
        last: the same when it ends.
        spread: the standard deviation of the side.
        wander: the standard deviation of the window's middle, as a share of the picture's sides.
    """
    name = described(random_crop, (size, first, last, spread, wander), {})
    if size < 1 or not 0 < last <= first <= 1:
        raise UsageError(f"{name}: expected a size of 1 or more, and 0 < last <= first <= 1")

    def matrices(draws: Draws, whole: Size) -> Tensor:
        drawn = draws.normal(3)
        share = (first + (last - first) * draws.progress + spread * drawn[:, 0]).clamp(0.05, 1)
        side, sides = share * min(whole), torch.tensor([whole[1], whole[0]])
        room = (sides - side[:, None]) / 2
        middle = (wander * sides * drawn[:, 1:]).clamp(-room, room)
        step, zero = side / size, torch.zeros_like(side)
        return _matrices(step, zero, middle[:, 0], zero, step, middle[:, 1])

    return Affine(matrices, name, lambda whole: (size, size))


@transform
def crop_or_pad_to(height: int, width: int) -> Function:
    """Cut the middle out, or add grey around, for models that take one size only; the last transform of a list."""

    def function(pictures: Tensor, draws: Draws) -> Tensor:
        edges = []
        for wanted, given in ((width, pictures.shape[3]), (height, pictures.shape[2])):
            before = (wanted - given) // 2
            edges += [before, wanted - given - before]
        return F.pad(pictures, edges, value=_GREY)

    return function


@transform
def noise(sd: float = 0.05) -> Function:
    """Add independent normal noise to every value."""
    if sd < 0:
        raise UsageError(f"noise({sd:g}): expected a standard deviation of 0 or more")
    return lambda pictures, draws: pictures + sd * draws.normal(*pictures.shape[1:]).to(pictures)


@transform
def normalize_gradient(scales: float | Sequence[float] = 1.0) -> Function:
    """Leave pictures as they are and give each picture's gradient one length, or a length of its own."""

    def function(pictures: Tensor, draws: Draws) -> Tensor:
        lengths = [scales] * len(draws) if isinstance(scales, int | float) else _of_streams(scales, draws)
        found: Tensor = _UnitGradient.apply(pictures, torch.tensor(lengths).view(-1, 1, 1, 1).to(pictures))  # type: ignore[no-untyped-call]
        return found

    return function


def _of_streams(scales: Sequence[float], draws: Draws) -> list[float]:
    if max(draws.pictures) >= len(scales):
        raise UsageError(f"normalize_gradient with {len(scales)} scales meets picture {max(draws.pictures)}: give more")
    return [scales[number] for number in draws.pictures]


class _UnitGradient(torch.autograd.Function):
    """The identity, behind which each picture's gradient has a given length."""

    @staticmethod
    def forward(ctx: Any, pictures: Tensor, lengths: Tensor) -> Tensor:
        ctx.save_for_backward(lengths)
        return pictures.view_as(pictures)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        (lengths,) = ctx.saved_tensors
        norms = torch.linalg.vector_norm(gradient, dim=(1, 2, 3), keepdim=True)
        # A gradient of zero has no direction: it stays.
        return gradient * torch.where(norms > 0, lengths / norms.clamp_min(torch.finfo(norms.dtype).tiny), 0), None


@transform
def on_background(sd: float = 0.5) -> Function:
    """Lay a picture with opacity, its last channel, on a random background of photographs' frequencies and colours.

    Only what is opaque then excites a unit reliably.
    """

    def function(pictures: Tensor, draws: Draws) -> Tensor:
        height, width = pictures.shape[2:]
        behind = image_sample(draws, pictures.shape[1] - 1, height, width, sd=sd, decay=1.0).to(pictures)
        colours, alpha = pictures[:, :-1], pictures[:, -1:]
        return alpha * colours + (1 - alpha) * behind

    return function


def compose(transforms: Transforms) -> Transform:
    """Apply one after the other; neighbouring affine ones in a single resampling."""
    steps = [step for run, group in groupby(transforms, _is_affine) for step in _merged(list(group), run)]

    def function(pictures: Tensor, draws: Draws) -> Tensor:
        return reduce(lambda shaken, step: step(shaken, draws), steps, pictures)

    names = (getattr(item, "name", getattr(item, "__name__", type(item).__name__)) for item in transforms)
    return Transform(function, ", ".join(names))


def _is_affine(item: object) -> bool:
    return isinstance(item, Affine)


def _merged(items: Sequence[Any], are_affine: bool) -> Iterator[Transform | Affine | Function]:
    """Join neighbours, unless all of them move by whole pixels, which needs no resampling."""
    if are_affine and any(item.exact is None for item in items):
        yield reduce(Affine.then, items)
    else:
        yield from items


def standard() -> list[Transform | Affine]:
    """List Lucid's default: a grey border, shifts, scales of 0.9 to 1.1, turns of up to 10 degrees."""
    return [
        pad(12, "constant"),
        jitter(8),
        random_scale([round(0.90 + 0.02 * step, 2) for step in range(11)]),
        random_rotate([*range(-10, 11), 0, 0, 0, 0, 0]),
        jitter(4),
    ]


def article() -> list[Transform | Affine]:
    """List those of the article "Feature Visualization" (Olah, Mordvintsev & Schubert 2017): more shift, less turn."""
    return [
        pad(16, "constant"),
        jitter(16),
        random_scale([1, 0.975, 1.025, 0.95, 1.05]),
        random_rotate([*range(-5, 6)]),
        jitter(8),
        crop(16),
    ]


def atlas() -> list[Transform | Affine]:
    """List those of activation atlases (Carter et al. 2019), also for pictures with opacity: shrunk and turned more."""
    shrinking = range(-5, 80)
    return [
        pad(16, "constant"),
        *(jitter(amount) for amount in (4, 4, 8, 8, 8)),
        random_scale([base**power for base in (0.995, 0.998) for power in shrinking]),
        random_rotate([*range(-20, 21), *range(-10, 11), *range(-5, 6), *[0] * 10]),
        jitter(2),
    ]


def caricature() -> list[Transform | Affine]:
    """List those of caricatures: mild, since the picture's places matter."""
    return [
        pad(8, "constant"),
        jitter(8),
        random_scale([0.9, 0.95, 1.05, 1.1, 1, 1, 1, 1]),
        random_rotate([*range(-5, 5), 0, 0, 0, 0, 0]),
        jitter(2),
    ]
