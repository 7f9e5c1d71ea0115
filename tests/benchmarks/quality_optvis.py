"""How good rendered pictures are: 24 units of two models, from early to late layers, with the numbers of each.

`python tests/benchmarks/quality_optvis.py --preset icon --out units.png` draws the grid and prints, for each unit, its
activation, what of it is left under random transforms, and the share of the picture's energy in fine detail.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

import agnostic
from agnostic.optvis.lens import Lens
from agnostic.optvis.measures import Measures, measure
from agnostic.optvis.presets import PRESETS, Preset, preset
from agnostic.optvis.recipes import Order, get
from agnostic.optvis.rendering import Pictures
from agnostic.optvis.scoring import Scorer

UNITS = {
    "squeezenet": (
        "fire2/concat:5", "fire2/concat:40", "fire3/concat:10", "fire4/concat:20", "fire5/concat:33", "fire6/concat:12",
        "fire6/concat:77", "fire7/concat:50", "fire8/concat:12", "fire8/concat:101", "fire9/concat:34",
        "fire9/concat:200",
    ),
    "efficientnet-lite0": (
        "block1/depthwise:5", "block2/expand:20", "block2/depthwise:33", "block4/expand:17", "block5/expand:40",
        "block6/expand:11", "block7/expand:60", "block9/expand:100", "block11/expand:30", "block13/expand:77",
        "block15/expand:200", "head:300",
    ),
}  # fmt: skip
COLUMNS = 6


def rendered(name: str, units: Sequence[str], level: Preset) -> tuple[Pictures, tuple[Measures, ...]]:
    model = agnostic.load(name)
    order = Order(Lens(model), tuple(units), level)
    found = get("unit")(order)
    return found.pictures, measure(Scorer(order.lens), found, [model.target(unit) for unit in units])


def grid(pictures: Pictures) -> Image.Image:
    framed = np.pad(pictures, ((0, 0), (2, 2), (2, 2), (0, 0)), constant_values=1)
    missing = -len(framed) % COLUMNS
    framed = np.concatenate([framed, np.ones((missing, *framed.shape[1:]), np.float32)])
    rows = framed.reshape(-1, COLUMNS, *framed.shape[1:])
    return Image.fromarray(np.rint(np.concatenate(np.concatenate(rows, axis=1), axis=1) * 255).astype(np.uint8))


def colourful(picture: Pictures) -> float:
    """The mean distance of a pixel's channels."""
    return float((picture.max(axis=-1) - picture.min(axis=-1)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="icon", choices=sorted(PRESETS))
    parser.add_argument("--model", action="append", choices=sorted(UNITS), help="both by default; may be repeated")
    parser.add_argument("--out", type=Path, help="where the grid is saved")
    options = parser.parse_args()
    pictures: list[Pictures] = []
    numbers: list[Measures] = []
    print(f"{options.preset:46}{'activation':>12}{'robust':>9}{'fine':>8}{'colour':>9}")
    for name in options.model or UNITS:
        drawn, measures = rendered(name, UNITS[name], preset(options.preset))
        for unit, picture, found in zip(UNITS[name], drawn, measures, strict=True):
            share = "" if found.share is None else f"{found.share:.2f}"
            label = f"{name} {unit}"
            print(f"{label:46}{found.activation:12.2f}{share:>9}{found.fine:8.3f}{colourful(picture):9.2f}", flush=True)
        pictures.append(drawn)
        numbers += measures
    robust = np.array([found.share for found in numbers if found.share is not None])
    fine = np.array([found.fine for found in numbers])
    print(f"robust: mean {robust.mean():.2f} (goal 0.80), {(robust >= 0.8).sum()} of {len(robust)} at least 0.80")
    print(f"fine:   {(fine < 0.2).sum()} of {len(fine)} below 0.20 (goal nine in ten)")
    if options.out:
        grid(np.concatenate(pictures)).save(options.out)


if __name__ == "__main__":
    main()
