"""What has been made: each step of a build under its name, with what it was made from, its files and its facts.

A step whose key is what it was, and whose files are there, is not made again. The record is written after each step,
so a build that is stopped goes on where it was.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

from agnostic.report.microscope.folder import FORMAT, STATE, Folder, plain

Facts = dict[str, Any]


class Outcome(NamedTuple):
    """What a step has made: the files it wrote, and what the site's other files say of it."""

    files: tuple[str, ...]
    facts: Facts


def fingerprint(*parts: Any) -> str:
    """Name what a step is made from."""
    return sha256(json.dumps(plain(parts), sort_keys=True).encode()).hexdigest()[:32]


class Steps:
    """The record of a site, kept in its folder."""

    def __init__(self, folder: Folder) -> None:
        """Read the record, or begin one."""
        self.folder = folder
        self._steps: dict[str, dict[str, Any]] = _read(folder)
        self.made = 0
        self._save()

    def make(self, name: str, key: str, work: Callable[[], Outcome]) -> Facts:
        """Make a step unless it is there; give its facts."""
        if not self.has(name, key):
            before = set(self._steps.get(name, {}).get("files", ()))
            outcome = work()
            self.folder.remove(before - set(outcome.files))
            facts = json.loads(json.dumps(plain(outcome.facts)))
            self._steps[name] = {"key": key, "files": sorted(outcome.files), "facts": facts}
            self.made += 1
            self._save()
        return self.facts(name)

    def has(self, name: str, key: str) -> bool:
        """Tell whether a step is made from this very key, and its files are there."""
        step = self._steps.get(name)
        return step is not None and step["key"] == key and all(self.folder.path(f).is_file() for f in step["files"])

    def facts(self, name: str) -> Facts:
        """What is known of a step; nothing where it is not made."""
        facts: Facts = self._steps[name]["facts"] if name in self._steps else {}
        return facts

    def key(self, name: str) -> str:
        """What a step was made from; empty where it is not made."""
        return str(self._steps[name]["key"]) if name in self._steps else ""

    def names(self, prefix: str) -> list[str]:
        """Name the steps whose names begin so."""
        return sorted(name for name in self._steps if name.startswith(prefix))

    def files(self, name: str) -> list[str]:
        """The files of a step."""
        return list(self._steps[name]["files"])

    def keep(self, wanted: Iterable[str], prefixes: Iterable[str]) -> None:
        """Forget the steps of these prefixes that are not wanted, and remove their files."""
        kept = set(wanted)
        starts = tuple(prefixes)
        gone = [name for name in self._steps if name.startswith(starts) and name not in kept]
        files = {file for name in gone for file in self._steps.pop(name)["files"]}
        still = {file for step in self._steps.values() for file in step["files"]}
        self.folder.remove(sorted(files - still))
        if gone:
            self._save()

    def _save(self) -> None:
        state: Mapping[str, Any] = {"format": FORMAT, "steps": dict(sorted(self._steps.items()))}
        self.folder.write(STATE, (json.dumps(state, indent=0) + "\n").encode())


def _read(folder: Folder) -> dict[str, dict[str, Any]]:
    """Read the record; whatever is not as we write it counts as not made."""
    try:
        steps = json.loads((folder.root / STATE).read_text("utf-8"))["steps"]
        return {str(name): step for name, step in steps.items() if _is_step(step)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _is_step(step: Any) -> bool:
    return (
        isinstance(step, dict)
        and isinstance(step.get("key"), str)
        and isinstance(step.get("facts"), dict)
        and isinstance(step.get("files"), list)
        and all(isinstance(file, str) and ".." not in file.split("/") for file in step["files"])
    )
