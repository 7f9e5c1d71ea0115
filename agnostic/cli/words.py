"""Texts on the command line: files with one a line, and marked words on the terminal."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agnostic.draw.colour import AMBER, CORAL, TEAL, Colour
from agnostic.engine.model import Model
from agnostic.explanation import Explanation
from agnostic.gallery import short
from agnostic.inputs.sample import Text
from agnostic.inputs.text import is_file, lines_of
from agnostic.inputs.text_facts import eats_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text as RichText

_INK = "#1b1b1a"
# Words below this share of the largest are not marked, and no more than so many are listed.
_MARKED, _LISTED = 0.15, 5
# What is printed of a text that is a book.
_MOST_WORDS = 400


def each_text(model: Model, inputs: Mapping[str, Any], row: int | None) -> dict[str, Any]:
    """Take .txt files apart, where the model eats text: a sample for each line, unless one is chosen.

    Args:
        model: the model.
        inputs: what was given, by the name to call it; NAME=VALUE inputs go with each text.
        row: the line that is chosen, from 0.

    Raises:
        InputError: a file cannot be read or holds nothing.
    """
    found: dict[str, Any] = {}
    for name, given in inputs.items():
        path = given.get("", "") if isinstance(given, Mapping) else given
        if row is not None or not _is_file_of_texts(model, path):
            found[name] = given
            continue
        lines = lines_of(Path(path))
        for number, line in enumerate(lines, start=1):
            called = f"{Path(path).stem}-{number}" if len(lines) > 1 else name
            value = Text(line) if len(lines) > 1 else path
            found[called] = {**given, "": value} if isinstance(given, Mapping) else value
    return found


def _is_file_of_texts(model: Model, given: Any) -> bool:
    is_name = isinstance(given, str) and not isinstance(given, Text) and given.endswith(".txt")
    return is_name and eats_text(model) and is_file(Path(given))


def has_words(found: Sequence[Explanation]) -> bool:
    """Whether explanations are of a text."""
    return bool(found) and found[0].meta.get("shown", {}).get("kind") == "text"


def print_words(console: "Console", found: Sequence[Explanation]) -> None:
    """Print the text once for each explanation: its strongest words with a sign, in colour where there are colours."""
    for item in found:
        console.print()
        console.print(f"{item.method}  {printable(short(item.target))}", style="dim", markup=False)
        console.print(_marked(item))
        console.print(_strongest(item), style="dim", markup=False)
    console.print()


def _marked(item: Explanation) -> "RichText":
    from rich.text import Text as RichText

    from agnostic.gallery.words import marks, weights

    line = RichText(overflow="fold")
    most = float(abs(weights(item)).max(initial=0.0)) or 1.0
    pieces = marks(item)
    for mark in pieces[: 2 * _MOST_WORDS]:
        words = printable(mark.text)
        if mark.value is None or abs(mark.value) < _MARKED * most:
            line.append(words)
        else:
            line.append(f"{_sign(item, mark.value)}{words}", f"{_INK} on {_hex(_colour(item, mark.value))}")
    if len(pieces) > 2 * _MOST_WORDS:
        line.append(" …")
    return line


def _strongest(item: Explanation) -> str:
    """List the strongest words, each with its number."""
    from agnostic.gallery.words import weights

    values, names = weights(item), item.meta["feature_names"]
    order = sorted(range(len(values)), key=lambda place: -abs(values[place]))[:_LISTED]
    least = _MARKED * abs(values[order[0]]) if order else 0.0
    order = [place for place in order if abs(values[place]) >= least]
    return ", ".join(f"{printable(names[at])[:40]} {_number(item, float(values[at]))}" for at in order)


def _is_signed(item: Explanation) -> bool:
    return bool(item.meta.get("signed", True))


def _sign(item: Explanation, value: float) -> str:
    return "*" if not _is_signed(item) else "+" if value > 0 else "-"


def _number(item: Explanation, value: float) -> str:
    return f"{value:+.2g}" if _is_signed(item) else f"{value:.2g}"


def _colour(item: Explanation, value: float) -> Colour:
    return AMBER if not _is_signed(item) else TEAL if value > 0 else CORAL


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)


def printable(text: str) -> str:
    r"""Show what would steer a terminal, such as escape codes and marks that turn the direction, as a box.

    >>> printable("dull\x1b[31m film\u202e")
    'dull�[31m film�'
    """
    return "".join(_letters(text))


def _letters(text: str) -> Iterator[str]:
    for letter in text:
        steers = unicodedata.category(letter) in ("Cc", "Cs", "Co") and letter not in "\n\t"
        turns = "\u202a" <= letter <= "\u202e" or "\u2066" <= letter <= "\u2069"
        yield "\ufffd" if steers or turns else letter
