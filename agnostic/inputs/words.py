"""Where the words and the sentences of a text lie, in any script: (text) -> spans, start and stop in characters.

A word is a run of letters, digits and their marks, with the apostrophes and hyphens inside it. What else is printed is
a piece of its own: a run of punctuation, or of emoji. Scripts that are written without spaces come one sign at a time.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from typing import Literal

Span = tuple[int, int]
_Class = Literal["word", "sign", "joint", "other", "gap", "mark"]

_JOINTS = "'\N{RIGHT SINGLE QUOTATION MARK}-\N{HYPHEN}\N{NON-BREAKING HYPHEN}.,_"
# Between digits these belong to a number; between letters the first five join a word.
_IN_WORDS, _IN_NUMBERS = _JOINTS[:5], ".,"
# Written without spaces, so that a run of them would be a sentence.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_ENDS = re.compile(r"""[.!?\u2026\u203d\u0964\u061f]+["'\u201d\u2019)\]]*(?=\s)|[\u3002\uff01\uff1f]+|\n\s*\n""")
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:[a-z]|mr|mrs|ms|dr|st|vs|jr|sr|prof|etc|e\.g|i\.e)\.$", re.IGNORECASE)


def words(text: str) -> list[Span]:
    """Find the words, and the runs of punctuation between them.

    >>> text = "It isn't well-made: 3.5 of 10!"
    >>> [text[start:stop] for start, stop in words(text)]
    ['It', "isn't", 'well-made', ':', '3.5', 'of', '10', '!']
    """
    spans = []
    start = 0
    for kind, run in groupby(_classes(text)):
        stop = start + len(list(run))
        if kind == "sign":
            spans += [(at, at + 1) for at in range(start, stop)]
        elif kind != "gap":
            spans.append((start, stop))
        start = stop
    return spans


def fuse(before: str, after: str) -> bool:
    """Whether two words would become one where nothing stands between them.

    >>> fuse("well", "made"), fuse("well", "!")
    (True, False)
    """
    return _class(before[-1]) == "word" == _class(after[0])


def sentences(text: str) -> list[Span]:
    """Find the sentences, without the space around them.

    >>> text = "Mr. Lee is back. Is he funny? Very!"
    >>> [text[start:stop] for start, stop in sentences(text)]
    ['Mr. Lee is back.', 'Is he funny?', 'Very!']
    """
    cuts = [
        found.end()
        for found in _ENDS.finditer(text)
        if not _ABBREVIATION.search(text, max(0, found.end() - 8), found.end())
    ]
    spans = [_stripped(text, start, stop) for start, stop in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    return [(start, stop) for start, stop in spans if start < stop]


def _stripped(text: str, start: int, stop: int) -> Span:
    piece = text[start:stop]
    return start + len(piece) - len(piece.lstrip()), start + len(piece.rstrip())


def _classes(text: str) -> Iterator[_Class]:
    """Tell, for every character, what run it belongs to."""
    held: _Class = "gap"
    for at, letter in enumerate(text):
        kind = _class(letter)
        if kind == "joint":
            kind = "word" if held == "word" and _joins(text, at) else "other"
        elif kind == "mark":
            # An accent, a joiner or a skin tone belongs to what it stands on.
            kind = held
        held = kind
        yield kind


def _joins(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if text[at] in _IN_NUMBERS:
        return before.isdigit() and after.isdigit()
    return text[at] in _IN_WORDS and _class(after) == "word" if after else False


@lru_cache(4096)
def _class(letter: str) -> _Class:
    if letter in _JOINTS:
        return "word" if letter == "_" else "joint"
    if _UNSPACED.match(letter):
        return "sign"
    category = unicodedata.category(letter)
    if category[0] in "LN":
        return "word"
    if category[0] == "M" or category == "Cf" or (category == "Sk" and letter > "\uffff"):
        return "mark"
    return "gap" if category[0] in "ZC" else "other"
