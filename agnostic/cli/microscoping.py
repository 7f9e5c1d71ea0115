"""`agnostic microscope`: a site on one model, built or gone on with, and served if asked for."""

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agnostic.cli import common
from agnostic.engine.model import Model
from agnostic.engine.opening import load
from agnostic.report.microscope.building import Built, complete, open_site, report
from agnostic.report.microscope.serving import check_host, serve
from agnostic.report.microscope.work import Work

Report = dict[str, Any]
# What a step of rendering and the files may take after the time is up.
GRACE_SECONDS = 60.0


@dataclass(frozen=True)
class Request:
    """One call of `agnostic microscope`, as typed."""

    model: str
    images: Path
    out: Path
    show: tuple[Path, ...]
    layers: str | None
    icons: tuple[str, ...]
    preset: str
    compare: str | None
    atlas: tuple[str, ...]
    groups: tuple[str, ...]
    dreams: tuple[str, ...]
    variants: tuple[str, ...]
    serve: bool
    host: str
    port: int
    as_json: bool
    seed: int
    batch_size: int | None
    timeout: float | None
    max_memory: int | None
    quiet: bool
    opening: Mapping[str, Any]


def microscope(request: Request) -> int:
    """Build the site; the exit status says whether every picture could be used."""
    started = time.perf_counter()
    if request.serve:
        check_host(request.host)
    with (
        common.limits(request.timeout, request.max_memory, GRACE_SECONDS),
        common.progress(request.quiet) as bars,
    ):
        model = load(request.model, **request.opening)
        other = load(request.compare, **request.opening) if request.compare is not None else None
        work = _opened(request, model, bars)
        complete(
            work, icons=request.icons, compare=other, atlas=request.atlas, groups=request.groups,
            dreams=request.dreams, variants=request.variants,
        )  # fmt: skip
    built = report(work)
    for row in built.skipped:
        common.note(f"{row['file']}: {row['reason']}; skipped")
    for line in built.notes:
        common.note(line, request.quiet)
    _print(request, model, built, time.perf_counter() - started)
    if request.serve:
        serve(work, host=request.host, port=request.port, ready=lambda url: _say(url, request.as_json))
    return 1 if built.skipped else 0


def _opened(request: Request, model: Model, bars: Any) -> Work:
    layers = [name.strip() for name in (request.layers or "").split(",") if name.strip()]
    return open_site(
        model, request.images, request.out, show=request.show, layers=layers, preset=request.preset, seed=request.seed,
        batch_size=request.batch_size, progress=bars, command=command(request),
    )  # fmt: skip


def command(request: Request) -> str:
    """Write the line that makes this site again, for its pages to offer with something added."""
    words = ["agnostic", "microscope", request.model, "--images", str(request.images), "--out", str(request.out)]
    words += [word for path in request.show for word in ("--show", str(path))]
    words += ["--layers", request.layers] if request.layers else []
    words += ["--preset", request.preset] if request.preset != "draft" else []
    words += ["--seed", str(request.seed)] if request.seed else []
    return shlex.join([*words, *_opening_words(request.opening)])


def _opening_words(opening: Mapping[str, Any]) -> Sequence[str]:
    """The options that say how the model is opened, as typed."""
    words: list[str] = []
    for name, value in {**opening, **(opening.get("preprocess") or {})}.items():
        flag = f"--{name.replace('_', '-')}"
        if name == "preprocess" or value is None or value is False or (name, value) == ("device", "auto"):
            continue
        words += [flag] if value is True else [flag, _typed(value)]
    return words


def _typed(value: Any) -> str:
    return ",".join(f"{item:g}" for item in value) if isinstance(value, list) else str(value)


def _print(request: Request, model: Model, built: Built, seconds: float) -> None:
    if request.as_json:
        common.print_json(_report(model, built, seconds))
        return
    console = common.stdout()
    rows = common.table("", "", right=("",))
    rows.add_row("layers", str(built.layers))
    rows.add_row("pictures", str(len(built.pictures)))
    rows.add_row("icons", str(sum(built.icons.values())))
    rows.add_row("steps made now", str(built.made))
    console.print(f"[bold]{model.name}[/bold]", markup=True)
    console.print(rows)
    console.print(f"wrote {request.out / 'index.html'}", style="dim", markup=False)


def _report(model: Model, built: Built, seconds: float) -> Report:
    return {
        "model": model.name,
        "model_sha256": model.sha256,
        "out": str(built.out),
        "index": str(built.out / "index.html"),
        "layers": built.layers,
        "pictures": list(built.pictures),
        "icons": dict(built.icons),
        "skipped": [dict(row) for row in built.skipped],
        "notes": list(built.notes),
        "made": built.made,
        "seconds": round(seconds, 3),
    }


def _say(url: str, as_json: bool) -> None:
    if not as_json:
        common.stdout().print(f"serving {url}  (Ctrl-C ends it)", markup=False)
    common.note(f"serving {url}", quiet=not as_json)
