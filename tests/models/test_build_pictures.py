"""The pictures are the ones scikit-image ships, and the joined one is made of the crops it states."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from agnostic import models
from agnostic.models import build_pictures


def pixels(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture, np.float64)


def test_cat_and_coffee_is_made_again_pixel_for_pixel() -> None:
    with Image.open(models.picture("cat_and_coffee")) as committed:
        np.testing.assert_array_equal(pixels(committed), pixels(build_pictures.cat_and_coffee()))


@pytest.mark.parametrize(
    ("source", "columns", "part"),
    [("chelsea", slice(170, 440), slice(0, 320)), ("coffee", slice(140, 254), slice(320, 448))],
)
def test_each_side_shows_its_photograph(source: str, columns: slice, part: slice) -> None:
    """Averages over an 8 x 4 grid survive resizing, and differ by more than 4 when a crop is 3 columns off."""
    with Image.open(models.picture("cat_and_coffee")) as picture:
        side = Image.fromarray(np.asarray(picture)[:, part])
    crop = Image.fromarray(getattr(data, source)()[:, columns])
    coarse = [pixels(image.resize((4, 8), Image.Resampling.BOX)) for image in (side, crop)]
    np.testing.assert_allclose(*coarse, atol=4)


def test_two_digits_is_drawn_again_pixel_for_pixel() -> None:
    with Image.open(models.picture("two_digits")) as committed:
        np.testing.assert_array_equal(pixels(committed), pixels(build_pictures.two_digits()))


def test_the_digit_of_mnist_is_taken_again_pixel_for_pixel() -> None:
    with Image.open(models.picture("mnist_digit")) as committed:
        np.testing.assert_array_equal(pixels(committed), pixels(build_pictures.mnist_digit()))


@pytest.mark.parametrize("name", build_pictures.PHOTOGRAPHS)
def test_a_photograph_is_close_to_its_source(name: str) -> None:
    with Image.open(models.picture(name)) as committed:
        error = pixels(committed) - getattr(data, name)()
    assert 0 < np.sqrt((error**2).mean()) < 5
    assert models.picture(name).stat().st_size < 150_000


def test_main_writes_every_picture_of_the_manifest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_pictures, "FOLDER", tmp_path)
    build_pictures.main()
    assert {path.name for path in tmp_path.iterdir()} == {models.picture(name).name for name in models.pictures()}
