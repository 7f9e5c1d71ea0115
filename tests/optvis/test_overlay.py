"""Groups raised on top of a picture: only where they fired, and more of the group than before."""

from typing import Any

import numpy as np
import pytest
import torch

import agnostic
from agnostic.errors import UsageError
from agnostic.optvis.lens import Lens
from agnostic.optvis.overlay import laid, overlay
from agnostic.optvis.presets import Preset
from agnostic.optvis.recipes import Order

LAYER = "fire3/concat"


@pytest.fixture(scope="module")
def order() -> Order:
    lens = Lens(agnostic.load("squeezenet", device="cpu"))
    picture = np.full((64, 64, 3), 0.5, np.float32) + 0.1 * np.random.default_rng(0).normal(size=(64, 64, 3))
    return Order(lens, (LAYER,), Preset("tiny", 64, 12, 1.5, "for tests"), picture.astype(np.float32))


def test_a_group_grows_where_it_fired_and_nothing_changes_elsewhere(order: Order) -> None:
    before = _maps(order, order.given_picture())
    maps = np.zeros((2, *before.shape[1:]), np.float32)
    maps[0, 2:6, 2:6], maps[1, 9:12, 9:12] = 1, 3
    directions = np.zeros((2, len(before)), np.float32)
    directions[0, 5] = directions[1, 40] = 1
    found = overlay(order, LAYER, maps, directions)
    assert found.pictures.shape == (2, 64, 64, 3)
    assert found.names == (f"group 0 of {LAYER}", f"group 1 of {LAYER}")
    for picture, place, unit, there in zip(found.pictures, maps > 0, (5, 40), (slice(2, 6), slice(9, 12)), strict=True):
        after = _maps(order, picture)
        assert after[unit, there, there].mean() > before[unit, there, there].mean() + 0.1
        # A place of the layer is 64 / 15 pixels wide; two places away from the group the map is zero.
        far = np.kron(~_near(place), np.ones((4, 4), bool))[:60, :60]
        np.testing.assert_array_equal(picture[:60, :60][far], order.given_picture()[:60, :60][far])


def _maps(order: Order, picture: np.ndarray) -> Any:
    with torch.no_grad():
        return order.lens.read(LAYER, torch.from_numpy(picture).movedim(2, 0)[None])[0].numpy()


def _near(place: np.ndarray) -> np.ndarray:
    padded = np.pad(place, 2)
    rows = [padded[dy : dy + len(place), dx : dx + place.shape[1]] for dy in range(5) for dx in range(5)]
    return np.any(rows, axis=0)


def test_a_dream_is_laid_on_as_thickly_as_the_map_says() -> None:
    picture, dream = np.zeros((4, 4, 1), np.float32), np.ones((4, 4, 1), np.float32)
    blended = laid(picture, dream, np.array([[0, 0.3], [0.6, 1]], np.float32))
    assert blended[0, 0, 0] == 0
    assert blended[3, 3, 0] == blended[3, 0, 0] == 1
    assert blended[0, 3, 0] == pytest.approx(0.5)


def test_groups_that_do_not_fit_are_refused(order: Order) -> None:
    with pytest.raises(UsageError, match=r"expected \(n, h, w\) and \(n, C\)"):
        overlay(order, LAYER, np.zeros((2, 3, 3)), np.zeros((1, 4)))
