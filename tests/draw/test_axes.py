import numpy as np
import pytest
from PIL import Image

from agnostic.draw.axes import Span, add_ramp, bound_of, on_paper, signed_number, smooth_line, ticks
from agnostic.draw.colour import CORAL, TEAL
from agnostic.draw.sheet import DARK, LIGHT


@pytest.mark.parametrize("low, high", [(0, 1), (-3.2, 8.9), (1e-7, 3e-7), (1000, 1e6), (-0.5, 0.49), (9.99, 10.01)])
@pytest.mark.parametrize("most", [3, 4, 7])
def test_ticks_are_few_round_and_inside(low: float, high: float, most: int) -> None:
    found = ticks(low, high, most)
    assert 1 <= len(found) <= most and low - 1e-12 <= found[0] and found[-1] <= high * (1 + 1e-9) + 1e-12
    for step in np.diff(found):
        digits = step / 10 ** np.floor(np.log10(step) + 1e-9)
        assert min(abs(digits - base) for base in (1, 2, 5)) < 1e-6


def test_places_go_from_one_end_to_the_other() -> None:
    span = Span(2.0, 4.0, 100, 0)
    assert [span.place(value) for value in (2, 3, 4)] == [100, 50, 0]
    assert Span(1.0, 1.0, 0, 10).place(1.0) == 5


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_colours_on_paper_vanish_at_zero_and_lean_to_the_sign(theme: object) -> None:
    assert on_paper(0.0, theme) == theme.paper
    for value, colour in ((1.0, TEAL), (-1.0, CORAL)):
        near = np.abs(np.subtract(on_paper(value, theme), colour)).sum()
        far = np.abs(np.subtract(on_paper(0.3 * value, theme), colour)).sum()
        assert near < far < np.abs(np.subtract(theme.paper, colour)).sum()
    assert on_paper(7.0, theme) == on_paper(1.0, theme)


def test_signs_are_written() -> None:
    assert [signed_number(value) for value in (3.14159, -0.00042, 0.0)] == ["+3.14", "-0.00042", "0"]


def test_a_ramp_runs_from_coral_over_paper_to_teal() -> None:
    sheet = Image.new("RGB", (400, 40), LIGHT.paper)
    add_ramp(sheet, (0, 0), 400, 2.0, LIGHT)
    rows = np.asarray(sheet)[15].astype(int)
    coloured = rows[(np.abs(rows - LIGHT.paper).sum(axis=1) > 30) & (np.ptp(rows, axis=1) > 20)]
    assert np.abs(coloured[0] - on_paper(-1, LIGHT)).max() < 12 and np.abs(coloured[-1] - on_paper(1, LIGHT)).max() < 12


def test_a_line_is_where_its_points_are_and_smooth() -> None:
    sheet = Image.new("RGB", (100, 100), (255, 255, 255))
    smooth_line(sheet, [(10, 10), (90, 50)], (0, 0, 0))
    pixels = np.asarray(sheet)[:, :, 0]
    ys, _ = np.nonzero(pixels < 100)
    assert pixels[30, 50] < 60 and pixels[80, 20] == 255
    assert ys.min() >= 8 and ys.max() <= 52
    assert np.unique(pixels).size > 5  # more than ink and paper


def test_the_largest_magnitude_bounds_all() -> None:
    assert bound_of([np.array([1.0, -3]), np.array([2.0])]) == 3
    assert bound_of([np.zeros(0)]) == 0
