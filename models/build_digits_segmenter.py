"""Trains digits-segmenter.onnx: a network that says of every pixel which handwritten digit it is ink of, if of any.

After Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation", MICCAI 2015,
arXiv:1505.04597, in small: two steps down, two steps up, each joined with what lay at its height before. It learns from
the pictures of `two_digits`, whose ink is known.

Run: python -m agnostic.models.build_digits_segmenter   (needs torch and scikit-learn; some ten minutes on one core)
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from agnostic.models.graph import GraphWriter, describe, to_bytes
from agnostic.models.small_convnets import PREPROCESS, Layer, Plan, array, normalised, train
from agnostic.models.two_digits import SIZE, Digits, Scene, read_digits, scene

LABELS = ["ground", *(f"digit {digit}" for digit in range(10))]
ANSWER = {"kind": "segmentation", "output": "classes", "background": 0}
PLAN = Plan(epochs=5, scenes=12_000)
TESTED = 500
DOC = (
    "A segmentation network (after Ronneberger et al., arXiv:1505.04597) of seven convolutions, trained on pictures of "
    "two handwritten digits each. Digits: Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI "
    "Machine Learning Repository, CC BY 4.0, as scikit-learn ships them."
)
WIDTHS = (16, 32, 64)

Map = NDArray[np.integer]


class Segmenter(nn.Module):
    """The network that is trained; `write` says the same in ONNX."""

    def __init__(self) -> None:
        """Draw the weights."""
        super().__init__()
        one, two, three = WIDTHS
        self.fine = Layer(1, one, 2)
        self.middle = Layer(one, two, 2)
        self.coarse = Layer(two, three, 2)
        self.deep = Layer(three, three)
        self.joined = Layer(three + two, two)
        self.drawn = Layer(two + one, two)
        self.up = nn.ConvTranspose2d(two, len(LABELS), 2, 2)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Map (n, 1, 56, 56) to logits (n, 11, 56, 56)."""
        fine = self.fine(image)
        middle = self.middle(fine)
        deep = self.deep(self.coarse(middle))
        joined = self.joined(torch.cat([_twice(deep), middle], 1))
        told: torch.Tensor = self.up(self.drawn(torch.cat([_twice(joined), fine], 1)))
        return told


def _twice(x: torch.Tensor) -> torch.Tensor:
    return nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")


def truth(drawn: Scene) -> NDArray[np.int64]:
    """Return the class of each pixel, (56, 56): 0 for the ground, 1 + d for the ink of digit d."""
    return np.array([0, *(1 + label for label in drawn.labels)])[drawn.ink]


def loss(told: torch.Tensor, drawn: list[Scene]) -> torch.Tensor:
    """Average the cross-entropy over the ground's pixels, for three quarters, and over those of ink, for one."""
    wanted = torch.from_numpy(np.stack([truth(each) for each in drawn]))
    each = nn.functional.cross_entropy(told, wanted, reduction="none")
    # Ink is a twelfth of a picture: left to its share it is learnt late, and at one half too much is called ink.
    return 0.25 * each[wanted > 0].mean() + 0.75 * each[wanted == 0].mean()


def write(network: Segmenter) -> onnx.ModelProto:
    """Write the trained network as ONNX."""
    graph = GraphWriter()
    fine = network.fine.write(graph, "image", "fine")
    middle = network.middle.write(graph, fine, "middle")
    deep = network.deep.write(graph, network.coarse.write(graph, middle, "coarse"), "deep")
    joined = network.joined.write(graph, _joined(graph, deep, middle, "joined"), "joined")
    drawn = network.drawn.write(graph, _joined(graph, joined, fine, "drawn"), "drawn")
    weight, bias = array(network.up.weight), array(network.up.bias)
    graph.linear("ConvTranspose", drawn, "logits", weight, bias, "logits", strides=[2, 2])
    graph.op("Softmax", ["logits"], "classes", axis=1)
    shape: list[int | str] = ["batch", len(LABELS), SIZE, SIZE]
    model = graph.model("digits-segmenter", {"image": ["batch", 1, SIZE, SIZE]}, {"classes": shape})
    return describe(model, DOC, PREPROCESS, LABELS, answer=ANSWER)


def _joined(graph: GraphWriter, x: str, beside: str, name: str) -> str:
    scales = graph.weight(f"{name}/scales", np.array([1, 1, 2, 2], np.float32))
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    larger = graph.op("Resize", [x, "", scales], f"{name}/twice", **how)
    return graph.op("Concat", [larger, beside], f"{name}/in", axis=1)


def mean_overlap(found: Map, wanted: Map) -> float:
    """Average intersection over union over the ten digits, all pictures together: maps (n, 56, 56) of classes."""
    ratios = []
    for digit in range(1, len(LABELS)):
        one, other = found == digit, wanted == digit
        ratios.append((one & other).sum() / (one | other).sum())
    return float(np.mean(ratios))


def accuracy(network: Segmenter, digits: Digits, count: int = TESTED) -> dict[str, float]:
    """Return the mean overlap (IoU) of the digits' ink on new pictures."""
    drawn = [scene(digits, np.random.default_rng(seed)) for seed in range(count)]
    session = onnxruntime.InferenceSession(to_bytes(write(network)), providers=["CPUExecutionProvider"])
    classes = session.run(None, {"image": normalised(drawn).numpy()})[0].argmax(axis=1)
    return {"pictures": count, "iou": round(mean_overlap(classes, np.stack([truth(each) for each in drawn])), 4)}


def trained(digits: Digits, plan: Plan = PLAN) -> Segmenter:
    """Train from seed 0."""
    torch.manual_seed(0)
    network = Segmenter()
    train(network, loss, digits, plan)
    return network


def main() -> None:
    """Train the network, write the file beside this module and print how good it is."""
    learnt, held_out = read_digits()
    network = trained(learnt)
    Path(__file__).with_name("digits-segmenter.onnx").write_bytes(to_bytes(write(network)))
    print(json.dumps(accuracy(network, held_out)))


if __name__ == "__main__":
    main()
