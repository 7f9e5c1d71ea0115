from collections.abc import Sequence

import numpy as np
import pytest

from agnostic.draw import Panel, Scale, figure
from agnostic.draw.colour import BLUE, ORANGE
from agnostic.draw.sheet import DARK, LIGHT, MARGIN, WIDE
from agnostic.errors import UsageError

PICTURE = np.random.default_rng(0).integers(0, 256, (80, 100, 3), dtype=np.uint8)
LONG = "a caption that goes on and on until there is no room left for it in its column"


def pixels(rows: Sequence[Sequence[Panel]], **options: object) -> np.ndarray:
    return np.asarray(figure(rows, panel_width=200, **options))  # type: ignore[arg-type]


def contains(page: np.ndarray, x: int, picture: np.ndarray) -> bool:
    """Whether the picture stands on the page with its left edge at x."""
    height, width = picture.shape[:2]
    column = page[:, x : x + width]
    return any(np.array_equal(column[y : y + height], picture) for y in range(page.shape[0] - height + 1))


def used(page: np.ndarray, theme_paper: tuple[int, int, int] = LIGHT.paper) -> np.ndarray:
    return np.asarray((page != theme_paper).any(axis=-1))


def test_the_input_is_shown_untouched_at_the_left() -> None:
    page = pixels([[Panel(PICTURE, "in"), Panel(PICTURE, "out", values=np.eye(4), style="heat")]])
    assert contains(page, MARGIN, PICTURE.repeat(2, axis=0).repeat(2, axis=1))
    assert not contains(page, MARGIN + 200 + WIDE, PICTURE.repeat(2, axis=0).repeat(2, axis=1))


def test_the_width_is_that_of_the_longest_row() -> None:
    panel = Panel(PICTURE, "in")
    assert pixels([[panel], [panel] * 3]).shape[1] == 2 * MARGIN + 3 * 200 + 2 * WIDE


def test_nothing_touches_the_margins_or_the_gaps() -> None:
    heat = Panel(PICTURE, LONG, LONG, values=np.eye(4), style="heat", accent=ORANGE)
    page = used(pixels([[Panel(PICTURE, LONG, LONG), heat, heat]] * 2, heading=LONG * 3))
    assert not page[:, :MARGIN].any() and not page[:, -MARGIN:].any()
    assert not page[:MARGIN].any() and not page[-MARGIN:].any()
    below_heading = page[MARGIN + 60 :]
    for column in (1, 2):
        gap = MARGIN + column * 200 + (column - 1) * WIDE
        assert not below_heading[:, gap : gap + WIDE].any()


def test_a_page_ends_where_its_content_ends() -> None:
    for options in ({}, {"footer": "model · seed 0"}, {"footer": LONG * 5, "heading": "Why?"}):
        page = used(pixels([[Panel(PICTURE, "in", "caption")]], **options))
        last = int(np.nonzero(page.any(axis=1))[0][-1])
        assert page.shape[0] - MARGIN - 20 <= last < page.shape[0] - MARGIN


def test_a_shared_scale_has_one_bar_across_its_panels() -> None:
    def row(scale: Scale | None) -> list[Panel]:
        return [Panel(PICTURE, "t", values=np.eye(4), style="heat", scale=scale) for _ in range(2)]

    gap = slice(MARGIN + 200, MARGIN + 200 + WIDE)
    assert used(pixels([row(Scale(0, 1))]))[:, gap].any(axis=1).sum() == 8  # the thickness of a bar
    assert not used(pixels([row(None)]))[:, gap].any()


def test_compared_targets_carry_their_colours() -> None:
    for colour in (ORANGE, BLUE):
        page = pixels([[Panel(PICTURE * 0, "target", accent=colour)]])
        rows, columns = np.nonzero((page == colour).all(axis=-1))
        assert set(columns) == set(range(MARGIN, MARGIN + 6)) and rows.max() < MARGIN + 40


def test_a_dark_page() -> None:
    page = pixels([[Panel(PICTURE, "in", "caption")]], dark=True, footer="seed 0")
    assert tuple(page[0, 0]) == DARK.paper
    assert contains(page, MARGIN, PICTURE.repeat(2, axis=0).repeat(2, axis=1))


def test_a_clip_is_said_only_where_there_is_one() -> None:
    smooth, spiky = np.ones((40, 40)), np.arange(1600.0).reshape(40, 40)

    def height(values: np.ndarray) -> int:
        return len(pixels([[Panel(PICTURE, "t", values=values, style="heat")]]))

    assert height(spiky) > height(smooth)  # a footer of its own
    assert height(np.zeros((40, 40))) == height(smooth)


def test_pictures_of_different_proportions_keep_them() -> None:
    tall, wide = PICTURE[:, :50], PICTURE[:20]
    page = pixels([[Panel(tall, ""), Panel(wide, "")]])
    assert contains(page, MARGIN + 200 + WIDE, wide.repeat(2, axis=0).repeat(2, axis=1))
    assert page.shape[0] == 2 * MARGIN + 300


def test_the_same_panels_draw_the_same_page() -> None:
    row = [Panel(PICTURE, "t", values=np.eye(4), style="heat")]
    np.testing.assert_array_equal(pixels([row]), pixels([row]))


@pytest.mark.parametrize("rows", [[], [[]], [[Panel(PICTURE, "in")], []]])
def test_empty_figures_are_refused(rows: list[list[Panel]]) -> None:
    with pytest.raises(UsageError, match="empty row"):
        figure(rows)


def test_a_column_that_is_too_narrow_is_refused() -> None:
    with pytest.raises(UsageError, match="at least 64"):
        figure([[Panel(PICTURE, "in")]], panel_width=10)
