from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from agnostic.engine.preprocess import Preprocess
from agnostic.errors import UsageError
from agnostic.inputs.fills import fill_for

PIXELS = np.random.default_rng(0).integers(0, 256, (28, 14, 3), np.uint8)
LABELS = (np.arange(28)[:, None] // 14 + np.zeros(14)).astype(np.int32)
WAY = Preprocess(size=(28, 14), channels="BGR", mean=(0.1, 0.2, 0.3), std=(0.5, 1.0, 2.0))


def painted(colours: Any) -> np.ndarray:
    """What the model eats where pixels (RGB) have these colours, written out."""
    full = np.broadcast_to(np.asarray(colours, np.float64), (28, 14, 3))[..., ::-1] / 255
    return np.moveaxis((full - [0.1, 0.2, 0.3]) / [0.5, 1.0, 2.0], -1, 0)


@pytest.mark.parametrize(
    ("name", "colour"),
    [("black", (0, 0, 0)), ("white", 255), ("#ff8000", (255, 128, 0)), ("gray", 128), ("rgb(1,2,3)", (1, 2, 3))],
)
def test_a_colour_everywhere(name: str, colour: Any) -> None:
    found = fill_for(name, PIXELS, LABELS, WAY, 0)
    assert (found.shape, found.dtype) == ((3, 28, 14), np.float32)
    assert np.allclose(found, painted(colour), atol=1e-6)


def test_zero_is_zero_in_the_models_own_space() -> None:
    assert not fill_for("zero", PIXELS, LABELS, WAY, 0).any()


def test_each_piece_gets_its_mean_colour() -> None:
    means = [np.rint(PIXELS[piece == LABELS].mean(axis=0)) for piece in (0, 1)]
    assert np.allclose(fill_for("mean", PIXELS, LABELS, WAY, 0), painted(np.array(means)[LABELS]), atol=1e-6)


def test_blur_spans_a_fourteenth_of_the_longer_side() -> None:
    blurred = np.asarray(Image.fromarray(PIXELS).filter(ImageFilter.GaussianBlur(2)))
    assert np.allclose(fill_for("blur", PIXELS, LABELS, WAY, 0), painted(blurred), atol=1e-6)


def test_noise_follows_the_seed_and_covers_all_bytes() -> None:
    found = fill_for("noise", PIXELS, LABELS, WAY, 3)
    assert np.array_equal(found, fill_for("noise", PIXELS, LABELS, WAY, 3))
    assert not np.array_equal(found, fill_for("noise", PIXELS, LABELS, WAY, 4))
    levels = WAY.invert(found)
    assert levels.min() < 5 and levels.max() > 250 and abs(levels.mean() - 127.5) < 8


@pytest.mark.parametrize(("fill", "level"), [("#030609", 6), ("white", 255), ("mean", None), ("blur", None)])
def test_grey_pictures(fill: str, level: int | None) -> None:
    way = Preprocess(layout="NHW", size=(28, 14), channels="L", scale=1.0)
    grey = PIXELS[..., 0]
    found = fill_for(fill, grey, LABELS, way, 0)
    assert found.shape == (1, 28, 14)
    if fill == "mean":
        assert np.array_equal(found[0], np.rint([grey[:14].mean(), grey[14:].mean()])[LABELS])
    elif fill == "blur":
        assert np.array_equal(found[0], np.asarray(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(2))))
    else:
        assert (found == level).all()


def test_a_colour_leaves_transparency_as_it_is() -> None:
    pixels = np.dstack([PIXELS, PIXELS[..., 0]])
    found = fill_for("red", pixels, LABELS, Preprocess(size=(28, 14), channels="RGBA", scale=1.0), 0)
    assert np.array_equal(found[3], pixels[..., 3])
    assert [plane.max() for plane in found[:3]] == [255, 0, 0]


@pytest.mark.parametrize("fill", ["blurr", "#12", "", "colour"])
def test_an_unknown_fill_is_refused(fill: str) -> None:
    with pytest.raises(UsageError, match="unknown fill"):
        fill_for(fill, PIXELS, LABELS, WAY, 0)
