import numpy as np
import pytest
from PIL import Image

from agnostic.draw import text
from agnostic.draw.bars import add_bar, ends, strip
from agnostic.draw.overlays import Scale, overlay

QUIET = (109, 108, 104)


@pytest.mark.parametrize("diverging", [False, True])
def test_the_bar_shows_the_colours_that_the_overlay_draws(diverging: bool) -> None:
    ramp = np.linspace(-1 if diverging else 0, 1, 50)[None]
    grey = np.full((1, 50, 3), 128, np.uint8)
    drawn = overlay(grey, ramp * 7, Scale(-7 if diverging else 0, 7), diverging)
    np.testing.assert_array_equal(strip(50, 1, diverging=diverging), drawn)


def test_ends_say_their_sign() -> None:
    assert ends(Scale(0, 0.25), diverging=False) == ("0", "0.25")
    assert ends(Scale(-2, 2), diverging=True) == ("-2", "+2")


def bar(scale: Scale, *, diverging: bool) -> np.ndarray:
    sheet = Image.new("RGB", (400, 60), (252, 252, 250))
    add_bar(sheet, (20, 10), 300, scale, diverging=diverging, quiet=QUIET)
    return np.asarray(sheet).astype(int)


@pytest.mark.parametrize(("scale", "diverging"), [(Scale(0, 0.412), False), (Scale(-123456, 123456), True)])
def test_a_bar_stays_in_its_box(scale: Scale, diverging: bool) -> None:
    rows, columns = np.nonzero((bar(scale, diverging=diverging) != (252, 252, 250)).any(axis=-1))
    assert rows.min() >= 10 and rows.max() < 10 + text.line_height(text.SMALL)
    assert columns.min() >= 20 and columns.max() < 320
    assert columns.max() >= 315  # the high end stands at the right edge


@pytest.mark.parametrize("diverging", [False, True])
def test_a_scale_without_extent_has_no_colours(diverging: bool) -> None:
    shown = bar(Scale(0, 0), diverging=diverging)
    assert np.ptp(shown, axis=-1).max() <= 6  # quiet words only
    assert (shown != (252, 252, 250)).any()
