"""Make the README's pictures from the figures that `make demo` wrote: `python docs/images.py`."""

from pathlib import Path

from PIL import Image

WIDTH = 1400
FIGURES = ("cat_and_coffee", "cat_and_coffee.lime")

root = Path(__file__).parent
(root / "images").mkdir(exist_ok=True)
for name in FIGURES:
    with Image.open(root.parent / "demo" / f"{name}.png") as figure:
        height = round(figure.height * WIDTH / figure.width)
        small = figure.convert("RGB").resize((WIDTH, height), Image.Resampling.LANCZOS)
        small.save(root / "images" / f"{name}.jpg", quality=88, optimize=True)
