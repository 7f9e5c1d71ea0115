import numpy as np
import pytest

from agnostic.draw.colour import TEAL
from agnostic.draw.multiples import Curves, multiples
from agnostic.errors import UsageError


def teal_rows(image, left, right):
    drawn = np.asarray(image).astype(int)[:, left:right]
    return np.flatnonzero((np.abs(drawn - TEAL).sum(axis=2) < 30).any(axis=1))


def test_a_rising_curve_rises():
    drawn = multiples([Curves("a", np.array([0.0, 1.0]), np.array([0.0, 1.0]))])
    start, end = teal_rows(drawn, 160, 200), teal_rows(drawn, 680, 710)
    assert end.mean() < start.mean() - 150


def test_panels_share_one_scale():
    flat = Curves("b", np.array([0.0, 1.0]), np.array([0.0, 0.1]))
    steep = Curves("a", np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    drawn = multiples([steep, flat])
    first, second = teal_rows(drawn, 150, 720), teal_rows(drawn, 780, drawn.width)
    assert np.ptp(second) < 0.3 * np.ptp(first)


def test_single_curves_rug_and_categories_are_drawn():
    grid = np.arange(3.0)
    plain = Curves("a", grid, grid)
    single = Curves("a", grid, grid, curves=np.stack([grid, grid[::-1]]), own=np.array([0.2, 1.5]))
    named = Curves("a", grid, grid, categories=("red", "green", "blue"))
    images = [np.asarray(multiples([panel])) for panel in (plain, single, named)]
    assert all(np.abs(images[0].astype(int) - other).max() > 50 for other in images[1:])


def test_four_panels_take_two_rows_and_a_note_its_line():
    panel = Curves("a", np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    three, four = multiples([panel] * 3), multiples([panel] * 4, heading="h", note="n", footer="f", dark=True)
    assert four.width == three.width
    assert four.height > 1.7 * three.height


def test_a_constant_curve_is_drawn():
    assert teal_rows(multiples([Curves("a", np.array([2.0]), np.array([5.0]))]), 100, 720).size


def test_nothing_to_draw_is_refused():
    with pytest.raises(UsageError, match="no curve to draw"):
        multiples([])
