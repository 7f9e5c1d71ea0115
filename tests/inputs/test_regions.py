from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from agnostic.errors import UsageError
from agnostic.inputs.regions import regions

PIXELS = np.zeros((28, 21, 3), np.uint8)
PIXELS[:, 10:] = (200, 30, 30)


@pytest.mark.parametrize(("text", "cells"), [("grid", 7), ("grid:7", 7), ("grid:3", 3), ("grid:1", 1)])
def test_a_grid_cuts_both_sides_into_equal_parts(text: str, cells: int) -> None:
    labels = regions(text, PIXELS)
    assert (labels.shape, labels.dtype) == ((28, 21), np.int32)
    assert labels[0, 0] == 0 and labels[0, -1] == cells - 1 and labels[-1, -1] == cells**2 - 1
    sizes = np.bincount(labels.ravel())
    assert len(sizes) == cells**2
    # Along a side that does not divide evenly, parts differ by one position.
    assert sizes.max() <= np.ceil(28 / cells) * np.ceil(21 / cells)
    assert sizes.min() >= (28 // cells) * (21 // cells)


def test_a_grid_finer_than_the_picture_has_a_cell_per_position() -> None:
    assert np.array_equal(regions("grid:100", PIXELS).ravel(), np.arange(28 * 21))


def test_superpixels_follow_the_edge() -> None:
    labels = regions("superpixels:8", PIXELS)
    assert labels.min() == 0
    assert not set(np.unique(labels[:, :10])) & set(np.unique(labels[:, 10:]))
    assert len(np.unique(labels)) == labels.max() + 1
    finer = regions("superpixels:40", PIXELS)
    assert finer.max() > labels.max()
    assert np.array_equal(regions("superpixels", PIXELS), regions("superpixels:50", PIXELS))


def test_a_map_of_ones_own_is_numbered_from_zero() -> None:
    own = np.where(np.arange(21) < 10, 7, 3) + np.zeros((28, 1), np.int64)
    labels = regions(own, PIXELS)
    assert labels.dtype == np.int32
    assert np.array_equal(labels, (own == 7).astype(np.int32))


def test_a_map_of_another_size_is_stretched_without_new_labels() -> None:
    labels = regions(np.array([[0, 1], [2, 3]]), PIXELS)
    assert np.array_equal(labels, (np.arange(28)[:, None] >= 14) * 2 + (np.arange(21) >= 10.5))


def test_maps_are_read_from_arrays_and_pictures(tmp_path: Path) -> None:
    own = (np.arange(28)[:, None] // 14 * 2 + np.arange(21) // 11).astype(np.uint8)
    np.save(tmp_path / "map.npy", own)
    Image.fromarray(own * 80).save(tmp_path / "map.png")
    for name in ("map.npy", "map.png"):
        assert np.array_equal(regions(str(tmp_path / name), PIXELS), own)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("superpixel:9", "did you mean 'superpixels:50'"),
        ("nonsense", "expected superpixels[:N], grid[:N] or a label map"),
        ("grid:0", "expected a number of at least 1 behind the colon"),
        ("grid:-3", "expected a number of at least 1 behind the colon"),
        ("superpixels:many", "expected a number of at least 1 behind the colon"),
        ("", "unknown features ''"),
        (np.zeros((2, 2, 3), np.int64), "a label map is (H, W) integers; got int64 [2, 2, 3]"),
        (np.zeros((2, 2)), "a label map is (H, W) integers; got float64 [2, 2]"),
    ],
)
def test_what_cuts_nothing_is_refused(features: object, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        regions(features, PIXELS)  # type: ignore[arg-type]
    assert message in str(caught.value)
