"""The files of a recorded run: one for each epoch, which is there whole or not at all.

A folder holds `run.json` (how many samples and classes) and `epoch-00000.safetensors`, `epoch-00001.safetensors`, …
Each epoch's file holds, for n samples and C classes,

* `logits`, (n, C) float16: the scores less the largest of the row, so that the prediction is exact and what is close to
  it is precise; scores more than 65,504 below it are stored as 65,504 below it;
* `labels`, (n,) of the smallest unsigned type: the assigned class, or `C` where the sample was not seen.

A file is written under another name, brought to the disk, and then given its own. Whatever kills the writer, the epochs
before the one under way are there.
"""

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from agnostic.errors import InputError, LimitError, UsageError
from agnostic.explanation import write_whole

FORMAT = "agnostic.training.1"
RUN = "run.json"
PREFIX, SUFFIX = "epoch-", ".safetensors"
LOCK = ".lock"
#: Samples and classes of a run at most; more than any data set has, and far from what overflows.
MOST_SAMPLES, MOST_CLASSES = 2**31 - 1, 2**20

Halves = npt.NDArray[np.float16]
Ints = npt.NDArray[np.int64]
_LOWEST = float(np.finfo(np.float16).min)
_SMALLEST = np.float16(-np.finfo(np.float16).smallest_subnormal)


class Size(NamedTuple):
    """How many samples and classes a run has."""

    samples: int
    classes: int


class Epoch(NamedTuple):
    """What was seen in one epoch.

    Attributes:
        logits: (n, classes) float16, less each row's largest.
        labels: (n,) int64, the number of classes where a sample was not seen.
        source: what the scores come from (a checkpoint's name and SHA-256), empty for a recording.
    """

    logits: Halves
    labels: Ints
    source: Mapping[str, str]


def lowered(logits: npt.NDArray[np.floating[Any]]) -> Halves:
    """Take off each row's largest score and keep the rest as float16: (n, classes).

    >>> lowered(np.array([[3.0, 1.0], [-1e9, 0.0]])).tolist()
    [[0.0, -2.0], [-65504.0, 0.0]]
    """
    wide = np.asarray(logits, np.float64)
    below = np.maximum(wide - wide.max(axis=1, keepdims=True), _LOWEST)
    halves: Halves = below.astype(np.float16)
    # What is behind by a hair stays behind.
    halves[(below < 0) & (halves == 0)] = _SMALLEST
    return halves


def create(folder: Path, size: Size) -> None:
    """Make the folder of a run, or take one of the same size.

    Raises:
        UsageError: the sizes make no sense, the folder holds something else, or a run of another size.
        LimitError: it cannot be made.
    """
    _check_size(size)
    if (folder / RUN).is_file():
        found = read_size(folder)
        if found != size:
            raise UsageError(
                f"{folder}: a run of {found.samples} samples and {found.classes} classes, not {size.samples} and "
                f"{size.classes}; record into another folder"
            )
        return
    if folder.exists() and (not folder.is_dir() or any(item.name != LOCK for item in folder.iterdir())):
        raise UsageError(f"{folder}: holds something else; give an empty folder, or a run to go on with")
    make_folder(folder)
    facts = {"format": FORMAT, "samples": size.samples, "classes": size.classes}
    write_whole(folder / RUN, (json.dumps(facts) + "\n").encode())
    _sync(folder)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it.

    Raises:
        LimitError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LimitError(f"{folder}: cannot be made: {error.strerror}; choose another folder") from error


def _check_size(size: Size) -> None:
    if not 1 <= size.samples <= MOST_SAMPLES or not 2 <= size.classes <= MOST_CLASSES:
        raise UsageError(f"{size.samples} samples, {size.classes} classes: expected 1 or more and 2 or more")


def read_size(folder: Path) -> Size:
    """Read how large a run is.

    Raises:
        InputError: there is no run.
    """
    try:
        facts = json.loads((folder / RUN).read_text("utf-8"))
        if facts["format"] != FORMAT:
            raise ValueError(f"format {facts['format']!r}")
        size = Size(int(facts["samples"]), int(facts["classes"]))
        _check_size(size)
    except OSError:
        raise InputError(f"{folder}: no recorded run there; expected a folder with {RUN}") from None
    except (ValueError, KeyError, TypeError, UsageError) as error:
        raise InputError(f"{folder / RUN}: not written by this package: {error}") from error
    return size


