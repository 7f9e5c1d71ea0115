"""The pictures of a folder in a fixed order, named, fingerprinted and turned into rows of a model's input."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from agnostic.engine.preprocess import Preprocess
from agnostic.errors import InputError
from agnostic.inputs.image import fit
from agnostic.inputs.picture import open_picture
from agnostic.kernels.pillow import resample
from agnostic.kernels.tables import lookup

Source = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]
NO_DIGEST = bytes(32)
# Pixels of a picture whose scaling counts beside its reading.
_SMALL = 2**18


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


def row_at(path: Path, preprocess: Preprocess) -> npt.NDArray[np.float32]:
    """Read a picture as one row of the model's input: the part that the model sees, at the model's own size.

    Raises:
        InputError: the file is no picture, broken or too large.
    """
    seen = fit(open_picture(path), preprocess)
    small = seen.mode == "RGB" and seen.width * seen.height <= _SMALL
    if small and _like_pillow((seen.height, seen.width), preprocess.size):
        row, planes = _blank(preprocess)
        resample(np.asarray(seen), _tables(preprocess), planes)
        return row
    return row_of(np.asarray(seen.resize(preprocess.size[::-1], Image.Resampling.BILINEAR)), preprocess)


def row_of(pixels: npt.NDArray[np.uint8], preprocess: Preprocess) -> npt.NDArray[np.float32]:
    """Turn pixels into one row of the model's input, as `Preprocess.row` does, several times as fast."""
    row, planes = _blank(preprocess)
    lookup(pixels[..., None] if pixels.ndim == 2 else pixels, _tables(preprocess), planes)
    return row


def _blank(preprocess: Preprocess) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """A row to write to, and a view of its planes in the order of the picture's channels."""
    (height, width), depth = preprocess.size, preprocess.depth
    shapes = {"NCHW": (depth, height, width), "NHWC": (height, width, depth), "NHW": (height, width)}
    row = np.empty(shapes[preprocess.layout], np.float32)
    planes = preprocess.channels_first(row[None])[0]
    return row, planes[::-1] if preprocess.channels == "BGR" else planes


@lru_cache(64)
def _like_pillow(source: tuple[int, int], target: tuple[int, int]) -> bool:
    """Tell whether Pillow brings pictures from one size to another as our own, faster loop does."""
    noise = np.random.default_rng(0).integers(0, 256, (*source, 3), np.uint8)
    ours = np.empty((3, *target), np.float32)
    resample(noise, np.tile(np.arange(256, dtype=np.float32), (3, 1)), ours)
    theirs = np.asarray(Image.fromarray(noise).resize(target[::-1], Image.Resampling.BILINEAR))
    return np.array_equal(ours, theirs.transpose(2, 0, 1))


@cache
def _tables(preprocess: Preprocess) -> npt.NDArray[np.float32]:
    """What becomes of each pixel value, channel by channel in the picture's order: (channels, 256)."""
    every = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, None, None], (256, 1, preprocess.depth))
    planes = preprocess.planes(every)[..., 0]
    return planes[::-1] if preprocess.channels == "BGR" else planes


def read(path: Path, preprocess: Preprocess) -> Read:
    """Read one file; whatever is wrong with it becomes a reason that names no place on this machine."""
    digest = digest_of(path)
    try:
        return Read(row_at(path, preprocess), digest, "")
    except InputError as error:
        return Read(None, digest, str(error).removeprefix(f"{path}: "))
