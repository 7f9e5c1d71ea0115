"""The registry of recipes: each a function of an order, whose keyword settings are the options a user has.

::

    @recipe("diversity", takes="units", summary="Several pictures of one unit that differ from each other.")
    def diversity(order: Order, *, pictures: int = 4, weight: float = 100.0) -> Rendering: ...

To add one: write such a function in a module of this folder and import it in `recipes`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from agnostic.errors import InputError, UsageError, unknown
from agnostic.methods.registry import Option, options_of
from agnostic.optvis.canvas import Param
from agnostic.optvis.lens import Lens
from agnostic.optvis.objective import Objectives
from agnostic.optvis.params.basis import Basis
from agnostic.optvis.params.colour import PHOTO, Colours
from agnostic.optvis.params.images import image
from agnostic.optvis.params.maco import PHOTO_SPECTRUM, Spectrum, phases
from agnostic.optvis.params.spatial import fft, limited
from agnostic.optvis.presets import Preset
from agnostic.optvis.rendering import Pictures, Rendering, Watch, render
from agnostic.optvis.transforms import Transforms, noise, random_crop

#: What a recipe's names are: units or classes, whole layers, or either.
Takes = Literal["units", "layers", "either"]
EXPECTED: Mapping[Takes, str] = {
    "units": "LAYER:UNIT or a class",
    "layers": "LAYER",
    "either": "LAYER, LAYER:UNIT or a class",
}
Function = Callable[..., Rendering]
# What a picture whose phases alone are optimised is shaken by, of 0..1.
_NOISE = 0.08


@dataclass(frozen=True)
class Order:
    """What every recipe gets.

    Attributes:
        lens: the model, looked through.
        names: the targets or layers, as typed.
        preset: size, steps and decay.
        picture: (h, w, c) float32 in 0..1, where the recipe takes one.
        colours: the colour statistics of the model's pictures; None for unrelated channels.
        seed: of everything random.
        batch_size: pictures per pass.
        progress: told after each step.
        streams: the number that each picture's random draws come from, where a recipe makes one for each name.
        redirect_steps, smooth_pool: see `render`.
        spectrum: whose phases are optimised where the preset says so.
    """

    lens: Lens
    names: tuple[str, ...]
    preset: Preset
    picture: Pictures | None = None
    colours: Colours | None = PHOTO
    seed: int = 0
    batch_size: int | None = None
    progress: Watch | None = None
    streams: tuple[int, ...] | None = None
    redirect_steps: int = 16
    smooth_pool: bool = False
    spectrum: Spectrum = PHOTO_SPECTRUM

    @property
    def basis(self) -> Basis:
        """How numbers are stored: Fourier coefficients, or the phases of a spectrum."""
        if self.preset.phases:
            return phases(self.spectrum)
        coefficients = fft(decay=self.preset.decay)
        return coefficients if self.preset.contrast is None else limited(coefficients, self.preset.contrast)

    def canvas(self, **settings: Any) -> Param:
        """Store pictures as the preset and the model's channels want them; settings go to `image`."""
        channels = None if self.lens.space.channels == 3 else self.lens.space.channels
        given = {"basis": self.basis, "colours": self.colours, "channels": channels} | settings
        width = given.pop("width", self.preset.size)
        return image(width, **given)

    def given_picture(self) -> Pictures:
        """Give the picture that the recipe starts from, checked: (h, w, c) float32 in 0..1.

        Raises:
            InputError: there is none, or it has other channels than the model's.
        """
        if self.picture is None:
            raise InputError("there is no picture to start from: give one with --picture FILE")
        channels = self.lens.space.channels
        if self.picture.ndim != 3 or self.picture.shape[2] != channels:
            raise InputError(f"the picture is {list(self.picture.shape)}: the model eats (h, w, {channels})")
        return self.picture

    def each(self) -> "list[Order]":
        """Give an order for each name."""
        streams = [None] * len(self.names) if self.streams is None else [(stream,) for stream in self.streams]
        return [replace(self, names=(name,), streams=own) for name, own in zip(self.names, streams, strict=True)]

    def part(self, number: int, count: int) -> "Order":
        """Give the order of one of several renderings in a row, whose progress is a part of the whole."""

        def told(done: int, steps: int, value: float) -> None:
            if self.progress is not None:
                self.progress(number * steps + done, count * steps, value)

        return replace(self, progress=told)

    def render(
        self,
        objective: "Objectives | Sequence[Objectives]",
        param: Param | None = None,
        *,
        transforms: Transforms | None = None,
        **settings: Any,
    ) -> Rendering:
        """Render with the preset's canvas and steps; settings go to `render` and win."""
        given: dict[str, Any] = {"steps": self.preset.steps, "seed": self.seed, "batch_size": self.batch_size}
        given |= {"views": self.preset.views, "progress": self.progress}
        given |= {"redirect_steps": self.redirect_steps, "smooth_pool": self.smooth_pool}
        if isinstance(objective, list) and len(objective) == len(self.streams or ()):
            given["streams"] = self.streams
        given |= settings
        if transforms is None and self.preset.phases:
            transforms = windows(min(self.lens.space.size))
        return render(self.lens, objective, param or self.canvas(), transforms=transforms, **given)

    def with_preset(self, **changes: Any) -> "Order":
        """Change single values of the preset."""
        return replace(self, preset=replace(self.preset, **changes))


