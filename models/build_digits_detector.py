"""Trains digits-detector.onnx: an anchor-free detector that finds two handwritten digits among scraps of others.

After Tian et al., "FCOS: Fully Convolutional One-Stage Object Detection", ICCV 2019, arXiv:1904.01355, in small: each
of 7 x 7 cells says which digit it lies on and how far the four sides of that digit's box are. What it answers is laid
out as YOLOv8's exports are, (n, 4 + classes, cells), before any overlapping boxes are dropped.

Run: python -m agnostic.models.build_digits_detector   (needs torch and scikit-learn; some ten minutes on one core)
"""

import json
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from agnostic.kernels.boxes import best_of_overlapping, corners, overlaps
from agnostic.models.graph import GraphWriter, describe, to_bytes
from agnostic.models.small_convnets import PREPROCESS, Layer, Plan, array, normalised, train
from agnostic.models.two_digits import SIZE, Box, Digits, Scene, read_digits, scene

STRIDE = 8
SIDE = SIZE // STRIDE
CELLS = SIDE * SIDE
LABELS = [str(digit) for digit in range(10)]
# A cell speaks for a box whose middle is no farther away than this, in pixels: at least one cell does.
NEAR = 6.0
PLAN = Plan(epochs=5, scenes=12_000)
TESTED = 500
ANSWER = {"kind": "boxes", "layout": "yolov8", "boxes": "detections"}
DOC = (
    "An anchor-free detector (after Tian et al., arXiv:1904.01355) of seven convolutions, trained on pictures of two "
    "handwritten digits each. Digits: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI "
    "Machine Learning Repository, CC BY 4.0, as scikit-learn ships them."
)

Floats = NDArray[np.float64]


