import numpy as np
import pytest

from agnostic.draw.axes import on_paper
from agnostic.draw.curvechart import Curve, Shading, curve_chart
from agnostic.draw.sheet import DARK, LIGHT
from agnostic.errors import ItemError, UsageError

STARTS = np.array([0, 4])
WAVE = Curve("heat, °C", np.sin(np.arange(10)))


def shading(values: np.ndarray, **more: object) -> Shading:
    return Shading("lime", "autumn", values, float(np.abs(values).max()), **more)


@pytest.mark.parametrize(("dark", "theme"), [(False, LIGHT), (True, DARK)])
def test_stretches_have_the_colours_of_their_values_side_by_side(dark: bool, theme: object) -> None:
    values = np.array([[1.0] * 4 + [-1.0] * 6])
    chart = np.asarray(curve_chart([WAVE], [shading(values)], STARTS, dark=dark))
    teal, coral = ((chart == on_paper(sign, theme)).all(axis=2) for sign in (1, -1))
    for mask, share in ((teal, 0.4), (coral, 0.6)):
        across = np.flatnonzero(mask.sum(axis=0) > 100)
        assert across.size / 760 == pytest.approx(share, abs=0.02)
    assert np.flatnonzero(teal.sum(axis=0) > 100).max() < np.flatnonzero(coral.sum(axis=0) > 100).min()
    assert (chart == theme.ink).all(axis=2).any()


def test_channels_stand_below_each_other_with_their_own_shades() -> None:
    values = np.stack([np.ones(10), np.zeros(10)])
    chart = np.asarray(curve_chart([WAVE, WAVE], [shading(values)], STARTS))
    rows = np.flatnonzero((chart == on_paper(1, LIGHT)).all(axis=2).sum(axis=1) > 200)
    assert np.ptp(rows) < 180  # only the first of two
    both = np.asarray(curve_chart([WAVE, WAVE], [shading(np.ones((1, 10)))], STARTS))
    assert np.ptp(np.flatnonzero((both == on_paper(1, LIGHT)).all(axis=2).sum(axis=1) > 200)) > 300


def test_the_curve_goes_through_its_values() -> None:
    ramp = Curve("up", np.arange(10.0))
    chart = np.asarray(curve_chart([ramp], [shading(np.full((1, 10), 1e-9))], np.array([0])))
    ink = np.argwhere((chart.astype(int) < 90).all(axis=2) & (np.arange(chart.shape[1]) > 120))
    body = ink[(ink[:, 0] > 190) & (ink[:, 1] < chart.shape[1] - 80)]
    slope = np.corrcoef(body[:, 0], body[:, 1])[0, 1]
    assert slope < -0.99  # to the right and upwards


def test_numbers_are_written_where_there_is_room() -> None:
    values = np.array([[1.0] * 4 + [-1.0] * 6])
    plain = np.asarray(curve_chart([WAVE], [shading(values)], STARTS)).astype(int)
    told = np.asarray(curve_chart([WAVE], [shading(values, numbers=np.array([[1.0, -1.0]]))], STARTS)).astype(int)
    above = slice(184, 196)  # between the top of the cell and the highest point of the curve
    assert (told[above, 100:] < 60).all(axis=2).any() and not (plain[above, 100:] < 60).all(axis=2).any()


def test_columns_share_the_scale_of_their_curves() -> None:
    values = np.array([[1.0] * 4 + [-1.0] * 6])
    columns = [shading(values, numbers=np.array([[1.0, -1.0]])), shading(0.1 * values)]
    chart = np.asarray(curve_chart([WAVE], columns, STARTS)).astype(int)
    halves = [
        (chart[200:, left : left + 760] < 60).all(axis=2) for left in (chart.shape[1] - 48 - 2 * 760 - 32, -48 - 760)
    ]
    peaks = [np.flatnonzero(half[:, 630:660].any(axis=1)).min() for half in halves]  # of step 8, beside any number
    assert abs(peaks[0] - peaks[1]) <= 1


def test_one_step_and_flat_curves_are_drawn() -> None:
    flat = Curve("flat", np.ones(1))
    assert curve_chart([flat], [Shading("m", "", np.zeros((1, 1)), 0.0)], np.array([0])).width > 700


def test_what_cannot_be_drawn_is_refused() -> None:
    for curves, columns, says in (
        ([], [shading(np.ones((1, 10)))], "0 curves"),
        ([WAVE, Curve("b", np.ones(9))], [shading(np.ones((1, 10)))], "curves of 10 and of 9 steps"),
        ([WAVE], [shading(np.ones((1, 9)))], r"a shading of shape \[1, 9\]"),
    ):
        with pytest.raises(UsageError, match=says):
            curve_chart(curves, columns, STARTS)
    with pytest.raises(ItemError):
        curve_chart([WAVE], [Shading("m", "", np.full((1, 10), np.nan), 1.0)], STARTS)
