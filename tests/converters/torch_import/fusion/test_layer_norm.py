from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from agnostic.converters.torch_import import OnnxModule, to_torch

X = torch.from_numpy(np.random.default_rng(8).standard_normal((2, 3, 4)))
W, B = np.array([1.0, -2, 3, 0.5]), np.array([0.1, 0, -1, 2])


def module(
    *, square: str = "Pow", axes: tuple[int, ...] = (-1,), second: tuple[int, ...] | None = None, **changed: Any
) -> OnnxModule:
    """LayerNormalization from x to y as exporters write it before opset 17"""
    constants = {"two": 2.0, "eps": 1e-3, "w": W, "b": B} | changed
    stored = [numpy_helper.from_array(np.asarray(value, np.float64), name) for name, value in constants.items()]
    stored += [
        numpy_helper.from_array(np.array(a), name)
        for name, a in (("a1", axes), ("a2", axes if second is None else second))
    ]
    nodes = [
        helper.make_node("ReduceMean", ["x", "a1"], ["m"]),
        helper.make_node("Sub", ["x", "m"], ["d"]),
        helper.make_node(square, ["d", "d" if square == "Mul" else "two"], ["p"]),
        helper.make_node("ReduceMean", ["p", "a2"], ["v"]),
        helper.make_node("Add", ["v", "eps"], ["e"]),
        helper.make_node("Sqrt", ["e"], ["r"]),
        helper.make_node("Div", ["d", "r"], ["n"]),
        helper.make_node("Mul", ["n", "w"], ["t"]),
        helper.make_node("Add", ["b", "t"], ["y"]),
    ]
    values = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in "xy"]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], stored)
    return to_torch(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))


def kinds(net: OnnxModule, *outputs: str, **options: Any) -> list[str]:
    return [step.kind[1] for step, _ in net.graph.plan({"x"}, outputs or ["y"], **options).steps]


def agree(net: OnnxModule, x: torch.Tensor = X) -> torch.Tensor:
    found = []
    for rules in (None, {"nothing": lambda forward, *inputs: forward(*inputs)}):
        leaf = x.clone().requires_grad_()
        y = net.run({"x": leaf}, ["y"], rules=rules)["y"]
        weight = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
        found.append((y, *torch.autograd.grad((y * weight).sum(), [leaf])))
    for joined, apart in zip(*found, strict=True):
        torch.testing.assert_close(joined, apart, rtol=1e-12, atol=1e-12)
    return found[0][0].detach()


@pytest.mark.parametrize("square", ["Pow", "Mul"])
def test_one_axis(square: str) -> None:
    net = module(square=square)
    assert kinds(net) == ["LayerNormalization"]
    expected = torch.nn.functional.layer_norm(X, (4,), torch.from_numpy(W), torch.from_numpy(B), 1e-3)
    torch.testing.assert_close(agree(net), expected)


def test_two_axes() -> None:
    net = module(axes=(-2, -1), w=np.outer([1, 2, 3], W), b=np.outer([1, 0, 1], B))
    assert kinds(net) == ["LayerNormalization"]
    agree(net)


@pytest.mark.parametrize("w", [2.0, W[None, None], np.arange(6.0).reshape(2, 3, 1)])
def test_a_scale_of_another_shape_is_broadcast(w: Any) -> None:
    net = module(w=w)
    assert kinds(net) == ["LayerNormalization"]
    agree(net)


def test_a_scale_that_widens_is_broadcast() -> None:
    assert agree(module(), X[..., :1]).shape == (2, 3, 4)


@pytest.mark.parametrize(
    "changed",
    [
        {"two": 3.0},
        {"eps": [1e-3, 1e-2, 1e-1, 1.0]},
        {"axes": (1,)},
        {"axes": (-2,)},
        {"axes": (-1,), "second": (-2, -1)},
        {"square": "Add"},
    ],
)
def test_what_is_not_the_pattern_stays_apart(changed: dict[str, Any]) -> None:
    net = module(**changed)
    assert "LayerNormalization" not in kinds(net)
    if changed.get("two") != 3.0 and changed.get("square") != "Add":  # these take roots of negative numbers
        agree(net)


def test_what_is_asked_for_stays() -> None:
    net = module()
    assert kinds(net, "y", "n") == ["LayerNormalization", "Mul", "Add"]
    assert kinds(net, "y", "t") == ["LayerNormalization", "Mul", "Add"]
    for inner in "mdpver":
        assert "LayerNormalization" not in kinds(net, "y", inner)
        assert "LayerNormalization" not in kinds(net, kept=[inner])
    assert "LayerNormalization" not in kinds(net, fused=False)