class Detector(nn.Module):
    """The network that is trained; `write` says the same in ONNX."""

    def __init__(self) -> None:
        """Draw the weights."""
        super().__init__()
        self.body = nn.ModuleList(
            [Layer(1, 16), Layer(16, 24, 2), Layer(24, 32), Layer(32, 48, 2), Layer(48, 64, 2), Layer(64, 64)]
        )
        self.sides, self.classes = nn.Conv2d(64, 4, 1), nn.Conv2d(64, len(LABELS), 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map (n, 1, 56, 56) to (n, 14, 49): logarithms of the distances to four sides in cells, then class logits."""
        for layer in self.body:
            image = layer(image)
        return torch.cat([self.sides(image), self.classes(image)], 1).flatten(2)


def middles() -> Floats:
    """Return where the cells' middles lie: (49, 2), across and down, in pixels."""
    down, across = np.divmod(np.arange(CELLS), SIDE)
    return (np.stack([across, down], axis=1) + 0.5) * STRIDE


def truth(drawn: Scene) -> tuple[Floats, NDArray[np.int64]]:
    """Return what each cell should say: how far left, top, right and bottom are (49, 4) in pixels; the digit or -1."""
    sides, digit = np.ones((CELLS, 4)), np.full(CELLS, -1)
    for box, label in zip(drawn.boxes, drawn.labels, strict=True):
        edges = _edges(box)
        near = np.abs(middles() - (edges[:2] + edges[2:]) / 2).max(axis=1) <= NEAR
        spans = np.concatenate([middles() - edges[:2], edges[2:] - middles()], axis=1)
        sides[near], digit[near] = spans[near], label
    return sides, digit


def loss(told: torch.Tensor, drawn: list[Scene]) -> torch.Tensor:
    """Add the classes' cross-entropy over all cells to 1 - overlap (IoU) of the boxes on a digit."""
    sides, digit = (torch.from_numpy(np.stack(part)) for part in zip(*map(truth, drawn), strict=True))
    on = digit >= 0
    wanted = torch.zeros(*digit.shape, len(LABELS))
    wanted[on] = nn.functional.one_hot(digit[on], len(LABELS)).float()
    classes = nn.functional.binary_cross_entropy_with_logits(told[:, 4:].transpose(1, 2), wanted, reduction="sum")
    spans, goals = told[:, :4].transpose(1, 2)[on].exp() * STRIDE, sides[on].float()
    return classes / on.sum() + (1 - _overlap(spans, goals)).mean()


def _overlap(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Divide intersection by union of boxes around the same point, (n, 4) distances to their sides."""
    shared, areas = torch.minimum(one, other), [_area(one), _area(other)]
    return _area(shared) / (areas[0] + areas[1] - _area(shared))


def _area(sides: torch.Tensor) -> torch.Tensor:
    return (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3])


def write(network: Detector) -> onnx.ModelProto:
    """Write the trained network as ONNX."""
    graph, x = GraphWriter(), "image"
    for number, layer in enumerate(network.body, 1):
        x = cast(Layer, layer).write(graph, x, f"conv{number}")
    for name, last in (("sides", network.sides), ("classes", network.classes)):
        graph.linear("Conv", x, f"{name}/map", array(last.weight), array(last.bias), f"{name}/map")
        graph.op("Reshape", [f"{name}/map", graph.integers(f"{name}/flat", [0, 0, CELLS])], f"{name}/pre")
    spans = graph.op("Exp", ["sides/pre"], "sides")
    boxes = graph.op("MatMul", [graph.weight("boxes/of_sides", _of_sides()), spans], "boxes/around")
    boxes = graph.op("Add", [boxes, graph.weight("boxes/middles", _offsets())], "boxes")
    chances = graph.op("Sigmoid", ["classes/pre"], "classes")
    graph.op("Concat", [boxes, chances], "detections", axis=1)
    shape: list[int | str] = ["batch", 4 + len(LABELS), CELLS]
    model = graph.model("digits-detector", {"image": ["batch", 1, SIZE, SIZE]}, {"detections": shape})
    return describe(model, DOC, PREPROCESS, LABELS, answer=ANSWER)


def _of_sides() -> NDArray[np.float32]:
    """Turn left, top, right, bottom into how far the middle is off, and width and height, in pixels."""
    rows = [[-0.5, 0, 0.5, 0], [0, -0.5, 0, 0.5], [1, 0, 1, 0], [0, 1, 0, 1]]
    return np.array(rows, np.float32) * STRIDE


def _offsets() -> NDArray[np.float32]:
    return np.concatenate([middles().T, np.zeros((2, CELLS))])[None].astype(np.float32)


class Found(NamedTuple):
    """Boxes (k, 4), scores (k,) and digits (k,) on one picture."""

    boxes: Floats
    scores: Floats
    digits: NDArray[np.intp]


def found(answer: NDArray[np.float32], least: float = 0.01) -> Found:
    """Read one picture's answer (14, 49): the best cell of those that overlap by more than half, digit by digit."""
    boxes, chances = corners(answer[:4].T.astype(np.float64), "cxcywh"), answer[4:].T.astype(np.float64)
    kept = []
    for digit in range(len(LABELS)):
        sure = np.flatnonzero(chances[:, digit] >= least)
        chosen = sure[best_of_overlapping(boxes[sure], chances[sure, digit], 0.5)]
        kept += [(cell, digit) for cell in chosen]
    cells, digits = np.array(kept, np.intp).reshape(-1, 2).T
    return Found(boxes[cells], chances[cells, digits], digits)


def mean_average_precision(answers: NDArray[np.float32], drawn: list[Scene]) -> float:
    """Average, over the digits, the area under precision over recall at an overlap (IoU) of one half."""
    everything = [found(answer) for answer in answers]
    return float(np.mean([_average_precision(everything, drawn, digit) for digit in range(len(LABELS))]))


def _average_precision(everything: list[Found], drawn: list[Scene], digit: int) -> float:
    rows = [row for one, each in zip(everything, drawn, strict=True) for row in _judged(one, each, digit)]
    right = np.array([hit for _, hit in sorted(rows, key=lambda row: -row[0])], np.bool_)
    precision = np.cumsum(right) / np.arange(1, len(right) + 1)
    # Precision at a recall is the best one at that recall or a higher one.
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float(envelope[right].sum() / sum(digit in each.labels for each in drawn))


def _judged(one: Found, each: Scene, digit: int) -> list[tuple[float, bool]]:
    """Score each box that is called a digit, best first, and say whether it hits; a second hit is none."""
    truth = dict(zip(each.labels, each.boxes, strict=True)).get(digit)
    rows, open_ = [], truth is not None
    for at in np.flatnonzero(one.digits == digit):
        hit = open_ and truth is not None and overlaps(one.boxes[at], _edges(truth)) >= 0.5
        open_ = open_ and not hit
        rows.append((float(one.scores[at]), bool(hit)))
    return rows


def _edges(box: Box) -> Floats:
    return np.array([box.left, box.top, box.right, box.bottom], np.float64)


def accuracy(network: Detector, digits: Digits, count: int = TESTED) -> dict[str, float]:
    """Return the mean average precision at an overlap of one half on new pictures."""
    drawn = [scene(digits, np.random.default_rng(seed)) for seed in range(count)]
    session = onnxruntime.InferenceSession(to_bytes(write(network)), providers=["CPUExecutionProvider"])
    answers = session.run(None, {"image": normalised(drawn).numpy()})[0]
    return {"pictures": count, "map50": round(mean_average_precision(answers, drawn), 4)}


def trained(digits: Digits, plan: Plan = PLAN) -> Detector:
    """Train from seed 0."""
    torch.manual_seed(0)
    network = Detector()
    train(network, loss, digits, plan)
    return network


def main() -> None:
    """Train the network, write the file beside this module and print how good it is."""
    learnt, held_out = read_digits()
    network = trained(learnt)
    Path(__file__).with_name("digits-detector.onnx").write_bytes(to_bytes(write(network)))
    print(json.dumps(accuracy(network, held_out)))


if __name__ == "__main__":
    main()
