"""The work on one site, phase by phase; the site's own file is written after each, so that the site can be seen."""

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agnostic.blocks.examples import Index
from agnostic.blocks.examples_files import digest_of, find
from agnostic.converters.paths import reached_smoothly
from agnostic.engine.model import Model
from agnostic.errors import InputError, unknown
from agnostic.inputs.image import declared_or_assumed, picture_input
from agnostic.report.microscope.atlases import write_atlas
from agnostic.report.microscope.between import write_pair
from agnostic.report.microscope.comparing import pairs_of, write_compare
from agnostic.report.microscope.folder import Folder, slugs
from agnostic.report.microscope.graph import drawn, spread_over_depth
from agnostic.report.microscope.groupings import write_groups
from agnostic.report.microscope.icons import Icons, by_importance, seen_by
from agnostic.report.microscope.images import write_image
from agnostic.report.microscope.indexing import indexed, watched
from agnostic.report.microscope.pages import Links, Patches, write_layer, write_units
from agnostic.report.microscope.shown import Progress, Shown, read_shown, write_picture
from agnostic.report.microscope.site import parity_of, site
from agnostic.report.microscope.steps import Facts, Outcome, Steps, fingerprint
from agnostic.report.microscope.wishes import PREFIX, Wishes

#: Raised whenever the same model and pictures come out as other bytes.
VERSION = 1
# Pictures with pages of their own where none are named.
SHOWN = 8


