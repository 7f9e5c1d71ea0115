from typing import Any

import numpy as np
import pytest

from agnostic import gallery
from agnostic.errors import UsageError
from agnostic.explanation import Explanation
from agnostic.gallery import curves

DATA = np.arange(12, dtype=np.float32).reshape(2, 6)
SHOWN = {"kind": "series", "channels": ["heat", "wind"], "units": ["°C", ""], "time": "hour", "starts": [0, 2, 4]}


def series(values: Any, target: str = "autumn", data: Any = DATA, **more: Any) -> Explanation:
    values = np.asarray(values, np.float32)
    return Explanation(values, np.nan, target, "lime", {"shown": SHOWN, "input": "week.csv"}, data=data, **more)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    calls: list[Any] = []
    real = curves.curve_chart

    def noting(*given: Any, **words: Any) -> Any:
        calls.append((*given, words))
        return real(*given, **words)

    monkeypatch.setattr(curves, "curve_chart", noting)
    return calls


def test_channels_units_pieces_and_their_numbers(drawn: list[Any]) -> None:
    segments = np.array([0, 0, 1, 1, 2, 2], np.int32)
    gallery.figure([series([1, 1, -2, -2, 0, 0], segments=segments, weights=np.array([1, -2, 0], np.float32))])
    shown, (column,), starts, words = drawn[0]
    assert [curve.label for curve in shown] == ["heat, °C", "wind"]
    assert (starts.tolist(), words["time"], words["heading"]) == ([0, 2, 4], "hour", "week.csv")
    assert column.numbers.tolist() == [[1, -2, 0]] and column.bound == 2
    np.testing.assert_array_equal(shown[1].values, DATA[1])


def test_single_channels_have_numbers_of_their_own(drawn: list[Any]) -> None:
    values = np.array([[1, 1, 2, 2, 3, 3], [4, 4, 5, 5, 6, 6]])
    gallery.figure([series(values, weights=np.arange(1, 7, dtype=np.float32))])
    assert drawn[0][1][0].numbers.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_values_by_step_have_none(drawn: list[Any]) -> None:
    gallery.figure([series(np.arange(6.0)), series(9 * np.arange(6.0), "spring")])
    left, right = drawn[0][1]
    assert left.numbers is None and right.numbers is None
    assert left.bound == right.bound == 45
    assert left.accent != right.accent


def test_different_series_are_refused() -> None:
    with pytest.raises(UsageError, match="of different series"):
        gallery.figure([series(np.ones(6)), series(np.ones(6), data=DATA + 1)])
    with pytest.raises(UsageError, match="does not hold the series"):
        gallery.figure([series(np.ones(6), data=None)])
