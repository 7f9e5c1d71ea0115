"""From any source to a verified ONNX model: recognise, convert, compare, describe, keep.

Objects are converted in this process, where their framework is loaded anyway. Files are converted in a process of their
own, so that a limit can be put on it and a damaged file takes nothing else down.
"""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata as packages
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from agnostic.converters import isolation, loader, metadata, running, sources, trials, verify
from agnostic.converters.conversion import Converted, Facts, Request, as_example
from agnostic.converters.drafting import draft, is_code
from agnostic.converters.graph import opset
from agnostic.converters.handover import Draft, Job
from agnostic.converters.trials import batch_sizes
from agnostic.errors import ConversionError, LimitError, UsageError
from agnostic.files import cache_folder, write_whole

Say = Callable[[str], None]
TOLERANCE = 1e-4
_NEWEST_IR = 13
_KEPT = "converted"


def convert(
    source: Any,
    example: Any = None,
    *,
    out: str | os.PathLike[str] | None = None,
    framework: str | None = None,
    input_shape: Sequence[int] | Sequence[Sequence[int]] = (),
    isolate: bool = False,
    opset: int | None = None,
    labels: Sequence[str] | None = None,
    preprocess: Mapping[str, Any] | None = None,
    tolerance: float = TOLERANCE,
    seed: int = 0,
    timeout: float | None = None,
    max_memory: int | None = None,
    say: Say = lambda _: None,
) -> onnx.ModelProto:
    """Convert a model of any framework to ONNX and compare it with its source.

    >>> from sklearn.linear_model import LogisticRegression
    >>> network = LogisticRegression().fit([[0.0, 1.0], [1.0, 0.0]], ["left", "right"])
    >>> model = convert(network, [[0.5, 0.5]])
    >>> metadata.read_conversion(model)["framework"]
    'sklearn'

    Args:
        source: a module, estimator, booster or function; or the path of a file or folder; or `FILE.py:NAME`, whose
            code is run (with `NAME()`, it is called).
        example: what the model takes, with a batch axis: an array or tensor, several of them, a mapping by input name,
            or a data frame. Torch and JAX need one; for others it makes the comparison more telling.
        out: where to write the model; whole or not at all.
        framework: its name, where it cannot be told; see `sources.FRAMEWORKS`.
        input_shape: sizes behind the batch axis, instead of an example; or one such row per input.
        isolate: convert in a private environment, made first where it is not there (this fetches packages).
        opset: the version of the standard operators to write.
        labels: class names, over what the source knows.
        preprocess: how pictures become inputs, over what the source knows; see `engine.preprocess`.
        tolerance: the largest difference from the source that is accepted, as a part of its largest output.
        seed: of the random inputs that both are asked on.
        timeout: seconds after which to give up, for files and private environments.
        max_memory: megabytes that a file's conversion may take.
        say: told what is being done.

    Returns:
        The model. Its metadata holds the labels and preprocessing that the source knows, and under
        `agnostic.conversion` the framework, versions, opset and the largest difference from the source.

    Raises:
        ConversionError: the source is of no known kind, would run code, cannot be converted, or comes out different.
        UsageError: a package is missing, or the options make no sense.
        LimitError: time, memory or disk ran out.
    """
    request = Request(as_example(example), _shapes(input_shape), opset)
    path = _path(source)
    entry = _framework(source, path, framework)
    if isolate or path is not None:
        found = _elsewhere(entry, source, path, request, isolate, seed, timeout, max_memory, say)
    else:
        found = draft(entry.name, source, request, seed)
    say("comparing with the source")
    proto = _finished(entry, found, tolerance, labels, preprocess)
    if out is not None:
        write_whole(Path(out), _serialised(proto))
    return proto


def check(found: Converted, tolerance: float = TOLERANCE, seed: int = 0) -> verify.Comparison:
    """Compare a graph that was written in another way with its source, as `convert` does.

    Raises:
        ConversionError: the difference is above the tolerance.
    """
    return _compared(Draft(found.proto, trials.trials(found, seed)), tolerance)


def through_cache(path: Path, *, timeout: float | None = None) -> Path:
    """Convert a file or folder on the way to opening it, or find what it was converted to before.

    Nothing is installed for it: where a package is missing, the private environment is used if it is there.

    Raises:
        ConversionError: it cannot be converted.
        UsageError: the packages that it needs are not installed.
    """
    entry = sources.of_path(path)
    kept = _kept(entry, path)
    if not kept.is_file():
        proto = convert(path, framework=entry.name, timeout=timeout)
        try:
            kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LimitError(f"{kept.parent}: cannot be made: {error.strerror}; set AGNOSTIC_CACHE") from error
        write_whole(kept, _serialised(proto))
    return kept


def awaits_conversion(path: Path) -> str | None:
    """Name the framework of a file that `through_cache` would have to convert first; None for any other."""
    entry = sources.recognise(path)
    return None if entry is None or _kept(entry, path).is_file() else entry.title


def _kept(entry: sources.Framework, path: Path) -> Path:
    return cache_folder() / _KEPT / f"{_fingerprint(entry, path)}.onnx"


