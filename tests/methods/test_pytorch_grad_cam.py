"""Against pytorch-grad-cam on the torch module that an ONNX file was exported from."""

import importlib
import io
import sys
import warnings
from unittest.mock import MagicMock

import numpy as np
import pytest
import torch

import agnostic
from agnostic.inputs.image import pixel_sample

# It imports these for pictures, detection boxes and augmentation, none of which a bare map needs. torchvision's
# compiled operators do not load beside a CPU build of torch; the other two would be installed for two lines of code.
UNUSED = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional", "cv2", "ttach")
LAYER = 3


@pytest.fixture(scope="module")
def peer():
    """The package, imported beside stand-ins for what it does not use here, and handing maps out as they are."""
    with pytest.MonkeyPatch.context() as patch:
        for name in UNUSED:
            patch.setitem(sys.modules, name, MagicMock())
        package = importlib.import_module("pytorch_grad_cam")
    for name in [name for name in sys.modules if name.partition(".")[0] == "pytorch_grad_cam"]:
        del sys.modules[name]
    # Maps are stretched to 0..1 and enlarged; both are left out, so that they are compared in their own units.
    package.base_cam.scale_cam_image = lambda maps, size=None: maps
    return package


@pytest.fixture(scope="module")
def net():
    """The layer is as large as the input, so that enlarging it changes nothing; behind it gradients differ by place."""
    torch.manual_seed(2)
    layers = [
        torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.Tanh(), torch.nn.Conv2d(6, 8, 3, padding=1), torch.nn.ReLU(),
        torch.nn.MaxPool2d(2), torch.nn.Conv2d(8, 5, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(80, 4),
    ]  # fmt: skip
    return torch.nn.Sequential(*layers).eval()


@pytest.fixture(scope="module")
def x():
    return torch.randn(1, 3, 12, 12, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def model(net, x):
    file, axes = io.BytesIO(), {"x": {0: "n"}, "y": {0: "n"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the exporter that needs no further package
        torch.onnx.export(net, (x,), file, dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes=axes)
    pixels = {"size": [12, 12], "mean": [0.5], "std": [0.25]}
    return agnostic.load(file.getvalue(), device="cpu", preprocess=pixels)


@pytest.fixture
def theirs(peer, net, x):
    def run(name, score=lambda row: row[1]):
        with getattr(peer, name)(net, [net[LAYER]]) as cam:
            return cam(x, [score])[0]

    return run


@pytest.fixture
def ours(model, x, explain):
    layer = next(node.output[0] for node in model.proto.graph.node if node.op_type == "Relu")

    def run(name, target="1", **settings):
        sample = pixel_sample(model, {"x": x.numpy()}, features="grid:4", fill="zero")
        found = explain(name, model, sample, (model.target(target),), task={"at": layer}, **settings)
        assert found.facts[0]["layer"] == layer
        return found.values[0]

    return run


def _same(found, expected):
    assert expected.max() > 0
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


CASES = {"gradcam": "GradCAM", "xgradcam": "XGradCAM", "hirescam": "HiResCAM", "layercam": "LayerCAM"}


@pytest.mark.parametrize("name", CASES)
def test_the_same_map(ours, theirs, name):
    _same(ours(name), theirs(CASES[name]))


def test_the_same_map_of_gradcam_plus_plus(ours, theirs):
    # It adds 1e-6 to squares of gradients, which on the scale of this score would count.
    _same(ours("gradcam++", "100000*y[1]"), theirs("GradCAMPlusPlus", lambda row: 1e5 * row[1]))


def test_the_same_map_of_ablationcam_in_units_of_the_score(ours, theirs, net, x):
    score = net(x)[0, 1].item()
    assert score > 0
    _same(ours("ablationcam"), theirs("AblationCAM") * score)


def test_the_same_map_of_scorecam_as_in_the_paper(ours, theirs):
    _same(ours("scorecam", variant="paper"), theirs("ScoreCAM"))
