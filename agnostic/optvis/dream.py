"""DeepDream: a picture that exaggerates what a layer sees in it, from its coarse structure to its fine one.

::

    dream(model, deepdream("fire8/concat"), picture).picture().save("dream.png")

The picture is gone through at several sizes, octaves, from the smallest up. At each, some steps along the gradient add
detail; at the next, the detail so far is enlarged and laid on the picture itself, so that nothing of it is lost.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from itertools import product
from typing import Literal, get_args

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.engine.autograd import torch_errors
from agnostic.engine.limits import current
from agnostic.engine.runtime import OutOfMemoryError
from agnostic.errors import AgnosticError, ItemError, LimitError, UsageError
from agnostic.optvis.draws import TRANSFORMS, Draws
from agnostic.optvis.lens import Lens, Seen
from agnostic.optvis.objective import Objective
from agnostic.optvis.rendering import Pictures, Rendering, Stopped, Watch
from agnostic.optvis.transforms import crop_or_pad_to

Normalise = Literal["laplacian", "unit"]
# A larger picture is gone through in tiles, so that memory stays bounded.
_LARGEST_TILE = 640
# Below this a picture has no structure left that a layer could see.
_SMALLEST_OCTAVE = 32
_BANDS = 4
# How far a picture that is seen whole is shifted.
_SHIFT = 32
_EPSILON = 1e-12


@dataclass(frozen=True)
class DreamSettings:
    """How a dream goes.

    Attributes:
        octaves: how many sizes.
        octave_scale: the factor from each to the next.
        steps: at each size.
        step_size: how far the pixels go in a step, in root mean square, of 0..1.
        normalise: laplacian brings all frequencies of the gradient to one strength, which keeps the colours soft and
            the patterns large; unit leaves them as they are.
        seed: of the shifts.
        stream: the number that the shifts come from.
    """

    octaves: int = 4
    octave_scale: float = 1.4
    steps: int = 20
    step_size: float = 0.01
    normalise: Normalise = "laplacian"
    seed: int = 0
    stream: int = 0

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            UsageError: a number is out of its range, or the normalisation unknown.
        """
        if self.octaves < 1 or self.steps < 1:
            raise UsageError(f"octaves={self.octaves}, steps={self.steps}: expected at least one of each")
        if self.octave_scale <= 1 or self.step_size <= 0:
            raise UsageError(
                f"octave_scale={self.octave_scale:g}, step_size={self.step_size:g}: expected more than 1, more than 0"
            )
        if self.normalise not in get_args(Normalise):
            raise UsageError(f"normalise={self.normalise!r}: expected {' or '.join(get_args(Normalise))}")


def dream(
    lens: Lens,
    objective: Objective,
    picture: Pictures,
    settings: DreamSettings | None = None,
    progress: Watch | None = None,
) -> Rendering:
    """Exaggerate what a layer sees in a picture (Mordvintsev, Olah & Tyka 2015).

    Args:
        lens: the model, looked through.
        objective: what is raised, such as `objectives.deepdream`.
        picture: (h, w, c) float32 in 0..1; what comes out has its size.
        settings: how it goes.
        progress: told after each step.

    Raises:
        UsageError: a setting makes no sense, or the picture has other channels than the model's.
        InputError: the objective is not finite, or no gradient reaches the picture.
        LimitError: not even a tile fits into memory.
    """
    chosen = settings or DreamSettings()
    chosen.check()
    if picture.shape[2] != lens.space.channels:
        raise UsageError(f"the picture has {picture.shape[2]} channels, the model's pictures {lens.space.channels}")
    start = torch.from_numpy(np.ascontiguousarray(picture, np.float32)).movedim(-1, 0)[None]
    job = _Dream(lens, objective, start, chosen, progress)
    job.run()
    return job.rendering()


