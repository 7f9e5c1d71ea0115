"""`agnostic visualize`: what a unit has learned, as a picture that carries its recipe, with its numbers beside it."""

import io
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from agnostic.cli import common
from agnostic.cli.settings import split_options
from agnostic.engine.model import Model
from agnostic.engine.opening import load
from agnostic.errors import InputError, UsageError
from agnostic.explanation import write_whole
from agnostic.inputs.picture import on_white, open_picture
from agnostic.optvis import presets, recipes
from agnostic.optvis.lens import Lens
from agnostic.optvis.library import Library
from agnostic.optvis.params.colour import PHOTO, Colours
from agnostic.optvis.params.maco import PHOTO_SPECTRUM, Spectrum
from agnostic.optvis.portraying import certificate, made_with, portray
from agnostic.optvis.record import Portrait
from agnostic.optvis.rendering import Pictures, Stopped, Watch
from agnostic.optvis.scoring import Scorer
from agnostic.optvis.sheet import contact_sheet
from agnostic.optvis.spritemap import Spritemap, slug, spritemap, unit_count

# What a step and the files may take after the time is up.
GRACE_SECONDS = 60.0
STATUS: Mapping[Stopped, int] = {"": 0, "interrupt": 130, "time": 5}
SAID: Mapping[Stopped, str] = {
    "interrupt": "interrupted: what was rendered so far is written, and marked so",
    "time": "the time limit was hit: what was rendered so far is written, and marked so; give more with --timeout",
}
SHEET = "sheet.png"
Report = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One call of `agnostic visualize`, as typed."""

    model: str
    tokens: tuple[str, ...]
    recipe: str | None
    preset: str | None
    size: int | None
    steps: int | None
    picture: Path | None
    images: Path | None
    colours: str
    layer: str | None
    out: Path
    value_range: str | None
    bands: str | None
    columns: int | None
    post_activation: bool
    redirect_steps: int
    smooth_pool: bool
    dark: bool
    as_json: bool
    seed: int
    batch_size: int | None
    timeout: float | None
    max_memory: int | None
    quiet: bool
    opening: Mapping[str, Any]


@dataclass(frozen=True)
class _Call:
    """A request, understood."""

    request: Request
    recipe: recipes.Recipe
    settings: Mapping[str, Any]
    names: tuple[str, ...]
    preset: presets.Preset
    bands: tuple[int, ...] | None
    library: Library | None


def visualize(request: Request) -> int:
    """Render what was named; the exit status says whether all went well."""
    started = time.perf_counter()
    call = _understood(request)
    common.output_folder(request.out)
    with (
        common.limits(request.timeout, request.max_memory, GRACE_SECONDS),
        common.progress(request.quiet) as bars,
    ):
        model = load(request.model, **request.opening)
        report, stopped = _rendered(call, model, bars(model.name))
    failed = call.library.failed if call.library is not None else {}
    report |= {"stopped": stopped, "failed_images": failed, "seconds": round(time.perf_counter() - started, 3)}
    for name, reason in failed.items():
        common.note(f"{name}: {reason}; skipped")
    if stopped:
        common.note(SAID[stopped])
    if request.as_json:
        common.print_json(report)
    return STATUS[stopped] or (1 if failed else 0)


def _understood(request: Request) -> _Call:
    """Check everything that can be checked before the model is opened."""
    chosen, names, settings = _recipe(request)
    if request.layer is not None and (names or chosen.name != "unit"):
        raise UsageError(f"--all {request.layer} renders every unit of the layer; drop the targets and --recipe")
    preset = presets.preset(request.preset or chosen.preset)
    preset = replace(preset, size=request.size or preset.size, steps=request.steps or preset.steps)
    library = None if request.images is None else Library(request.images)
    if request.colours not in ("photo", "images", "none"):
        raise UsageError(f"--colours {request.colours!r}: expected photo, images or none")
    if request.colours == "images" and library is None:
        raise UsageError("--colours images measures the colours of your pictures: give them with --images DIR")
    bands = _numbers("bands", request.bands, int)
    return _Call(request, chosen, settings, tuple(names), preset, bands, library)


def _recipe(request: Request) -> tuple[recipes.Recipe, list[str], dict[str, Any]]:
    """Tell names from options; where no recipe is named, what is left when all options are taken away chooses one."""
    if request.recipe is None:
        every = [option for item in recipes.all_recipes().values() for option in item.options]
        plain, _ = split_options(request.tokens, every, "`agnostic visualize --help` lists them")
        chosen = recipes.get(recipes.default_for(plain))
    else:
        chosen = recipes.get(request.recipe)
    where = f"`agnostic visualize --help` and `agnostic recipes {chosen.name}` list them"
    return chosen, *split_options(request.tokens, chosen.options, where)


def _rendered(call: _Call, model: Model, bar: common.Progress) -> tuple[Report, Stopped]:
    order = _order(call, model, _watch(bar))
    for line in (*model.notes, *order.lens.space.notes):
        common.note(line, call.request.quiet)
    head: Report = {"model": model.name, "model_sha256": model.sha256, "recipe": call.recipe.name}
    if call.request.layer is not None:
        found = _whole_layer(call, order, call.request.layer)
        if not call.request.as_json:
            _print_sprites(found)
        return {**head, "spritemap": _sprites_report(found)}, found.stopped
    portraits, stopped = portray(order, call.recipe, call.settings, library=call.library)
    report = {**head, **_written(call, portraits)}
    if not call.request.as_json:
        _print(report)
    return report, stopped


def _order(call: _Call, model: Model, watch: Watch) -> recipes.Order:
    request = call.request
    low_high = _numbers("range", request.value_range, float)
    if low_high is not None and len(low_high) != 2:
        raise UsageError(f"--range {request.value_range}: expected two numbers, LOW,HIGH")
    lens = Lens(
        model,
        pre_activation=not request.post_activation,
        value_range=None if low_high is None else (low_high[0], low_high[1]),
    )
    colours = _colours(call, lens)
    return recipes.Order(
        lens, call.names, call.preset, picture=_picture(request, lens, call.preset.size), colours=colours,
        seed=request.seed, batch_size=request.batch_size, progress=watch, redirect_steps=request.redirect_steps,
        smooth_pool=request.smooth_pool, spectrum=_spectrum(call, lens, colours),
    )  # fmt: skip


def _colours(call: _Call, lens: Lens) -> Colours | None:
    """Take photographs' colours for inputs of three channels, those of the user's pictures if asked for, else none."""
    if call.request.colours == "images" and call.library is not None:
        return call.library.colours(lens)
    return PHOTO if call.request.colours == "photo" and lens.space.channels == PHOTO.channels else None


def _spectrum(call: _Call, lens: Lens, colours: Colours | None) -> Spectrum:
    """Take photographs' frequencies where only phases are rendered, or those of the user's pictures."""
    own = call.library is not None and (call.request.colours == "images" or lens.space.channels != PHOTO.channels)
    return call.library.spectrum(lens, colours) if own and call.library and call.preset.phases else PHOTO_SPECTRUM


def _picture(request: Request, lens: Lens, size: int) -> Pictures | None:
    """Read the picture that a recipe starts from, its longer side brought to the preset's size."""
    if request.picture is None:
        return None
    opened = open_picture(request.picture)
    depths = {1: "L", 3: "RGB", 4: "RGBA"}
    if lens.space.channels not in depths:
        raise InputError(
            f"--picture {request.picture}: the model eats {lens.space.channels} channels, a picture has 1, 3 or 4"
        )
    mode = depths[lens.space.channels]
    opened = opened.convert("RGBA") if mode == "RGBA" else on_white(opened).convert(mode)
    ratio = size / max(opened.size)
    shape = max(1, round(opened.width * ratio)), max(1, round(opened.height * ratio))
    resized = opened.resize(shape, Image.Resampling.LANCZOS)
    pixels = np.asarray(resized, np.float32) / np.float32(255)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _watch(bar: common.Progress) -> Watch:
    def told(done: int, steps: int, value: float) -> None:
        bar(done, steps, f"objective {value:.4g}")

    return told


