"""Build an index of examples: shard by shard, each written whole, so that a run that was stopped goes on.

`index.json` says what is indexed: the model, its layers, the pictures, the settings. `shard-00000.safetensors` and so
on hold what is kept of so many pictures each. A file that is there is complete; a run that finds it checks that its
pictures are still the same and goes on behind it. Nothing in the files depends on when or how often the run was
stopped.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from safetensors.numpy import save

from agnostic.blocks.examples_files import AHEAD, Files, Read, Readers, Source, background, find
from agnostic.blocks.examples_index import Index, load
from agnostic.blocks.examples_layers import Watched, outputs_of, watch
from agnostic.blocks.examples_store import FORMAT, SHARD, keys_of, manifest_path, read_header, shard_path, to_arrays
from agnostic.blocks.examples_summary import Array32, Ints, peaks_of, summarise
from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.engine.preprocess import Preprocess
from agnostic.engine.runtime import as_dtype
from agnostic.engine.sweep import DEFAULT_BATCH
from agnostic.engine.target import Array
from agnostic.errors import LimitError, UsageError
from agnostic.explanation import write_whole
from agnostic.inputs.array import complete
from agnostic.inputs.image import declared_or_assumed, picture_input

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class _Job:
    """Everything that stays the same from shard to shard."""

    model: Model
    source: str
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
    batch_size: int = DEFAULT_BATCH,
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
        batch_size: pictures per pass.
        shard_size: pictures per file of the index.
        top: how many of the largest and of the smallest to keep per unit.
        sample: how many pictures the spread examples are chosen from: those with the smallest hash of seed and name.
        seed: of that choice.
        progress: called with (done, count) after each batch and each shard that was there already.

    Raises:
        UsageError: `out` holds the index of something else, or a layer or size makes no sense.
        InputError: there are no pictures.
        LimitError: the index cannot be written.
    """
    for name, value in (("batch_size", batch_size), ("shard_size", shard_size), ("top", top), ("sample", sample)):
        if value < 1:
            raise UsageError(f"{name}={value}: expected at least 1")
    tensor = picture_input(model)
    preprocess, _ = declared_or_assumed(model, tensor)
    watched = watch(model, layers, tensor.name, preprocess)
    folder, files = Path(out), find(pictures, Path(out))
    job = _Job(model, tensor.name, preprocess, watched, files, folder, batch_size, shard_size, top, sample, seed)
    _begin(job)
    with background() as readers:
        for shard in range(job.shards):
            if not _is_done(job, shard, readers):
                write_whole(shard_path(folder, shard), _shard(job, shard, readers, progress))
            if progress is not None:
                progress(min((shard + 1) * shard_size, len(job.files.names)), len(job.files.names))
    return load(folder)


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


def _is_done(job: _Job, shard: int, readers: Readers) -> bool:
    """Tell whether a shard is there, of these very files."""
    header = read_header(shard_path(job.out, shard))
    if header is None:
        return False
    found = readers.digests([job.files.path(name) for name in job.names(shard)])
    for name, digest, kept in zip(job.names(shard), found, header.digests, strict=True):
        if digest != kept.tobytes():
            raise UsageError(
                f"{job.out}: {name} has changed since it was indexed; delete the index, or name another folder"
            )
    return True


class _Batch(NamedTuple):
    """Pictures that were read, and their numbers in the shard."""

    rows: list[npt.NDArray[np.float32]]
    numbers: list[int]


