"""What the builders of small convolutional networks share: a layer, its ONNX, and the training loop."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from agnostic.models.graph import Floats, GraphWriter
from agnostic.models.two_digits import SIZE, Digits, Scene, scene

MEAN, STD = 0.13, 0.3
PREPROCESS = {
    "layout": "NCHW",
    "size": [SIZE, SIZE],
    "channels": "L",
    "scale": 1 / 255,
    "mean": [MEAN],
    "std": [STD],
    "resize": "squash",
}
BATCH = 64

Loss = Callable[[torch.Tensor, list[Scene]], torch.Tensor]


class Layer(nn.Module):
    """A 3 x 3 convolution, batch normalisation, ReLU."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        """Draw the weights."""
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.norm = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map (n, channels, h, w) to (n, out, h / stride, w / stride)."""
        told: torch.Tensor = self.norm(self.conv(x)).relu()
        return told

    def write(self, graph: GraphWriter, x: str, name: str) -> str:
        """Write the layer with its normalisation folded into the convolution."""
        weight, bias = self.folded()
        strides, pads = list(self.conv.stride), [1, 1, 1, 1]
        graph.linear("Conv", x, name, weight, bias, f"{name}/pre", strides=strides, pads=pads)
        return graph.op("Relu", [f"{name}/pre"], name)

    def folded(self) -> tuple[Floats, Floats]:
        """Return the kernel (out, channels, 3, 3) and bias (out,) that say the same once training is over."""
        mean, variance = self.norm.running_mean, self.norm.running_var
        if mean is None or variance is None:
            raise ValueError("the normalisation keeps no statistics; expected a BatchNorm2d that does")
        scale = self.norm.weight / torch.sqrt(variance + self.norm.eps)
        kernel = self.conv.weight * scale[:, None, None, None]
        return array(kernel), array(self.norm.bias - mean * scale)


class Plan(NamedTuple):
    """How long to train: epochs of so many new pictures each, and the highest rate."""

    epochs: int
    scenes: int
    rate: float = 4e-3


def train(network: nn.Module, loss: Loss, digits: Digits, plan: Plan) -> None:
    """Train from seed 0 on one core, in place: the same weights each time, with the same build of torch.

    No picture is seen twice; the digits on them are.
    """
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    optimiser = torch.optim.AdamW(network.parameters(), plan.rate, weight_decay=0.02)
    steps = plan.epochs * (plan.scenes // BATCH)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimiser, plan.rate, total_steps=steps, pct_start=0.15)
    network.train()
    for _ in range(steps):
        drawn = [scene(digits, rng) for _ in range(BATCH)]
        found = loss(network(normalised(drawn)), drawn)
        optimiser.zero_grad()
        torch.autograd.backward(found)
        optimiser.step()
        rate.step()
    network.eval()


def normalised(drawn: list[Scene]) -> torch.Tensor:
    """Lay pictures on top of each other as a network eats them: (n, 1, 56, 56) float32."""
    pixels = torch.from_numpy(np.stack([each.pixels for each in drawn]))
    return (pixels.float()[:, None] / 255 - MEAN) / STD


def array(tensor: torch.Tensor | None) -> Floats:
    """Return a parameter as an array."""
    if tensor is None:
        raise ValueError("the layer lacks this parameter; expected one made with bias=True")
    values: Floats = tensor.detach().numpy()
    return values