def _written(call: _Call, portraits: Sequence[Portrait]) -> Report:
    """Write a picture and its record each, and, of several, one sheet of all."""
    out, rows = call.request.out, []
    for stem, item in zip(_stems(portraits), portraits, strict=True):
        record = item.save(out, stem, call.bands)
        rows.append({"of": item.label, **record["measures"], "files": _paths(out, stem, record["files"])})
    return {"pictures": rows, "sheet": _sheet(call, portraits), "parity": portraits[0].recipe["parity"]}


def _stems(portraits: Sequence[Portrait]) -> list[str]:
    """Name the files after what the pictures are of, each differently."""
    stems: list[str] = []
    for item in portraits:
        against = item.label.startswith("-")
        stem = slug(item.label.split(", ")[0])[-100:] + (".negative" if against else "")
        stems.append(stem if stem not in stems else f"{stem}.{len(stems)}")
    return stems


def _paths(out: Path, stem: str, files: Mapping[str, Any]) -> Report:
    named = {key: str(out / files[key]) for key in ("picture", "array") if key in files}
    return {**named, "record": str(out / f"{stem}.json"), **({"bands": files["bands"]} if "bands" in files else {})}


def _sheet(call: _Call, portraits: Sequence[Portrait]) -> str | None:
    if len(portraits) < 2:
        return None
    columns = {} if call.request.columns is None else {"columns": call.request.columns}
    name = portraits[0].recipe["model"]["name"]
    heading = name if call.recipe.name in ("unit", "class") else f"{name}: {call.recipe.name}"
    drawn = contact_sheet(portraits, heading=heading, dark=call.request.dark, bands=call.bands, **columns)
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG", compress_level=6)
    write_whole(call.request.out / SHEET, buffer.getvalue())
    return str(call.request.out / SHEET)


