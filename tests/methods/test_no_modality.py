"""Methods know features, planes and tokens of a transformer; only `inputs/` knows what these are of, and no method."""

import re
from pathlib import Path

import pytest

from agnostic import methods

ROOM = Path(methods.__file__).parent
MODALITIES = (
    *("color", "colour", "image", "photo", "photograph", "picture", "pixel", "superpixel", "video"),
    *("letter", "sentence", "text", "word"),
    *("column", "spreadsheet", "table", "tabular"),
    *("audio", "series", "sound", "waveform"),
)
FORBIDDEN = re.compile(rf"(?<![a-z])(?:{'|'.join(MODALITIES)})(?:e?s)?(?![a-z])", re.IGNORECASE)


@pytest.mark.parametrize("file", sorted(ROOM.glob("*.py")), ids=lambda file: file.name)
def test_no_method_mentions_a_modality(file):
    assert [line for line in file.read_text().splitlines() if FORBIDDEN.search(line)] == []


@pytest.mark.parametrize("file", sorted((ROOM.parent / "inputs").glob("*.py")), ids=lambda file: file.name)
def test_no_input_mentions_a_method(file):
    names = "|".join(re.escape(item.name) for item in methods.all_methods())
    mentioned = re.compile(rf"(?<![a-z_])(?:{names})(?![a-z_+])", re.IGNORECASE)
    assert [line for line in file.read_text().splitlines() if mentioned.search(line)] == []


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("the pixels of a picture", True),
        ("_text(sizes)", True),
        ("task.sample.pixels", True),
        ("words_of(sample)", True),
        ("a stable fit of keywords in a context", False),
        ("in other words", True),
    ],
)
def test_the_list_finds_words_and_names_but_no_parts_of_others(line, found):
    assert bool(FORBIDDEN.search(line)) == found
