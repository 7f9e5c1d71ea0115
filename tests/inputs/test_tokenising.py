"""Tokenisers: a vocabulary with a pattern, and tokenizer.json through the package of that name."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from agnostic.errors import InputError, UsageError
from agnostic.inputs.tokenising import HuggingFace, Vocabulary, pattern_of

WordLevel = Callable[..., str]
NUMBERS = {"<pad>": 0, "<unk>": 1, "a": 2, "warm": 3, "film": 4, "!": 5}


def vocabulary(pattern: str = r"\w+|[^\w\s]", **more: Any) -> Vocabulary:
    lowercase = more.pop("lowercase", True)
    return Vocabulary(NUMBERS, pattern_of(pattern, lowercase, "[text]"), lowercase, **more)


def test_words_are_looked_up_and_keep_their_places() -> None:
    found = vocabulary(unknown=1).tokens(["A warm, FILM!"], None)
    assert found.ids == (2, 3, 1, 4, 5)
    assert found.spans == ((0, 1), (2, 6), (6, 7), (8, 12), (12, 13))
    assert set(found.parts) == set(found.types) == {0}


def test_without_a_number_for_it_what_is_unknown_is_left_out() -> None:
    found = vocabulary().tokens(["A dull film"], None)
    assert (found.ids, found.spans) == ((2, 4), ((0, 1), (7, 11)))


def test_case_counts_where_that_is_declared() -> None:
    assert vocabulary(lowercase=False, unknown=1).tokens(["A warm Film"], None).ids == (1, 3, 1)


def test_letters_that_grow_when_lowered_keep_their_places() -> None:
    # The lower case of this letter is two characters.
    assert vocabulary(unknown=1).tokens(["\u0130 film"], None).spans == ((0, 1), (2, 6))


def test_no_more_than_the_longest_are_given() -> None:
    assert vocabulary(unknown=1).tokens(["a warm film !"], 2).ids == (2, 3)


def test_a_vocabulary_takes_no_pair() -> None:
    with pytest.raises(InputError, match="a pair of texts needs a tokenizer"):
        vocabulary().tokens(["a", "b"], None)


@pytest.mark.parametrize("pattern", [r"\w+|[^\w\s]", r"[a-z0-9']+", r"(?u)\b\w\w+\b", r"\S+", r"\w", r"(?:ab)?c+|d{2}"])
def test_plain_patterns_are_taken(pattern: str) -> None:
    assert pattern_of(pattern, False, "[text]").pattern == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(a|a)*b",
        r"(?:x+x+)+y",
        r"\w*\w*\w*!",
        r"a{1,}b{2,}",
        r"(?=a+)b",
        r"(a)\1+",
        r"(?:a*|x)(?:a*|x)",
        "(",
        "[",
        "a" * 300,
    ],
)
def test_patterns_that_may_never_end_are_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match=r"\[text\]: pattern"):
        pattern_of(pattern, False, "[text]")


def test_a_tokenizer_file_gives_numbers_texts_and_places(word_level: WordLevel) -> None:
    tokeniser = HuggingFace(word_level(), "tokenizer.json")
    assert (tokeniser.pad, tokeniser.mask, tokeniser.unknown, tokeniser.pads_left) == (0, 4, 1, False)
    found = tokeniser.tokens(["A warm, film"], None)
    assert found.ids == (2, 5, 6, 1, 7, 3)
    assert found.spans == (None, (0, 1), (2, 6), (6, 7), (8, 12), None)
    pair = tokeniser.tokens(["warm", "dull film"], None)
    assert pair.ids == (2, 6, 3, 8, 7, 3)
    assert pair.types == (0, 0, 0, 1, 1, 1)
    assert pair.parts == (0, 0, 0, 1, 1, 0)
    assert pair.spans == (None, (0, 4), None, (0, 4), (5, 9), None)


def test_the_file_s_own_padding_and_cutting_are_off(word_level: WordLevel) -> None:
    tokeniser = HuggingFace(word_level(padding="left"), "tokenizer.json")
    assert tokeniser.pads_left
    assert len(tokeniser.tokens(["a warm a warm a film"], None)) == 8
    assert tokeniser.tokens(["a warm a warm a film"], 4).ids == (2, 5, 6, 3)
    assert len(tokeniser.tokens(["a warm a warm a film"], None)) == 8, "cutting off is not kept"


@pytest.mark.parametrize("content", ["", "{}", "not JSON", json.dumps({"version": "1.0", "model": {"type": "None"}})])
def test_a_broken_file_is_one_line(content: str) -> None:
    with pytest.raises(UsageError, match=r"^my\.json: no tokenizer: .{1,140}$"):
        HuggingFace(content, "my.json")


def test_without_the_package_the_line_that_installs_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match=re.escape("pip install 'agnostic-xai[text]'")):
        HuggingFace("{}", "tokenizer.json")
