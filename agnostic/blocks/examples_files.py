"""The pictures of a folder in a fixed order, named, fingerprinted and read in the background."""

import hashlib
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from agnostic.engine.preprocess import Preprocess
from agnostic.errors import InputError
from agnostic.inputs.image import fit
from agnostic.inputs.picture import open_picture

Source = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
NO_DIGEST = bytes(32)
# Enough to bridge a batch; more would only hold memory.
AHEAD = 2


@dataclass(frozen=True)
class Files:
    """Files below one folder, by sorted relative names with forward slashes."""

    root: Path
    names: tuple[str, ...]

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self.root / name


class Read(NamedTuple):
    """What came of reading one file: a row of the model's input without its batch axis, or why there is none."""

    row: npt.NDArray[np.float32] | None
    digest: bytes
    reason: str


def find(pictures: Source, out: Path | None = None) -> Files:
    """List the files of a folder and all folders in it, or the files that are named.

    Left out of a folder are hidden files and whatever is in `out`.

    Raises:
        InputError: there is no such folder or file, or nothing in it.
    """
    if isinstance(pictures, str | os.PathLike):
        root = Path(pictures)
        if not root.is_dir():
            raise InputError(f"{root}: not a folder; give a folder of pictures, or a list of files")
        names = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
        if out is not None and out.resolve().is_relative_to(root.resolve()):
            mine = f"{out.resolve().relative_to(root.resolve()).as_posix()}/"
            names = {name for name in names if not name.startswith(mine)}
        names = {name for name in names if not any(part.startswith(".") for part in name.split("/"))}
    else:
        root, names = _named([Path(path) for path in pictures])
    if not names:
        raise InputError(f"{root}: no files; give a folder of pictures")
    return Files(root, tuple(sorted(names)))


def _named(paths: Sequence[Path]) -> tuple[Path, set[str]]:
    missing = next((path for path in paths if not path.is_file()), None)
    if missing is not None:
        raise InputError(f"{missing}: no such file; expected a picture")
    whole = [path.absolute() for path in paths]
    root = Path(os.path.commonpath([path.parent for path in whole])) if whole else Path()
    return root, {path.relative_to(root).as_posix() for path in whole}


def digest_of(path: Path) -> bytes:
    """The SHA-256 of a file's content; zeros where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return NO_DIGEST


def pixels_of(path: Path, preprocess: Preprocess) -> npt.NDArray[np.uint8]:
    """The part of a picture that the model sees, at the model's own size: (H, W) or (H, W, channels).

    Raises:
        InputError: the file is no picture, broken or too large.
    """
    fitted = fit(open_picture(path), preprocess)
    return np.asarray(fitted.resize(preprocess.size[::-1], Image.Resampling.BILINEAR))


def row_of(pixels: npt.NDArray[np.uint8], preprocess: Preprocess) -> npt.NDArray[np.float32]:
    """Turn pixels into one row of the model's input, as `Preprocess.row` does, several times as fast.

    A channel has no more than 256 values: they are computed once and looked up.
    """
    planes = (pixels[..., None] if pixels.ndim == 2 else pixels).transpose(2, 0, 1)
    depth, height, width = planes.shape
    shapes = {"NCHW": (depth, height, width), "NHWC": (height, width, depth), "NHW": (height, width)}
    row = np.empty(shapes[preprocess.layout], np.float32)
    order = planes[::-1] if preprocess.channels == "BGR" else planes
    for plane, table, out in zip(order, _tables(preprocess), preprocess.channels_first(row[None])[0], strict=True):
        np.take(table, plane, out=out, mode="clip")
    return row


@cache
def _tables(preprocess: Preprocess) -> npt.NDArray[np.float32]:
    """What becomes of each pixel value, channel by channel in the model's order: (channels, 256)."""
    every = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, 1, preprocess.depth))
    return preprocess.planes(every)[..., 0]


def read(path: Path, preprocess: Preprocess) -> Read:
    """Read one file; whatever is wrong with it becomes a reason that names no place on this machine."""
    digest = digest_of(path)
    try:
        return Read(row_of(pixels_of(path, preprocess), preprocess), digest, "")
    except InputError as error:
        return Read(None, digest, str(error).removeprefix(f"{path}: "))


class Readers:
    """Threads that read ahead: Pillow and NumPy let the interpreter go while they work."""

    def __init__(self, pool: ThreadPoolExecutor, workers: int) -> None:
        """Take a pool of so many threads; `background` makes one."""
        self._pool = pool
        self._workers = workers

    def rows(self, paths: Sequence[Path], preprocess: Preprocess, ahead: int) -> Iterator[Read]:
        """Read files in their order, at most `ahead` more than have been asked for."""
        waiting: deque[Future[Read]] = deque()
        for path in paths:
            waiting.append(self._pool.submit(read, path, preprocess))
            if len(waiting) >= ahead + self._workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def digests(self, paths: Sequence[Path]) -> list[bytes]:
        """Fingerprint files."""
        return list(self._pool.map(digest_of, paths))

    def submit(self, work: Callable[[], None]) -> "Future[None]":
        """Have something else done beside the reading."""
        return self._pool.submit(work)


@contextmanager
def background() -> Iterator[Readers]:
    """Start the threads, and end them."""
    workers = max(2, min(8, os.cpu_count() or 2))
    # Reading a picture mutes Pillow's warnings, which several threads at once would leave muted for good.
    with warnings.catch_warnings():
        pool = ThreadPoolExecutor(workers, thread_name_prefix="agnostic-pictures")
        try:
            yield Readers(pool, workers)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
