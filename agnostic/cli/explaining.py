"""`agnostic explain`: each input through each method; records and figures written, a summary printed."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agnostic import api
from agnostic.cli import common
from agnostic.cli.saying import predictions_table
from agnostic.cli.settings import Tokens, split_tokens
from agnostic.cli.showing import terminal
from agnostic.cli.words import each_text, has_words, print_words, printable
from agnostic.engine.model import Model
from agnostic.engine.opening import load
from agnostic.errors import InputError, UsageError
from agnostic.explanation import Explanation, write_whole
from agnostic.gallery import figure, html, is_drawn, short
from agnostic.inputs.sample import Sample, Text
from agnostic.methods import Method, get

if TYPE_CHECKING:
    from PIL.Image import Image

Bars = Callable[[str], common.Progress]
Report = dict[str, Any]
MOST_ROWS = 1000


class Item(NamedTuple):
    """One input: what it is called, what was given, which row of it where it has rows, how names of its files begin."""

    name: str
    given: Any
    row: int | None
    stem: str


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
    baseline: float | None
    texts: tuple[str, ...]
    rows: tuple[int | None, ...]
    background: Path | None
    consensus: tuple[str, ...]
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
    methods = [_chosen(name.strip()) for name in request.methods.split(",") if name.strip()]
    tokens = split_tokens(request.tokens, methods, request.texts)
    common.output_folder(request.out)
    with common.limits(request.timeout, request.max_memory), common.progress(request.quiet) as bars:
        common.announce(request.model, request.quiet)
        model = load(request.model, **request.opening)
        models = [model, *(load(other, **request.opening) for other in request.consensus)]
        items = _items(model, tokens.inputs, request.rows)
        reports = [_attempt(request, models, tokens, item, bars, alone=len(items) == 1) for item in items]
    if request.as_json:
        common.print_json({"model": model.name, "model_sha256": model.sha256, "items": reports})
    return 1 if any("error" in report for report in reports) else 0


def _chosen(name: str) -> Method:
    """Look a method of one input up, and say where those of data sets are."""
    from agnostic.summary import global_methods

    if name in {item.name for item in global_methods()}:
        raise UsageError(f"{name} asks about many inputs: agnostic summarize MODEL INPUT... --method {name}")
    return get(name)


def read_rows(text: str | None) -> tuple[int | None, ...]:
    """Read which rows of a table are wanted: one number, or several with commas and ranges between them.

    >>> read_rows("17"), read_rows("3,0-2"), read_rows(None)
    ((17,), (3, 0, 1, 2), (None,))

    Raises:
        UsageError: these are no rows, or more than a thousand.
    """
    if text is None:
        return (None,)
    rows: dict[int | None, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part)
        if match is None or int(match[2] or match[1]) - int(match[1]) not in range(MOST_ROWS):
            raise UsageError(f"--row {text}: expected a number from 0, or several as in 3,7 or 0-4")
        rows |= dict.fromkeys(range(int(match[1]), int(match[2] or match[1]) + 1))
    if len(rows) > MOST_ROWS:
        raise UsageError(f"--row {text}: {len(rows)} rows; expected {MOST_ROWS} at most")
    return tuple(rows)


def _items(model: Model, inputs: Mapping[str, Any], rows: Sequence[int | None]) -> list[Item]:
    """Take files of texts and chosen rows apart, and give the files of each a name of their own."""
    items: list[Item] = []
    taken: set[str] = set()
    for row in rows:
        for name, given in each_text(model, inputs, row).items():
            value = given.get("", "") if isinstance(given, Mapping) else given
            wish = slug(name, "text") if isinstance(value, Text) else stem(name)
            wish = wish if row is None else f"{wish}.row{row}"
            wishes = (wish if number == 1 else f"{wish}-{number}" for number in count(1))
            items.append(Item(name, given, row, next(item for item in wishes if item not in taken)))
            taken.add(items[-1].stem)
    return items


def _attempt(request: Request, models: list[Model], tokens: Tokens, item: Item, bars: Bars, *, alone: bool) -> Report:
    """Let one of several inputs fail without losing the others; a limit that was hit, or a wrong name, ends the run."""
    from agnostic.cli.agreeing import agree

    try:
        if len(models) > 1:
            return agree(request, models, tokens, item, bars)
        return _explain_one(request, models[0], tokens, item, bars)
    except InputError as error:
        if alone:
            raise
        common.note(printable(f"{item.name}: {error}"))
        return {"input": item.name, "error": str(error), "exit_status": error.exit_status}


def _explain_one(request: Request, model: Model, tokens: Tokens, item: Item, bars: Bars) -> Report:
    found: list[Explanation] = []
    samples: list[Sample] = []
    for method, settings in tokens.methods:
        sample = api.prepare(
            model, item.given, method, source=request.source, features=request.features, fill=request.fill,
            baseline=request.baseline, seed=request.seed, row=item.row, background=request.background,
        )  # fmt: skip
        if not samples:
            _warn(model, sample, request.quiet)
        samples.append(sample)
        found += api.answer(
            model, sample, method, request.targets or (None,), settings, at=request.at, seed=request.seed,
            batch_size=request.batch_size, progress=bars(f"{item.stem} {method.name}"),
        )  # fmt: skip
    report = _report(model, samples[0], found, _write(request, item.stem, found))
    if not request.as_json:
        _print(model, report, found)
    return report


def _warn(model: Model, sample: Sample, quiet: bool) -> None:
    for line in (*model.notes, *sample.notes):
        common.note(line, quiet)
    if api.untouched(model, sample):
        what = "tokenizer" if sample.shown.get("kind") == "text" else "preprocessing"
        flags = "" if what == "tokenizer" else " and --scale, --mean, --std, --channels"
        common.note(
            f"the answer hardly changes when the whole input is replaced: the {what} is probably wrong; "
            f"see `agnostic inspect`{flags}",
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
    save_image(figure(found, heading=heading, dark=dark), path)


def save_image(image: "Image", path: Path) -> None:
    """Write a picture as a PNG file, whole or not at all."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    write_whole(path, buffer.getvalue())


