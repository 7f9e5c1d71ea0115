"""Where the evidence for boxes and regions lies: shares in the digit's own box and in the other one's.

Run: python tests/benchmarks/quality_boxes.py [PICTURES]   (about ten minutes for 8 pictures on one core)
"""

import sys
import warnings

import numpy as np

import agnostic
from agnostic import answers, api
from agnostic.methods import get
from agnostic.models.two_digits import Scene, read_digits, scene

BOXES = {
    "integrated_gradients": {},
    "gradcam": {},
    "saliency": {},
    "kernelshap": {},
    "occlusion": {},
    "lime": {},
    "drise": {"masks": 1500},
    "drise, fill mean": {"masks": 1500},
}
REGIONS = ("integrated_gradients", "saliency", "occlusion", "rise")


def shares(model: agnostic.Model, drawn: Scene, name: str, settings: dict[str, int]) -> list[list[float]]:
    """Shares of the positive evidence for each digit in its own box and in the other one: (digits, 2)."""
    method, _, fill = name.partition(", fill ")
    picture = np.repeat(drawn.pixels[..., None], 3, axis=2)
    sample = api.prepare(model, picture, get(method), fill=fill or None)
    said = {item.name: f"box:{item.index}" for item in reversed(answers.predict(model, sample))}
    rows = []
    for number, label in enumerate(drawn.labels):
        target = said.get(str(label)) if model.answer.kind == "boxes" else f"digit {label}@mask"
        if target is None or (model.answer.kind == "segmentation" and f"digit {label}" not in said):
            continue
        (e,) = api.answer(model, sample, get(method), [target], settings)
        evidence = np.maximum(e.values, 0) / np.maximum(e.values, 0).sum()
        boxes = drawn.boxes[number], drawn.boxes[1 - number]
        rows.append([float(evidence[box.top : box.bottom, box.left : box.right].sum()) for box in boxes])
    return rows


def main() -> None:
    """Print a line for each method."""
    warnings.simplefilter("ignore")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    drawn = [scene(read_digits()[1], np.random.default_rng(seed)) for seed in range(count)]
    area = np.mean([(box.bottom - box.top) * (box.right - box.left) for each in drawn for box in each.boxes]) / 56**2
    print(f"a digit's box takes {area:.2f} of a picture")
    for file, methods in (("digits-detector", BOXES), ("digits-segmenter", {key: {} for key in REGIONS})):
        model = agnostic.load(file, device="cpu")
        for name, settings in methods.items():
            rows = [row for each in drawn for row in shares(model, each, name, settings)]
            own, other = np.mean(rows, axis=0)
            print(f"{file:18} {name:22} own {own:.2f}  other {other:.2f}  ({len(rows)} digits)", flush=True)


if __name__ == "__main__":
    main()
