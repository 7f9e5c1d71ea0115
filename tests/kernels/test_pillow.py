"""The bilinear filter against Pillow's own, pixel by pixel."""

import numpy as np
import pytest
from PIL import Image

from agnostic.kernels.pillow import resample, weights

AS_THEY_ARE = np.tile(np.arange(256, dtype=np.float32), (3, 1))


def _pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
    # Steps between black and white are where rounding shows.
    pixels[rng.random((height, width)) < 0.3] = 255
    pixels[rng.random((height, width)) < 0.3] = 0
    return pixels


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ((256, 256), (224, 224)), ((256, 256), (256, 256)), ((37, 91), (224, 160)), ((500, 375), (224, 224)),
        ((1, 1), (5, 3)), ((3, 2), (1, 1)), ((640, 7), (12, 640)), ((223, 225), (224, 224)),
    ],
)  # fmt: skip
def test_every_pixel_is_the_one_that_pillow_gives(source: tuple[int, int], target: tuple[int, int]) -> None:
    pixels = _pixels(*source)
    out = np.empty((3, *target), np.float32)
    resample(pixels, AS_THEY_ARE, out)
    ours = out.transpose(1, 2, 0)
    # One direction after the other, whatever order Pillow would choose for both.
    across = Image.fromarray(pixels).resize((target[1], source[0]), Image.Resampling.BILINEAR)
    down = across.resize(target[::-1], Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(ours, np.asarray(down, np.float32))


def test_weights_add_up_and_stay_inside() -> None:
    for source, target in ((256, 224), (7, 640), (640, 7), (1, 3), (1000, 1)):
        found = weights(source, target)
        assert (found.first + found.many <= source).all()
        assert found.many.min() >= 1
        # Each is rounded by itself, by at most a half.
        assert abs(found.weights.sum(axis=1) - 2**22).max() <= found.many.max() / 2
        assert not found.weights[np.arange(found.weights.shape[1]) >= found.many[:, None]].any()


def test_each_channel_has_a_table_of_its_own_and_a_view_is_written_to() -> None:
    pixels = _pixels(30, 20)
    tables = np.random.default_rng(1).normal(size=(3, 256)).astype(np.float32)
    plain = np.empty((3, 8, 9), np.float32)
    resample(pixels, AS_THEY_ARE, plain)
    last = np.empty((8, 9, 3), np.float32)
    resample(pixels[:, ::-1][:, ::-1], tables, np.moveaxis(last, -1, 0))
    expected = [tables[channel][plain[channel].astype(int)] for channel in range(3)]
    np.testing.assert_array_equal(last, np.stack(expected, axis=-1))


@pytest.mark.parametrize(
    ("pixels", "tables", "out"),
    [
        (np.zeros((2, 2, 4), np.uint8), AS_THEY_ARE, np.empty((3, 2, 2), np.float32)),
        (np.zeros((2, 2, 3), np.int32), AS_THEY_ARE, np.empty((3, 2, 2), np.float32)),
        (np.zeros((2, 2, 3), np.uint8), AS_THEY_ARE[:, :9], np.empty((3, 2, 2), np.float32)),
        (np.zeros((0, 2, 3), np.uint8), AS_THEY_ARE, np.empty((3, 2, 2), np.float32)),
        (np.zeros((2, 2, 3), np.uint8), AS_THEY_ARE, np.empty((1, 2, 2), np.float32)),
    ],
)
def test_what_does_not_fit_is_refused(pixels: np.ndarray, tables: np.ndarray, out: np.ndarray) -> None:
    with pytest.raises((TypeError, ValueError), match="expected"):
        resample(pixels, tables, out)