def epoch_path(folder: Path, number: int) -> Path:
    """The file of one epoch."""
    return folder / f"{PREFIX}{number:05d}{SUFFIX}"


def count_epochs(folder: Path) -> int:
    """Count the epochs of a run, which follow one another without a gap.

    Raises:
        InputError: one in between is missing.
    """
    named = (re.fullmatch(rf"{PREFIX}(\d{{5,9}}){SUFFIX}", path.name) for path in folder.iterdir())
    numbers = sorted(int(match[1]) for match in named if match is not None)
    gap = next((expected for expected, found in enumerate(numbers) if expected != found), None)
    if gap is not None:
        raise InputError(f"{epoch_path(folder, gap)}: missing, while later epochs are there; copy the run as a whole")
    return len(numbers)


def write_epoch(folder: Path, number: int, epoch: Epoch) -> None:
    """Write an epoch so that it is there whole or not at all.

    Raises:
        LimitError: the disk is full or read-only.
    """
    labels = epoch.labels.astype(np.min_scalar_type(epoch.logits.shape[1]))
    header = {FORMAT: json.dumps({"epoch": number, "source": dict(epoch.source)}, sort_keys=True)}
    write_whole(epoch_path(folder, number), save({"labels": labels, "logits": epoch.logits}, header))
    _sync(folder)


def read_source(folder: Path, number: int) -> dict[str, str]:
    """Read what an epoch's scores come from; empty for a recording.

    Raises:
        InputError: the file is broken.
    """
    path = epoch_path(folder, number)
    try:
        with safe_open(path, framework="numpy") as file:
            return dict(json.loads((file.metadata() or {})[FORMAT])["source"])
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise _broken(path, error) from error


def read_labels(folder: Path, number: int, size: Size) -> Ints:
    """Read the labels of an epoch: (n,), the number of classes where a sample was not seen.

    Raises:
        InputError: the file is broken.
    """
    path = epoch_path(folder, number)
    try:
        with safe_open(path, framework="numpy") as file:
            labels: Ints = file.get_tensor("labels").astype(np.int64)
    except (OSError, SafetensorError) as error:
        raise _broken(path, error) from error
    if labels.shape != (size.samples,) or labels.min(initial=0) < 0 or labels.max(initial=0) > size.classes:
        raise InputError(f"{path}: not an epoch of this run; restore it, or record the run again")
    return labels


def read_logits(folder: Path, number: int, size: Size, start: int, stop: int) -> Halves:
    """Read the scores of samples start..stop in an epoch: (stop - start, classes) float16.

    Raises:
        InputError: the file is broken.
    """
    path = epoch_path(folder, number)
    try:
        with safe_open(path, framework="numpy") as file:
            part = file.get_slice("logits")
            if list(part.get_shape()) != list(size) or part.get_dtype() != "F16":
                raise InputError(f"{path}: not an epoch of this run; restore it, or record the run again")
            rows: Halves = part[start:stop]
    except (OSError, SafetensorError) as error:
        raise _broken(path, error) from error
    if not np.isfinite(rows).all():
        raise InputError(f"{path}: holds NaN or infinite scores; restore it, or record the run again")
    return rows


def drop_epochs(folder: Path, first: int) -> None:
    """Remove the epochs from a number on, the last first, so that no gap is ever left."""
    for number in reversed(range(first, count_epochs(folder))):
        epoch_path(folder, number).unlink()
    _sync(folder)


def sweep(folder: Path) -> None:
    """Remove what a killed writer left half-written."""
    for path in folder.glob(f".{PREFIX}*"):
        path.unlink(missing_ok=True)


def _broken(path: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or str(error).splitlines()[0]
    return InputError(f"{path}: cannot be read: {reason}; restore it, or record the run again")


def _sync(folder: Path) -> None:
    """Bring a folder's list of names to the disk, where the system lets one."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
