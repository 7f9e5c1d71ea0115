"""What the two small networks share: a layer that is written as it was trained, and training that repeats."""

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from agnostic.models import build_digits_detector, build_digits_segmenter
from agnostic.models.graph import GraphWriter, to_bytes
from agnostic.models.small_convnets import Layer, Plan, array, normalised
from agnostic.models.two_digits import read_digits, scene

BUILDERS = [build_digits_detector, build_digits_segmenter]


@pytest.mark.parametrize("stride", [1, 2])
def test_a_layer_with_its_normalisation_folded_computes_the_same(stride: int) -> None:
    torch.manual_seed(3)
    layer = Layer(2, 5, stride)
    layer(torch.randn(16, 2, 8, 8) * 3 + 1)  # statistics unlike those it starts with
    layer.eval()
    graph = GraphWriter()
    layer.write(graph, "x", "y")
    model = graph.model("one", {"x": ["n", 2, 8, 8]}, {"y": ["n", 5, 8 // stride, 8 // stride]})
    x = torch.randn(3, 2, 8, 8)
    found = onnxruntime.InferenceSession(to_bytes(model), providers=["CPUExecutionProvider"]).run(
        None, {"x": x.numpy()}
    )
    np.testing.assert_allclose(found[0], layer(x).detach().numpy(), atol=1e-5)


def test_a_parameter_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="lacks this parameter"):
        array(None)


@pytest.mark.parametrize("builder", BUILDERS, ids=["detector", "segmenter"])
def test_training_is_repeated_by_its_seed_and_learns(builder: Any) -> None:
    digits, threads = read_digits()[0], torch.get_num_threads()
    try:
        first, again = (builder.trained(digits, Plan(1, 128)).state_dict() for _ in range(2))
        longer = builder.trained(digits, Plan(1, 1280))
    finally:
        torch.set_num_threads(threads)
    for name, weight in first.items():
        np.testing.assert_array_equal(weight.numpy(), again[name].numpy())
    fresh = [scene(digits, np.random.default_rng(seed)) for seed in range(40)]
    with torch.no_grad():
        torch.manual_seed(0)
        untrained = type(longer)().eval()
        before, after = (float(builder.loss(net(normalised(fresh)), fresh)) for net in (untrained, longer))
    assert after < 0.8 * before  # twenty steps
