"""`agnostic training dynamics|forgetting|tidy|aum|confident`: rankings of a run, written, printed and judged."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agnostic.cli import common
from agnostic.cli.typed import typed
from agnostic.engine.opening import load
from agnostic.errors import InputError, UsageError
from agnostic.report.training.building import Site, build
from agnostic.training.aum import aum
from agnostic.training.checkpoints import find_checkpoints, record_checkpoints
from agnostic.training.confident import confident
from agnostic.training.data import TrainingSet
from agnostic.training.data_files import open_data
from agnostic.training.dynamics import Dynamics, measure
from agnostic.training.forgetting import forgetting
from agnostic.training.ranking import Found, Ranking, combined, found
from agnostic.training.run import Run, open_run
from agnostic.training.store import RUN
from agnostic.training.table import columns_of, write_table
from agnostic.training.tidy import tidy

GRACE_SECONDS = 20.0


@dataclass(frozen=True)
class Ranked:
    """One call of a command that ranks, as typed."""

    name: str
    sources: list[Path]
    data: Path | None
    label_column: str
    out: Path
    format: str
    known: Path | None
    top: int
    as_json: bool
    quiet: bool
    batch_size: int | None
    timeout: float | None
    max_memory: int | None
    settings: Mapping[str, Any]
    opening: Mapping[str, Any]
    keep: int = 0


def rank(request: Ranked) -> int:
    """Rank the samples of a run, write the tables, and for `dynamics` the page."""
    check_format(request.format)
    common.output_folder(request.out)
    known = None if request.known is None else read_numbers(request.known, "--known")
    with (
        common.limits(request.timeout, request.max_memory, GRACE_SECONDS),
        common.progress(request.quiet) as bars,
    ):
        data = _data(request)
        run = _run(request, data, bars)
        dynamics = measure(run, bars("reading the run"))
        rankings = _rankings(request, run, dynamics)
        files = [_write(request, item, dynamics, data) for item in rankings]
        if request.name == "dynamics":
            files.append(build(_site(request, run, dynamics, rankings, data), request.out / "page", keep=request.keep))
    judged = {} if known is None else {item.name: found(item, known) for item in rankings}
    _print(request, run, dynamics, rankings, judged, files, data)
    return 0


def check_format(name: str) -> None:
    """Refuse what no table can be written as, before any work is done."""
    if name not in ("csv", "parquet"):
        raise UsageError(f"--format {name!r}: expected csv or parquet")


def read_numbers(path: Path, option: str) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Read the numbers of samples, one a line."""
    try:
        lines = path.read_text("utf-8").split()
        return np.array([int(line) for line in lines], np.int64)
    except OSError as error:
        raise InputError(f"{option} {path}: cannot be read: {error.strerror}") from error
    except (ValueError, OverflowError):
        raise InputError(f"{option} {path}: expected the number of a sample in every line") from None


def _data(request: Ranked) -> TrainingSet | None:
    if request.data is None:
        return None
    names = None
    if not _is_run(request.sources):
        names = load(find_checkpoints(request.sources)[0], **request.opening).labels
    return open_data(request.data, label_column=request.label_column, classes=names)


def _is_run(sources: list[Path]) -> bool:
    return len(sources) == 1 and (sources[0] / RUN).is_file()


def _run(request: Ranked, data: TrainingSet | None, bars: Callable[[str], common.Progress]) -> Run:
    """Open a run, or record one from checkpoints."""
    if _is_run(request.sources):
        run = open_run(request.sources[0])
        if data is not None and len(data) != run.size.samples:
            raise InputError(f"--data {request.data}: {len(data)} samples; the run has {run.size.samples}")
        if data is not None and (wrong := np.flatnonzero((run.labels >= 0) & (run.labels != data.labels))).size:
            at = wrong[0]
            raise InputError(
                f"--data {request.data}: sample {at} has the label {data.labels[at]}; in the run it has "
                f"{run.labels[at]}: are they in the same order?"
            )
        return run
    if len(request.sources) == 1 and not request.sources[0].exists():
        raise InputError(f"{request.sources[0]}: no such run or checkpoint")
    if data is None:
        raise UsageError("checkpoints need the training set as well: --data DATA")
    return record_checkpoints(
        request.sources, data, request.out / "run", batch_size=request.batch_size, opening=request.opening,
        progress=bars("checkpoints"),
    )  # fmt: skip