def _path(source: Any) -> Path | None:
    if not isinstance(source, str | os.PathLike):
        return None
    return Path(source)


def _framework(source: Any, path: Path | None, name: str | None) -> sources.Framework:
    if name is not None:
        return sources.get(name)
    if path is None:
        return sources.of_object(source)
    if is_code(str(source)):
        raise UsageError(f"{source}: say which framework its model is of, --framework torch|keras|jax|…")
    return sources.of_path(path)


def _elsewhere(
    entry: sources.Framework, source: Any, path: Path | None, request: Request, isolate: bool, seed: int,
    timeout: float | None, max_memory: int | None, say: Say,
) -> Draft:  # fmt: skip
    """Convert a file in another process: of this environment, or of a private one."""
    if path is None:
        raise UsageError(
            "an object of this process cannot be converted in another environment; save it and give the file, or "
            "FILE.py:NAME"
        )
    python = _python(entry, path, isolate, say)
    place = str(source) if is_code(str(source)) else str(path.resolve())
    memory = max_memory << 20 if max_memory is not None else _all_memory()
    say(f"converting {path.name} with {entry.title}")
    return running.run(Job(entry.name, place, request, seed, memory), python, timeout or running.SECONDS)


def _python(entry: sources.Framework, path: Path, isolate: bool, say: Say) -> Path | None:
    """Choose the interpreter: a private one where asked for, or where this one lacks something and it is there."""
    if isolate:
        return isolation.make(entry.environment, say).python
    if entry.missing and (private := isolation.find(entry.environment)):
        return private.python
    sources.check_importable(entry, str(path))
    return None


def _finished(
    entry: sources.Framework, found: Draft, tolerance: float, labels: Sequence[str] | None,
    preprocess: Mapping[str, Any] | None,
) -> onnx.ModelProto:  # fmt: skip
    """Compare a draft with its source, and write into it what is known."""
    proto = found.proto
    proto.ir_version = min(proto.ir_version, _NEWEST_IR)
    worst = _compared(found, tolerance)
    facts = Facts(
        labels if labels is not None else found.facts.labels,
        preprocess if preprocess is not None else found.facts.preprocess,
        found.facts.table,
        found.facts.text,
    )
    proto.producer_name = proto.producer_name or "agnostic"
    record = {
        "framework": entry.name,
        "versions": {"agnostic-xai": _own_version(), **found.versions},
        "opset": opset(proto),
        "largest_difference": worst.largest,
        "relative_difference": worst.relative,
        "worst_output": worst.worst,
        "tolerance": tolerance,
        "batches": batch_sizes(found.trials),
        "notes": list(found.notes),
    }
    metadata.describe(proto, facts, record)
    return loader.load(proto).proto


def _compared(found: Draft, tolerance: float) -> verify.Comparison:
    """Run the model on every trial and return the largest difference.

    Raises:
        ConversionError: it is above the tolerance, or the model cannot be run.
    """
    compared = []
    for trial in found.trials:
        names = list(trial.answers)
        compared += [
            (verify.difference(name, np.asarray(trial.answers[name]), made), len(next(iter(trial.feeds.values()))))
            for name, made in zip(names, verify.run(found.proto, trial.feeds, names), strict=True)
        ]
    if not compared:
        raise ConversionError("the converted model has no output that its source has; nothing could be compared")
    worst, rows = max(compared, key=lambda item: item[0].relative)
    if not worst.relative <= tolerance:
        raise ConversionError(
            f"the converted model differs from its source: output {worst.worst!r} by {worst.largest:.3g} on {rows} "
            f"rows, {worst.relative:.1e} of its largest value; at most {tolerance:g} is accepted. Give rows of your "
            "data with --example FILE.npy if random ones make no sense for it, or raise --tolerance"
        )
    return max((item for item, _ in compared), key=lambda item: item.largest)


def _shapes(given: Any) -> tuple[tuple[int, ...], ...]:
    """Normalise sizes: one row of them, or one per input."""
    rows = list(given)
    if rows and all(isinstance(item, int) for item in rows):
        rows = [rows]
    found = tuple(tuple(int(size) for size in row) for row in rows)
    if any(size < 1 for row in found for size in row):
        raise UsageError(f"input shape {given}: expected sizes of at least 1, without the batch axis")
    return found


def _fingerprint(entry: sources.Framework, path: Path) -> str:
    """Hash a file's or a folder's content with all that the conversion depends on."""
    digest = hashlib.sha256(f"{entry.name}\n{_own_version()}\n{isolation.pins(entry.environment)}\n".encode())
    files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    if entry.name == "paddle" and (both := sources.paddle_files(path)):
        files = list(both)
    for file in files:
        digest.update(f"{file.relative_to(path) if file != path else file.suffix}\n".encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _own_version() -> str:
    try:
        return packages.version("agnostic-xai")
    except packages.PackageNotFoundError:
        return "unknown"


def _all_memory() -> int | None:
    names = getattr(os, "sysconf_names", {})
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if "SC_PHYS_PAGES" in names else None


def _serialised(proto: onnx.ModelProto) -> bytes:
    return bytes(proto.SerializeToString(deterministic=True))
