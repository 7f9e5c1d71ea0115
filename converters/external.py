"""Weights kept in files beside the model, read so that no file outside the model's folder can ever be reached.

Every part of the way below that folder is opened without following links, and what is checked is the opened file
itself, so nothing can be exchanged between the check and the read. Symbolic links, hard links, devices, absolute paths
and ``..`` are refused. The bytes are put inline: no later reader of the model opens a file.
"""

import os
import stat
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Protocol

from onnx import ModelProto, TensorProto

from agnostic.converters.graph import every_tensor
from agnostic.errors import ModelError

COPY = "copy the real file into the model's folder"

_KEYS = frozenset({"location", "offset", "length", "checksum"})
# Named by number: an older onnx does not know the last ones. Strings (8) have no size of their own.
_BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16}
_BITS |= {17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2}
# Without O_NONBLOCK, opening a named pipe would wait for its writer for ever.
READ = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class Hasher(Protocol):
    """A running hash, as ``hashlib.sha256()`` makes."""

    def update(self, data: bytes, /) -> None:
        """Take more bytes in."""


def elements(tensor: TensorProto) -> int:
    """Return how many numbers a tensor's shape calls for."""
    count = 1
    for size in tensor.dims:
        if size < 0:
            raise ModelError(
                f"has a tensor {tensor.name!r} of negative size {list(tensor.dims)}; export the model again"
            )
        count *= size
    return count


def size_in_bytes(tensor: TensorProto) -> int | None:
    """Return how many bytes of raw data a tensor's type and shape call for; None for strings."""
    bits = _BITS.get(tensor.data_type)
    return None if bits is None else (elements(tensor) * bits + 7) // 8


def inline(proto: ModelProto, folder: Path | None, budget: int, hasher: Hasher) -> None:
    """Read every external tensor of the model into the model, in place.

    Args:
        proto: The model; its external tensors become ordinary ones.
        folder: The folder of the model file; None for a model that came without one.
        budget: The most bytes that may be read in all.
        hasher: Takes in every byte that is read, in the order of the tensors.
    """
    for tensor in every_tensor(proto):
        if tensor.data_location != TensorProto.EXTERNAL and not tensor.external_data:
            continue
        if folder is None:
            raise ModelError(
                "keeps its weights in other files, which bytes cannot reach; give the path of the .onnx file"
            )
        data = _read(tensor, folder, budget)
        budget -= len(data)
        hasher.update(data)
        tensor.ClearField("external_data")
        tensor.ClearField("data_location")
        tensor.raw_data = data


def _read(tensor: TensorProto, folder: Path, budget: int) -> bytes:
    entries = _entries(tensor)
    location, size = entries["location"], size_in_bytes(tensor)
    if size is None:
        raise ModelError(f"keeps the strings of tensor {tensor.name!r} in another file; only numbers can be kept there")
    offset, length = _number(entries, "offset", 0), _number(entries, "length", size)
    if length != size:
        raise ModelError(
            f"gives tensor {tensor.name!r} a length of {length:,} bytes in {location!r} "
            f"where its shape needs {size:,}; export the model again"
        )
    if length > budget:
        raise ModelError("keeps more weights in other files than the size limit allows; raise Limits.file_bytes")
    descriptor = _open_below(folder, _parts(location))
    try:
        _check_plain(os.fstat(descriptor), location, offset + length)
    except ModelError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        file.seek(offset)
        return file.read(length)


def _entries(tensor: TensorProto) -> dict[str, str]:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    if strange := sorted(map(str, entries.keys() - _KEYS)):
        raise ModelError(
            f"has an unknown external_data key {strange[0]!r} in tensor {tensor.name!r}; do not trust this file"
        )
    if not entries.get("location"):
        raise ModelError(f"does not say in which file the weights {tensor.name!r} are; export the model again")
    return entries


def _number(entries: dict[str, str], key: str, default: int) -> int:
    text = entries.get(key, str(default))
    # int() would take "-8", "1_0" and other scripts' digits too; twenty digits are past any file.
    if not (isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 20):
        raise ModelError(f"has the external_data {key} {text!r}, not a count of bytes; do not trust this file")
    return int(text)


def _parts(location: str) -> tuple[str, ...]:
    """Split a location below the model's folder; refuse any that could lead out of it on any system."""
    parts = PurePosixPath(location).parts if isinstance(location, str) else ()
    windows = PureWindowsPath(location) if parts else PureWindowsPath()
    if (
        not parts
        or "\0" in location
        or parts[0] == "/"
        or windows.drive
        or windows.root
        or ".." in (*parts, *windows.parts)
    ):
        raise ModelError(f"keeps weights at {location!r}, outside its own folder; {COPY}")
    return parts


def _open_below(folder: Path, parts: tuple[str, ...]) -> int:
    """Open folder/part/part/file one part at a time, so that a link anywhere on the way is seen."""
    try:
        if os.open in os.supports_dir_fd:
            return _open_stepwise(folder, parts)
        return _open_looked_at(folder, parts)
    except FileNotFoundError:
        raise ModelError(f"keeps weights in {'/'.join(parts)!r}, which is missing; put that file beside it") from None
    except OSError as error:
        # ELOOP or ENOTDIR is what opening a link without following it answers.
        raise ModelError(
            f"keeps weights in {'/'.join(parts)!r}, which is a link or cannot be opened ({error.strerror}); {COPY}"
        ) from None


def _open_stepwise(folder: Path, parts: tuple[str, ...]) -> int:
    here = os.open(folder, READ | os.O_DIRECTORY)
    # Each part is looked up in the folder opened before it, so renaming that folder meanwhile changes nothing.
    for step, part in enumerate(parts):
        flags = READ | os.O_NOFOLLOW | (os.O_DIRECTORY if step < len(parts) - 1 else 0)
        try:
            there = os.open(part, flags, dir_fd=here)
        finally:
            os.close(here)
        here = there
    return here


def _open_looked_at(folder: Path, parts: tuple[str, ...]) -> int:
    """Open where the system cannot open step by step (Windows): look at each part for a link first."""
    path = folder
    for part in parts:
        path = path / part
        if path.resolve() != path.parent.resolve() / part:  # a symbolic link or a junction
            raise OSError(0, "a link")
    return os.open(path, READ)


def _check_plain(info: os.stat_result, location: str, end: int) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise ModelError(f"keeps weights in {location!r}, which is not a plain file; {COPY}")
    if info.st_nlink > 1:
        raise ModelError(f"keeps weights in {location!r}, which has a second name elsewhere (a hard link); {COPY}")
    if end > info.st_size:
        raise ModelError(
            f"reads up to byte {end:,} of {location!r}, which has {info.st_size:,}: cut off? Copy or download it again"
        )