def windows(size: int) -> Transforms:
    """List what large pictures are shaken by: random windows, brought to a size in pixels, and noise (MaCo)."""
    return [random_crop(size), noise(_NOISE)]


@dataclass(frozen=True)
class Recipe:
    """A registered recipe.

    Attributes:
        name: as typed.
        function: what runs.
        takes: what its names are.
        summary: one line.
        options: its own settings.
        picture: whether it starts from a picture.
        preset: the one that suits it, for who names none.
    """

    name: str
    function: Function
    takes: Takes
    summary: str
    options: tuple[Option, ...]
    picture: bool = False
    preset: str = "icon"

    def __call__(self, order: Order, **settings: Any) -> Rendering:
        """Follow the recipe.

        Raises:
            UsageError: an option it does not have, or nothing to draw.
            InputError: it takes a picture and there is none.
        """
        known = {option.name: option.default for option in self.options}
        if stray := sorted(set(settings) - set(known)):
            raise unknown(f"option of {self.name}", stray[0], known, f"{self.name} has no options")
        if not order.names:
            raise UsageError(f"{self.name} of what? expected {EXPECTED[self.takes]}")
        if self.picture and order.picture is None:
            raise InputError(f"{self.name} starts from a picture: give one with --picture FILE")
        return self.function(order, **{**known, **settings})


_RECIPES: dict[str, Recipe] = {}


def recipe(
    name: str, *, takes: Takes, summary: str, picture: bool = False, preset: str = "icon"
) -> Callable[[Function], Function]:
    """Register a recipe under a name that is not taken; see `Recipe` for the rest."""

    def register(function: Function) -> Function:
        if name in _RECIPES:
            raise ValueError(f"the recipe {name!r} is registered twice")
        _RECIPES[name] = Recipe(name, function, takes, summary, options_of(function), picture, preset)
        return function

    return register


def get(name: str) -> Recipe:
    """Look a recipe up.

    Raises:
        UsageError: there is none of that name; the nearest names are offered.
    """
    if name not in _RECIPES:
        raise unknown("recipe", name, _RECIPES, f"known: {', '.join(sorted(_RECIPES))}")
    return _RECIPES[name]


def default_for(names: Sequence[str]) -> str:
    """Choose a recipe for who names none: `class` where every name is one of a class, else `unit`.

    >>> default_for(["tabby", "281"]), default_for(["tabby", "fire8/concat:12"])
    ('class', 'unit')
    """
    return "class" if names and not any(mark in name for name in names for mark in (":", "[")) else "unit"


def all_recipes() -> Mapping[str, Recipe]:
    """Every registered recipe, by name."""
    return dict(sorted(_RECIPES.items()))
