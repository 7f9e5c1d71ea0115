"""Build a site: cheap pages first, then the pictures', then icons; whatever is there already is not made again."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from agnostic.engine.model import Model
from agnostic.errors import InputError, UsageError, missing_extra
from agnostic.optvis.presets import preset as preset_of
from agnostic.report.microscope.folder import Folder
from agnostic.report.microscope.icons import Icons
from agnostic.report.microscope.overalls import write_overall
from agnostic.report.microscope.shown import Progress
from agnostic.report.microscope.steps import Steps
from agnostic.report.microscope.wishes import units_named
from agnostic.report.microscope.work import Work

Bars = Callable[[str], Progress]
ALL, NONE = "all", "none"
# Fewer points than that span no plane.
FEWEST_LAID_OUT = 3


@dataclass(frozen=True)
class Built:
    """What came of a build.

    Attributes:
        out: the folder; `index.html` in it is the way in.
        layers: how many layers have pages.
        pictures: the pictures with pages of their own, by their names in the site.
        skipped: files that could not be used, each with `file` and `reason`.
        icons: how many icons there are, by layer.
        made: how many steps were made now, and not found.
        notes: what was left out, one line each.
    """

    out: Path
    layers: int
    pictures: tuple[str, ...]
    skipped: tuple[Mapping[str, str], ...]
    icons: Mapping[str, int]
    made: int
    notes: tuple[str, ...] = field(default=())


def build(
    model: Model,
    images: Path,
    out: Path,
    *,
    show: Sequence[Path] = (),
    layers: Sequence[str] | None = None,
    icons: Sequence[str] = (),
    preset: str = "draft",
    compare: Model | None = None,
    atlas: Sequence[str] = (),
    groups: Sequence[str] = (),
    dreams: Sequence[str] = (),
    variants: Sequence[str] = (),
    seed: int = 0,
    batch_size: int | None = None,
    progress: Bars | None = None,
    command: str = "",
) -> Built:
    """Write the site of a model, or go on with one; stopped at any time, it ends with the same bytes.

    Args:
        model: the model; it must eat a picture.
        images: the folder of pictures that examples are taken from.
        out: the folder of the site: empty, or a site already.
        show: pictures with pages of their own; the first of the folder by default.
        layers: the layers of those pages; some spread over the depth by default.
        icons: layers whose units are rendered, by name or slug; `all` for every layer.
        preset: how much work an icon is worth.
        compare: another model, whose units are matched with this one's.
        atlas: layers with an atlas.
        groups: layers whose units are grouped over all pictures.
        dreams: layers at which the shown pictures are dreamt on, caricatured, and have their groups raised.
        variants: units, as LAYER:UNIT, whose opposite, facets and changed pictures are rendered.
        seed: of everything random.
        batch_size: pictures per pass.
        progress: makes a bar for each phase, called with what is done and all there is.
        command: the command line of this build, for the pages to repeat; made up where it is not given.

    Raises:
        UsageError: a layer, preset or folder does not fit, or icons are wanted and torch is missing.
        InputError: there are no pictures, none can be shown, or the model eats none.
        LimitError: nothing can be written, or a limit was hit.
    """
    work = open_site(
        model, images, out, show=show, layers=layers, preset=preset, seed=seed, batch_size=batch_size,
        progress=progress, command=command,
    )  # fmt: skip
    complete(work, icons=icons, compare=compare, atlas=atlas, groups=groups, dreams=dreams, variants=variants)
    return report(work)


def open_site(
    model: Model,
    images: Path,
    out: Path,
    *,
    show: Sequence[Path] = (),
    layers: Sequence[str] | None = None,
    preset: str = "draft",
    seed: int = 0,
    batch_size: int | None = None,
    progress: Bars | None = None,
    command: str = "",
) -> Work:
    """Take the folder of a site, look at the model and list the pictures; see `build`."""
    if not images.is_dir():
        raise InputError(f"--images {images}: no such folder; expected one with pictures")
    preset_of(preset)
    folder = Folder(out)
    line = command or shlex.join(["agnostic", "microscope", model.name, "--images", images.name, "--out", out.name])
    return Work(
        model, images, folder, Steps(folder), show=tuple(show), wished=layers, preset=preset, seed=seed,
        batch_size=batch_size, bars=progress or (lambda _title: lambda _done, _total: None), command=line,
    )  # fmt: skip


def complete(
    work: Work,
    *,
    icons: Sequence[str] = (),
    compare: Model | None = None,
    atlas: Sequence[str] = (),
    groups: Sequence[str] = (),
    dreams: Sequence[str] = (),
    variants: Sequence[str] = (),
) -> None:
    """Write everything that is wanted of a site, the cheap pages first; see `build`."""
    laid_out = [work.layer_named(name) for name in atlas]
    if laid_out and len(work.index.pictures) < FEWEST_LAID_OUT:
        raise UsageError(
            f"--atlas {atlas[0]}: there are {len(work.index.pictures)} pictures, expected {FEWEST_LAID_OUT} or more; "
            "leave --atlas out, or give more pictures"
        )
    gathered = [work.layer_named(name) for name in groups]
    if gathered and find_spec("sklearn") is None:
        raise missing_extra("scikit-learn", "microscope", "grouping")
    drawing = _to_draw(work, icons)
    dreamt, varied = [work.layer_named(name) for name in dreams], units_named(variants, work.layer_named)
    if dreamt or varied:
        _ = work.wishes.renders
    work.write_pages()
    work.write_pictures()
    if compare is not None:
        work.write_comparison(compare)
    for name in laid_out:
        work.write_atlas(name)
    for name in gathered:
        write_overall(work, name)
    for name in drawing[1] if drawing is not None else ():
        work.render(drawing[0], name)  # type: ignore[index]
    if dreamt or varied:
        work.wishes.all(dreamt, varied)
    work.finish()


def _to_draw(work: Work, icons: Sequence[str]) -> tuple[Icons, list[str]] | None:
    """Find the layers whose icons are wanted, and look through the model before any work is done."""
    wanted = [name for name in icons if name != NONE]
    if not wanted:
        return None
    names = [work.layer_named(name) for name in wanted if name != ALL]
    if ALL in wanted:
        names = [layer.name for layer in work.drawn.layers if layer.kind != "vector" or layer.name in names]
    if not names:
        raise UsageError("--icons all: the model has no layer with places; name layers")
    return work.icons(), list(dict.fromkeys(names))


def report(work: Work) -> Built:
    """Say what there is."""
    found = {work.steps.facts(name)["layer"]: work.steps.facts(name) for name in work.steps.names("icons/")}
    return Built(
        work.folder.root,
        len(work.drawn.layers),
        tuple(item.id for item in work.shown),
        tuple(work.skipped),
        {name: facts["complete_icons"] for name, facts in found.items()},
        work.steps.made,
        tuple(work.notes),
    )
