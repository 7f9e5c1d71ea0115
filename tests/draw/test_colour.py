from collections.abc import Callable

import numpy as np
import pytest

from agnostic.draw.colour import MIDDLE, Rgba, heat, signed, tint
from agnostic.draw.light import light_on
from agnostic.draw.oklab import to_oklab
from agnostic.errors import ItemError

RAMP = np.linspace(0, 1, 256)
ARMS: list[Callable[[np.ndarray], Rgba]] = [heat, signed, lambda values: signed(-values)]


def seen(colours: Rgba) -> np.ndarray:
    """What the eye gets, in OKLab, when the colours light up middle grey."""
    grey = np.broadcast_to(np.asarray(MIDDLE, np.float32), (*colours.shape[:-1], 3))
    return to_oklab(light_on(grey, colours) / 255)


@pytest.mark.parametrize("arm", ARMS)
def test_more_is_lighter_and_thicker(arm: Callable[[np.ndarray], Rgba]) -> None:
    colours = arm(RAMP)
    assert (np.diff(seen(colours)[:, 0]) > 0).all()
    assert (np.diff(colours[:, 3]) > 0).all()


@pytest.mark.parametrize("arm", ARMS)
def test_equal_steps_look_equal(arm: Callable[[np.ndarray], Rgba]) -> None:
    steps = np.linalg.norm(np.diff(seen(arm(RAMP)), axis=0), axis=1)
    assert steps.std() / steps.mean() < 0.02


@pytest.mark.parametrize("arm", ARMS)
def test_zero_is_transparent_and_no_map_is_opaque(arm: Callable[[np.ndarray], Rgba]) -> None:
    assert arm(np.zeros(1))[0, 3] == 0
    assert 0.5 < arm(np.ones(1))[0, 3] < 0.75


def test_the_two_signs_are_equally_strong_and_far_apart() -> None:
    low, middle, high = seen(signed(np.array([-1.0, 0.0, 1.0])))
    assert np.linalg.norm(high - middle) == pytest.approx(np.linalg.norm(low - middle), rel=0.25)
    assert np.linalg.norm(high - low) > 0.2
    assert high[1] < -0.05 < 0.05 < low[1]  # teal is green, coral is red


@pytest.mark.parametrize("arm", ARMS)
def test_beyond_the_ends_is_the_end(arm: Callable[[np.ndarray], Rgba]) -> None:
    np.testing.assert_array_equal(arm(np.array([7.0])), arm(np.array([1.0])))


def test_colours_are_in_range() -> None:
    for arm in ARMS:
        colours = arm(RAMP)
        assert colours.dtype == np.float32 and colours.min() >= 0 and colours.max() <= 1


def test_tint_keeps_its_colour() -> None:
    colours = tint(np.array([[0.0, 0.5, 2.0]]), (255, 51, 0))
    np.testing.assert_allclose(colours[0], [[1, 0.2, 0, 0], [1, 0.2, 0, 0.5], [1, 0.2, 0, 1]], atol=1e-6)


def test_nan_is_refused() -> None:
    with pytest.raises(ItemError, match="1 of 2 values"):
        heat([0.0, np.nan])
