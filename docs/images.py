"""Make the pictures of the README and of docs/: run `make demo`, then `python docs/images.py`."""

from pathlib import Path

from PIL import Image

import agnostic

WIDTH = 1400
FIGURES = ("cat_and_coffee", "cat_and_coffee.lime")
TARGETS = ["Egyptian cat vs rest", "coffee mug vs rest"]
GRADIENTS = (
    "gradcam",
    "guided_gradcam",
    "smoothgrad",
    "integrated_gradients",
    "expected_gradients",
    "xrai",
    "deeplift",
)

root = Path(__file__).parent


def save(figure: Image.Image, name: str) -> None:
    """Write a figure at the width it is shown at."""
    small = figure.convert("RGB").resize((WIDTH, round(figure.height * WIDTH / figure.width)), Image.Resampling.LANCZOS)
    small.save(root / "images" / f"{name}.jpg", quality=88, optimize=True)


def gradients() -> Image.Image:
    """Explain the embedded picture by gradients."""
    model, picture = agnostic.load("squeezenet"), agnostic.models.picture("cat_and_coffee")
    found = [item for name in GRADIENTS for item in agnostic.explain(model, picture, method=name, target=TARGETS)]
    return agnostic.figure(found)


(root / "images").mkdir(exist_ok=True)
for name in FIGURES:
    with Image.open(root.parent / "demo" / f"{name}.png") as figure:
        save(figure, name)
save(gradients(), "cat_and_coffee.gradients")
