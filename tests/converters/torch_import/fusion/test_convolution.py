from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from agnostic.converters.torch_import import OnnxModule, to_torch
from agnostic.errors import ItemError


def module(rank: int = 2, **attributes: Any) -> OnnxModule:
    weight = np.random.default_rng(rank).standard_normal((4, 2, *[3] * rank))
    stored = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(np.arange(4.0), "b")]
    values = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in "xy"]
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w", "b"], ["y"], group=2, **attributes)], "g", values[:1], values[1:], stored
    )
    return to_torch(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))


CASES = [
    (1, {}, True),
    (2, {}, True),
    (3, {"pads": [1, 0, 2, 1, 0, 2], "strides": [2, 1, 1]}, True),
    (2, {"pads": [2, 2, 2, 2], "dilations": [2, 1], "auto_pad": "NOTSET"}, True),
    (2, {"pads": [0, 1, 1, 1]}, False),
    (2, {"auto_pad": "SAME_UPPER", "strides": [2, 2]}, False),
]


@pytest.mark.parametrize(("rank", "attributes", "settled"), CASES)
def test_settled_where_torch_pads_alike(rank: int, attributes: dict[str, Any], settled: bool) -> None:
    net = module(rank, **attributes)
    x = torch.linspace(-1, 1, 4 * 7**rank, dtype=torch.float64).sin().reshape(1, 4, *[7] * rank)
    (step, _), *_ = net.graph.plan({"x"}, ["y"]).steps
    assert (step.function is not net.graph.steps[0].function) == settled
    unchanged = net.run({"x": x}, ["y"], rules={"nothing": lambda forward, *inputs: forward(*inputs)})["y"]
    torch.testing.assert_close(net(x), unchanged, rtol=0, atol=0)


def test_a_failure_is_reported_under_the_node() -> None:
    with pytest.raises(ItemError, match=r"'Conv_0' \(Conv\) cannot be computed for inputs of shape \(1, 5, 7, 7\)"):
        module()(torch.zeros(1, 5, 7, 7, dtype=torch.float64))
