"""Keeps models that are built on demand in the user's cache folder, and trusts a file there only by its sha256.

The folder is `AGNOSTIC_CACHE` where that is set, else the platform's own place for caches.
"""

import os
import tempfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from agnostic.errors import LimitError
from agnostic.files import cache_folder as folder

__all__ = ["built", "folder"]


def built(file_name: str, digest: str, build: Callable[[], bytes]) -> Path:
    """Return the cached file if its bytes have this sha256; otherwise build it, write it and return it.

    What `build` returns is kept even if its digest differs, as it may with another version of the library that writes
    it: such a file is built anew by each process that asks, and never read back on trust.
    """
    path = folder() / file_name
    if not _has_digest(path, digest):
        _write(path, build())
    return path


def _has_digest(path: Path, digest: str) -> bool:
    try:
        return sha256(path.read_bytes()).hexdigest() == digest
    except OSError:
        return False


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, in a folder that only its owner may enter."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as reason:
        raise _unwritable(path, reason) from reason
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as reason:
        raise _unwritable(path, reason) from reason
    finally:
        Path(temporary).unlink(missing_ok=True)


def _unwritable(path: Path, reason: OSError) -> LimitError:
    why = reason.strerror or type(reason).__name__
    return LimitError(f"cannot write {path}: {why}; set AGNOSTIC_CACHE to a folder that can be written")
