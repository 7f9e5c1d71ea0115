"""What is pointed at: where lines lie, which names are written, what is refused."""

import numpy as np
import pytest

from agnostic.draw.marks import BoxMark, Marks, marked
from agnostic.errors import InputError

GREY = np.full((200, 400, 3), 128, np.uint8)
WHITE, INK = [255, 255, 255], [20, 20, 19]


def test_a_box_is_a_line_with_a_dark_edge() -> None:
    drawn = marked(GREY, Marks((BoxMark((0.25, 0.25, 0.75, 0.75), strong=True),)))
    assert drawn[100, 100].tolist() == WHITE and drawn[100, 102].tolist() == WHITE
    assert drawn[100, 99].tolist() == INK
    assert drawn[100, 200].tolist() == [128, 128, 128]
    assert (GREY == 128).all()  # the picture itself stays as it was


def test_a_strong_box_is_thicker_coloured_and_on_top() -> None:
    same = (0.25, 0.25, 0.75, 0.75)
    drawn = marked(GREY, Marks((BoxMark(same, strong=True, colour=(217, 112, 43)), BoxMark(same))))
    assert (drawn == (217, 112, 43)).all(axis=2).sum() > 4 * (drawn == 255).all(axis=2).sum()
    thin = marked(GREY, Marks((BoxMark(same),)))
    assert (thin == 255).all(axis=2).sum() < (drawn == (217, 112, 43)).all(axis=2).sum()


def test_what_lies_outside_is_cut_off() -> None:
    drawn = marked(GREY, Marks((BoxMark((-0.5, -0.5, 0.5, 2.0), "box:0"), BoxMark((0.9, 0.9, 0.9, 0.9)))))
    assert drawn.shape == GREY.shape
    assert drawn[100, 0].tolist() == WHITE


@pytest.mark.parametrize(("box", "above"), [((0.1, 0.5, 0.6, 0.9), True), ((0.1, 0.0, 0.6, 0.4), False)])
def test_a_name_stands_above_its_box_or_inside_it(box: tuple[float, float, float, float], above: bool) -> None:
    chip = (marked(GREY, Marks((BoxMark(box, "box:0"),))) == INK).all(axis=2)
    top = round(box[1] * 199)
    assert chip[max(top - 20, 0) : max(top - 4, 0), 46:60].any() == above
    assert chip[top + 8 : top + 20, 46:60].any() != above


def test_names_do_not_cover_each_other_and_the_strong_one_is_kept() -> None:
    boxes = (BoxMark((0.1, 0.5, 0.6, 0.9), "first", strong=True), BoxMark((0.11, 0.5, 0.6, 0.9), "second"))
    both = marked(GREY, Marks(boxes))
    alone = marked(GREY, Marks((boxes[0], BoxMark(boxes[1].box))))
    np.testing.assert_array_equal(both, alone)


def test_a_region_is_outlined() -> None:
    region = np.zeros((20, 40), bool)
    region[5:15, 10:30] = True
    drawn = marked(GREY, Marks(regions=(region,)))
    bright = (drawn > 240).all(axis=2)
    rows, columns = np.nonzero(bright)
    assert abs(rows.min() - 50) <= 2 and abs(columns.max() - 299) <= 2
    assert not bright[60:140, 110:290].any()
    assert (drawn[60:140, 110:290] == 128).all()


def test_a_single_place_has_a_ring() -> None:
    region = np.zeros((20, 40), bool)
    region[5, 30] = True
    drawn = marked(GREY, Marks(regions=(region,)))
    assert drawn[55, 305].tolist() == [128, 128, 128]
    rows, columns = np.nonzero((drawn == 255).all(axis=2))
    assert abs(rows.mean() - 55) < 1 and abs(columns.mean() - 305) < 1


@pytest.mark.parametrize("region", [np.zeros((4, 4), bool), np.ones((2, 2, 2), bool), np.ones((0, 3), bool)])
def test_a_region_without_places_is_refused(region: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"expected \(height, width\) with a place in it"):
        marked(GREY, Marks(regions=(region,)))
