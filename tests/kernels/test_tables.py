"""Looking pixels up against NumPy's own indexing."""

import numpy as np
import pytest

from agnostic.kernels.tables import lookup

RNG = np.random.default_rng(0)
TABLES = RNG.normal(size=(3, 256)).astype(np.float32)
PIXELS = RNG.integers(0, 256, (7, 9, 3), np.uint8)
# Every value of a byte, so that the ends are among them.
EVERY = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, axis=2)


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[::-1, ::2], EVERY, PIXELS[..., ::-1]])
def test_each_value_becomes_what_its_channels_table_says(pixels: np.ndarray) -> None:
    out = np.empty((3, *pixels.shape[:2]), np.float32)
    lookup(pixels, TABLES, out)
    np.testing.assert_array_equal(out, np.stack([TABLES[c][pixels[..., c]] for c in range(3)]))


def test_a_view_is_written_to() -> None:
    last = np.empty((7, 9, 3), np.float32)
    lookup(PIXELS, TABLES, np.moveaxis(last, -1, 0))
    np.testing.assert_array_equal(last, np.stack([TABLES[c][PIXELS[..., c]] for c in range(3)], axis=-1))


@pytest.mark.parametrize(
    ("pixels", "tables", "shape"),
    [
        (PIXELS[..., :2], TABLES, (3, 7, 9)),
        (PIXELS.astype(np.int64), TABLES, (3, 7, 9)),
        (PIXELS, TABLES[:, :255], (3, 7, 9)),
        (PIXELS, TABLES, (3, 9, 7)),
    ],
)
def test_what_does_not_fit_is_refused(pixels: np.ndarray, tables: np.ndarray, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected"):
        lookup(pixels, tables, np.empty(shape, np.float32))
