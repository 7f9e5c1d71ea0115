"""The files of an index of examples: where they are, how they are written, how one layer is read back."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from agnostic.blocks.examples_summary import Bins, Extremes, Ints, Summary
from agnostic.errors import InputError

FORMAT = "agnostic.examples.1"
SHARD = "shard-"


def manifest_path(folder: Path) -> Path:
    """The file that says what is indexed."""
    return folder / "index.json"


def shard_path(folder: Path, number: int) -> Path:
    """The file of one shard."""
    return folder / f"{SHARD}{number:05d}.safetensors"


def keys_of(names: Sequence[str], seed: int) -> npt.NDArray[np.uint64]:
    """A random number for every picture that depends on nothing but its name and the seed: (n,) uint64.

    The pictures with the smallest ones are a fair sample of any folder, however it is cut or merged.
    """
    hashes = (hashlib.sha256(f"{seed}:{name!a}".encode()).digest()[:8] for name in names)
    return np.frombuffer(b"".join(hashes), ">u8").astype(np.uint64)


@dataclass(frozen=True, eq=False)
class Header:
    """What a shard holds besides its layers.

    Attributes:
        path: its file.
        names: of all its files, readable or not; the numbers below count these.
        skipped: (number, reason) of those that gave no picture.
        digests: (files, 32) uint8, SHA-256 of their content.
        pictures: (n,) the numbers of those that gave one.
        predicted: (n,) the class predicted for each, -1 without classes.
        sample: the numbers of the pictures that are kept whole.
        classes: the classes predicted at all.
        class_counts: how often.
    """

    path: Path
    names: tuple[str, ...]
    skipped: tuple[tuple[int, str], ...]
    digests: npt.NDArray[np.uint8]
    pictures: Ints
    predicted: Ints
    sample: Ints
    classes: Ints
    class_counts: Ints


_ARRAYS = ("digests", "pictures", "predicted", "sample", "classes", "class_counts")


def read_header(path: Path) -> Header | None:
    """Read what is not about a layer; None where the file is missing or broken."""
    try:
        with safe_open(path, framework="numpy") as file:
            facts = json.loads((file.metadata() or {})[FORMAT])
            arrays = {name: file.get_tensor(name) for name in _ARRAYS}
    except (OSError, SafetensorError, KeyError, ValueError):
        return None
    skipped = tuple((int(number), str(reason)) for number, reason in facts["skipped"])
    return Header(path, tuple(facts["names"]), skipped, **arrays)


def to_arrays(layer: int, summary: Summary) -> dict[str, npt.NDArray[Any]]:
    """Name the arrays of a layer, which is known by its number."""
    flat: dict[str, npt.NDArray[Any]] = {}
    for name, value in summary._asdict().items():
        parts = value._asdict() if isinstance(value, Extremes | Bins) else {"": value}
        flat |= {f"{layer}.{name}.{part}".rstrip("."): np.ascontiguousarray(array) for part, array in parts.items()}
    return flat


def read_summary(path: Path, layer: int) -> Summary:
    """Read one layer of a shard.

    Raises:
        InputError: the file is missing or broken.
    """
    try:
        with safe_open(path, framework="numpy") as file:

            def get(name: str) -> Any:
                return file.get_tensor(f"{layer}.{name}")

            ends = [Extremes(*(get(f"{name}.{part}") for part in Extremes._fields)) for name in ("top", "bottom")]
            bins = Bins(*(get(f"bins.{part}") for part in Bins._fields))
            names = ("sample_values", "sample_places", "total", "active")
            values, places, total, active = (get(name) for name in names)
            return Summary(ends[0], ends[1], values, places, total, active, bins, get("class_sums"))
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: the shard cannot be read: {error}; delete it and build the index again") from error
