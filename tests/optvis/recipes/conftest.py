"""A small seeded network with pixels as they are, orders small enough to run in no time, and a picture."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from agnostic.engine.model import Model
from agnostic.optvis.lens import Lens
from agnostic.optvis.presets import Preset
from agnostic.optvis.recipes import Order

LABELS = ("tabby, tabby cat", "espresso", "tiger", "goldfish")
PIXELS = {"size": [16, 16], "mean": [0.0], "std": [1.0]}
NET = """net (float[n,3,h,w] x) => (float[n,4] y) {
    a = Conv(x, wa)
    relu = Relu(a)
    b = Conv(relu, wb)
    top = Relu(b)
    pooled = GlobalAveragePool(top)
    vector = Flatten(pooled)
    y = MatMul(vector, wc)
}"""


@pytest.fixture(scope="session")
def plain(opened: Callable[..., Model]) -> Callable[..., Model]:
    """Build a model that is fed pixels in 0..1 as they are."""

    def plain(text: str, weights: dict[str, Any], size: int = 16) -> Model:
        preprocess = {**PIXELS, "size": [size, size]}
        metadata = {"agnostic.labels": json.dumps(LABELS), "agnostic.preprocess": json.dumps(preprocess)}
        return opened(text, weights, metadata=metadata)

    return plain


@pytest.fixture(scope="session")
def net(plain: Callable[..., Model]) -> Model:
    """Filters of mean zero, as those of trained networks nearly are: a grey picture excites nothing."""
    rng = np.random.default_rng(3)
    shapes = {"wa": (6, 3, 3, 3), "wb": (5, 6, 3, 3), "wc": (5, 4)}
    weights = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for name in ("wa", "wb"):
        weights[name] -= weights[name].mean(axis=(1, 2, 3), keepdims=True)
    return plain(NET, weights)


@pytest.fixture(scope="session")
def order() -> Callable[..., Order]:
    def order(model: Model, *names: str, size: int = 16, steps: int = 24, **given: Any) -> Order:
        preset = given.pop("preset", Preset("tiny", size, steps, 1.0, ""))
        return Order(Lens(model), names, preset, **given)

    return order


@pytest.fixture
def picture(rng: np.random.Generator) -> np.ndarray:
    """Three soft waves of colour, and a little noise: (12, 16, 3)."""
    rows, columns = np.mgrid[:12, :16]
    waves = [np.sin(rows / 3 + phase) * np.cos(columns / (2 + phase)) for phase in range(3)]
    return (0.5 + 0.3 * np.stack(waves, -1) + 0.05 * rng.normal(size=(12, 16, 3))).astype(np.float32).clip(0, 1)


@pytest.fixture(scope="session")
def seen_by() -> Callable[..., np.ndarray]:
    """What onnxruntime makes of pictures (n, h, w, c) fed as they are."""

    def seen_by(model: Model, pictures: np.ndarray, tensor: str) -> np.ndarray:
        return model.run(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)), [tensor])[tensor].astype(np.float64)

    return seen_by
