import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from agnostic.converters.torch_import import OnnxModule, to_torch


def module(low: float | None, high: float | None, kind: type = np.float32) -> OnnxModule:
    bounds = {"low": low, "high": high}
    stored = [numpy_helper.from_array(np.array(v, kind), name) for name, v in bounds.items() if v is not None]
    names = ["x", *("" if bounds[name] is None else name for name in ("low", "high"))]
    element = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
    values = [helper.make_tensor_value_info(name, element, None) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Clip", names, ["y"])], "g", values[:1], values[1:], stored)
    assert element in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT32)
    return to_torch(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))


CASES = [(0.0, 6.0, True), (-1.5, 0.25, True), (None, 1.0, False), (0.0, None, False), (2.0, 1.0, False)]


@pytest.mark.parametrize(("low", "high", "settled"), CASES)
def test_two_numbers_in_order_are_settled(low: float | None, high: float | None, settled: bool) -> None:
    net = module(low, high)
    x = torch.tensor([-3.0, -1.0, 0.1, 0.2, 0.9, 5.0, 7.0, torch.nan], requires_grad=True)
    (step, _), *_ = net.graph.plan({"x"}, ["y"]).steps
    assert (step.function is not net.graph.steps[0].function) == settled
    expected = np.clip(
        x.detach().numpy(), -np.inf if low is None else low, np.inf if high is None else high
    )  # high wins where they cross, as in ONNX
    y = net(x)
    np.testing.assert_array_equal(y.detach().numpy(), expected)
    (gradient,) = torch.autograd.grad(y[:7].sum(), x)
    inside = (x > (-np.inf if low is None else low)) & (x < (np.inf if high is None else high))
    if low is None or high is None or low < high:
        assert torch.equal(gradient[:7], inside[:7].float())


def test_whole_numbers_stay_whole() -> None:
    y = module(-2, 3, np.int32)(torch.tensor([-5, 0, 9], dtype=torch.int32))
    assert y.dtype == torch.int32
    assert y.tolist() == [-2, 0, 3]
