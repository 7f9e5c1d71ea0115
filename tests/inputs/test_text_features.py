"""What a model gets when words are off, against rows and texts written by hand."""

from typing import Any

import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.inputs.text_features import StringFeatures, TokenFeatures

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
PAD, UNK, HIDDEN = 0, 1, 9
# [CLS] good film [SEP] so dull [SEP] [PAD]: features good, film, "so dull"; the rest belongs to none.
ROWS = {
    IDS: np.array([2, 11, 12, 3, 13, 14, 3, PAD]),
    MASK: np.array([1, 1, 1, 1, 1, 1, 1, 0]),
    TYPES: np.array([0, 0, 0, 0, 1, 1, 1, 0], np.int32),
}
LABELS = np.array([3, 0, 1, 3, 2, 2, 3, 3], np.int32)
KEEP = np.array([[1, 1, 1], [0, 1, 1], [1, 1, 0], [0, 0, 0]], bool)


def tokens(fill: str, rows: dict[str, Any] = ROWS, **more: Any) -> TokenFeatures:
    stand_ins = {"mask": HIDDEN, "unknown": UNK, "pad": PAD, **more.pop("stand_ins", {})}
    settings: dict[str, Any] = {
        "source": IDS, "rows": rows, "attention_mask": MASK if MASK in rows else None, "fill": fill,
        "stand_ins": stand_ins, "pads_left": False, "length": 7, "labels": LABELS, "names": ("good", "film", "so dull"),
    }  # fmt: skip
    return TokenFeatures(**{**settings, **more})


def written(features: TokenFeatures, keep: Any = KEEP) -> dict[str, list[list[int]]]:
    rows = {name: np.full((len(keep), 8), -7, dtype) for name, dtype in features.inputs.items()}
    features.blend(keep, rows)
    return {name: row.tolist() for name, row in rows.items()}


@pytest.mark.parametrize(("fill", "number"), [("mask", HIDDEN), ("unknown", UNK)])
def test_another_token_takes_the_place(fill: str, number: int) -> None:
    found = written(tokens(fill))
    n = number
    assert found[IDS] == [
        [2, 11, 12, 3, 13, 14, 3, PAD],
        [2, n, 12, 3, 13, 14, 3, PAD],
        [2, 11, 12, 3, n, n, 3, PAD],
        [2, n, n, 3, n, n, 3, PAD],
    ]
    assert found[MASK] == [ROWS[MASK].tolist()] * 4
    assert found[TYPES] == [ROWS[TYPES].tolist()] * 4


def test_a_padded_place_is_not_to_be_seen() -> None:
    found = written(tokens("pad"))
    assert found[IDS][2] == [2, 11, 12, 3, PAD, PAD, 3, PAD]
    assert found[MASK][2] == [1, 1, 1, 1, 0, 0, 1, 0]


def test_what_is_left_moves_together_and_its_mask_and_text_with_it() -> None:
    found = written(tokens("remove"))
    assert found[IDS] == [
        [2, 11, 12, 3, 13, 14, 3, PAD],
        [2, 12, 3, 13, 14, 3, PAD, PAD],
        [2, 11, 12, 3, 3, PAD, PAD, PAD],
        [2, 3, 3, PAD, PAD, PAD, PAD, PAD],
    ]
    assert found[MASK] == [
        [1, 1, 1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0, 0, 0],
    ]
    assert found[TYPES][2] == [0, 0, 0, 0, 1, 0, 0, 0]


def test_padding_in_front_stays_in_front() -> None:
    rows = {IDS: np.array([PAD, 2, 11, 12, 3, 13, 14, 3]), MASK: np.array([0, 1, 1, 1, 1, 1, 1, 1])}
    found = written(tokens("remove", rows, labels=np.roll(LABELS, 1), pads_left=True))
    assert found[IDS][2] == [PAD, PAD, PAD, 2, 11, 12, 3, 3]
    assert found[MASK][2] == [0, 0, 0, 1, 1, 1, 1, 1]


def test_rows_keep_the_type_that_the_model_eats() -> None:
    found = tokens("mask").inputs
    assert {name: np.dtype(kind) for name, kind in found.items()} == {IDS: np.int64, MASK: np.int64, TYPES: np.int32}


def test_emptied_keeps_every_token_in_its_place_whatever_the_fill() -> None:
    arrays = {name: row[None] for name, row in ROWS.items()}
    expected = {"mask": HIDDEN, "unknown": UNK, "pad": PAD, "remove": PAD}
    for fill, n in expected.items():
        assert tokens(fill).emptied(arrays)[IDS].tolist() == [[2, n, n, 3, n, n, 3, PAD]]


@pytest.mark.parametrize(
    ("fill", "missing", "says"),
    [
        ("mask", ["mask"], "no token for mask; expected one of unknown, pad"),
        ("unknown", ["unknown", "mask", "pad"], r"no token for unknown; declare unknown under \[text\]"),
    ],
)
def test_a_fill_that_the_model_has_no_token_for_is_refused(fill: str, missing: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        tokens(fill, stand_ins=dict.fromkeys(missing))


def test_without_mask_or_padding_nothing_can_be_removed() -> None:
    with pytest.raises(UsageError, match="--fill remove: the model's tokenizer has no token for pad"):
        tokens("remove", {IDS: ROWS[IDS]}, stand_ins={"pad": None})
    assert written(tokens("remove", stand_ins={"pad": None}))[MASK][3] == [1, 1, 1, 0, 0, 0, 0, 0]


def strings(text: str, spans: list[tuple[int, int]], labels: Any = None, stand_in: str | None = None) -> StringFeatures:
    ends, starts = [0, *(stop for _, stop in spans)], [*(start for start, _ in spans), len(text)]
    return StringFeatures(
        source="text",
        pieces=tuple(text[start:stop] for start, stop in spans),
        gaps=tuple(text[end:start] for end, start in zip(ends, starts, strict=True)),
        stand_in=stand_in,
        labels=np.arange(len(spans), dtype=np.int32) if labels is None else np.array(labels, np.int32),
        names=tuple(f"{i}" for i in range(len(spans) if labels is None else max(labels) + 1)),
    )


def texts(features: StringFeatures, keep: list[list[int]], shape: tuple[int, ...] = (1,)) -> list[str]:
    rows = {"text": np.empty((len(keep), *shape), object)}
    features.blend(np.array(keep, bool), rows)
    return list(rows["text"].ravel())


def test_words_are_dropped_with_one_of_the_gaps_around_them() -> None:
    made = strings(" so warm, funny\nfilm ", [(1, 3), (4, 8), (8, 9), (10, 15), (16, 20)])
    assert texts(made, [[1] * 5, [0, 1, 1, 1, 1], [1, 0, 0, 1, 1], [1, 1, 1, 1, 0], [0] * 5, [0, 0, 0, 0, 1]]) == [
        " so warm, funny\nfilm ", " warm, funny\nfilm ", " so funny\nfilm ", " so warm, funny ", " ", " film ",
    ]  # fmt: skip


def test_words_do_not_fuse_where_what_was_between_them_is_dropped() -> None:
    made = strings("good/bad!", [(0, 4), (4, 5), (5, 8), (8, 9)])
    assert texts(made, [[1, 0, 1, 1], [1, 0, 0, 1]], shape=()) == ["good bad!", "good!"]


def test_a_word_may_stand_in_and_sentences_go_together() -> None:
    made = strings("a b. c", [(0, 1), (2, 3), (3, 4), (5, 6)], labels=[0, 0, 0, 1], stand_in="UNK")
    assert texts(made, [[0, 1], [1, 0]]) == ["UNK UNK UNK c", "a b. UNK"]