class _Shard:
    """The peaks of the pictures of one shard, while it grows."""

    def __init__(self, job: _Job, names: Sequence[str]) -> None:
        self.job, self.names = job, names
        self.digests = np.zeros((len(names), 32), np.uint8)
        self.reasons: dict[int, str] = {}
        self.numbers: list[int] = []
        self.classes: list[int] = []
        shapes = [(len(names), item.grid.units) for item in job.watched]
        self.values: list[Array32] = [np.empty(shape, np.float32) for shape in shapes]
        self.places: list[Ints] = [np.empty(shape, np.int32) for shape in shapes]

    def note(self, number: int, read: Read) -> bool:
        """Note what came of reading a file; tell whether there is a picture."""
        self.digests[number] = np.frombuffer(read.digest, np.uint8)
        if read.row is None:
            self.reasons[number] = read.reason
        return read.row is not None

    def add(self, batch: _Batch, held: dict[str, Array]) -> None:
        """Take in what the layers hold on a batch; pictures on which one holds NaN are named and left out."""
        count, start = len(batch.numbers), len(self.numbers)
        peaks = [peaks_of(item.maps(held[item.grid.name][:count])) for item in self.job.watched]
        whole = np.array([np.isfinite(values).all(axis=1) for values, _ in peaks])
        good: npt.NDArray[np.bool_] = np.logical_and.reduce(whole, axis=0)
        for row in np.flatnonzero(~good):
            layer = self.job.watched[int(np.argmin(whole[:, row]))].grid.name
            self.reasons[batch.numbers[row]] = f"layer {layer!r} holds NaN or infinite values on it"
        stop = start + int(good.sum())
        for (values, places), all_values, all_places in zip(peaks, self.values, self.places, strict=True):
            all_values[start:stop], all_places[start:stop] = values[good], places[good]
        self.numbers += [number for number, fine in zip(batch.numbers, good, strict=True) if fine]
        self.classes += _classes(self.job.model, held[self.job.model.scores_tensor][:count])[good].tolist()

    def content(self, readers: Readers) -> bytes:
        """Reduce the peaks to what is kept, as a file."""
        pictures = np.array(self.numbers, np.int32)
        classes = np.array(self.classes, np.int32)
        seen, places, counts = np.unique(classes[classes >= 0], return_inverse=True, return_counts=True)
        at = np.full(len(classes), -1, np.int64)
        at[classes >= 0] = places
        keys = keys_of([self.names[number] for number in self.numbers], self.job.seed)
        sample = np.argsort(keys, kind="stable")[: self.job.sample]
        arrays: dict[str, npt.NDArray[Any]] = {
            "digests": self.digests, "pictures": pictures, "predicted": classes, "sample": pictures[sample],
            "classes": seen.astype(np.int32), "class_counts": counts.astype(np.int64),
        }  # fmt: skip

        def reduce(layer: int) -> None:
            count = len(self.numbers)
            kept = summarise(
                self.values[layer][:count], self.places[layer][:count], pictures,
                count=self.job.top, sample=sample, classes=at,
            )  # fmt: skip
            arrays.update(to_arrays(layer, kept))

        for done in [readers.submit(lambda layer=layer: reduce(layer)) for layer in range(len(self.values))]:  # type: ignore[misc]
            done.result()
        facts = {"format": FORMAT, "names": self.names, "skipped": sorted(self.reasons.items())}
        return save(dict(sorted(arrays.items())), {FORMAT: json.dumps(facts, sort_keys=True)})


def _classes(model: Model, scores: Array) -> Ints:
    """The class predicted for each row; -1 where the model has no one score per class."""
    if scores.size != len(scores) * scores.shape[1 + model.names.class_axis if scores.ndim > 1 else 0]:
        return np.full(len(scores), -1)
    best: Ints = scores.reshape(len(scores), -1).argmax(axis=1)
    return best


def _shard(job: _Job, number: int, readers: Readers, progress: Progress | None) -> bytes:
    """Run the pictures of one shard; each batch is taken in while the model works on the next."""
    names = job.names(number)
    growing = _Shard(job, names)
    taken: Future[None] | None = None
    for batch, held in passes(job, growing, readers):
        if taken is not None:
            taken.result()
        taken = readers.submit(lambda batch=batch, held=held: growing.add(batch, held))  # type: ignore[misc]
        if progress is not None:
            progress(number * job.shard_size + batch.numbers[-1] + 1, len(job.files.names))
    if taken is not None:
        taken.result()
    return growing.content(readers)


def passes(job: _Job, growing: _Shard, readers: Readers) -> Iterator[tuple[_Batch, dict[str, Array]]]:
    """Read and run pictures batch by batch."""
    paths = [job.files.path(name) for name in growing.names]
    reads = enumerate(readers.rows(paths, job.preprocess, AHEAD * job.batch_size))
    good = ((number, read) for number, read in reads if growing.note(number, read))
    while found := list(islice(good, job.batch_size)):
        if (deadline := current()) is not None:
            deadline.check()
        batch = _Batch([read.row for _, read in found if read.row is not None], [number for number, _ in found])
        yield batch, job.model.run(_feeds(job, batch), job.outputs)


def _feeds(job: _Job, batch: _Batch) -> dict[str, Array]:
    """Stack a batch; a short one is filled up, because other batch sizes round differently in the last bits."""
    rows = np.stack([*batch.rows, *batch.rows[-1:] * (job.batch_size - len(batch.rows))])
    feeds: dict[str, Array] = complete(job.model, {job.source: rows})[0]
    for name, value in feeds.items():
        if name != job.source and name in job.model.batched_inputs:
            feeds[name] = np.repeat(value, len(rows), axis=0)
    dtype = next(item.dtype for item in job.model.inputs if item.name == job.source)
    return {**feeds, job.source: as_dtype(rows, dtype)}
