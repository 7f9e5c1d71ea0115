"""`agnostic explain`: each input through each method; records and figures written, a summary printed."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agnostic import api
from agnostic.cli import common
from agnostic.cli.settings import Tokens, split_tokens
from agnostic.engine.model import Model
from agnostic.engine.opening import load
from agnostic.errors import InputError
from agnostic.explanation import Explanation, write_whole
from agnostic.gallery import figure, html, is_drawn, short
from agnostic.inputs.sample import Sample
from agnostic.methods import get

Bars = Callable[[str], common.Progress]
Report = dict[str, Any]


@dataclass(frozen=True)
class Request:
    """One call of `agnostic explain`, as typed."""

    model: str
    tokens: tuple[str, ...]
    methods: str
    targets: tuple[str, ...]
    at: str | None
    out: Path
    features: str | None
    fill: str | None
    source: str | None
    baseline: float
    texts: tuple[str, ...]
    row: int | None
    background: Path | None
    dark: bool
    as_json: bool
    seed: int
    batch_size: int | None
    timeout: float | None
    max_memory: int | None
    quiet: bool
    opening: Mapping[str, Any]


def explain(request: Request) -> int:
    """Explain every input; the exit status says whether all went well."""
    methods = [get(name.strip()) for name in request.methods.split(",") if name.strip()]
    tokens = split_tokens(request.tokens, methods, request.texts)
    common.output_folder(request.out)
    with common.limits(request.timeout, request.max_memory), common.progress(request.quiet) as bars:
        common.announce(request.model, request.quiet)
        model = load(request.model, **request.opening)
        reports = [_attempt(request, model, tokens, name, given, bars) for name, given in tokens.inputs.items()]
    if request.as_json:
        common.print_json({"model": model.name, "model_sha256": model.sha256, "items": reports})
    return 1 if any("error" in report for report in reports) else 0


def _attempt(request: Request, model: Model, tokens: Tokens, name: str, given: Any, bars: Bars) -> Report:
    """Let one of several inputs fail without losing the others; a limit that was hit, or a wrong name, ends the run."""
    try:
        return _explain_one(request, model, tokens, name, given, bars)
    except InputError as error:
        if len(tokens.inputs) == 1:
            raise
        common.note(f"{name}: {error}")
        return {"input": name, "error": str(error), "exit_status": error.exit_status}


def _explain_one(request: Request, model: Model, tokens: Tokens, name: str, given: Any, bars: Bars) -> Report:
    found: list[Explanation] = []
    samples: list[Sample] = []
    for method, settings in tokens.methods:
        sample = api.prepare(
            model, given, method, source=request.source, features=request.features, fill=request.fill,
            baseline=request.baseline, seed=request.seed, row=request.row, background=request.background,
        )  # fmt: skip
        if not samples:
            _warn(model, sample, request.quiet)
        samples.append(sample)
        found += api.answer(
            model, sample, method, request.targets or (None,), settings, at=request.at, seed=request.seed,
            batch_size=request.batch_size, progress=bars(f"{name} {method.name}"),
        )  # fmt: skip
    report = _report(model, samples[0], found, _write(request, stem(name), found))
    if not request.as_json:
        _print(model, report)
    return report


def _warn(model: Model, sample: Sample, quiet: bool) -> None:
    for line in (*model.notes, *sample.notes):
        common.note(line, quiet)
    if api.untouched(model, sample):
        common.note(
            "the class scores hardly change when the whole input is replaced: the preprocessing is probably wrong; "
            "see `agnostic inspect` and --scale, --mean, --std, --channels",
            quiet,
        )


def _write(request: Request, stem: str, found: Sequence[Explanation]) -> list[list[Path]]:
    """Write a record per explanation, a figure per method, and one of all when there are several methods."""
    targets = dict.fromkeys(item.target for item in found)
    records = []
    for item in found:
        middle = f".{slug(item.target)}" if len(targets) > 1 else ""
        records.append(request.out / f"{stem}.{item.method}{middle}.safetensors")
        item.save(records[-1])
    return [records, _draw(request, stem, [item for item in found if is_drawn(item)])]


def _draw(request: Request, stem: str, found: Sequence[Explanation]) -> list[Path]:
    figures = []
    methods = list(dict.fromkeys(item.method for item in found))
    for method in methods:
        figures.append(request.out / f"{stem}.{method}.png")
        chosen = [item for item in found if item.method == method]
        save_figure(chosen, figures[-1], dark=request.dark)
        if (page := html(chosen)) is not None:
            figures.append(request.out / f"{stem}.{method}.html")
            write_whole(figures[-1], page.encode())
    if len(methods) > 1:
        figures.append(request.out / f"{stem}.all.png")
        save_figure(found, figures[-1], dark=request.dark)
    return figures


def save_figure(found: Sequence[Explanation], path: Path, *, heading: str = "", dark: bool = False) -> None:
    """Draw explanations of one picture into a PNG file, whole or not at all."""
    buffer = io.BytesIO()
    figure(found, heading=heading, dark=dark).save(buffer, "PNG", compress_level=6)
    write_whole(path, buffer.getvalue())


def _report(model: Model, sample: Sample, found: Sequence[Explanation], files: list[list[Path]]) -> Report:
    records, figures = files
    return {
        "input": sample.name,
        "notes": [*model.notes, *sample.notes],
        "predictions": [vars(item) for item in api.predict(model, sample)],
        "explanations": [_summary(item, path) for item, path in zip(found, records, strict=True)],
        "figures": [str(path) for path in figures],
    }


def _summary(item: Explanation, path: Path) -> Report:
    base = None if item.base_value != item.base_value else item.base_value
    head = {"method": item.method, "target": item.target, "shape": list(item.values.shape), "base_value": base}
    return {**head, **{k: v for k, v in item.meta.items() if k != "feature_names"}, "record": str(path)}


def _print(model: Model, report: Report) -> None:
    console = common.stdout()
    console.print(f"[bold]{report['input']}[/bold]  {model.name}", markup=True)
    console.print(predictions_table(report["predictions"]))
    rows = common.table("method", "target", "passes", "seconds", "", right=("passes", "seconds"))
    for item in report["explanations"]:
        rows.add_row(
            item["method"], short(item["target"]), str(item["evaluations"]), f"{item['seconds']:.1f}", _figures_of(item)
        )
    console.print(rows)
    for path in [*report["figures"], *(item["record"] for item in report["explanations"])]:
        console.print(f"wrote {path}", style="dim", markup=False)


def predictions_table(predictions: Sequence[Report]) -> Any:
    """Lay out the top classes with their scores and probabilities."""
    rows = common.table("class", "name", "score", "probability", right=("class", "score", "probability"))
    for item in predictions:
        chance = "" if item["probability"] is None else f"{item['probability']:.3f}"
        rows.add_row(str(item["index"]), item["name"], f"{item['score']:.5g}", chance)
    return rows


def _figures_of(item: Report) -> str:
    names = {"r2": "R\u00b2", "samples": "samples", "masks": "masks", "layer": "layer"}
    found = [(label, item[key]) for key, label in names.items() if item.get(key) is not None]
    if item.get("parity"):
        random = f" (random input {item['random_parity']['largest']:.0e})" if item.get("random_parity") else ""
        found.append(("parity", f"{item['parity']['largest']:.0e}{random}"))
    return ", ".join(
        f"{label} {value:.3f}" if isinstance(value, float) else f"{label} {value}" for label, value in found
    )


def stem(name: str) -> str:
    """Turn the name of a sample into the beginning of a file name.

    >>> stem("photos/cat.v2.jpg"), stem("a warm, funny film")
    ('cat.v2', 'a-warm-funny-film')
    """
    last = Path(name).stem
    return last if re.fullmatch(r"[\w.-]+", last) else slug(last)


def slug(text: str) -> str:
    """Turn a target into a piece of a file name.

    >>> slug("tabby, tabby cat - espresso")
    'tabby-tabby-cat-espresso'
    """
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-")[:60] or "target"
