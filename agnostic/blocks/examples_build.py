"""Build an index of examples: shard by shard, each written whole, so that a run that was stopped goes on.

`index.json` says what is indexed: the model, its layers, the pictures, the settings. `shard-00000.safetensors` and so
on hold what is kept of so many pictures each. A file that is there is complete; a run that finds it checks that its
pictures are still the same and goes on behind it. Nothing in the files depends on when or how often the run was
stopped.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from agnostic.blocks.examples_files import Files, Source, digest_of, find, read
from agnostic.blocks.examples_index import Index, load
from agnostic.blocks.examples_lanes import Lanes, lanes
from agnostic.blocks.examples_layers import Watched, outputs_of, watch
from agnostic.blocks.examples_store import FORMAT, SHARD, keys_of, manifest_path, read_header, shard_path, to_arrays
from agnostic.blocks.examples_summary import Array32, Ints, Summary, peaks_of, summarise
from agnostic.engine.batching import BatchRunner
from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.engine.preprocess import Preprocess
from agnostic.engine.runtime import as_dtype
from agnostic.engine.target import Array
from agnostic.errors import LimitError, UsageError
from agnostic.explanation import write_whole
from agnostic.inputs.array import complete
from agnostic.inputs.image import declared_or_assumed, picture_input

Progress = Callable[[int, int], None]
# Batches that a thread reads before it runs them: what reading needs is then in its caches for the second.
TOGETHER = 2


@dataclass(frozen=True)
class _Job:
    """Everything that stays the same from shard to shard."""

    model: Model
    runner: BatchRunner
    source: str
    others: dict[str, Array]
    preprocess: Preprocess
    watched: tuple[Watched, ...]
    files: Files
    out: Path
    batch_size: int
    shard_size: int
    top: int
    sample: int
    seed: int

    @property
    def outputs(self) -> tuple[str, ...]:
        """The tensors that one pass hands out."""
        return outputs_of(self.model, (item.grid.name for item in self.watched))

    @property
    def shards(self) -> int:
        """How many files the index will have."""
        return -(-len(self.files.names) // self.shard_size)

    def names(self, shard: int) -> tuple[str, ...]:
        """The files of a shard."""
        return self.files.names[shard * self.shard_size : (shard + 1) * self.shard_size]


def build(
    model: Model,
    pictures: Source,
    layers: Sequence[str],
    out: str | Path,
    *,
    batch_size: int | None = None,
    shard_size: int = 1024,
    top: int = 16,
    sample: int = 128,
    seed: int = 0,
    progress: Progress | None = None,
) -> Index:
    """Find for every unit of some layers the pictures that excite it most, least and in between.

    One pass of the model per picture serves all layers. Memory depends on the shard size and the number of units,
    not on the number of pictures, whose names alone are held.

    Args:
        model: the model; it must eat one picture.
        pictures: a folder, searched with everything below it, or a list of files.
        layers: names of layers.
        out: the folder of the index; what an earlier run has left there is used.
        batch_size: pictures per pass; by default one on the processor, where several passes run side by side, and
            what they hold stays in its caches, and 16 on a GPU.
        shard_size: pictures per file of the index.
        top: how many of the largest and of the smallest to keep per unit.
        sample: how many pictures the spread examples are chosen from: those with the smallest hash of seed and name.
        seed: of that choice.
        progress: called with (done, count) after every few pictures, and once more when a shard is written.

    Raises:
        UsageError: `out` holds the index of something else, or a layer or size makes no sense.
        InputError: there are no pictures.
        LimitError: the index cannot be written.
    """
    batch_size = default_batch(model) if batch_size is None else batch_size
    for name, value in (("batch_size", batch_size), ("shard_size", shard_size), ("top", top), ("sample", sample)):
        if value < 1:
            raise UsageError(f"{name}={value}: expected at least 1")
    tensor = picture_input(model)
    preprocess, _ = declared_or_assumed(model, tensor)
    watched = watch(model, layers, tensor.name, preprocess)
    folder, files = Path(out), find(pictures, Path(out))
    with lanes() as pool:
        runner = model.side_by_side(pool.threads)
        job = _Job(
            model, runner, tensor.name, _others(model, tensor.name, preprocess, batch_size), preprocess, watched, files,
            folder, batch_size, shard_size, top, sample, seed,
        )  # fmt: skip
        _begin(job)
        for shard in range(job.shards):
            if not _is_done(job, shard, pool):
                write_whole(shard_path(folder, shard), _shard(job, shard, pool, progress))
            if progress is not None:
                progress(min((shard + 1) * shard_size, len(job.files.names)), len(job.files.names))
    return load(folder)


def default_batch(model: Model) -> int:
    """How many pictures go through a model at once where nobody says."""
    return 1 if model.provider == "CPUExecutionProvider" else 16


def _begin(job: _Job) -> None:
    """Write down what is indexed, or refuse to go on with the index of something else."""
    text = json.dumps(_manifest(job), sort_keys=True, indent=1)
    path = manifest_path(job.out)
    try:
        job.out.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else None
        for left in job.out.glob(".*"):  # half-written by a run that was killed
            if left.name.startswith((f".{SHARD}", f".{path.name}.")):
                left.unlink()
    except OSError as error:
        raise LimitError(f"{job.out}: cannot be used: {error.strerror}; choose a folder with --out") from error
    if before is None:
        write_whole(path, text.encode())
    elif before != text:
        what = _difference(before, _manifest(job))
        raise UsageError(f"{job.out}: holds the index of other {what}; delete it, or name another folder")


def _manifest(job: _Job) -> dict[str, Any]:
    names = hashlib.sha256("\0".join(map(ascii, job.files.names)).encode()).hexdigest()
    return {
        "format": FORMAT,
        "model": {"sha256": job.model.sha256, "scores": job.model.scores_tensor, "source": job.source},
        "preprocessing": {key: value for key, value in job.preprocess.as_dict().items() if key != "origin"},
        "layers": [item.grid.as_json() for item in job.watched],
        "pictures": {"count": len(job.files.names), "names": names},
        "settings": {
            name: getattr(job, name) for name in ("batch_size", "shard_size", "top", "sample", "seed")
        },
    }  # fmt: skip


def _difference(before: str, now: dict[str, Any]) -> str:
    try:
        was = json.loads(before)
        parts = ("model", "pictures", "layers", "preprocessing", "settings")
        return next(part for part in parts if was[part] != now[part])
    except (ValueError, KeyError, TypeError, StopIteration):
        return "making"


def _is_done(job: _Job, shard: int, pool: Lanes) -> bool:
    """Tell whether a shard is there, of these very files."""
    header = read_header(shard_path(job.out, shard))
    if header is None:
        return False
    found = pool.each(digest_of, [job.files.path(name) for name in job.names(shard)])
    for name, digest, kept in zip(job.names(shard), found, header.digests, strict=True):
        if digest != kept.tobytes():
            raise UsageError(
                f"{job.out}: {name} has changed since it was indexed; delete the index, or name another folder"
            )
    return True


class _Shard:
    """The peaks of the pictures of one shard, while it grows; batches are taken in by several threads at once."""

    def __init__(self, job: _Job, names: Sequence[str]) -> None:
        self.job, self.names = job, names
        self.digests = np.zeros((len(names), 32), np.uint8)
        self.reasons: dict[int, str] = {}
        self.good = np.zeros(len(names), np.bool_)
        self.classes = np.full(len(names), -1, np.int32)
        shapes = [(len(names), item.grid.units) for item in job.watched]
        self.values: list[Array32] = [np.empty(shape, np.float32) for shape in shapes]
        self.places: list[Ints] = [np.empty(shape, np.int32) for shape in shapes]

    def spans(self) -> list[range]:
        """The numbers of the files that a thread takes at a time."""
        return _cut(range(len(self.names)), TOGETHER * self.job.batch_size)

    def take(self, span: range) -> range:
        """Read some files, run the model on them batch by batch, and keep the peaks."""
        if (deadline := current()) is not None:
            deadline.check()
        rows = {number: row for number in span if (row := self._row(number)) is not None}
        for batch in _cut(span, self.job.batch_size):
            if there := [number for number in batch if number in rows]:
                feeds = _feeds(self.job, [rows[number] for number in there])
                self._add(there, self.job.runner.run(feeds, self.job.outputs))
        return span

    def _row(self, number: int) -> Array32 | None:
        """Read a file, and note what came of it."""
        found = read(self.job.files.path(self.names[number]), self.job.preprocess)
        self.digests[number] = np.frombuffer(found.digest, np.uint8)
        if found.row is None:
            self.reasons[number] = found.reason
        return found.row

    def _add(self, numbers: list[int], held: dict[str, Array]) -> None:
        """Take in what the layers hold on a batch; pictures on which one holds NaN are named and left out."""
        count, at = len(numbers), np.array(numbers)
        peaks = [peaks_of(item.maps(held[item.grid.name][:count])) for item in self.job.watched]
        whole = np.array([np.isfinite(values).all(axis=1) for values, _ in peaks])
        for row in np.flatnonzero(~whole.all(axis=0)):
            layer = self.job.watched[int(np.argmin(whole[:, row]))].grid.name
            self.reasons[numbers[row]] = f"layer {layer!r} holds NaN or infinite values on it"
        for (values, places), all_values, all_places in zip(peaks, self.values, self.places, strict=True):
            all_values[at], all_places[at] = values, places
        self.classes[at] = _classes(self.job.model, held[self.job.model.scores_tensor][:count])
        self.good[at] = whole.all(axis=0)

    def content(self, pool: Lanes) -> bytes:
        """Reduce the peaks to what is kept, as a file."""
        pictures = np.flatnonzero(self.good).astype(np.int32)
        classes = self.classes[self.good]
        seen, places, counts = np.unique(classes[classes >= 0], return_inverse=True, return_counts=True)
        at = np.full(len(classes), -1, np.int64)
        at[classes >= 0] = places
        keys = keys_of([self.names[number] for number in pictures.tolist()], self.job.seed)
        sample = np.argsort(keys, kind="stable")[: self.job.sample]
        arrays: dict[str, npt.NDArray[Any]] = {
            "digests": self.digests, "pictures": pictures, "predicted": classes, "sample": pictures[sample],
            "classes": seen.astype(np.int32), "class_counts": counts.astype(np.int64),
        }  # fmt: skip

        def reduced(layer: int) -> Summary:
            values, peaks = self.values[layer][self.good], self.places[layer][self.good]
            return summarise(values, peaks, pictures, count=self.job.top, sample=sample, classes=at)

        for layer, kept in enumerate(pool.each(reduced, range(len(self.values)))):
            arrays.update(to_arrays(layer, kept))
        facts = {"format": FORMAT, "names": self.names, "skipped": sorted(self.reasons.items())}
        return save(dict(sorted(arrays.items())), {FORMAT: json.dumps(facts, sort_keys=True)})


def _cut(numbers: range, size: int) -> list[range]:
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def _classes(model: Model, scores: Array) -> Ints:
    """The class predicted for each row; -1 where the model has no one score per class."""
    if scores.size != len(scores) * scores.shape[1 + model.names.class_axis if scores.ndim > 1 else 0]:
        return np.full(len(scores), -1)
    best: Ints = scores.reshape(len(scores), -1).argmax(axis=1)
    return best


def _shard(job: _Job, number: int, pool: Lanes, progress: Progress | None) -> bytes:
    """Run the pictures of one shard, several batches at a time."""
    growing = _Shard(job, job.names(number))
    before = job.runner.rows_run
    for span in pool.each(growing.take, growing.spans()):
        if progress is not None:
            progress(number * job.shard_size + span.stop, len(job.files.names))
    job.model.count_rows(job.runner.rows_run - before)
    return growing.content(pool)


def _others(model: Model, source: str, preprocess: Preprocess, rows: int) -> dict[str, Array]:
    """Fill in the inputs beside the picture, and check once that the model eats what becomes of a picture."""
    ends = np.zeros((2, *preprocess.size, preprocess.depth), np.uint8)
    ends[1] = 255
    feeds = model.feeds(complete(model, {source: preprocess.apply(ends)})[0])
    del feeds[source]
    return {
        name: np.repeat(value, rows, axis=0) if name in model.batched_inputs else value for name, value in feeds.items()
    }


def _feeds(job: _Job, given: list[Array32]) -> dict[str, Array]:
    """Stack a batch; a short one is filled up, because other batch sizes round differently in the last bits."""
    rows = np.stack([*given, *given[-1:] * (job.batch_size - len(given))]) if job.batch_size > 1 else given[0][None]
    dtype = next(item.dtype for item in job.model.inputs if item.name == job.source)
    return {**job.others, job.source: as_dtype(rows, dtype)}
