"""What is handed to the drawing room: order, sums, where bars start, and the words."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from agnostic import gallery
from agnostic.errors import UsageError
from agnostic.explanation import Explanation
from agnostic.gallery import bars


def row(
    weights: Any, base: float = 1.0, target: str = "malignant", method: str = "kernelshap", **meta: Any
) -> Explanation:
    weights = np.asarray(weights, np.float32)
    shown = {"kind": "table", "values": [str(at) for at in range(len(weights))], "off": "the 50 rows of b.csv"}
    facts = {
        "input": "rows.csv row 3",
        "score": base + float(weights.sum()),
        "feature_names": [f"f{i}" for i in range(len(weights))],
    }
    return Explanation(weights, base, target, method, {"shown": shown, **facts, **meta}, weights=weights)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    real = bars.bar_chart

    def noting(*given: Any, **words: Any) -> Any:
        calls.append((*given, words))
        return real(*given, **words)

    monkeypatch.setattr(bars, "bar_chart", noting)
    return calls


def test_the_strongest_stand_on_top_and_lead_from_the_base_value(drawn: list[Any]) -> None:
    gallery.figure([row([1, -3, 2])])
    names, values, (column,), words = drawn[0]
    assert (names, values) == (["f1", "f2", "f0"], ["1", "2", "0"])
    assert (column.weights.tolist(), column.start) == ([-3, 2, 1], 1.0)
    assert words["heading"] == "rows.csv row 3" and "off: the 50 rows of b.csv" in words["footer"]


def test_many_pieces_that_add_up_end_in_their_sum(drawn: list[Any]) -> None:
    gallery.figure([row(np.arange(20))])
    names, _, (column,), _ = drawn[0]
    assert names[-1] == "6 others" and len(names) == bars.MOST_BARS + 1
    assert column.weights[-1] == sum(range(6)) and column.weights.sum() == sum(range(20))


def test_many_that_do_not_add_up_are_left_out_and_that_is_said(drawn: list[Any]) -> None:
    gallery.figure([row(np.arange(20), base=np.nan, method="occlusion")])
    names, _, (column,), words = drawn[0]
    assert len(names) == bars.MOST_BARS == len(column.weights) and column.start is None
    assert words["footer"].endswith("6 that count less are left out")


def test_a_sum_beside_what_does_not_add_up_is_drawn_for_what_does(drawn: list[Any]) -> None:
    """Else the bars would end short of the score that they are said to reach."""
    gallery.figure([row(np.arange(20)), row(np.arange(20), base=np.nan, method="occlusion")])
    names, _, (adds_up, other), _ = drawn[0]
    assert names[-1] == "6 others"
    assert adds_up.edges[-1, 1] == 1 + sum(range(20))
    assert len(other.weights) == bars.MOST_BARS


@pytest.mark.parametrize(("score", "start"), [(7.0, 1.0), (7.05, 1.0), (9.0, None), (None, None)])
def test_what_adds_up_is_told_by_the_numbers(score: float | None, start: float | None) -> None:
    assert bars.start_of(row([1, 2, 3], score=score)) == start


def test_two_targets_share_the_order_of_their_strongest(drawn: list[Any]) -> None:
    gallery.figure([row([0.1, 1, 0.5]), row([90, 10, 0], target="benign")])
    names, _, columns, _ = drawn[0]
    assert names == ["f0", "f1", "f2"]
    assert columns[0].accent != columns[1].accent
    assert columns[0].caption.startswith("malignant") and columns[1].caption.startswith("benign")


def test_arrays_are_named_by_their_indices(drawn: list[Any]) -> None:
    values = np.array([[1.0, -5], [3, 0]], np.float32)
    item = Explanation(
        values, np.nan, "class 0", "lime", {"shown": {"kind": "sequence"}, "source": "x"}, data=10 * values
    )
    gallery.figure([item])
    names, shown, *_ = drawn[0]
    assert names == ["x[0, 1]", "x[1, 0]", "x[0, 0]", "x[1, 1]"]
    assert shown == ["-50", "30", "10", "0"]
    assert gallery.is_drawn(item) and not gallery.is_drawn(dataclasses.replace(item, meta={}))


def test_different_rows_are_refused() -> None:
    with pytest.raises(UsageError, match="of different rows"):
        gallery.figure([row([1, 2]), row([1, 2], shown={"kind": "table", "values": ["7", "7"]})])
    with pytest.raises(UsageError, match="of different rows"):
        gallery.figure([row([1, 2]), row([1, 2, 3])])
    with pytest.raises(UsageError, match="different kinds of input"):
        gallery.figure([row([1, 2]), row([1, 2], shown={"kind": "sequence"})])
