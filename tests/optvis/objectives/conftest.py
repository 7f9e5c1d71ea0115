"""A small seeded network, pictures, and what onnxruntime makes of them: what the objectives are derived from."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from agnostic.engine.model import Model
from agnostic.optvis.lens import Lens, Seen

MEAN, STD = np.array([0.5, 0.4, 0.3], np.float32), np.array([0.2, 0.3, 0.4], np.float32)
BODY = """net (float[n,3,h,w] x) => (float[n,7] y) {
    a = Conv<pads=[1,1,1,1]>(x, wa)
    relu = Relu(a)
    b = Conv<strides=[2,2]>(relu, wb)
    clip = Clip(b, zero, six)
    c = Conv(clip, wc)
    gate = Sigmoid(c)
    silu = Mul(c, gate)
    d = Conv(clip, wd)
    other = Relu(d)
    joined = Concat<axis=1>(silu, other)
    pooled = GlobalAveragePool(joined)
    vector = Flatten(pooled)
    hidden = MatMul(vector, we)
    vrelu = Relu(hidden)
    logits = MatMul(vrelu, wf)
    y = Softmax(logits)
}"""
# Each layer, and the tensors before its activation function that make it up.
BEFORE = {"relu": ["a"], "clip": ["b"], "silu": ["c"], "joined": ["c", "d"], "vrelu": ["hidden"], "logits": ["logits"]}
LABELS = ("tabby, tabby cat", "espresso", "tiger", "goldfish", "broom", "kite", "lemon")

Array = np.ndarray


def weights(**dead: int) -> dict[str, Array]:
    rng = np.random.default_rng(7)
    shapes = {
        "wa": (6, 3, 3, 3),
        "wb": (4, 6, 3, 3),
        "wc": (5, 4, 1, 1),
        "wd": (3, 4, 1, 1),
        "we": (8, 6),
        "wf": (6, 7),
    }
    made = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for name, unit in dead.items():
        made[name][unit] = 0
    return {**made, "zero": np.float32(0), "six": np.float32(6)}


@pytest.fixture(scope="session")
def net(opened: Callable[..., Model]) -> Model:
    preprocess = {"size": [16, 14], "mean": MEAN.tolist(), "std": STD.tolist()}
    metadata = {"agnostic.labels": json.dumps(LABELS), "agnostic.preprocess": json.dumps(preprocess)}
    return opened(BODY, weights(wd=1), metadata=metadata)


@pytest.fixture
def pictures(rng: np.random.Generator) -> Array:
    """Three pictures (n, h, w, c) in 0..1."""
    return rng.random((3, 16, 14, 3), np.float32)


class Ort:
    """What onnxruntime computes: layers before and behind their activation function, (n, C, h, w)."""

    def __init__(self, model: Model, pictures: Array) -> None:
        self.pictures = pictures.transpose(0, 3, 1, 2)
        self._tensor = lambda name: model.run(((pictures - MEAN) / STD).transpose(0, 3, 1, 2), [name])[name]

    def before(self, layer: str) -> Array:
        return self._maps(np.concatenate([self._tensor(name) for name in BEFORE[layer]], axis=1))

    def behind(self, layer: str) -> Array:
        return self._maps(self._tensor(layer))

    @staticmethod
    def _maps(values: Array) -> Array:
        return values if values.ndim == 4 else values[:, :, None, None]


@pytest.fixture(scope="session")
def computed(net: Model) -> Callable[[Array], Ort]:
    return lambda pictures: Ort(net, pictures)


@pytest.fixture
def ort(computed: Callable[[Array], Ort], pictures: Array) -> Ort:
    return computed(pictures)


@pytest.fixture(scope="session")
def look() -> Callable[..., Seen]:
    """See pictures (n, h, w, c) as they are; the last channel is opacity if `alpha`."""

    def look(model: Model | Lens, pictures: Array, *, alpha: bool = False, **settings: Any) -> Seen:
        lens = model if isinstance(model, Lens) else Lens(model)
        planes = torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))
        shown = planes[:, :-1] if alpha else planes
        return Seen(lens, planes, shown, alpha=planes[:, -1:] if alpha else None, **settings)

    return look


@pytest.fixture
def seen(net: Model, pictures: Array, look: Callable[..., Seen]) -> Seen:
    return look(net, pictures)


@pytest.fixture(scope="session")
def agree() -> Callable[..., None]:
    def agree(found: torch.Tensor, expected: Array, **tolerance: float) -> None:
        values = found.detach().numpy()
        assert values.shape == np.shape(expected)
        np.testing.assert_allclose(values, expected, **{"rtol": 2e-4, "atol": 1e-5, **tolerance})

    return agree
