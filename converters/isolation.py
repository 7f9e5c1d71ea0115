"""Private environments: converters whose packages cannot live beside ours, each in a virtual environment of its own.

An environment is made once, on request only, in the user's cache folder, from the pins in `environments/NAME.txt`. Its
folder is named after these pins and this Python, so that a change of either makes another one. It counts as made when
`complete.json` lies in it, which is written last; what is half made is made anew. A lock keeps two runs from making the
same one at once.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from agnostic.converters.running import end
from agnostic.errors import ConversionError, LimitError, unknown
from agnostic.files import cache_folder

Say = Callable[[str], None]
_COMPLETE = "complete.json"
_WAIT = 0.5


@dataclass(frozen=True)
class Environment:
    """A private environment that is made.

    Attributes:
        name: of its pins.
        folder: where it is.
        megabytes: on disk.
        packages: what its pins ask for first hand, such as `torch==2.13.0`.
        is_current: whether its pins and its Python are today's.
    """

    name: str
    folder: Path
    megabytes: int
    packages: tuple[str, ...]
    is_current: bool

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return _interpreter(self.folder)


def names() -> list[str]:
    """List the environments that can be made."""
    pins = resources.files("agnostic.converters").joinpath("environments")
    return sorted(entry.name.removesuffix(".txt") for entry in pins.iterdir() if entry.name.endswith(".txt"))


def pins(name: str) -> str:
    """Return the pins of an environment, as pip reads them.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in names():
        raise unknown("environment", name, names())
    return resources.files("agnostic.converters").joinpath("environments", f"{name}.txt").read_text("utf-8")


def find(name: str) -> Environment | None:
    """Return an environment that is made with today's pins; None where it is not."""
    return _read(_folder(name))


def made() -> list[Environment]:
    """List the environments that are made, old ones too."""
    root = _root()
    folders = sorted(root.iterdir()) if root.is_dir() else []
    return [found for folder in folders if folder.is_dir() and (found := _read(folder))]


def remove(name: str) -> list[Environment]:
    """Remove the environments of a name, or `all` of them, half-made ones too; returns those that were whole.

    Raises:
        UsageError: there is no environment of that name.
    """
    if name != "all":
        pins(name)
    gone = [environment for environment in made() if name in (environment.name, "all")]
    folders = sorted(_root().iterdir()) if _root().is_dir() else []
    for folder in folders:
        if name == "all" or folder.name.rpartition("-")[0] == name:
            shutil.rmtree(folder, ignore_errors=True) if folder.is_dir() else folder.unlink(missing_ok=True)
    return gone


def make(name: str, say: Say = lambda _: None) -> Environment:
    """Return an environment, making it first where it is not made.

    Args:
        name: of its pins.
        say: told, line by line, how far it is.

    Raises:
        ConversionError: pip cannot install the pins.
        LimitError: the cache folder cannot be written to, or the disk is full.
    """
    folder = _folder(name)
    if found := _read(folder):
        return found
    with _locked(folder.with_name(f"{folder.name}.lock"), say):
        if found := _read(folder):
            return found  # another run made it meanwhile
        try:
            _build(name, folder, say)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    found = _read(folder)
    if found is None:
        raise LimitError(f"{folder} was removed while it was made; run the command again")
    return found


def _root() -> Path:
    return cache_folder() / "environments"


def _folder(name: str) -> Path:
    state = f"{pins(name)}\n{sys.version_info[:2]}\n{sys.platform}"
    return _root() / f"{name}-{hashlib.sha256(state.encode()).hexdigest()[:12]}"


def _interpreter(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def _read(folder: Path) -> Environment | None:
    try:
        content = json.loads((folder / _COMPLETE).read_text("utf-8"))
        name, megabytes, packages = content["name"], int(content["megabytes"]), tuple(content["packages"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    is_current = name in names() and folder == _folder(name)
    return Environment(str(name), folder, megabytes, packages, is_current)


def _build(name: str, folder: Path, say: Say) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise LimitError(f"{folder}: cannot be made: {error.strerror}; set AGNOSTIC_CACHE to another folder") from error
    say(f"making the private environment {name!r} in {folder}")
    _call([sys.executable, "-m", "venv", str(folder)], name, say)
    listed = folder / "pins.txt"
    listed.write_text(pins(name), "utf-8")
    pip = [str(_interpreter(folder)), "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
    _call([*pip, "--progress-bar", "off", "--no-cache-dir", "-r", str(listed)], name, say)
    size = sum(entry.stat().st_size for entry in folder.rglob("*") if entry.is_file() and not entry.is_symlink())
    packages = [line for line in pins(name).splitlines() if line and not line.startswith("#")]
    content = {"name": name, "megabytes": size >> 20, "packages": packages}
    # Written under another name first: what has this name is whole.
    (folder / f".{_COMPLETE}").write_text(json.dumps(content), "utf-8")
    (folder / f".{_COMPLETE}").replace(folder / _COMPLETE)


def _call(command: list[str], name: str, say: Say) -> None:
    """Run a step of the building, passing its lines on."""
    lines: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    ) as process:
        try:
            for raw in process.stdout or ():
                lines.append(raw.decode("utf-8", "replace").strip())
                if lines[-1].startswith(("Collecting", "Downloading", "Installing")):
                    say(lines[-1][:100])
            process.wait()
        finally:
            end(process)
    if process.returncode:
        raise _failure(name, lines)


def _failure(name: str, lines: list[str]) -> ConversionError | LimitError:
    said = [line for line in lines if line.startswith("ERROR")] or lines[-1:] or ["it said nothing"]
    if any("No space left" in line for line in said):
        return LimitError(f"the disk is full: the environment {name!r} could not be made; set AGNOSTIC_CACHE")
    return ConversionError(
        f"the environment {name!r} cannot be installed on Python {sys.version_info[0]}.{sys.version_info[1]}: "
        f"{said[0][:240]}; look at the network, or convert in an environment of your own"
    )


@contextmanager
def _locked(path: Path, say: Say) -> Iterator[None]:
    """Hold a lock that the system lets go of when this process ends, however it ends."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise LimitError(f"{path}: cannot be made: {error.strerror}; set AGNOSTIC_CACHE to another folder") from error
    try:
        told = False
        while not _take(descriptor):
            if not told:
                say("another run is making this environment; waiting for it")
            told = True
            time.sleep(_WAIT)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
