"""Bars: where they begin and end is read off the picture again."""

import numpy as np
import pytest
from PIL import Image

from agnostic.draw.barchart import Bars, bar_chart
from agnostic.draw.colour import BLUE, CORAL, ORANGE, TEAL
from agnostic.draw.sheet import DARK, LIGHT
from agnostic.errors import ItemError, UsageError


def stretches(picture: Image.Image, colour: tuple[int, int, int]) -> list[tuple[int, int, int]]:
    """The bars of a colour: middle row, first and last column, from top to bottom."""
    mask = (np.asarray(picture) == colour).all(axis=2)
    rows = np.flatnonzero(mask.sum(axis=1) > 3)
    blocks = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    return [(int(block.mean()), *np.flatnonzero(mask[block[0]])[[0, -1]]) for block in blocks if len(block)]


def test_bars_on_zero_are_as_long_as_their_weights_and_on_their_side() -> None:
    chart = bar_chart(["a", "b", "c"], ["1", "2", "3"], [Bars("lime", "cat", np.array([3.0, -1.5, 0.75]))])
    (_, left_a, right_a), (_, left_c, right_c) = stretches(chart, TEAL)
    ((_, left_b, right_b),) = stretches(chart, CORAL)
    assert left_a == left_c and abs(right_b + 1 - left_a) <= 1  # the zero line
    lengths = np.array([right_a - left_a, right_b - left_b, right_c - left_c]) + 1
    np.testing.assert_allclose(lengths / lengths[0], [1, 0.5, 0.25], atol=0.02)


def test_bars_that_add_up_stand_end_to_end() -> None:
    chart = bar_chart(["a", "b", "c"], [], [Bars("shap", "cat", np.array([2.0, -1.0, 3.0]), start=1.0)])
    (_, a0, a1), (_, c0, c1) = stretches(chart, TEAL)
    ((_, b0, b1),) = stretches(chart, CORAL)
    assert abs(a1 - b1) <= 2 and abs(b0 - c0) <= 2
    np.testing.assert_allclose((c1 - c0) / (a1 - a0), 1.5, atol=0.03)
    assert a0 < b0 < a1 < c1


def test_columns_of_one_title_share_a_scale_and_others_do_not() -> None:
    small, large = np.array([1.0, 0.5]), np.array([4.0, 2.0])
    shared = bar_chart(["a", "b"], [], [Bars("m", "", small), Bars("m", "", large)])
    apart = bar_chart(["a", "b"], [], [Bars("m", "", small), Bars("other", "", large)])
    mask = (np.asarray(shared) == TEAL).all(axis=2)
    middle = shared.width // 2
    assert mask[:, middle:].sum() > 3.5 * mask[:, :middle].sum()
    mask = (np.asarray(apart) == TEAL).all(axis=2)
    assert mask[:, middle:].sum() < 1.2 * mask[:, :middle].sum()


def test_themes_accents_heading_and_footer_are_there() -> None:
    columns = [Bars("m", "c", np.ones(2), accent=ORANGE), Bars("m", "d", np.ones(2), accent=BLUE)]
    plain, full = (
        bar_chart(["a", "b"], [], columns),
        bar_chart(["a", "b"], [], columns, heading="why?", footer="seed 0"),
    )
    assert full.height > plain.height
    assert plain.getpixel((0, 0)) == LIGHT.paper
    assert bar_chart(["a", "b"], [], columns, dark=True).getpixel((0, 0)) == DARK.paper
    for colour in (ORANGE, BLUE):
        assert (np.asarray(plain) == colour).all(axis=2).any()


def test_a_column_may_say_nothing_of_the_last_name() -> None:
    columns = [Bars("shap", "", np.ones(3), start=0.0), Bars("lime", "", np.ones(2))]
    chart = bar_chart(["a", "b", "others"], [], columns)
    rows = [row for row, *_ in stretches(chart, TEAL)]
    right = (np.asarray(chart)[rows[-1], chart.width // 2 + 60 :] == TEAL).all(axis=1)
    assert len(rows) == 3 and not right.any()


def test_long_names_are_shortened_and_zeros_are_drawn() -> None:
    chart = bar_chart(["x" * 300, "b"], ["y" * 300, ""], [Bars("m", "", np.zeros(2))])
    assert chart.width < 1500
    assert not stretches(chart, TEAL) and not stretches(chart, CORAL)


def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(UsageError, match="1 columns of bars for 2 names"):
        bar_chart(["a", "b"], [], [Bars("m", "", np.ones(4))])
    with pytest.raises(UsageError, match="0 columns"):
        bar_chart(["a"], [], [])
    with pytest.raises(ItemError, match="NaN"):
        bar_chart(["a"], [], [Bars("m", "", np.array([np.nan]))])