class Work:
    """A site that is being made."""

    def __init__(
        self,
        model: Model,
        images: Path,
        folder: Folder,
        steps: Steps,
        *,
        show: Sequence[Path],
        wished: Sequence[str] | None,
        preset: str,
        seed: int,
        batch_size: int | None,
        bars: Callable[[str], Progress],
        command: str,
    ) -> None:
        """Look at the model and list the pictures.

        Raises:
            UsageError: a layer is unknown.
            InputError: the model eats no picture, or there is none.
        """
        self.model, self.images, self.folder, self.steps = model, images, folder, steps
        self.preset, self.seed, self.bars, self.command = preset, seed, bars, command
        self.batch_size = batch_size
        self.wished = [model.layer(name).name for name in wished or ()]
        self.tensor = picture_input(model)
        self.preprocess, notes = declared_or_assumed(model, self.tensor)
        self.notes = [*model.notes, *notes]
        self.drawn = drawn(model, self.wished)
        self.slugs = slugs(layer.name for layer in self.drawn.layers)
        self.files = find(images)
        self._show = show
        self._wanted: set[str] = set()
        self.index: Index = self._indexed(
            model, watched(model, list(self.slugs), self.tensor.name, self.preprocess), "examples", "examples"
        )
        self.patches = Patches(self.files.root, self.preprocess)

    @cached_property
    def key(self) -> str:
        """What every page depends on: the model and how it is asked."""
        model = self.model
        how = [model.raw_output, model.straight_through, model.allow_parity, model.scores_tensor]
        return fingerprint(VERSION, model.sha256, self.preprocess.as_dict(), model.labels, how, self.seed)

    @cached_property
    def files_key(self) -> str:
        """The pictures of the folder, by name and content."""
        return fingerprint([[name, digest_of(self.files.path(name)).hex()] for name in self.files.names])

    @cached_property
    def no_gradient(self) -> str | None:
        """Why there are no gradients, as a sentence; None where there are."""
        reason = self.model.no_gradient
        return None if reason is None else f"There are no gradients here: the model {reason}."

    @cached_property
    def parity(self) -> dict[str, Any] | None:
        """How near the gradients' graph is to the model; None where there are no gradients."""
        return parity_of(self)

    @cached_property
    def reached(self) -> frozenset[str]:
        """The layers that the class scores depend on smoothly."""
        if self.no_gradient is not None:
            return frozenset()
        model = self.model
        return frozenset(
            layer.name
            for layer in self.drawn.layers
            if model.scores_tensor in reached_smoothly(model.proto, layer.name, straight_through=model.straight_through)
        )

    @cached_property
    def layers(self) -> list[str]:
        """The layers of the pictures' pages, in the order of the graph."""
        order = {layer.name: number for number, layer in enumerate(self.drawn.layers)}
        if self.wished:
            return sorted(dict.fromkeys(self.wished), key=order.__getitem__)
        sizes = {name: grid.shape for name, grid in self.index.grids.items()}
        return spread_over_depth(self.drawn, sizes, self.model.names.class_count)

    @cached_property
    def _read(self) -> tuple[list[Shown], list[dict[str, str]], dict[str, Path]]:
        paths = list(self._show) or [self.files.path(item.name) for item in self.index.pictures[:SHOWN]]
        shown, skipped = read_shown(self.model, paths)
        if self._show and not shown:
            raise InputError(f"--show {self._show[0]}: {skipped[0]['reason']}")
        digests = {item.digest: item for item in shown}
        return shown, skipped, {digests[d].id: path for path in paths if (d := digest_of(path).hex()) in digests}

    @property
    def shown(self) -> list[Shown]:
        """The pictures with pages of their own."""
        return self._read[0]

    @property
    def skipped(self) -> list[dict[str, str]]:
        """The files that could not be used, each once, with the reason."""
        rows = [*(item._asdict() for item in self.index.skipped), *self._read[1]]
        return list({row["file"]: row for row in rows}.values())

    def layer_named(self, text: str) -> str:
        """Find a layer by its name or by its name in the site.

        Raises:
            UsageError: there is none.
        """
        by_slug = {slug: name for name, slug in self.slugs.items()}
        if text in self.slugs or text in by_slug:
            return by_slug.get(text, text)
        raise unknown("layer", text, self.slugs, "`agnostic inspect MODEL` lists them")

    def write_pages(self) -> None:
        """Write what needs onnxruntime only."""
        self.folder.copy_pages()
        self._publish_pictures()
        bar = self.bars("examples of every unit")
        names = [layer.name for layer in self.drawn.layers if layer.name in self.index.grids]
        for number, name in enumerate(names):
            slug = self.slugs[name]
            key = fingerprint(self.key, self.files_key, name)
            self.make(
                f"units/{slug}",
                key,
                lambda name=name, slug=slug: write_units(  # type: ignore[misc]
                    self.folder, self.model, self.index, self.patches, name, slug
                ),
            )
            bar(number + 1, len(names))
        self.write_layers()

    def write_layers(self) -> None:
        """Write the layers' pages and the site's own file, with all that is known so far."""
        links = self._links()
        for about in self.about_layers():
            layer = self.layer_named(about["slug"])
            near = {
                way: [{"slug": self.slugs[name], "name": name} for name in table[layer]]
                for way, table in (("up", self.drawn.up), ("down", self.drawn.down))
            }
            write_layer(self.folder, {**about, **near}, self.units_of(layer), links)
        self.wishes.write()
        self.folder.put("site", site(self), "data/site.js")

    def units_of(self, layer: str) -> Facts:
        """What is known of a layer's units; nothing where it could not be looked at."""
        return self.steps.facts(f"units/{self.slugs[layer]}")

    def about_layers(self) -> list[dict[str, Any]]:
        """What the site says of each layer."""
        rows = []
        for layer in self.drawn.layers:
            slug, units = self.slugs[layer.name], self.units_of(layer.name)
            icons = self.steps.facts(f"icons/{slug}")
            count = units.get("units", layer.unit_count or 0)
            rows.append(
                {
                    "slug": slug, "name": layer.name, "op": layer.op, "kind": layer.kind,
                    "shape": [count, *units.get("grid", [])], "units": count, "dead": units.get("dead", 0),
                    "complete_icons": icons.get("complete_icons", 0), "icons": icons.get("icons", []),
                    "gradient": layer.name in self.reached, "receptive": units.get("receptive"),
                    "baseline_examples": bool(units),
                }
            )  # fmt: skip
        return rows

    def write_pictures(self) -> None:
        """Write the pages of the pictures: dictionary and attributions, groups, and what feeds what."""
        work = list(self._picture_steps())
        bar = self.bars("pages of the pictures")
        for number, step in enumerate(work):
            step()
            bar(number + 1, len(work))
        for shown in self.shown:
            for name in self.layers:
                self._publish(shown, name)
        self.write_layers()

    def _picture_steps(self) -> Iterable[Callable[[], None]]:
        for shown in self.shown:
            for number, name in enumerate(self.layers):
                yield lambda shown=shown, name=name: self._page(shown, name)  # type: ignore[misc]
                if find_spec("sklearn") is not None:
                    later = self.layers[number + 1 :]
                    yield lambda shown=shown, name=name, later=later: self._groups(shown, name, later)  # type: ignore[misc]
        for shown in self.shown if self.no_gradient is None else ():
            for early, late in self.pairs():
                yield lambda shown=shown, early=early, late=late: self._pair(shown, early, late)  # type: ignore[misc]

    def pairs(self) -> list[tuple[str, str]]:
        """The layers of the pictures' pages that feed each other."""
        if self.no_gradient is not None:
            return []
        found = []
        for number, early in enumerate(self.layers):
            reached = reached_smoothly(self.model.proto, early, straight_through=self.model.straight_through)
            found += [(early, late) for late in self.layers[number + 1 :] if late in reached]
        return found

    def _page(self, shown: Shown, name: str) -> None:
        slug = self.slugs[name]
        gradients = name in self.reached
        self.make(
            f"page/{shown.id}/{slug}",
            fingerprint(self.key, shown.digest, name, gradients, find_spec("sklearn") is None),
            lambda: write_image(
                self.folder, self.model, shown, name, slug, gradients=gradients, last=name == self.layers[-1]
            ),
        )
        self._publish(shown, name)

    def _groups(self, shown: Shown, name: str, later: Sequence[str]) -> None:
        slug = self.slugs[name]
        gradients = name in self.reached
        targets = {self.slugs[it]: it for it in later if (name, it) in self.pairs()}
        self.make(
            f"groups/{shown.id}/{slug}",
            fingerprint(self.key, shown.digest, name, list(targets), gradients),
            lambda: write_groups(self.folder, self.model, shown, name, slug, targets, gradients),
        )

    def _pair(self, shown: Shown, early: str, late: str) -> None:
        a, b = self.slugs[early], self.slugs[late]
        units = self.steps.facts(f"page/{shown.id}/{b}").get("units", [])
        self.make(
            f"pair/{shown.id}/{a}/{b}",
            fingerprint(self.key, shown.digest, early, late, units),
            lambda: write_pair(self.folder, self.model, shown, (early, a), (late, b), units),
        )

    def _publish(self, shown: Shown, name: str) -> None:
        """Put a page together with how bright the tiles between layers are."""
        slug = self.slugs[name]
        feeding = {
            self.slugs[early]: f"pair/{shown.id}/{self.slugs[early]}/{slug}"
            for early, late in self.pairs()
            if late == name
        }
        between = {
            early: self.steps.facts(step)["brightest"] for early, step in feeding.items() if self.steps.key(step)
        }
        page = f"page/{shown.id}/{slug}"
        key = fingerprint(self.steps.key(page), between)
        file = f"data/images/{shown.id}/{slug}.js"

        def put() -> Outcome:
            value = self.folder.get(self.steps.files(page)[0])
            return Outcome((self.folder.put(f"image/{shown.id}/{slug}", {**value, "between": between}, file),), {})

        self.make(f"image/{shown.id}/{slug}", key, put)

    def _publish_pictures(self) -> None:
        for shown in self.shown:
            key = fingerprint(VERSION, shown.digest, self.preprocess.as_dict())
            self.make(f"picture/{shown.id}", key, lambda shown=shown: write_picture(self.folder, shown))  # type: ignore[misc]

    def write_comparison(self, other: Model) -> None:
        """Match the units of another model over the pictures."""
        pairs = pairs_of(self.drawn, drawn(other), self.layers)
        names = list(dict.fromkeys(late for _, late in pairs))
        index = self._indexed(other, names, "compared", "examples of the other model")
        patches = Patches(self.files.root, declared_or_assumed(other, picture_input(other))[0])
        pictures = [self.files.path(item.name) for item in index.pictures]
        paths = self._read[2]
        self.make(
            "compare/",
            fingerprint(self.key, other.sha256, self.files_key, pairs, [item.digest for item in self.shown]),
            lambda: write_compare(
                self.folder, (self.model, other), pictures, pairs, self.slugs, index, patches,
                [(item, paths[item.id]) for item in self.shown],
            ),
        )  # fmt: skip
        self.write_layers()

    def write_atlas(self, layer: str) -> None:
        """Lay out what a layer holds over all pictures."""
        slug = self.slugs[layer]
        gradients = layer in self.reached
        self.make(
            f"atlas/{slug}",
            fingerprint(self.key, self.files_key, layer, gradients),
            lambda: write_atlas(
                self.folder, self.model, self.index, self.patches, self.files.root, layer, slug,
                gradients=gradients, seed=self.seed, progress=self.bars(f"atlas of {layer}"),
            ),
        )  # fmt: skip
        self.write_layers()

    @cached_property
    def wishes(self) -> Wishes:
        """What is rendered beside the icons."""
        return Wishes(self)

    def icons(self) -> Icons:
        """What renders icons; made once, since it re-imports the model."""
        return Icons(self.folder, self.model, preset=self.preset, seed=self.seed)

    def render(
        self, icons: Icons, layer: str, units: Sequence[int] | None = None, progress: Progress | None = None
    ) -> int:
        """Render units of a layer, all of them by default, the most important first; give the number made."""
        count = self.units_of(layer).get("units", self.model.layer(layer).unit_count or 0)
        slug = self.slugs[layer]
        important = [
            unit for item in self.shown for unit in self.steps.facts(f"page/{item.id}/{slug}").get("units", [])
        ]
        wanted = by_importance(count, important) if units is None else list(units)
        seen = seen_by(self.model, self.index, self.files.path, layer)

        def lay_out() -> None:
            key = fingerprint(self.key, icons.made_by, icons.kept(layer, range(count)), self.files_key)
            self.make(f"icons/{slug}", key, lambda: icons.write(layer, slug, count, seen))
            self.write_layers()

        made = icons.render(layer, wanted, progress=progress or self.bars(f"icons of {layer}"), after=lay_out)
        lay_out()
        return made

    def finish(self) -> None:
        """Forget what this site no longer shows, and write the pages a last time."""
        self._wanted |= set(self.wishes.kept())
        self.steps.keep(self._wanted, ("units/", "picture/", "page/", "image/", "groups/", "pair/", PREFIX))
        self.write_layers()

    def make(self, name: str, key: str, work: Callable[[], Outcome]) -> Facts:
        """Make a step unless it is there, and keep it."""
        self._wanted.add(name)
        return self.steps.make(name, key, work)

    def _links(self) -> Links:
        links = Links()
        for shown in self.shown:
            for name in self.layers:
                slug = self.slugs[name]
                if f"page/{shown.id}/{slug}" in self._wanted:
                    links.add_image(slug, self.folder.get(self.steps.files(f"page/{shown.id}/{slug}")[0]))
            for early, late in self.pairs():
                step = f"pair/{shown.id}/{self.slugs[early]}/{self.slugs[late]}"
                if step in self._wanted:
                    script = next(file for file in self.steps.files(step) if file.endswith(".js"))
                    links.add_pair(self.folder.get(script))
        return links

    def _indexed(self, model: Model, names: Sequence[str], kind: str, title: str) -> Index:
        made_of = [self.files_key, declared_or_assumed(model, picture_input(model))[0].as_dict()]
        return indexed(
            self.folder, kind, model, self.images, names, made_of, batch_size=self.batch_size, seed=self.seed,
            progress=self.bars(title),
        )  # fmt: skip
