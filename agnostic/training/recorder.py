"""Record what a model says of its training samples, from any loop, epoch by epoch.

>>> import numpy as np, tempfile
>>> with Recorder(tempfile.mkdtemp(), n=3, classes=2) as rec:
...     rec.epoch([0, 1, 2], np.array([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]]), [0, 1, 1])
0
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.errors import InputError, LimitError, UsageError
from agnostic.training import store
from agnostic.training.store import LOCK, Epoch, Ints, Size

try:
    import fcntl
except ImportError:  # not on Windows, where two recorders of one run are the user's to avoid
    fcntl = None  # type: ignore[assignment]


class Recorder:
    """Writes a run into a folder; a run that is there already is gone on with."""

    def __init__(self, path: str | os.PathLike[str], n: int, classes: int, *, start: int | None = None) -> None:
        """Take a folder: an empty or new one, or that of a run with as many samples and classes.

        Args:
            path: the folder.
            n: how many training samples there are; they are called 0 to n - 1.
            classes: how many classes there are.
            start: the epoch to go on with, for a training that resumes from before the recording's end: epochs from
                there on are dropped. By default the recording goes on behind its last epoch.

        Raises:
            UsageError: the folder holds something else, a run of another size, or another recorder writes there.
            LimitError: it cannot be written to.
        """
        self.path, self.size = Path(path), Size(int(n), int(classes))
        store.make_folder(self.path)
        self._lock = _locked(self.path)
        try:
            store.create(self.path, self.size)
            store.sweep(self.path)
            self._rewind(start)
            self._labels = _known_labels(self.path, self.epochs, self.size)
        except BaseException:
            self.close()
            raise
        self._begin()

    @property
    def epochs(self) -> int:
        """How many epochs are recorded: the number of the next one."""
        return store.count_epochs(self.path)

    def batch(self, ids: Any, logits: Any, labels: Any) -> None:
        """Take a part of the epoch under way, as a training loop meets it.

        Args:
            ids: (b,) whole numbers from 0 to n - 1, each once an epoch.
            logits: (b, classes) scores before the softmax; (b,) or (b, 1) where a single score stands for two classes.
            labels: (b,) the assigned classes; a sample's label is the same in every epoch.

        Raises:
            InputError: an id is out of range or comes twice, a score is NaN or infinite, the number of classes has
                changed, or a label is out of range or not what it was.
        """
        rows, scores, given = _checked(ids, logits, labels, self.size)
        self._check_new(rows, given)
        self._logits[rows] = store.lowered(scores)
        self._seen[rows] = True
        self._labels[rows] = given

    def epoch(
        self, ids: Any = None, logits: Any = None, labels: Any = None, *, source: Mapping[str, str] | None = None
    ) -> int:
        """End an epoch and write it; give its number.

        Args:
            ids: as for `batch`: all samples of the epoch, or those that `batch` has not been given. Samples that are
                left out count as not seen in it.
            logits: as for `batch`.
            labels: as for `batch`.
            source: what the scores come from, noted in the file.

        Raises:
            InputError: as for `batch`, or no sample was seen.
            LimitError: the disk is full or read-only; the epoch is kept, and `epoch()` tries again.
        """
        if ids is not None:
            self.batch(ids, logits, labels)
        if not self._seen.any():
            raise InputError("the epoch holds no sample; give ids, logits and labels")
        number = self.epochs
        labels_now = np.where(self._seen, self._labels, self.size.classes)
        store.write_epoch(self.path, number, Epoch(self._logits, labels_now, source or {}))
        self._begin()
        return number

    def close(self) -> None:
        """Let others record into the folder; an epoch that was not ended is lost."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> "Recorder":
        """Record inside a block."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def _begin(self) -> None:
        self._logits = np.zeros(self.size, np.float16)
        self._seen = np.zeros(self.size.samples, bool)

    def _rewind(self, start: int | None) -> None:
        if start is None:
            return
        if not 0 <= start <= self.epochs:
            raise UsageError(f"start={start}: the run has {self.epochs} epochs; expected 0 to {self.epochs}")
        store.drop_epochs(self.path, start)

    def _check_new(self, rows: Ints, labels: Ints) -> None:
        twice = rows[self._seen[rows]]
        if twice.size:
            raise InputError(f"sample {twice[0]} comes twice in epoch {self.epochs}; give each sample once an epoch")
        before = self._labels[rows]
        other = np.flatnonzero((before != self.size.classes) & (before != labels))
        if other.size:
            at = other[0]
            raise InputError(
                f"sample {rows[at]} had the label {before[at]} and has {labels[at]} in epoch {self.epochs}; a sample "
                "keeps its label (are the ids those of the data set, and not of the shuffled order?)"
            )


def _locked(folder: Path) -> int | None:
    """Hold a lock that ends with the process, however it ends."""
    if fcntl is None:
        return None
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise LimitError(f"{folder}: cannot be written to: {error.strerror}; choose another folder") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise UsageError(f"{folder}: another recorder writes there; record into another folder") from None
    return handle


def _known_labels(folder: Path, epochs: int, size: Size) -> Ints:
    """The label of every sample that was ever seen; the number of classes for the others."""
    known = np.full(size.samples, size.classes, np.int64)
    for number in range(epochs):
        labels = store.read_labels(folder, number, size)
        known = np.where(labels < size.classes, labels, known)
    return known


def _checked(ids: Any, logits: Any, labels: Any, size: Size) -> tuple[Ints, npt.NDArray[np.float64], Ints]:
    rows = _whole("ids", ids, size.samples)
    scores = _scores(as_array(logits), size)
    given = _whole("labels", labels, size.classes)
    if not len(rows) == len(scores) == len(given):
        raise InputError(
            f"{len(rows)} ids, {len(scores)} rows of logits, {len(given)} labels: expected as many of each"
        )
    numbers, counts = np.unique(rows, return_counts=True)
    if (counts > 1).any():
        raise InputError(f"ids: {numbers[counts > 1][0]} comes twice; give each sample once an epoch")
    bad = np.flatnonzero(~np.isfinite(scores).all(axis=1))
    if bad.size:
        raise InputError(f"logits: those of sample {rows[bad[0]]} are NaN or infinite; the training has diverged there")
    return rows, scores, given


def _whole(name: str, given: Any, bound: int) -> Ints:
    values = as_array(given)
    if values.ndim != 1 or values.dtype.kind not in "iu":
        raise InputError(f"{name}: expected whole numbers, one a sample; got {values.dtype} {list(values.shape)}")
    bad = np.flatnonzero((values < 0) | (values >= bound))
    if bad.size:
        raise InputError(f"{name}: {values[bad[0]]} is out of range; expected 0 to {bound - 1}")
    whole: Ints = values.astype(np.int64)
    return whole


def _scores(values: npt.NDArray[Any], size: Size) -> npt.NDArray[np.float64]:
    if values.dtype.kind not in "fiu":
        raise InputError(f"logits: expected numbers, got {values.dtype}")
    wide = values.astype(np.float64)
    if size.classes == 2 and (wide.ndim == 1 or wide.shape[1:] == (1,)):
        return two_columns(wide)
    if wide.ndim != 2 or wide.shape[1] != size.classes:
        raise InputError(
            f"logits: shape {list(wide.shape)}; this run has {size.classes} classes, so (b, {size.classes})"
        )
    return wide


def two_columns(single: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Write one score for two classes, as (b,) or (b, 1), as scores of both whose softmax is its sigmoid."""
    column = single.reshape(-1)
    return np.stack([np.zeros_like(column), column], axis=1)


def as_array(value: Any) -> npt.NDArray[Any]:
    """Take an array of NumPy, torch, TensorFlow or JAX, on whatever device, or a list.

    Raises:
        InputError: it holds no plain numbers.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        # NumPy has no bfloat16.
        value = (value.float() if value.is_floating_point() else value).numpy()
    elif hasattr(value, "numpy"):
        value = value.numpy()
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        # Floats narrower than NumPy's own come as types of their own.
        try:
            return array.astype(np.float32)
        except (TypeError, ValueError):
            raise InputError(f"got a {type(value).__name__}; expected an array of numbers") from None
    return array
