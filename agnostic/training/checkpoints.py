"""A run from a row of .onnx checkpoints and a training set, without any training code; it resumes."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.engine.model import Model
from agnostic.engine.opening import load
from agnostic.errors import InputError, ItemError, ModelError
from agnostic.training import store
from agnostic.training.data import TrainingSet
from agnostic.training.recorder import Recorder, two_columns
from agnostic.training.run import Run, open_run

Progress = Callable[[int, int, str], None]
#: Rows that are read and run together.
ROWS = 256


def find_checkpoints(given: Sequence[str | os.PathLike[str]]) -> tuple[Path, ...]:
    """List checkpoints in the order given; those of a folder in the order of the numbers in their names.

    Raises:
        InputError: a folder holds none, or there are none at all.
    """
    found: list[Path] = []
    for path in map(Path, given):
        inside = sorted(path.glob("*.onnx"), key=_by_numbers) if path.is_dir() else [path]
        if not inside:
            raise InputError(f"{path}: holds no .onnx file; give a folder of checkpoints, or the files in order")
        found += inside
    if not found:
        raise InputError("no checkpoint was given; give .onnx files in order, or a folder of them")
    return tuple(found)


def _by_numbers(path: Path) -> tuple[Any, ...]:
    """Order e2 before e10."""
    parts = re.split(r"(\d+)", path.stem)
    return tuple((1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts if part)


def scores_of(model: Model, rows: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.float64]:
    """The class scores of some rows before their softmax: (n, classes); a single score becomes two.

    Raises:
        ModelError: the model gives no scores of this kind.
        ItemError: a score is NaN or infinite.
    """
    values = model.run(rows, (model.scores_tensor,))[model.scores_tensor].astype(np.float64)
    if values.ndim == 1 or values.shape[1:] == (1,):
        values = two_columns(values)
    if values.ndim != 2:
        raise ModelError(
            f"{model.name}: its scores have the shape {list(values.shape)}; expected one row of class scores a sample"
        )
    if not np.isfinite(values).all():
        raise ItemError(f"{model.name}: gives NaN or infinite scores on the training set")
    return values


def record_checkpoints(
    checkpoints: Sequence[str | os.PathLike[str]],
    data: TrainingSet,
    out: str | os.PathLike[str],
    *,
    batch_size: int | None = None,
    opening: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Run:
    """Run each checkpoint on the whole training set, one epoch each; what is recorded already is not run again.

    Args:
        checkpoints: .onnx files in order, or folders of them.
        data: the training set.
        out: the folder of the run: a new one, or one that was begun with these checkpoints and data.
        batch_size: rows per run of a model.
        opening: keyword arguments of `agnostic.load`.
        progress: called with how many rows are done, of how many, and the checkpoint's name.

    Raises:
        InputError: the folder holds another run, or the data does not fit.
        ModelError: a checkpoint is refused, or has another number of classes.
        LimitError: the deadline passed, or the disk is full.
    """
    files = find_checkpoints(checkpoints)
    print_of = data.fingerprint()
    recorder: Recorder | None = None
    try:
        for number, path in enumerate(files):
            model = load(path, **(opening or {}))
            source = {"checkpoint": path.name, "sha256": model.sha256, "data": print_of}
            if recorder is None:
                classes = scores_of(model, data.rows(model, np.arange(1))).shape[1]
                data.checked(classes)
                recorder = Recorder(out, len(data), classes)
            if number < recorder.epochs:
                _check_same(Path(out), number, source)
                continue
            _record(recorder, model, data, batch_size or ROWS, source, _part(progress, number, len(files), path))
        return open_run(out)
    finally:
        if recorder is not None:
            recorder.close()


def _record(
    recorder: Recorder,
    model: Model,
    data: TrainingSet,
    size: int,
    source: Mapping[str, str],
    progress: Callable[[int, int], None],
) -> None:
    for start in range(0, len(data), size):
        ids = np.arange(start, min(start + size, len(data)))
        scores = scores_of(model, data.rows(model, ids))
        if scores.shape[1] != recorder.size.classes:
            raise ModelError(f"{model.name}: has {scores.shape[1]} classes, the first has {recorder.size.classes}")
        recorder.batch(ids, scores, data.labels[ids])
        progress(int(ids[-1]) + 1, len(data))
    recorder.epoch(source=source)


def _check_same(folder: Path, number: int, source: Mapping[str, str]) -> None:
    found = store.read_source(folder, number)
    if found != source:
        what = "another data set" if found.get("sha256") == source["sha256"] else "another checkpoint"
        was = found.get("checkpoint") or "a recording"
        raise InputError(
            f"{folder}: epoch {number} is of {was}, made from {what} than {source['checkpoint']} now; record into "
            "another folder"
        )


def _part(progress: Progress | None, number: int, count: int, path: Path) -> Callable[[int, int], None]:
    if progress is None:
        return lambda _done, _total: None
    return lambda done, total: progress(number * total + done, count * total, path.name)