@dataclass
class _Dream:
    """A dream on its way."""

    lens: Lens
    objective: Objective
    start: Tensor
    settings: DreamSettings
    progress: Watch | None
    values: list[float] = field(default_factory=list)
    stopped: Stopped = ""
    moved: bool = False
    wanted: dict[str, None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.draws = Draws(self.settings.seed, (self.settings.stream,), TRANSFORMS)
        self.sizes = octave_sizes(self.size, self.settings.octaves, self.settings.octave_scale)
        self.detail = torch.zeros_like(self.start)

    @property
    def size(self) -> tuple[int, int]:
        return self.start.shape[2], self.start.shape[3]

    @property
    def total(self) -> int:
        return len(self.sizes) * self.settings.steps

    def run(self) -> None:
        """Go through the octaves; an interrupt or the end of the time keeps what there is."""
        try:
            for size in self.sizes:
                self.octave(size)
        except KeyboardInterrupt:
            self.stopped = "interrupt"
        except OutOfMemoryError:
            raise
        except LimitError:
            self.stopped = "time"

    def octave(self, size: tuple[int, int]) -> None:
        base = _resized(self.start, size)
        detail = _resized(self.detail, size)
        tile = self.tile(size)
        for _ in range(self.settings.steps):
            if (deadline := current()) is not None:
                deadline.check()
            value, gradient = self.gradient((base + detail).clamp(0, 1), tile)
            self.moved |= bool(gradient.any())
            step = self.settings.step_size * normalised(gradient, self.settings.normalise)
            detail = (base + detail + step).clamp(0, 1) - base
            self.detail = detail
            self.values.append(value)
            if self.progress is not None:
                self.progress(len(self.values), self.total, value)

    def tile(self, size: tuple[int, int]) -> tuple[int, int]:
        """Choose what the model sees at once: all of it where it can, else its own size."""
        height, width = (min(side, _LARGEST_TILE) for side in size)
        return (height, width) if self.takes(height, width) else self.lens.space.size

    def takes(self, height: int, width: int) -> bool:
        """Tell whether the objective can be computed on pictures of this size."""
        probe = torch.full((1, self.lens.space.channels, height, width), 0.5)
        try:
            with torch.no_grad(), torch_errors():
                self.objective(Seen(self.lens, probe, probe))
        except OutOfMemoryError:
            raise
        except AgnosticError:
            return False
        return True

    def gradient(self, picture: Tensor, tile: tuple[int, int]) -> tuple[float, Tensor]:
        """Differentiate tile by tile, shifted at random so that no seams build up: the mean value, and (1, c, h, w)."""
        shift = tuple(self.shift(side, part) for side, part in zip(picture.shape[2:], tile, strict=True))
        shifted = picture.roll(shift, (2, 3))
        found, values = torch.zeros_like(picture), []
        for rows, columns in _tiles(picture, tile):
            value, found[..., rows, columns] = self.tile_gradient(shifted[..., rows, columns], tile)
            values.append(value)
        return float(np.mean(values)), found.roll(tuple(-by for by in shift), (2, 3))

    def shift(self, side: int, tile: int) -> int:
        reach = min(_SHIFT, side // 2) if tile >= side else tile // 2
        return int(self.draws.integers(2 * reach + 1)) - reach

    def tile_gradient(self, picture: Tensor, tile: tuple[int, int]) -> tuple[float, Tensor]:
        with torch.enable_grad(), torch_errors():
            variable = picture.detach().requires_grad_()
            shown = _padded(variable, tile)
            score = self.objective(Seen(self.lens, variable, shown, wanted=self.wanted)).sum()
            if not bool(torch.isfinite(score)):
                raise ItemError(f"{self.objective.name} is not finite on this picture: check the preprocessing")
            (gradient,) = torch.autograd.grad(score, variable, allow_unused=True)
        return float(score.detach()), torch.zeros_like(picture) if gradient is None else gradient

    def rendering(self) -> Rendering:
        """Give the picture as far as it got, in its own size."""
        detail = _resized(self.detail, self.size)
        dreamt = (self.start + detail).clamp(0, 1)[0].movedim(0, -1)
        values = np.full((self.total, 1), np.nan, np.float32)
        values[: len(self.values), 0] = self.values
        return Rendering(
            np.ascontiguousarray(dreamt.numpy())[None], {}, values, np.array([self.moved]), self.stopped,
            {"objective": self.objective.name, "parametrisation": "dream", **asdict(self.settings)},
        )  # fmt: skip


def octave_sizes(size: tuple[int, int], octaves: int, scale: float) -> list[tuple[int, int]]:
    """List the sizes a picture is gone through, from the smallest up to its own; none is too small to hold structure.

    >>> octave_sizes((100, 200), 3, 2.0)
    [(50, 100), (100, 200)]
    """
    factors = [scale**-octave for octave in reversed(range(octaves))]
    sizes = [(round(size[0] * factor), round(size[1] * factor)) for factor in factors]
    return [*(found for found in sizes[:-1] if min(found) >= _SMALLEST_OCTAVE), size]


def normalised(gradient: Tensor, how: Normalise) -> Tensor:
    """Bring a gradient (1, c, h, w) to a root mean square of 1, as a whole or each band of frequencies by itself."""
    if how == "unit":
        return _of_size_one(gradient)
    bands: list[Tensor] = []
    rest = gradient
    while len(bands) < _BANDS - 1 and min(rest.shape[2:]) >= 2:
        height, width = rest.shape[2:]
        smaller = _resized(rest, ((height + 1) // 2, (width + 1) // 2))
        bands.append(_of_size_one(rest - _resized(smaller, (height, width))))
        rest = smaller
    merged = _of_size_one(rest)
    for band in reversed(bands):
        merged = _resized(merged, (band.shape[2], band.shape[3])) + band
    return _of_size_one(merged)


def _of_size_one(values: Tensor) -> Tensor:
    size = values.square().mean().sqrt()
    return values / size if size > _EPSILON else torch.zeros_like(values)


def _resized(values: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(values.shape[2:]) == size:
        return values
    return F.interpolate(values, size, mode="bilinear", antialias=True)


def _tiles(picture: Tensor, tile: tuple[int, int]) -> Iterator[tuple[slice, slice]]:
    rows, columns = (_spans(side, part) for side, part in zip(picture.shape[2:], tile, strict=True))
    return product(rows, columns)


def _spans(side: int, tile: int) -> list[slice]:
    """Cut a side into tiles; the last ends with it and overlaps the one before."""
    if side <= tile:
        return [slice(0, side)]
    starts = [*range(0, side - tile, tile), side - tile]
    return [slice(start, start + tile) for start in starts]


def _padded(picture: Tensor, tile: tuple[int, int]) -> Tensor:
    """Add grey around a picture smaller than what the model sees."""
    fit = crop_or_pad_to(*(max(side, part) for side, part in zip(picture.shape[2:], tile, strict=True)))
    return fit(picture, Draws(0, (0,)))
