"""The class names are written one a line, in the order of their numbers."""

import json
from pathlib import Path

import pytest

from agnostic.models import build_labels


class Installed:
    """Stands in for the installed package, with three names in a shuffled file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def locate_file(self, path: str) -> Path:
        file = self.folder / path
        file.parent.mkdir()
        file.write_text(json.dumps({"2": "größer", "0": "first", "1": 'a "second"'}), "utf-8")
        return file


def test_names_are_sorted_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_labels, "distribution", lambda name: Installed(tmp_path))
    assert build_labels.labels_json() == '[\n"first",\n"a \\"second\\"",\n"größer"\n]\n'
