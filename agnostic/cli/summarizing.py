"""`agnostic summarize`: a method over a data set; tables, figures, records and a prior are written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agnostic import summarizing
from agnostic.cli import common
from agnostic.cli.explaining import save_image, slug
from agnostic.cli.settings import split_options
from agnostic.engine.opening import load
from agnostic.errors import InputError, UsageError
from agnostic.explanation import write_whole
from agnostic.gallery import short
from agnostic.inputs.sample import Text
from agnostic.summary import Summary

SHOWN = 12
WHERE = "`agnostic summarize --help` and `agnostic methods METHOD` list them"


@dataclass(frozen=True)
class Request:
    """One call of `agnostic summarize`, as typed."""

    model: str
    tokens: tuple[str, ...]
    method: str
    targets: tuple[str, ...]
    truth: str | None
    clusters: int
    layer: str | None
    out: Path
    features: str | None
    fill: str | None
    source: str | None
    baseline: float | None
    texts: tuple[str, ...]
    background: Path | None
    dark: bool
    as_json: bool
    seed: int
    batch_size: int | None
    timeout: float | None
    max_memory: int | None
    quiet: bool
    opening: Mapping[str, Any]


def summarize(request: Request) -> int:
    """Summarize; the exit status says whether every input could be used."""
    method = summarizing.find(request.method)
    plain, settings = split_options(request.tokens, method.options, WHERE)
    inputs = [*plain, *map(Text, request.texts)]
    if not inputs:
        raise UsageError("no input was given; expected several files, a folder, a table, or --text TEXT")
    common.output_folder(request.out)
    with common.limits(request.timeout, request.max_memory), common.progress(request.quiet) as bars:
        model = load(request.model, **request.opening)
        found = summarizing.summarize(
            model, inputs, request.method, list(request.targets) or None, truth=_truth(request.truth),
            clusters=request.clusters, layer=request.layer, source=request.source, features=request.features,
            fill=request.fill, baseline=request.baseline, background=request.background, seed=request.seed,
            batch_size=request.batch_size, progress=bars(request.method), **settings,
        )  # fmt: skip
    for line in (*model.notes, *found.notes):
        common.note(line, request.quiet)
    for name, reason in (found.failed or {}).items():
        common.note(f"{name}: {reason}")
    files = _write(request, found)
    if request.as_json:
        common.print_json(_mapping(found, files))
    else:
        _print(found, files)
    return 1 if found.failed else 0


def _truth(given: str | None) -> str | list[str] | None:
    """Read right answers: a file with one a line, or the name of a column of the table."""
    if given is None or not Path(given).is_file():
        return given
    try:
        lines = Path(given).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--truth {given}: cannot be read; expected one right answer a line") from error
    return [line.strip() for line in lines if line.strip()]


def _write(request: Request, found: summarizing.Overview) -> list[Path]:
    """Write a record, a table and a figure for each target, and the prior."""
    files = []
    for item in found.summaries:
        start = f"summary.{item.method}.{slug(short(item.target))}"
        record, table, picture = (request.out / f"{start}.{ending}" for ending in ("safetensors", "csv", "png"))
        item.save(record)
        write_whole(table, item.csv().encode())
        save_image(item.figure(dark=request.dark), picture)
        files += [picture, table, record]
    if found.prior is not None:
        files.append(request.out / f"summary.{found.summaries[0].method}.prior.json")
        found.prior.save(files[-1])
    return files


def _mapping(found: summarizing.Overview, files: Sequence[Path]) -> dict[str, Any]:
    return {
        "summaries": [
            {"method": item.method, "target": item.target, "features": item.rows(), "meta": dict(item.meta)}
            for item in found.summaries
        ],
        "failed": dict(found.failed or {}),
        "notes": list(found.notes),
        "files": list(map(str, files)),
    }


def _print(found: summarizing.Overview, files: Sequence[Path]) -> None:
    console = common.stdout()
    for item in found.summaries:
        console.print(f"[bold]{short(item.target)}[/bold]  {item.method}", markup=True)
        console.print(_table(item))
    for path in files:
        console.print(f"wrote {path}", style="dim", markup=False)


def _table(item: Summary) -> Any:
    lines = item.rows()[:SHOWN]
    numbers = [name for name in lines[0] if name not in ("feature", "value")]
    table = common.table(*lines[0], right=tuple(numbers))
    for line in lines:
        table.add_row(*(common.plain(_cell(value)) for value in line.values()))
    return table


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
