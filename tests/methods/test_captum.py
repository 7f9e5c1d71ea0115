"""Against Captum on the torch module that an ONNX file was exported from."""

import io
import warnings

import captum.attr
import numpy as np
import pytest
import torch

import agnostic
from agnostic.inputs.array import array_sample
from agnostic.inputs.image import pixel_sample


@pytest.fixture(scope="module")
def net():
    torch.manual_seed(0)
    layers = [
        torch.nn.Conv2d(3, 6, 3), torch.nn.ReLU(), torch.nn.MaxPool2d(2), torch.nn.Conv2d(6, 8, 3), torch.nn.ReLU(),
        torch.nn.Flatten(), torch.nn.Linear(72, 10), torch.nn.ReLU(), torch.nn.Linear(10, 4),
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
    return agnostic.load(file.getvalue(), device="cpu")


@pytest.fixture
def ours(model, x, explain):
    return lambda name, **settings: explain(name, model, array_sample(model, {"x": x.numpy()}), (1,), **settings).detail


def _same(found, theirs, tolerance=1e-5):
    expected = theirs.detach().numpy()
    np.testing.assert_allclose(found, expected, atol=tolerance * np.abs(expected).max())


CASES = {
    "saliency": ("Saliency", {}, {"abs": False}),
    "input_x_gradient": ("InputXGradient", {}, {}),
    "integrated_gradients": (
        "IntegratedGradients", {"steps": 40, "quadrature": "gauss-legendre"}, {"n_steps": 40},
    ),
    "integrated_gradients riemann": (
        "IntegratedGradients", {"steps": 40, "quadrature": "riemann"}, {"n_steps": 40, "method": "riemann_middle"},
    ),
    "guided_backprop": ("GuidedBackprop", {}, {}),
    "deconvolution": ("Deconvolution", {}, {}),
    "deeplift": ("DeepLift", {}, {}),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:Setting .*hooks:UserWarning")
@pytest.mark.parametrize("case", CASES)
def test_the_same_numbers(net, x, ours, case):
    theirs, mine, options = CASES[case]
    expected = getattr(captum.attr, theirs)(net).attribute(x.clone().requires_grad_(), target=1, **options)
    _same(ours(case.partition(" ")[0], **mine), expected)


@pytest.fixture
def at_layer(model, x, explain):
    """Our answer at the second ReLU, whose map is 3 x 3."""
    layer = [node.output[0] for node in model.proto.graph.node if node.op_type == "Relu"][1]
    sample = pixel_sample(model, {"x": x.numpy()}, features="grid:4")
    return lambda name, **settings: explain(name, model, sample, (1,), task={"at": layer}, **settings)


@pytest.mark.parametrize("signed", [False, True])
def test_the_same_gradcam(net, x, at_layer, signed):
    small = captum.attr.LayerGradCam(net, net[4]).attribute(x, target=1, relu_attributions=not signed)
    assert small.abs().max() > 0
    expected = captum.attr.LayerAttribution.interpolate(small, (12, 12), "bilinear")
    _same(at_layer("gradcam", signed=signed).values, expected[:, 0])


@pytest.mark.filterwarnings("ignore:Setting .*hooks:UserWarning")
def test_the_same_guided_gradcam(net, x, at_layer):
    expected = captum.attr.GuidedGradCam(net, net[4]).attribute(
        x.clone().requires_grad_(), target=1, interpolate_mode="bilinear"
    )
    assert expected.abs().max() > 0
    _same(at_layer("guided_gradcam").detail, expected)


@pytest.mark.parametrize(
    ("name", "kind", "tolerance"),
    [("smoothgrad", "smoothgrad", 0.1), ("smoothgrad_squared", "smoothgrad_sq", 0.15), ("vargrad", "vargrad", 0.4)],
)
def test_the_same_up_to_the_draws(net, x, ours, name, kind, tolerance):
    torch.manual_seed(0)
    tunnel = captum.attr.NoiseTunnel(captum.attr.Saliency(net))
    spread = 0.1 * float(x.max() - x.min())
    expected = (
        tunnel.attribute(x.clone().requires_grad_(), target=1, abs=False, nt_type=kind, nt_samples=2000, stdevs=spread)
        .detach()
        .numpy()
    )
    found = ours(name, samples=2000, task={"batch_size": 250})
    assert np.linalg.norm(found - expected) < tolerance * np.linalg.norm(expected)
