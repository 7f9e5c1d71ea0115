"""`agnostic convert` and `agnostic environments`: models of other frameworks, and where those are converted."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agnostic.cli import common
from agnostic.converters import converting, isolation
from agnostic.converters.graph import real_inputs
from agnostic.converters.metadata import read_conversion
from agnostic.engine.facts import from_metadata, read_labels
from agnostic.engine.preprocess import from_mapping
from agnostic.engine.signature import tensor_of
from agnostic.engine.target import Array
from agnostic.errors import InputError, UsageError
from agnostic.inputs.array import read_array

_LARGEST_TEXT = 2**27


@dataclass(frozen=True)
class Request:
    """One call of `agnostic convert`, as typed."""

    source: str
    out: Path
    examples: tuple[str, ...]
    shapes: tuple[str, ...]
    framework: str | None
    isolate: bool
    opset: int | None
    tolerance: float
    seed: int
    timeout: float | None
    max_memory: int | None
    as_json: bool
    quiet: bool
    opening: Mapping[str, Any]


def convert(request: Request) -> int:
    """Convert, compare, write the model and print what it is."""
    flags = request.opening.get("preprocess")
    labels = request.opening.get("labels")
    if flags:
        from_mapping(flags, "flags")  # refuses what cannot be meant before any work is done
    proto = converting.convert(
        request.source,
        _example(request.examples),
        out=request.out,
        framework=request.framework,
        input_shape=[_sizes(text) for text in request.shapes],
        isolate=request.isolate,
        opset=request.opset,
        labels=None if labels is None else list(read_labels(Path(labels))),
        preprocess=flags,
        tolerance=request.tolerance,
        seed=request.seed,
        timeout=request.timeout,
        max_memory=request.max_memory,
        say=lambda line: common.note(line, request.quiet),
    )
    report = _report(proto, request.out)
    for line in report["notes"]:
        common.note(line, request.quiet)
    if request.as_json:
        common.print_json(report)
    else:
        _print(report)
    return 0


def _report(proto: Any, out: Path) -> dict[str, Any]:
    record, facts = read_conversion(proto), from_metadata(proto)
    return {
        "model": str(out),
        **record,
        "inputs": [str(tensor_of(value)) for value in real_inputs(proto.graph)],
        "outputs": [str(tensor_of(value)) for value in proto.graph.output],
        "labels": list(facts.labels) if facts.labels else None,
        "preprocess": facts.preprocess.as_dict() if facts.preprocess else None,
        "nodes": len(proto.graph.node),
        "bytes": out.stat().st_size,
    }


def _print(report: Mapping[str, Any]) -> None:
    rows = common.table("", "")
    rows.show_header = False
    versions = ", ".join(f"{name} {version}" for name, version in report["versions"].items() if name != "agnostic-xai")
    rows.add_row("from", f"{report['framework']}  ({versions})")
    for kind in ("inputs", "outputs"):
        for line in report[kind]:
            rows.add_row(kind[:-1], common.plain(line))
    rows.add_row("opset", f"{report['opset']}, {report['nodes']} nodes, {report['bytes']:,} bytes")
    if report["labels"]:
        shown = report["labels"][:3]
        rows.add_row("labels", common.plain(f"{len(report['labels'])}: {'; '.join(shown)}"))
    batches = ", ".join(map(str, report["batches"]))
    rows.add_row(
        "difference",
        common.plain(
            f"{report['largest_difference']:.1e} at most, in {report['worst_output']!r} "
            f"({report['relative_difference']:.1e} of its largest value; batches of {batches})"
        ),
    )
    common.stdout().print(rows)
    common.stdout().print(f"wrote {report['model']}", style="dim", markup=False)


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(item) for item in text.replace("x", ",").split(","))
    except ValueError:
        raise UsageError(
            f"--input-shape {text!r}: expected sizes with commas between them, such as 3,224,224"
        ) from None


def _example(given: Sequence[str]) -> Any:
    """Read examples: one table or text, or arrays, each for the input of its name or place."""
    found: dict[str, Array] = {}
    for place, text in enumerate(given):
        name, equals, file = text.partition("=")
        named = bool(equals) and not Path(text).exists()
        path = Path(file if named else text)
        if path.suffix == ".csv":
            found |= _table(path)
        else:
            found[name if named else str(place)] = _lines(path) if path.suffix == ".txt" else read_array(path)
    return found or None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST_TEXT:
            raise InputError(f"{path}: larger than {_LARGEST_TEXT >> 20} MB; give some of its rows")
        return path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"{path}: cannot be read: {reason}") from error


def _lines(path: Path) -> Array:
    return np.array([line for line in _text(path).splitlines() if line.strip()], object)


def _table(path: Path) -> dict[str, Array]:
    """Read a CSV file with a line of names: columns of numbers, or of words."""
    rows = [row for row in csv.reader(_text(path).splitlines()) if row]
    if len(rows) < 2 or any(len(row) != len(rows[0]) for row in rows):
        raise InputError(f"{path}: expected a line of column names, then rows of as many values")
    return {name: _column([row[place] for row in rows[1:]]) for place, name in enumerate(rows[0])}


def _column(values: Sequence[str]) -> Array:
    try:
        return np.array([float(value) if value.strip() else np.nan for value in values])[:, None]
    except ValueError:
        return np.array(values, object)[:, None]


def environments(remove: str | None, *, as_json: bool) -> int:
    """List the private environments, or remove some."""
    gone = isolation.remove(remove) if remove is not None else []
    listed = isolation.made()
    if as_json:
        common.print_json({"environments": [_environment(e) for e in listed], "removed": [str(e.folder) for e in gone]})
        return 0
    for environment in gone:
        common.stdout().print(f"removed {environment.folder}  ({environment.megabytes} MB)", markup=False)
    rows = common.table("environment", "MB", "", "folder", right=("MB",))
    for name in isolation.names():
        found = [environment for environment in listed if environment.name == name]
        for environment in found:
            state = "made" if environment.is_current else "old: its pins or Python have changed"
            rows.add_row(name, str(environment.megabytes), state, common.plain(str(environment.folder)))
        if not found:
            rows.add_row(name, "", "not made", "")
    common.stdout().print(rows)
    return 0


def _environment(environment: isolation.Environment) -> dict[str, Any]:
    return {
        "name": environment.name,
        "folder": str(environment.folder),
        "megabytes": environment.megabytes,
        "packages": list(environment.packages),
        "current": environment.is_current,
    }
