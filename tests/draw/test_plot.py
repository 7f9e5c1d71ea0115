import numpy as np
import pytest
from PIL import Image

from agnostic.draw.plot import NOTHING, Axis, smooth, value_colour


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-7, 3, [-6, -4, -2, 0, 2]),
        (1200, 1900, [1200, 1400, 1600, 1800]),
        (5, 5, [5]),
    ],
)
def test_ticks_are_round_and_inside(low, high, expected):
    assert Axis(low, high, 0, 100).ticks() == pytest.approx(expected)


def test_places_run_from_start_to_stop():
    np.testing.assert_allclose(Axis(-1, 3, 10, 50).place([-1, 0, 3]), [10, 20, 50])
    np.testing.assert_allclose(Axis(2, 2, 10, 50).place([2]), [10])


def test_colours_of_values_differ_in_both_directions():
    low, middle, high = (np.array(value_colour(share)) for share in (0, 0.5, 1))
    assert low[2] > low[0] and high[0] > high[2]
    assert (np.abs(middle - (low + high) / 2) < 40).all()
    assert value_colour(float("nan")) == NOTHING


def test_a_dot_lies_where_it_is_put_and_has_smooth_edges():
    sheet = Image.new("RGB", (60, 40), (255, 255, 255))
    with smooth(sheet, (20, 10, 50, 30)) as brush:
        brush.dot(35, 20, 5, (0, 0, 0))
    drawn = np.asarray(sheet)[..., 0]
    dark = 255.0 - drawn
    rows, columns = np.indices(drawn.shape)
    assert abs((rows * dark).sum() / dark.sum() - 19.5) < 0.6
    assert abs((columns * dark).sum() / dark.sum() - 34.5) < 0.6
    assert dark.sum() / 255 == pytest.approx(np.pi * 25, rel=0.1)
    assert ((drawn > 0) & (drawn < 255)).any()
    assert (drawn[:10] == 255).all()