def _report(model: Model, sample: Sample, found: Sequence[Explanation], files: list[list[Path]]) -> Report:
    records, figures = files
    return {
        "input": sample.name,
        "notes": [*model.notes, *sample.notes],
        "answer": model.answer.kind,
        "predictions": [item.as_dict() for item in api.predict(model, sample)],
        "explanations": [_summary(item, path) for item, path in zip(found, records, strict=True)],
        "figures": [str(path) for path in figures],
    }


def _summary(item: Explanation, path: Path) -> Report:
    base = None if item.base_value != item.base_value else item.base_value
    head = {"method": item.method, "target": item.target, "shape": list(item.values.shape), "base_value": base}
    return {**head, **{k: v for k, v in item.meta.items() if k != "feature_names"}, "record": str(path)}


def _print(model: Model, report: Report, found: Sequence[Explanation]) -> None:
    console = common.stdout()
    console.print(f"{printable(report['input'])}  {model.name}", style="bold", markup=False)
    console.print(predictions_table(report["answer"], report["predictions"]))
    rows = common.table("method", "target", "passes", "seconds", "", right=("passes", "seconds"))
    for item in report["explanations"]:
        rows.add_row(
            item["method"], short(item["target"]), str(item["evaluations"]), f"{item['seconds']:.1f}", _figures_of(item)
        )
    console.print(rows)
    if has_words(found):
        print_words(console, found)
    for shown in filter(None, map(terminal, found)):
        console.print(shown)
    for path in [*report["figures"], *(item["record"] for item in report["explanations"])]:
        console.print(f"wrote {path}", style="dim", markup=False)


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


def slug(text: str, otherwise: str = "target") -> str:
    """Turn a target or a text into a piece of a file name.

    >>> slug("tabby, tabby cat - espresso")
    'tabby-tabby-cat-espresso'
    """
    return re.sub(r"[^\w]+", "-", text.lower()).strip("-")[:60] or otherwise
