import numpy as np
import pytest

from agnostic.draw.tiles import plain_tile, tiled
from agnostic.errors import UsageError


def test_tiles_lie_where_they_are_said_to(rng):
    tiles = [rng.integers(0, 256, (5, 7, 3), np.uint8) for _ in range(5)]
    sheet, places = tiled(tiles, 3, gap=2)
    pixels = np.asarray(sheet)
    assert pixels.shape == (2 * 5 + 2, 3 * 7 + 2 * 2, 3)
    for tile, (x, y, width, height) in zip(tiles, places, strict=True):
        np.testing.assert_array_equal(pixels[y : y + height, x : x + width], tile)


def test_a_row_is_no_wider_than_there_are_tiles():
    sheet, _ = tiled([np.zeros((4, 4, 3), np.uint8)] * 2, 16, gap=0)
    assert sheet.size == (8, 4)


def test_tiles_of_several_sizes_or_no_columns_are_refused():
    with pytest.raises(UsageError, match="2 tiles of 2 sizes"):
        tiled([np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)], 2)
    with pytest.raises(UsageError, match="0 columns"):
        tiled([np.zeros((4, 4, 3), np.uint8)], 0)


@pytest.mark.parametrize(("width", "height"), [(16, 16), (64, 64), (128, 96), (512, 512)])
def test_words_stay_inside_their_tile(width, height):
    tile = plain_tile(width, height, ["1023", "dead"])
    assert tile.shape == (height, width, 3)
    ink = tile.min(axis=2) < 140
    assert ink.any()
    if width >= 64:
        assert not ink[:, : width // 20].any() and not ink[:, -(width // 20) :].any()
        # In the middle, by a letter's width.
        assert abs(np.argwhere(ink)[:, 1].mean() - width / 2) < width / 10
