"""What a site has had rendered beside its icons: each wish a step of the build, kept as long as it is still true."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from agnostic.errors import UsageError
from agnostic.report.microscope.renders import OF_PICTURES, OF_UNITS, UNNUMBERED, Renders, Wish, for_layers, for_unit
from agnostic.report.microscope.shown import Progress, Shown
from agnostic.report.microscope.steps import fingerprint

if TYPE_CHECKING:
    from agnostic.report.microscope.work import Work

PREFIX = "render/"


class Wishes:
    """The renderings of one site."""

    def __init__(self, work: "Work") -> None:
        """Take the site that is being made."""
        self.work = work

    @cached_property
    def renders(self) -> Renders:
        """What renders; made once, since it re-imports the model."""
        return Renders(self.work.folder, self.work.model, self.work.seed)

    def grant(self, wish: Wish, progress: Progress | None = None) -> None:
        """Render a wish, unless that has been done, and tell the site of it.

        Raises:
            UsageError: it makes no sense for this site.
        """
        if (wrong := self.wrong(wish)) is not None:
            raise UsageError(wrong)
        layer = self.work.layer_named(wish.slug)
        shown = self._shown(wish.picture)
        self.work.make(PREFIX + wish.name, self._key(wish), lambda: self.renders.make(wish, layer, shown, progress))

    def all(self, layers: Sequence[str], units: Sequence[tuple[str, int]]) -> None:
        """Render what options ask for: `layers` by their names, `units` as layer and number."""
        slugs = [self.work.slugs[layer] for layer in layers]
        pictures = [shown.id for shown in self.work.shown]
        wishes = for_layers(slugs, pictures, self.groups_of)
        for layer, unit in units:
            wishes += for_unit(self.work.slugs[layer], unit, pictures)
        bar = self.work.bars("dreams and variants")
        for number, wish in enumerate(wishes):
            self.grant(wish)
            bar(number + 1, len(wishes))
            self.write()

    def groups_of(self, picture: str, slug: str) -> int:
        """How many groups a picture's page shows first at a layer; 0 where it has none."""
        return int(self.work.steps.facts(f"groups/{picture}/{slug}").get("groups", 0))

    def wrong(self, wish: Wish) -> str | None:
        """Say what is wrong with a wish; None where nothing is."""
        if wish.slug not in self.work.slugs.values():
            return "there is no such layer"
        if wish.kind in OF_PICTURES and self._shown(wish.picture) is None:
            return "there is no such picture"
        if wish.kind not in OF_PICTURES and wish.picture:
            return f"{wish.kind} is of no picture"
        if wish.kind in UNNUMBERED:
            return None if wish.number < 0 else f"{wish.kind} is of a layer as a whole"
        count = self._count(wish)
        return None if wish.number in count else f"{wish.kind} of {wish.number}: expected {_range(count)}"

    def _count(self, wish: Wish) -> Sequence[int]:
        if wish.kind in OF_UNITS:
            return range(self.work.units_of(self.work.layer_named(wish.slug)).get("units", 0))
        count = self.groups_of(wish.picture, wish.slug)
        return [count] if count else []

    def _shown(self, picture: str) -> Shown | None:
        return next((item for item in self.work.shown if item.id == picture), None)

    def _key(self, wish: Wish) -> str:
        shown = self._shown(wish.picture)
        return fingerprint("renders", 1, self.work.key, wish, None if shown is None else shown.digest)

    def kept(self) -> list[str]:
        """The steps that are still true: of this model and of pictures that are still shown."""
        steps = self.work.steps
        return [name for name in steps.names(PREFIX) if steps.has(name, self._key(_wish(steps.facts(name))))]

    def write(self) -> None:
        """Tell the pages what there is."""
        steps = self.work.steps
        found = {name.removeprefix(PREFIX): steps.facts(name) for name in steps.names(PREFIX)}
        told = ("pictures", "width", "height", "recipe")
        rows = {name: {key: facts[key] for key in told} for name, facts in found.items()}
        self.work.folder.put("renders", rows, "data/renders.js")


def _wish(facts: dict[str, Any]) -> Wish:
    return Wish(facts["kind"], facts["slug"], facts["picture"], facts["number"])


def _range(count: Sequence[int]) -> str:
    return f"{count[0]} to {count[-1]}" if count else "nothing: there are none"


def units_named(texts: Sequence[str], layer_named: Callable[[str], str]) -> list[tuple[str, int]]:
    """Read LAYER:UNIT; whether there is such a unit is known later.

    Raises:
        UsageError: a text is none, or there is no such layer.
    """
    found = []
    for text in texts:
        layer, colon, unit = text.rpartition(":")
        if not colon or not unit.isdecimal():
            raise UsageError(f"--variants {text}: expected LAYER:UNIT, such as fire9/concat:12")
        found.append((layer_named(layer), int(unit)))
    return found
