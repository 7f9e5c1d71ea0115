"""What is rendered for a picture or a unit beside the icons: dreams, caricatures, groups raised on top of a picture,
a picture changed until a unit likes it, a unit's opposite and the facets of what excites it.

Each is costly, so it is made when it is asked for: by an option of the build, or by a page that is served.
"""  # noqa: D205

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from PIL import Image

from agnostic.blocks.groups import grouped
from agnostic.blocks.maps import layer_maps
from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.errors import ItemError, missing_extra
from agnostic.inputs.picture import on_white
from agnostic.report.microscope.folder import Folder
from agnostic.report.microscope.shown import Progress, Shown
from agnostic.report.microscope.sprites import jpeg
from agnostic.report.microscope.steps import Outcome

Kind = Literal["deepdream", "caricature", "groups", "accentuate", "negative", "diversity"]
KINDS: tuple[Kind, ...] = get_args(Kind)
#: What is made of a picture at a layer; the first two without a number.
OF_PICTURES: tuple[Kind, ...] = ("deepdream", "caricature", "groups", "accentuate")
UNNUMBERED: tuple[Kind, ...] = ("deepdream", "caricature")
#: What is made of a unit; the last of these needs a picture too.
OF_UNITS: tuple[Kind, ...] = ("negative", "diversity", "accentuate")
# The preset of each; and steps where its own are more than such a picture gains from.
_PRESETS: dict[Kind, tuple[str, int | None]] = {
    "deepdream": ("dream", None), "caricature": ("large", None), "groups": ("large", 64), "accentuate": ("large", 128),
    "negative": ("draft", None), "diversity": ("draft", None),
}  # fmt: skip
_QUALITY = 88


class Wish(NamedTuple):
    """One thing to be rendered.

    Attributes:
        kind: what.
        slug: of which layer, by its name in the site.
        picture: of which picture; empty where it is of none.
        number: of which unit, or in how many groups; -1 where it has none.
    """

    kind: Kind
    slug: str
    picture: str = ""
    number: int = -1

    @property
    def name(self) -> str:
        """What it is called in the site."""
        parts = [self.kind, self.picture, self.slug, "" if self.number < 0 else str(self.number)]
        return "/".join(part for part in parts if part)


class Renders:
    """Renders wishes on one model, all by the same seed."""

    def __init__(self, folder: Folder, model: Model, seed: int = 0) -> None:
        """Look through the model.

        Raises:
            UsageError: torch is not installed.
            ModelError: the model has no gradient.
            InputError: it eats no pictures.
        """
        if model.no_gradient is not None and "torch" in model.no_gradient:
            raise missing_extra("torch", "grad", "rendering")
        from agnostic.optvis.lens import Lens
        from agnostic.optvis.params.colour import PHOTO

        self.folder, self.model, self.seed = folder, model, seed
        self.lens = Lens(model)
        self._colours = PHOTO if self.lens.space.channels == PHOTO.channels else None

    def make(self, wish: Wish, layer: str, shown: Shown | None, progress: Progress | None = None) -> Outcome:
        """Render one wish; the facts name its pictures and how they were made.

        Args:
            wish: what.
            layer: the layer's own name.
            shown: the picture, where the wish is of one.
            progress: told of steps done, and steps in all.

        Raises:
            LimitError: the time is up.
            ItemError: there is nothing to render: the layer is zero on the picture.
        """
        order = self._order(wish, layer, shown, progress)
        found = _MAKERS[wish.kind](self, order, layer, wish, shown)
        if found.stopped == "interrupt":
            raise KeyboardInterrupt
        if found.stopped and (deadline := current()) is not None:
            raise deadline.error()
        base = f"data/renders/{wish.name}"
        files = []
        for number in range(len(found.pictures)):
            picture = on_white(found.picture(number))
            files.append(self.folder.write(f"{base}-{number}.jpg", jpeg(picture, _QUALITY)))
        height, width = found.pictures.shape[1:3]
        facts = {**wish._asdict(), "pictures": files, "width": width, "height": height, "recipe": _said(wish, order)}
        return Outcome(tuple(files), facts)

    def _order(self, wish: Wish, layer: str, shown: Shown | None, progress: Progress | None) -> Any:
        from agnostic.optvis.presets import preset
        from agnostic.optvis.recipes import Order

        name, steps = _PRESETS[wish.kind]
        chosen = preset(name)
        chosen = chosen if steps is None else replace(chosen, steps=min(steps, chosen.steps))
        picture = None if shown is None else self._picture(wish.kind, shown, chosen.size)
        target = layer if wish.number < 0 or wish.kind == "groups" else f"{layer}:{wish.number}"
        watch = None if progress is None else lambda done, all_, _value: progress(done, all_)
        return Order(self.lens, (target,), chosen, picture, self._colours, self.seed, progress=watch)

    def _picture(self, kind: Kind, shown: Shown, size: int) -> Any:
        """The picture in 0..1: as the model sees it where places have to fit, else of its own shape."""
        mode = {1: "L", 3: "RGB", 4: "RGBA"}[self.lens.space.channels]
        whole = Image.fromarray(shown.pixels).convert(mode)
        if kind == "groups":
            sides = self.lens.space.size[::-1]
        else:
            ratio = size / max(whole.size)
            sides = (max(1, round(whole.width * ratio)), max(1, round(whole.height * ratio)))
        pixels = np.asarray(whole.resize(sides, Image.Resampling.LANCZOS), np.float32) / 255
        return pixels[..., None] if pixels.ndim == 2 else pixels


