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
from agnostic.optvis.params.colour import PHOTO, Colours
from agnostic.optvis.params.images import image
from agnostic.optvis.params.spatial import fft
from agnostic.optvis.presets import Preset
from agnostic.optvis.rendering import Pictures, Rendering, Watch, render
from agnostic.optvis.transforms import Transforms

#: What a recipe's names are: units or classes, whole layers, or either.
Takes = Literal["units", "layers", "either"]
EXPECTED: Mapping[Takes, str] = {
    "units": "LAYER:UNIT or a class",
    "layers": "LAYER",
    "either": "LAYER, LAYER:UNIT or a class",
}
Function = Callable[..., Rendering]


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

    def canvas(self, **settings: Any) -> Param:
        """Store pictures as the preset and the model's channels want them; settings go to `image`."""
        channels = None if self.lens.space.channels == 3 else self.lens.space.channels
        given = {"basis": fft(decay=self.preset.decay), "colours": self.colours, "channels": channels} | settings
        width = given.pop("width", self.preset.size)
        return image(width, **given)

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
        given |= {"progress": self.progress, "redirect_steps": self.redirect_steps, "smooth_pool": self.smooth_pool}
        if isinstance(objective, list) and len(objective) == len(self.streams or ()):
            given["streams"] = self.streams
        given |= settings
        return render(self.lens, objective, param or self.canvas(), transforms=transforms, **given)

    def with_preset(self, **changes: Any) -> "Order":
        """Change single values of the preset."""
        return replace(self, preset=replace(self.preset, **changes))


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


def all_recipes() -> Mapping[str, Recipe]:
    """Every registered recipe, by name."""
    return dict(sorted(_RECIPES.items()))
