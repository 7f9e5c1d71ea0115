"""Where the user's cache is, and files that are there whole or not at all."""

import errno
import os
import sys
import tempfile
from pathlib import Path

from agnostic.errors import LimitError


def cache_folder() -> Path:
    """Return the cache folder: `AGNOSTIC_CACHE` where that is set, else the platform's own; it need not exist yet."""
    if chosen := os.environ.get("AGNOSTIC_CACHE"):
        return Path(chosen).expanduser()
    return _platform_folder(sys.platform) / "agnostic"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all.

    Raises:
        LimitError: the folder is missing or read-only, or the disk is full.
    """
    temporary = None
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A temporary file is private; what a user asked for has the permissions of any file they make.
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise LimitError(f"{path}: cannot be written: {error.strerror}; choose a folder with --out") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _platform_folder(platform: str) -> Path:
    if platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if platform == "darwin":
        return Path.home() / "Library" / "Caches"
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG rules say that a relative path is to be ignored.
    return xdg if xdg.is_absolute() else Path.home() / ".cache"