def _said(wish: Wish, order: Any) -> dict[str, Any]:
    made = {key: value for key, value in asdict(order.preset).items() if key in ("name", "size", "steps")}
    return {"recipe": wish.kind, "of": order.names[0], "preset": made, "seed": order.seed}


def _by_recipe(renders: Renders, order: Any, _layer: str, wish: Wish, _shown: Shown | None) -> Any:
    from agnostic.optvis import recipes

    return recipes.get(wish.kind)(order)


def _negative(renders: Renders, order: Any, _layer: str, wish: Wish, _shown: Shown | None) -> Any:
    from agnostic.optvis import recipes

    return recipes.get("unit")(order, sign="negative")


def _groups(renders: Renders, order: Any, layer: str, wish: Wish, shown: Shown | None) -> Any:
    from agnostic.optvis.overlay import overlay

    if shown is None:
        raise ItemError("groups are of a picture: name one")
    found = grouped(layer, layer_maps(renders.model, shown.sample, layer), wish.number)
    return overlay(order, layer, found.spatial, found.channels)


_MAKERS: dict[Kind, Callable[..., Any]] = {
    "deepdream": _by_recipe, "caricature": _by_recipe, "groups": _groups, "accentuate": _by_recipe,
    "negative": _negative, "diversity": _by_recipe,
}  # fmt: skip


def for_layers(slugs: Sequence[str], pictures: Sequence[str], counts: Callable[[str, str], int]) -> list[Wish]:
    """List what `--dreams` makes: a dream and a caricature of each picture at each layer, and its groups.

    Args:
        slugs: the layers.
        pictures: the pictures.
        counts: how many groups a picture's page shows at a layer; 0 for none.
    """
    wishes: list[Wish] = []
    for slug in slugs:
        for picture in pictures:
            wishes += [Wish(kind, slug, picture) for kind in UNNUMBERED]
            if (count := counts(picture, slug)) > 0:
                wishes.append(Wish("groups", slug, picture, count))
    return wishes


def for_unit(slug: str, unit: int, pictures: Sequence[str]) -> list[Wish]:
    """List what `--variants` makes: a unit's opposite, its facets, and each picture changed until the unit likes it."""
    of_pictures = [Wish("accentuate", slug, picture, unit) for picture in pictures]
    return [Wish("negative", slug, number=unit), Wish("diversity", slug, number=unit), *of_pictures]
