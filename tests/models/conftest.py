"""What the tests of this room share: a cache folder of their own, and predictions made without the package's code."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image

from agnostic import models

# Mean (red, green, blue), divisor and channel order: written out a second time, so that a slip in the metadata shows.
PREPROCESSING = {
    "squeezenet": (np.array([123.68, 116.779, 103.939]), 1.0, slice(None, None, -1)),
    "efficientnet-lite0": (np.array([127.0, 127.0, 127.0]), 128.0, slice(None)),
}


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.getbasetemp() / "agnostic-cache"
    monkeypatch.setenv("AGNOSTIC_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def squeezenet() -> onnx.ModelProto:
    return onnx.load(models.path("squeezenet"))


@pytest.fixture
def predict() -> Callable[[str, str], dict[int, float]]:
    """Give a function from model and picture to the probability of each class."""

    def probabilities(model: str, picture: str) -> dict[int, float]:
        mean, divisor, order = PREPROCESSING[model]
        with Image.open(models.picture(picture)) as opened:
            rgb = np.asarray(opened.resize((224, 224), Image.Resampling.BILINEAR))
        x = ((rgb - mean) / divisor)[..., order].transpose(2, 0, 1)[None].astype(np.float32)
        session = onnxruntime.InferenceSession(models.path(model), providers=["CPUExecutionProvider"])
        logits = session.run(None, {"image": x})[0][0].astype(np.float64)
        odds = np.exp(logits - logits.max())
        return dict(enumerate((odds / odds.sum()).tolist()))

    return probabilities
