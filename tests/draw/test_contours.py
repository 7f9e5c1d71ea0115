import numpy as np
import pytest

from agnostic.draw.contours import heaviest, pieces
from agnostic.draw.light import dimmed
from agnostic.draw.overlays import Scale
from agnostic.errors import InputError, ItemError

GREY = np.full((120, 160, 3), 128, np.uint8)
QUARTERS = np.array([[0, 1], [2, 3]]).repeat(60, axis=0).repeat(80, axis=1)
INSIDE = {0: (12, 15), 1: (12, 95), 2: (72, 15), 3: (72, 95)}  # in each quarter, off its sign and its rim
MIDDLES = {0: (30, 40), 1: (30, 120), 2: (90, 40), 3: (90, 120)}


def white_extent(shown: np.ndarray, piece: int) -> tuple[int, int]:
    """Height and width of the white sign in the middle of a piece."""
    y, x = MIDDLES[piece]
    white = (shown[y - 12 : y + 12, x - 12 : x + 12] == 255).all(axis=-1)
    rows, columns = np.nonzero(white)
    return int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1


def test_signs_say_for_and_against_without_colour() -> None:
    shown = pieces(GREY, QUARTERS, [1.0, -1.0, 0.0, 0.5], top=3)
    height, width = white_extent(shown, 0)
    assert height == width >= 7  # a plus
    height, width = white_extent(shown, 1)
    assert width >= 7 and height <= 3  # a minus


def test_colours_say_for_and_against() -> None:
    shown = pieces(GREY, QUARTERS, [1.0, -1.0, 0.0, 0.5], top=3).astype(int)
    teal, coral, weak = shown[INSIDE[0]], shown[INSIDE[1]], shown[INSIDE[3]]
    assert teal[1] > teal[0] + 40
    assert coral[0] > coral[2] + 40
    assert 0 < weak[1] - weak[0] < teal[1] - teal[0]


def test_all_but_the_heaviest_stay_dim() -> None:
    shown = pieces(GREY, QUARTERS, [4.0, -3.0, 2.0, 1.0], top=2)
    for piece in (2, 3):
        np.testing.assert_array_equal(shown[INSIDE[piece]], dimmed(GREY)[0, 0])
    for piece in (0, 1):
        assert (shown[INSIDE[piece]] != dimmed(GREY)[0, 0]).any()


def test_every_piece_has_a_hairline() -> None:
    shown = pieces(GREY, QUARTERS, np.zeros(4)).astype(int)
    dim = int(dimmed(GREY)[0, 0, 0])
    assert (shown[5, 79:81] > dim + 30).all() and (shown[59:61, 5] > dim + 30).all()
    assert (shown[5, 76] == dim).all() and (shown[5, 83] == dim).all()


def test_a_given_scale_makes_pieces_comparable() -> None:
    alone = pieces(GREY, QUARTERS, [0.5, 0, 0, 0])
    beside = pieces(GREY, QUARTERS, [0.5, 0, 0, 0], scale=Scale(-1, 1))
    np.testing.assert_array_equal(beside, pieces(GREY, QUARTERS, [1.0, 0, 0, 0], scale=Scale(-2, 2)))
    assert beside[INSIDE[0]][1] < alone[INSIDE[0]][1]


def test_labels_smaller_than_the_picture() -> None:
    small = np.array([[0, 1], [2, 3]]).repeat(6, axis=0).repeat(8, axis=1)
    shown = pieces(GREY, small, [1.0, 0, 0, 0])
    assert shown.shape == GREY.shape
    assert shown[INSIDE[0]][1] > shown[INSIDE[1]][1] + 40


def test_a_piece_that_is_nowhere_is_passed_over() -> None:
    np.testing.assert_array_equal(
        pieces(GREY, QUARTERS, [0, 0, 0, 0, 9.0], scale=Scale(-1, 1)), pieces(GREY, QUARTERS, np.zeros(5))
    )


def test_heaviest_breaks_ties_by_number() -> None:
    assert heaviest(np.array([1.0, -1.0, 1.0]), 2).tolist() == [0, 1]


def test_wrong_pieces_are_refused() -> None:
    with pytest.raises(InputError, match=r"pieces 0\.\.3 came with weights of shape"):
        pieces(GREY, QUARTERS, [1.0, 2.0])
    with pytest.raises(InputError, match="integer labels"):
        pieces(GREY, QUARTERS.astype(float), np.ones(4))
    with pytest.raises(ItemError, match="NaN"):
        pieces(GREY, QUARTERS, [1.0, np.nan, 0, 0])
