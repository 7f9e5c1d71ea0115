"""Words and sentences of texts: where a reader would cut, in any script, and never a character lost."""

import numpy as np
import pytest

from agnostic.inputs.words import fuse, sentences, words

ALPHABET = list(
    "abcXYZ019  \t\n.,;:!?'\"-_()<>&/\\@#$%^`~éßİ猫が한नमस्तेשלוםعربي😍👍🏽"
    "\u200d\ufe0f\u0301\u202e\u00a0\u2026\u3002\U00020000"
)


def cut(text: str) -> list[str]:
    return [text[start:stop] for start, stop in words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a warm, funny film!", ["a", "warm", ",", "funny", "film", "!"]),
        ("don't rock'n'roll don\u2019t", ["don't", "rock'n'roll", "don\u2019t"]),
        ("well-made -- 'quoted' --", ["well-made", "--", "'", "quoted", "'", "--"]),
        ("3.5 of 1,000 v1.x", ["3.5", "of", "1,000", "v1", ".", "x"]),
        ("snake_case _x_", ["snake_case", "_x_"]),
        ("wait... what?!", ["wait", "...", "what", "?!"]),
        ("猫が好き ok", ["猫", "が", "好", "き", "ok"]),
        ("한국어 영화", ["한국어", "영화"]),
        ("नमस्ते दुनिया", ["नमस्ते", "दुनिया"]),
        ("cafe\u0301 au lait", ["cafe\u0301", "au", "lait"]),
        ("👩\u200d👩\u200d👧 😍😍 👍🏽", ["👩\u200d👩\u200d👧", "😍😍", "👍🏽"]),
        ("سلام عليكم", ["سلام", "عليكم"]),
        ("<b>x</b> ^ `", ["<", "b", ">", "x", "</", "b", ">", "^", "`"]),
        ("a\x00b\x1b", ["a", "b"]),
        (" \t\n\u00a0\u200b", []),
        ("", []),
    ],
)
def test_words_lie_where_a_reader_sees_them(text: str, expected: list[str]) -> None:
    assert cut(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Great. Really? (Yes.) Well", ["Great.", "Really?", "(Yes.)", "Well"]),
        ("Mr. B. Lee, e.g. here. Done.", ["Mr. B. Lee, e.g. here.", "Done."]),
        ('He said "no." Then left!', ['He said "no."', "Then left!"]),
        ("3.5 stars of 5. Ok...", ["3.5 stars of 5.", "Ok..."]),
        ("one\n\ntwo\nthree", ["one", "two\nthree"]),
        ("好。吗\uff1fok", ["好。", "吗\uff1f", "ok"]),
        ("  no end ", ["no end"]),
        (" \n\n ", []),
    ],
)
def test_sentences_end_where_a_reader_stops(text: str, expected: list[str]) -> None:
    assert [text[start:stop] for start, stop in sentences(text)] == expected


@pytest.mark.parametrize("seed", range(40))
def test_spans_are_in_order_apart_and_leave_nothing_but_space(seed: int) -> None:
    random = np.random.default_rng(seed)
    text = "".join(random.choice(ALPHABET, 120))
    for find in (words, sentences):
        spans = find(text)
        ends = [0, *(stop for _, stop in spans)]
        starts = [*(start for start, _ in spans), len(text)]
        assert all(start < stop for start, stop in spans)
        gaps = [text[end:start] for end, start in zip(ends, starts, strict=True)]
        assert (
            "".join(gap + text[start:stop] for gap, (start, stop) in zip(gaps, spans, strict=False)) + gaps[-1] == text
        )
        assert all(end <= start for end, start in zip(ends, starts, strict=True))
        # What is left between words is blank, or marks with nothing to stand on.
        assert not any(letter.isalnum() for gap in gaps for letter in gap)


def test_words_fuse_only_where_letters_would_meet() -> None:
    assert [fuse(*pair) for pair in (("well", "made"), ("3", "x"), ("!", "x"), ("x", "!"), ("好", "き"))] == [
        True, True, False, False, False,
    ]  # fmt: skip