def _whole_layer(call: _Call, order: recipes.Order, layer: str) -> Spritemap:
    unit_count(order, layer)
    activity = None if call.library is None else call.library.unit_scores(order.lens, layer)
    parity = certificate(Scorer(order.lens), replace(order, names=(layer,)))
    made_by = made_with(order, call.recipe, call.settings)
    columns = {} if call.request.columns is None else {"columns": call.request.columns}
    return spritemap(
        order, layer, call.request.out, made_by=made_by, settings=call.settings, activity=activity, parity=parity,
        bands=call.bands, **columns,
    )  # fmt: skip


def _numbers(name: str, text: str | None, kind: Callable[[str], Any]) -> tuple[Any, ...] | None:
    if text is None:
        return None
    try:
        return tuple(kind(item) for item in text.split(","))
    except ValueError:
        raise UsageError(f"--{name} {text!r}: expected numbers with commas between them") from None


def _print(report: Report) -> None:
    console = common.stdout()
    rows = common.table("picture of", "activation", "holds", "percentile", "fine", "", right=_RIGHT)
    for item in report["pictures"]:
        rows.add_row(common.plain(item["of"]), *_cells(item))
    console.print(rows)
    paths = [item["files"]["picture"] for item in report["pictures"]] + [report["sheet"]] * (
        report["sheet"] is not None
    )
    for path in paths:
        console.print(f"wrote {path}", style="dim", markup=False)


_RIGHT = ("activation", "holds", "percentile", "fine")


def _cells(item: Mapping[str, Any]) -> list[str]:
    return [
        "" if item["activation"] is None else f"{item['activation']:.4g}",
        "" if item["share"] is None else f"{100 * item['share']:.0f} %",
        "" if item["percentile"] is None else f"{item['percentile']:.0f}",
        "" if item["fine"] is None else f"{item['fine']:.2f}",
        "dead" if item["dead"] else "" if item["activation"] is not None else f"objective {item['objective']:.4g}",
    ]


def _print_sprites(found: Spritemap) -> None:
    console = common.stdout()
    numbered = [row["measures"] for row in found.units if row["measures"] is not None]
    dead = [str(row["unit"]) for row in found.units if row["measures"] and row["measures"]["dead"]]
    console.print(
        f"{found.layer}: {len(numbered)} of {len(found.units)} units, {found.rendered} rendered now, "
        f"{len(dead)} dead{': ' + ', '.join(dead[:20]) if dead else ''}",
        markup=False,
    )
    for path in (found.sheet, found.index):
        console.print(f"wrote {path}", style="dim", markup=False)


def _sprites_report(found: Spritemap) -> Report:
    return {
        "layer": found.layer,
        "sheet": str(found.sheet),
        "index": str(found.index),
        "rendered": found.rendered,
        "units": list(found.units),
    }
