"""The folder of a site: data as scripts that register themselves, slugs, and writes that stay inside it."""

import json
import math
import re
import shutil
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from agnostic.errors import LimitError, UsageError
from agnostic.explanation import write_whole

FORMAT = "agnostic.microscope.1"
STATE = "build.json"
CACHE = ".cache"
STATIC = Path(__file__).parent / "static"
# Enough to draw with, and short.
DIGITS = 5


class Folder:
    """A site's own folder; nothing is written anywhere else."""

    def __init__(self, root: Path, kind: str = FORMAT) -> None:
        """Take a folder that is empty, a site of this kind already, or not there yet.

        Raises:
            UsageError: it holds something else.
            LimitError: it cannot be made.
        """
        if root.exists() and not root.is_dir():
            raise UsageError(f"--out {root}: a file, not a folder; choose a folder for the site")
        if root.is_dir() and any(root.iterdir()) and not _is_site(root, kind):
            raise UsageError(f"--out {root}: holds other files; choose an empty folder, or a site made before")
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LimitError(f"--out {root}: cannot be made: {error.strerror}; choose another folder") from error
        self.root = root.resolve()

    def path(self, file: str) -> Path:
        """Where a file of the site lies.

        Raises:
            UsageError: the way there leads out of the folder, as through a link.
        """
        path = self.root / PurePosixPath(file)
        if not path.parent.resolve().is_relative_to(self.root) or path.is_symlink():
            raise UsageError(f"{file}: leads out of {self.root}; remove the link that is in the way")
        return path

    def write(self, file: str, content: bytes) -> str:
        """Write a file whole or not at all; give its name back."""
        path = self.path(file)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LimitError(f"{path.parent}: cannot be made: {error.strerror}; choose another --out") from error
        write_whole(path, content)
        return file

    def put(self, key: str, value: Any, file: str) -> str:
        """Write a script that registers a value under its key."""
        return self.write(file, script(key, value))

    def get(self, file: str) -> Any:
        """Read back what a script of the site registers; None where it cannot be read."""
        try:
            text = self.path(file).read_text("utf-8")
            return json.loads(text[text.index(", ") + 2 : text.rindex(")")])
        except (OSError, ValueError):
            return None

    def remove(self, files: Iterable[str]) -> None:
        """Remove files of the site that nothing refers to any more."""
        for file in files:
            self.path(file).unlink(missing_ok=True)

    def copy_pages(self, sources: Iterable[Path] = ()) -> None:
        """Copy the pages themselves, which hold no data; the microscope's where no others are given."""
        for source in sources or sorted(STATIC.iterdir()):
            if source.is_file():
                self.write(source.name, source.read_bytes())

    def cache(self, *parts: str) -> Path:
        """A folder for what was expensive to make."""
        path = self.path("/".join((CACHE, *parts, "x"))).parent
        path.mkdir(parents=True, exist_ok=True)
        return path

    def has_room(self, wanted: int) -> bool:
        """Tell whether the disk has that many bytes left."""
        return shutil.disk_usage(self.root).free > wanted


def _is_site(root: Path, kind: str) -> bool:
    try:
        found = json.loads((root / STATE).read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and found.get("format") == kind


def script(key: str, value: Any) -> bytes:
    r"""Write a value as a script that registers it, which no text in it can end early.

    >>> script("k", {"a": "</script>", "b": float("nan")})
    b'register("k", {"a":"\\u003c/script\\u003e","b":null});\n'
    """
    return f"register({_json(key)}, {_json(plain(value))});\n".encode()


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    # Half of a pair of surrogates, as file names may hold, has no UTF-8.
    return text.encode("utf-8", "replace").decode("utf-8")


def plain(value: Any) -> Any:
    """Turn arrays and NumPy's numbers into plain ones of few digits; what is not finite becomes None."""
    kind = type(value)
    if kind is float:
        return _short(value)
    if kind in _AS_THEY_ARE:
        return value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return value


_AS_THEY_ARE = frozenset({str, int, bool, type(None)})


def _short(value: float) -> float | int | None:
    if not math.isfinite(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e6 else rounded


def slugs(names: Iterable[str]) -> dict[str, str]:
    """Give each name a file name of its own that is safe everywhere, whatever the case of letters.

    >>> slugs(["a/b", "a:b", "../x", "CON", ""])
    {'a/b': 'a_b', 'a:b': 'a_b-2', '../x': 'x', 'CON': 'x-CON', '': 'x-'}
    """
    taken: set[str] = set()
    found = {}
    for name in names:
        wish = _safe(name)
        slug, number = wish, 1
        while slug.lower() in taken:
            number += 1
            slug = f"{wish}-{number}"
        taken.add(slug.lower())
        found[name] = slug
    return found


# Names that a system keeps for devices.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
_LONGEST = 80


def _safe(name: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".")
    # Two underscores part two names in that of a file.
    slug = re.sub(r"__+", "_", slug).strip("_").rstrip(".")
    if len(slug) > _LONGEST:
        slug = f"{slug[: _LONGEST - 9]}-{sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return f"x-{slug}" if not slug or slug[0] in "-." or _DEVICES.fullmatch(slug) else slug
