from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from agnostic.converters.torch_import import to_torch

X = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
F32 = np.float32


@pytest.mark.parametrize(
    ("op", "attributes", "more"),
    [
        ("Relu", {}, ()),
        ("Sigmoid", {}, ()),
        ("Tanh", {}, ()),
        ("Softsign", {}, ()),
        ("Softplus", {}, ()),
        ("HardSwish", {}, ()),
        ("Mish", {}, ()),
        ("LeakyRelu", {"alpha": 0.3}, ()),
        ("PRelu", {}, (np.array([[0.1], [0.2], [0.3]], F32),)),
        ("Elu", {"alpha": 0.7}, ()),
        ("Celu", {"alpha": 0.7}, ()),
        ("Selu", {"alpha": 1.5, "gamma": 1.2}, ()),
        ("Gelu", {}, ()),
        ("Gelu", {"approximate": "tanh"}, ()),
        ("HardSigmoid", {"alpha": 0.3, "beta": 0.4}, ()),
        ("ThresholdedRelu", {"alpha": 0.5}, ()),
        ("Shrink", {"bias": 0.4, "lambd": 0.4}, ()),
        ("Clip", {}, (np.array(-0.5, F32), np.array(0.6, F32))),
        ("Clip", {}, (None, np.array(0.6, F32))),
        ("Softmax", {"axis": 1}, ()),
        ("LogSoftmax", {"axis": -1}, ()),
    ],
)
def test_values_and_gradients(check: Any, op: str, attributes: dict[str, Any], more: tuple[Any, ...]) -> None:
    check(op, attributes, X, *more)


def test_softplus_does_not_turn_linear_early() -> None:
    node = helper.make_node("Softplus", ["x"], ["y"])
    values = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None]) for name in "xy"]
    model = helper.make_model(helper.make_graph([node], "g", values[:1], values[1:]))
    y = to_torch(model)(torch.tensor([-40.0, 25.0], dtype=torch.float64))
    np.testing.assert_allclose(y, [np.exp(-40.0), 25 + np.log1p(np.exp(-25.0))], rtol=1e-15)


def test_hardmax_has_no_gradient(check: Any) -> None:
    check("Hardmax", {"axis": 1}, X, smooth=False)


def test_a_softmax_row_masked_throughout_spreads_no_nan() -> None:
    """The pattern exporters write: select the NaN rows of a masked softmax away afterwards."""
    nodes = [
        helper.make_node("Where", ["mask", "x", "low"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["p"], axis=-1),
        helper.make_node("IsNaN", ["p"], ["idle"]),
        helper.make_node("Where", ["idle", "zero", "p"], ["y"]),
    ]
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3]),
        helper.make_tensor_value_info("mask", TensorProto.BOOL, [2, 3]),
    ]
    constants = [helper.make_tensor(n, TensorProto.FLOAT, [], [v]) for n, v in (("low", -np.inf), ("zero", 0.0))]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])]
    model = helper.make_model(helper.make_graph(nodes, "g", inputs, outputs, constants))
    x = torch.tensor([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]], requires_grad=True)
    y = to_torch(model)(x, torch.tensor([[True, True, False], [False, False, False]]))
    (gradient,) = torch.autograd.grad(y[:, 0].sum(), x)
    p = float(torch.sigmoid(torch.tensor(-1.0)))
    np.testing.assert_allclose(y.detach(), [[p, 1 - p, 0], [0, 0, 0]], rtol=1e-6)
    np.testing.assert_allclose(gradient, [[p * (1 - p), -p * (1 - p), 0], [0, 0, 0]], rtol=1e-5)
