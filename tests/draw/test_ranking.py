import numpy as np
import pytest

from agnostic.draw.colour import CORAL, TEAL
from agnostic.draw.ranking import Line, Swarm, ranking, stacked
from agnostic.draw.sheet import DARK, LIGHT
from agnostic.errors import UsageError


def has(image, colour):
    return (np.abs(np.asarray(image).astype(int) - colour).sum(axis=2) < 12).any(axis=0).nonzero()[0]


def lines(*values):
    return [Line(f"feature {number}", (value,)) for number, value in enumerate(values)]


def test_a_bar_is_as_long_as_its_number():
    drawn = np.asarray(ranking(lines(4.0, 2.0), ["size"]))
    teal = (np.abs(drawn.astype(int) - TEAL).sum(axis=2) < 12).sum(axis=1)
    long, short = sorted({count for count in teal if count > 5}, reverse=True)[0], min(c for c in teal if c > 5)
    assert long == pytest.approx(2 * short, abs=3)


def test_what_is_below_zero_goes_the_other_way():
    drawn = ranking(lines(1.0, -1.0), ["change"])
    assert has(drawn, CORAL).max() <= has(drawn, TEAL).min() + 1


def test_more_lines_and_pictures_and_swarms_take_room():
    swarm = Swarm(np.linspace(-1, 1, 30), np.linspace(0, 1, 30))
    small, taller = ranking(lines(1.0), ["a"]), ranking(lines(*[1.0] * 5), ["a"])
    assert taller.height > small.height and taller.width == small.width
    wide = ranking([Line("x", (1.0,), swarm=swarm, note="in 3 of 9")], ["a"], swarm_title="w", value_title="value")
    assert wide.width > small.width
    pictures = np.full((2, 96, 96, 3), 100, np.uint8)
    assert ranking([Line("x", (1.0,), pictures=pictures)], ["a"]).height > small.height


def test_light_and_dark_differ_in_their_paper():
    light, dark = (ranking(lines(1.0), ["a"], heading="h", footer="f", dark=dark) for dark in (False, True))
    assert light.getpixel((0, 0)) == LIGHT.paper
    assert dark.getpixel((0, 0)) == DARK.paper


def test_dots_that_would_cover_each_other_are_moved_apart_but_stay_in_their_line():
    offsets = stacked(np.full(200, 7.0), 10, 20)
    assert np.abs(offsets).max() <= 20
    assert len(np.unique(offsets)) == 200
    np.testing.assert_array_equal(stacked(np.array([0.0, 100.0, 200.0]), 10, 20), 0)


def test_nothing_to_draw_is_refused():
    with pytest.raises(UsageError, match="no feature to draw"):
        ranking([], ["a"])
