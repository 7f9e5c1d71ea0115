"""`agnostic training influence|tracin`: which training samples made an answer what it is, written and shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agnostic.cli import common
from agnostic.cli.training import GRACE_SECONDS, check_format, class_names, finite, read_numbers
from agnostic.cli.typed import typed
from agnostic.engine.model import Model
from agnostic.engine.opening import load
from agnostic.errors import InputError, UsageError
from agnostic.inputs.reading import read_sample
from agnostic.report.training.building import Asked, Site, build
from agnostic.training.data import Shown, TrainingSet
from agnostic.training.data_files import open_data
from agnostic.training.influence import Influence, Query, influence, self_influence
from agnostic.training.landscape import classes_of
from agnostic.training.ranking import Ranking, found, ranked
from agnostic.training.table import columns_of, write_table
from agnostic.training.tracin import opened, self_tracin, similarity, tracin

KINDS = {"influence": "influence", "tracin": "TracIn", "similarity": "gradient similarity"}
#: Options whose settings are called otherwise, as another option has their name.
RENAMED = {"curvature_samples": "samples", "scale_by": "scale"}
#: Letters of a text that a title holds.
TITLE = 40


@dataclass(frozen=True)
class Question:
    """One call of a command that asks for influence, as typed."""

    kind: str
    models: str | Sequence[str]
    inputs: Sequence[str] | None
    data: Path | None
    label_column: str
    target: list[str] | None
    sample: list[int] | None
    itself: bool
    out: Path
    format: str
    known: Path | None
    top: int
    keep: int
    as_json: bool
    quiet: bool
    timeout: float | None
    max_memory: int | None
    settings: Mapping[str, Any]
    opening: Mapping[str, Any]


def ask(question: Question) -> int:
    """Answer, write the tables and the page, and print what comes first."""
    check_format(question.format)
    if question.data is None:
        raise UsageError("the training set is needed: --data DATA")
    if not (question.inputs or question.sample or question.itself):
        raise UsageError("nothing was asked about; give an INPUT, --sample N, or --self")
    common.output_folder(question.out)
    with (
        common.limits(question.timeout, question.max_memory, GRACE_SECONDS),
        common.progress(question.quiet) as bars,
    ):
        models = _models(question)
        data = open_data(question.data, label_column=question.label_column, classes=models[-1].labels)
        data.checked(classes_of(models[-1]))
        if question.itself:
            return _itself(question, models, data, bars(question.kind))
        queries, shown = _queries(question, models[-1], data)
        answer = _answer(question, models, data, queries, bars(question.kind))
        files = [_write(question, answer, number, data) for number in range(len(queries))]
        site = _site(question, models[-1], data, answer, shown)
        files.append(build(site, question.out / "page", keep=question.keep))
    _print(question, answer, data, files)
    return 0


def _models(question: Question) -> list[Model]:
    if question.kind == "influence":
        return [load(str(question.models), **question.opening)]
    found = opened(list(question.models), question.opening)
    return found if question.kind == "tracin" else found[-1:]


def _queries(question: Question, model: Model, data: TrainingSet) -> tuple[list[Query], list[Shown]]:
    """Every input and sample, each with every target."""
    targets = [model.target(text) for text in question.target] if question.target else [None]
    asked: list[tuple[str, Mapping[str, Any], Shown]] = []
    for given in question.inputs or ():
        sample = read_sample(model, given)
        seen = Shown(picture=sample.picture) if sample.picture is not None else Shown(text=str(given))
        asked.append((Path(given).name[:TITLE], sample.arrays, seen))
    for number in question.sample or ():
        if number >= len(data):
            raise InputError(f"--sample {number}: the training set has the samples 0 to {len(data) - 1}")
        asked.append((f"sample {number}", data.rows(model, np.array([number])), data.shown(number)))
    pairs = [(Query(name, feeds, target), seen) for name, feeds, seen in asked for target in targets]
    return [query for query, _ in pairs], [seen for _, seen in pairs]


def _answer(
    question: Question, models: list[Model], data: TrainingSet, queries: list[Query], progress: common.Progress
) -> Influence:
    settings = dict(question.settings)
    if question.kind == "influence":
        return influence(models[-1], data, queries, progress=progress, **settings)
    if question.kind == "similarity":
        if settings.pop("rates", None) is not None:
            raise UsageError("--rates: a cosine of gradients has no learning rate; drop it, or --similarity")
        return similarity(models[-1], data, queries, progress=progress, **settings)
    return tracin(models, data, queries, progress=progress, **{**settings, "rates": _rates(settings.get("rates"))})


def _rates(text: str | None) -> list[float] | None:
    if text is None:
        return None
    try:
        return [float(word) for word in text.split(",")]
    except ValueError:
        raise UsageError(f"--rates {text!r}: expected numbers with commas between them") from None


def _write(question: Question, answer: Influence, number: int, data: TrainingSet) -> Path:
    order = answer.order(number)
    columns: dict[str, Any] = {"rank": np.arange(len(order)), "sample": order}
    if data.names is not None:
        columns["name"] = np.array(data.names, object)[order]
    columns |= {"label": data.labels[order], "influence": answer.values[number][order]}
    path = question.out / f"{question.kind}-{number}.{question.format}"
    return write_table(columns, path)


def _site(question: Question, model: Model, data: TrainingSet, answer: Influence, shown: list[Shown]) -> Site:
    asked = Asked(answer, tuple(shown), KINDS[question.kind])
    return Site(model.name, _classes(model, data), len(data), data, asked=(asked,), command=typed())


def _classes(model: Model, data: TrainingSet) -> tuple[str, ...]:
    return tuple(model.labels or class_names(data, int(data.labels.max()) + 1))


def _itself(question: Question, models: list[Model], data: TrainingSet, progress: common.Progress) -> int:
    """Rank all samples by what they do to themselves."""
    settings = dict(question.settings)
    if question.kind == "influence":
        score = self_influence(models[-1], data, progress=progress, **settings)
    else:
        given = {**settings, "rates": _rates(settings.get("rates"))}
        score = self_tracin(models, data, progress=progress, **given)
    there = np.ones(len(data), bool)
    name = f"self-{question.kind}"
    note = "what each does to its own loss, wrong labels first"
    ranking = Ranking(name, score, ranked(score, there), np.zeros(len(data), bool), note=note)
    classes = _classes(models[-1], data)
    site = Site(models[-1].name, classes, len(data), data, rankings=(ranking,), command=typed())
    page = build(site, question.out / "page", keep=question.keep)
    path = question.out / f"{name}.{question.format}"
    write_table(columns_of(ranking, data.labels, data.names), path)
    result = None if question.known is None else found(ranking, read_numbers(question.known, "--known"))
    if question.as_json:
        report: dict[str, Any] = {
            "ranking": name,
            "first": ranking.order[: question.top].tolist(),
            "files": [str(path), str(page)],
        }
        if result is not None:
            report["found"] = {key: finite(value) for key, value in result._asdict().items()}
        common.print_json(report)
        return 0
    rows = common.table("sample", "label", name, right=(name,))
    for number in ranking.order[: question.top].tolist():
        called = data.names[number] if data.names is not None else str(number)
        rows.add_row(common.plain(called), str(data.labels[number]), f"{score[number]:.4g}")
    console = common.stdout()
    console.print(rows)
    if result is not None:
        console.print(f"average precision {result.average_precision:.3f}, R {result.at_known:.3f}", markup=False)
    for file in (path, page):
        console.print(f"wrote {file}", style="dim", markup=False)
    return 0


def _print(question: Question, answer: Influence, data: TrainingSet, files: list[Path]) -> None:
    if question.as_json:
        common.print_json(_report(question, answer, files))
        return
    console = common.stdout()
    for number, (name, target) in enumerate(zip(answer.names, answer.targets, strict=True)):
        console.print(f"{name}: {target}", markup=False)
        rows = common.table("raises it", "label", "by", "lowers it", "label", "by", right=("by",))
        order, values = answer.order(number), answer.values[number]
        for up, down in zip(order[: question.top].tolist(), order[::-1][: question.top].tolist(), strict=True):
            rows.add_row(*_cells(up, values[up], data), *_cells(down, values[down], data))
        console.print(rows)
    if "residual" in answer.meta:
        console.print(f"residual of the solution: {answer.meta['residual']:.2g}", style="dim", markup=False)
    for path in files:
        console.print(f"wrote {path}", style="dim", markup=False)


def _cells(number: int, value: float, data: TrainingSet) -> tuple[Any, str, str]:
    called = data.names[number] if data.names is not None else str(number)
    return common.plain(called), str(data.labels[number]), f"{value:+.3g}"


def _report(question: Question, answer: Influence, files: list[Path]) -> dict[str, Any]:
    return {
        **answer.meta,
        "items": [
            {
                "input": name,
                "target": target,
                "raises": _listed(answer, number, 1, question.top),
                "lowers": _listed(answer, number, -1, question.top),
            }
            for number, (name, target) in enumerate(zip(answer.names, answer.targets, strict=True))
        ],
        "files": [str(path) for path in files],
    }


def _listed(answer: Influence, number: int, way: int, count: int) -> list[list[float]]:
    order, values = answer.order(number)[::way][:count], answer.values[number]
    return [[int(at), float(values[at])] for at in order]
