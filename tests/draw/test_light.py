import numpy as np
import pytest

from agnostic.draw.light import check_picture, dimmed, lit
from agnostic.errors import InputError

RED = np.full((1, 1, 3), (200, 40, 40), np.uint8)


def light(alpha: float) -> np.ndarray:
    return np.array([[[1.0, 1.0, 0.0, alpha]]], np.float32)


def test_no_light_is_dim() -> None:
    np.testing.assert_array_equal(lit(RED, light(0)), dimmed(RED))


def test_dim_is_darker_and_greyer() -> None:
    dim = dimmed(RED).astype(int)
    assert dim.max() < RED.max() / 2 + 10
    assert np.ptp(dim) < np.ptp(RED.astype(int)) / 5


def test_full_light_is_the_light() -> None:
    np.testing.assert_array_equal(lit(RED, light(1)), [[[255, 255, 0]]])


def test_strong_light_shows_the_picture_itself() -> None:
    # From alpha 0.6 on the picture below is whole: 0.6 of the light and 0.4 of the picture.
    np.testing.assert_array_equal(lit(RED, light(0.6)), [[[233, 169, 16]]])


def test_without_hues_the_picture_stays_grey() -> None:
    grey = lit(RED, np.array([[[0.5, 0.5, 0.5, 0.6]]], np.float32), hues=False).astype(int)
    assert np.ptp(grey) < 15


@pytest.mark.parametrize("wrong", [np.zeros((2, 2), np.uint8), np.zeros((2, 2, 3)), np.zeros((0, 2, 3), np.uint8)])
def test_what_is_no_picture_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(InputError, match="expected uint8"):
        check_picture(wrong)