def _rankings(request: Ranked, run: Run, dynamics: Dynamics) -> tuple[Ranking, ...]:
    settings = dict(request.settings)
    if request.name == "aum":
        ids = settings.pop("threshold_ids")
        settings["threshold_ids"] = () if ids is None else read_numbers(ids, "--threshold-ids")
    makers: dict[str, Callable[[], Ranking]] = {
        "tidy": lambda: tidy(dynamics, **settings),
        "aum": lambda: aum(dynamics, **settings),
        "forgetting": lambda: forgetting(dynamics),
        "confident": lambda: confident(dynamics, run),
    }
    if request.name != "dynamics":
        return (makers[request.name](),)
    singles = {name: make() for name, make in makers.items()}
    # Forgetting knows too few different scores to add to a mean of places.
    return (*singles.values(), combined([singles["tidy"], singles["aum"], singles["confident"]]))


def _write(request: Ranked, ranking: Ranking, dynamics: Dynamics, data: TrainingSet | None) -> Path:
    names = data.names if data is not None else None
    path = request.out / f"{ranking.name}.{request.format}"
    return write_table(columns_of(ranking, dynamics.labels, names), path)


def _site(
    request: Ranked, run: Run, dynamics: Dynamics, rankings: tuple[Ranking, ...], data: TrainingSet | None
) -> Site:
    classes = class_names(data, run.size.classes)
    name = run.path.resolve().name if _is_run(request.sources) else request.sources[-1].resolve().stem
    return Site(name, classes, len(dynamics), data, run, dynamics, rankings, (), typed())


def class_names(data: TrainingSet | None, count: int) -> tuple[str, ...]:
    """What the classes are called; numbers where that is not known."""
    names = data.class_names if data is not None else None
    return names if names is not None and len(names) == count else tuple(map(str, range(count)))


def _print(
    request: Ranked, run: Run, dynamics: Dynamics, rankings: tuple[Ranking, ...], judged: Mapping[str, Found],
    files: list[Path], data: TrainingSet | None,
) -> None:  # fmt: skip
    if request.as_json:
        common.print_json(_report(request, run, dynamics, rankings, judged, files))
        return
    console = common.stdout()
    names = class_names(data, run.size.classes)
    console.print(
        f"{run.size.samples} samples, {run.size.classes} classes, {run.epochs} epochs; "
        f"{int((dynamics.predicted == dynamics.labels).sum())} are predicted as labelled in the end",
        markup=False,
    )
    console.print(_overview(rankings, judged))
    shown = rankings[-1]
    if request.top:
        console.print(_first(shown, dynamics, names, data, request.top))
    for path in files:
        console.print(f"wrote {path}", style="dim", markup=False)


def _overview(rankings: tuple[Ranking, ...], judged: Mapping[str, Found]) -> Any:
    more = ("precision", "recall", "R", "AP") if judged else ()
    rows = common.table("ranking", "called wrong", *more, right=("called wrong", *more))
    for item in rankings:
        result = judged.get(item.name)
        numbers = () if result is None else (result.precision, result.recall, result.at_known, result.average_precision)
        rows.add_row(item.name, str(int(item.flagged.sum())), *(f"{number:.3f}" for number in numbers))
    return rows


def _first(ranking: Ranking, dynamics: Dynamics, names: tuple[str, ...], data: TrainingSet | None, count: int) -> Any:
    rows = common.table(ranking.name, "label", "predicted", "score", "right", "forgotten", right=("score", "right"))
    for number in ranking.order[:count].tolist():
        called = data.names[number] if data is not None and data.names is not None else str(number)
        score = ranking.score[number]
        rows.add_row(
            common.plain(called), common.plain(names[dynamics.labels[number]]),
            common.plain(names[dynamics.predicted[number]]), "never learned" if np.isinf(score) else f"{score:.4g}",
            f"{dynamics.right[number]}/{dynamics.seen[number]}", str(dynamics.forgotten[number]),
        )  # fmt: skip
    return rows


def _report(
    request: Ranked, run: Run, dynamics: Dynamics, rankings: tuple[Ranking, ...], judged: Mapping[str, Found],
    files: list[Path],
) -> dict[str, Any]:  # fmt: skip
    return {
        "run": str(run.path),
        "samples": run.size.samples,
        "classes": run.size.classes,
        "epochs": run.epochs,
        "predicted_as_labelled": int((dynamics.predicted == dynamics.labels).sum()),
        "rankings": [
            {
                "name": item.name,
                "flagged": int(item.flagged.sum()),
                "threshold": finite(item.threshold),
                "note": item.note,
                "first": item.order[: request.top].tolist(),
                **({} if item.name not in judged else {"found": _judged(judged[item.name])}),
            }
            for item in rankings
        ],
        "files": [str(path) for path in files],
    }


def _judged(result: Found) -> dict[str, Any]:
    return {name: finite(value) for name, value in result._asdict().items()}


def finite(value: float) -> float | None:
    """A number that JSON has, or None."""
    return value if np.isfinite(value) else None
