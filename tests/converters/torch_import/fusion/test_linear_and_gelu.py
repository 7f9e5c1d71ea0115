import math
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from agnostic.converters.torch_import import OnnxModule, to_torch

W = np.random.default_rng(21).standard_normal((4, 3)).astype(np.float32)
X = torch.linspace(-2, 2, 8).reshape(2, 4)


def constant(name: str, value: Any) -> Any:
    return numpy_helper.from_array(np.asarray(value, np.float32), name)


@pytest.fixture
def module() -> OnnxModule:
    """A linear layer and a GELU as exporters write them: x → MatMul, Add → Div, Erf, Add, Mul, Mul → y"""
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["p"]),
        helper.make_node("Add", ["b", "p"], ["h"]),
        helper.make_node("Div", ["h", "root"], ["d"]),
        helper.make_node("Erf", ["d"], ["e"]),
        helper.make_node("Add", ["e", "one"], ["a"]),
        helper.make_node("Mul", ["h", "a"], ["m"]),
        helper.make_node("Mul", ["m", "half"], ["y"]),
    ]
    stored = [constant("w", W), constant("b", [1, 2, 3]), constant("root", math.sqrt(2)), constant("one", 1)]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in "xy"]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], [*stored, constant("half", 0.5)])
    return to_torch(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]))


def kinds(module: OnnxModule, *outputs: str, **options: Any) -> list[str]:
    return [step.kind[1] for step, _ in module.graph.plan({"x"}, outputs, **options).steps]


def test_patterns_are_joined_and_equal(module: OnnxModule) -> None:
    assert kinds(module, "y") == ["Gemm", "Gelu"]
    expected = torch.nn.functional.gelu(X @ torch.from_numpy(W) + torch.tensor([1.0, 2.0, 3.0]))
    torch.testing.assert_close(module(X), expected)
    unfused = module.run({"x": X}, ["y"], rules={"None": lambda forward, *inputs: forward(*inputs)})["y"]
    torch.testing.assert_close(unfused, expected)


def test_what_is_asked_for_stays(module: OnnxModule) -> None:
    written = ["Div", "Erf", "Add", "Mul", "Mul"]
    assert kinds(module, "y", "e") == ["Gemm", *written]
    assert kinds(module, "y", kept=["m"]) == ["Gemm", *written]
    assert kinds(module, "y", kept=["p"]) == ["MatMul", "Add", "Gelu"]
    assert kinds(module, "y", fused=False) == ["MatMul", "Add", *written]


def test_a_hook_between_is_obeyed(module: OnnxModule) -> None:
    values = module.run({"x": X}, ["y", "h"], replace={"e": torch.zeros_like})
    torch.testing.assert_close(values["y"], values["h"] / 2)


def test_a_replaced_constant_is_no_constant(module: OnnxModule) -> None:
    y = module.run({"x": X}, ["y", "h"], replace={"half": torch.tensor(1.0)})
    torch.testing.assert_close(y["y"], 2 * torch.nn.functional.gelu(y["h"]))
