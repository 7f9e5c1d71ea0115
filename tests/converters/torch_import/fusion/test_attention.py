import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from onnx import NodeProto, TensorProto, helper, numpy_helper
from torch import Tensor

from agnostic.converters.torch_import import OnnxModule, to_torch

RANDOM = torch.Generator().manual_seed(3)
Q, K, V = (torch.randn(2, 3, *shape, generator=RANDOM, dtype=torch.float64) for shape in ((5, 4), (4, 6), (6, 4)))
CAUSAL = np.where(np.tri(5, 6, 1) > 0, 0.0, -np.inf)
BIAS = np.random.default_rng(5).standard_normal((1, 3, 5, 6))


def node(kind: str, reads: str, writes: str, **attributes: Any) -> NodeProto:
    return helper.make_node(kind, reads.split(), [writes], **attributes)


def module(*inner: NodeProto, inputs: str = "q k v", axis: int = -1, **constants: Any) -> OnnxModule:
    """Scores s of q and k, what the given nodes make of them (d), if any, the softmax w, and y from w and v"""
    softmax = node("Softmax", "d" if inner else "s", "w", axis=axis)
    return built([node("MatMul", "q k", "s"), *inner, softmax, node("MatMul", "w v", "y")], inputs, constants)


def built(nodes: Sequence[NodeProto], inputs: str, constants: dict[str, Any]) -> OnnxModule:
    stored = [numpy_helper.from_array(np.asarray(value, np.float64), name) for name, value in constants.items()]
    values = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, None) for name in inputs.split()]
    result = helper.make_tensor_value_info("y", TensorProto.DOUBLE, None)
    graph = helper.make_graph(nodes, "g", values, [result], stored)
    return to_torch(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))


def kinds(net: OnnxModule, *outputs: str, **options: Any) -> list[str]:
    given = [port.name for port in net.inputs]
    return [step.kind[1] for step, _ in net.graph.plan(given, outputs or ["y"], **options).steps]


def plain(forward: Callable[..., Any], *inputs: Any) -> Any:
    return forward(*inputs)


def agree(net: OnnxModule, *inputs: Tensor, nan: bool = False) -> Tensor:
    """Compare value and gradients of the joined plan with those of the plan that executes every node"""
    found = []
    for rules in (None, {"nothing": plain}):
        leaves = [value.clone().requires_grad_() for value in inputs]
        feeds = {port.name: leaf for port, leaf in zip(net.inputs, leaves, strict=True)}
        y = net.run(feeds, ["y"], rules=rules)["y"]
        weight = torch.linspace(-1, 2, y.numel(), dtype=y.dtype).reshape(y.shape)
        found.append((y, *torch.autograd.grad((y * weight).nansum(), leaves)))
    for joined, apart in zip(*found, strict=True):
        torch.testing.assert_close(joined, apart, rtol=1e-12, atol=1e-12, equal_nan=nan)
    return found[0][0].detach()


SCALED = {
    "bare": ((), {}),
    "times": ((node("Mul", "s f", "d"),), {"f": 0.7}),
    "times, turned": ((node("Mul", "f s", "d"),), {"f": [[0.7]]}),
    "over": ((node("Div", "s f", "d"),), {"f": math.sqrt(8)}),
    "mask": ((node("Add", "s m", "d"),), {"m": CAUSAL}),
    "times, mask": ((node("Mul", "s f", "t"), node("Add", "m t", "d")), {"f": 0.7, "m": BIAS}),
    "over, mask": ((node("Div", "s f", "t"), node("Add", "t m", "d")), {"f": 2, "m": BIAS[:, :, :1]}),
    "columns": ((node("Add", "s m", "d"),), {"m": [0, 1, -np.inf, 2, -1e30, 0]}),
}


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize("rank", [3, 4])
def test_scores_scaled_and_masked(name: str, rank: int) -> None:
    inner, constants = SCALED[name]
    constants = {key: np.asarray(value)[0] if np.ndim(value) > rank else value for key, value in constants.items()}
    net = module(*inner, **constants)
    assert kinds(net) == ["Attention"]
    y = agree(net, *((Q, K, V) if rank == 4 else (Q[0], K[0], V[0])))
    if name == "times":
        expected = torch.softmax(Q @ K * float(np.float64(0.7)), -1) @ V
        torch.testing.assert_close(y, expected if rank == 4 else expected[0])


def test_a_root_of_the_scale_on_both_sides() -> None:
    nodes = [node("Mul", "q r", "a"), node("Mul", "k r", "b"), node("MatMul", "a b", "s")]
    net = built([*nodes, node("Softmax", "s", "w"), node("MatMul", "w v", "y")], "q k v", {"r": 0.5**0.5})
    assert kinds(net) == ["Mul", "Mul", "Attention"]
    torch.testing.assert_close(agree(net, Q, K, V), torch.softmax(Q @ K / 2, -1) @ V)


def guarded(**constants: Any) -> OnnxModule:
    nodes = [node("MatMul", "q k", "s"), node("Add", "s m", "d"), node("Softmax", "d", "p"), node("IsNaN", "p", "i")]
    nodes += [node("Where", "i zero p", "w"), node("MatMul", "w v", "y")]
    return built(nodes, "q k v" if "m" in constants else "q k v m", {"zero": 0, **constants})


def test_a_guard_against_nan_is_joined_too() -> None:
    net = guarded(m=CAUSAL)
    assert kinds(net) == ["Attention"]
    agree(net, Q, K, V)


def cast(to: int) -> OnnxModule:
    nodes = [node("MatMul", "q k", "s"), node("Softmax", "s", "p"), node("Cast", "p", "c", to=to)]
    return built([*nodes, node("Cast", "c", "w", to=TensorProto.DOUBLE), node("MatMul", "w v", "y")], "q k v", {})


def test_casts_of_the_weights_are_joined_where_they_change_nothing() -> None:
    net = cast(TensorProto.DOUBLE)
    assert kinds(net) == ["Attention"]
    agree(net, Q, K, V)
    narrowed = agree(cast(TensorProto.FLOAT), Q, K, V)
    expected = torch.softmax(Q @ K, -1).float().double() @ V
    torch.testing.assert_close(narrowed, expected, rtol=1e-12, atol=1e-12)
    assert "Attention" not in kinds(cast(TensorProto.FLOAT16))


IDLE = torch.zeros(5, 6, dtype=torch.float64)
IDLE[2] = -torch.inf


def test_a_row_masked_throughout_stays_what_it_was() -> None:
    assert agree(guarded(), Q, K, V, IDLE)[:, :, 2].eq(0).all()
    bare = module(node("Add", "s m", "d"), inputs="q k v m")
    assert agree(bare, Q, K, V, IDLE, nan=True)[:, :, 2].isnan().all()
    fixed = module(node("Add", "s m", "d"), m=IDLE.numpy())
    assert agree(fixed, Q, K, V, nan=True)[:, :, 2].isnan().all()


def test_nan_is_selected_away_as_the_nodes_say() -> None:
    spoilt = Q.clone()
    spoilt[0, 0, 0] = torch.nan
    feeds = {"q": spoilt, "k": K, "v": V}
    assert guarded(m=CAUSAL).run(feeds, ["y"])["y"][0, 0, 0].eq(0).all()


def test_computed_masks_and_scales_are_differentiated() -> None:
    mask = torch.from_numpy(BIAS)
    agree(module(node("Add", "m s", "d"), inputs="q k v m"), Q, K, V, mask)
    scaled = module(node("Mul", "s f", "d"), inputs="q k v f")
    for factor in (0.4, -0.4):
        agree(scaled, Q, K, V, torch.tensor(factor, dtype=torch.float64))
    agree(scaled, Q, K, V, torch.linspace(0.5, 1.5, 3, dtype=torch.float64).reshape(3, 1, 1))


def test_heads_that_are_broadcast_or_of_other_sizes_are_computed_as_written() -> None:
    net = module()
    assert kinds(net) == ["Attention"]
    agree(net, Q, K[:, :1], V[:, :1])
    agree(net, Q, K, torch.cat([V, V], -1))
    agree(net, Q[0, 0], K[0, 0], V[0, 0])
    agree(
        module(node("Add", "s m", "d"), inputs="q k v m"),
        Q[:1],
        K[:1],
        V[:1],
        torch.from_numpy(BIAS).repeat(2, 1, 1, 1),
    )


APART = {
    "another axis": module(axis=2),
    "a factor for each head": module(node("Mul", "s f", "d"), f=np.ones((3, 1, 1)) * [[[0.5]], [[1]], [[2]]]),
    "over the scores": module(node("Div", "f s", "d"), f=0.1),
    "masked, then scaled": module(node("Add", "s m", "t"), node("Mul", "t f", "d"), m=BIAS, f=0.5),
    "bounded": module(node("Tanh", "s", "d")),
}


@pytest.mark.parametrize("name", APART)
def test_what_is_not_the_pattern_stays_apart(name: str) -> None:
    assert "Attention" not in kinds(APART[name])
    agree(APART[name], Q, K, V)


def test_a_guard_with_another_number_stays_apart() -> None:
    assert "Attention" not in kinds(guarded(m=CAUSAL, zero=1))


def test_what_is_asked_for_stays() -> None:
    net = module(node("Mul", "s f", "d"), f=0.5)
    written = ["MatMul", "Mul", "Softmax", "MatMul"]
    assert kinds(net) == ["Attention"]
    for inner in "sdw":
        assert kinds(net, "y", inner) == kinds(net, kept=[inner]) == written
    assert kinds(net, fused=False) == written
    values = net.run({"q": Q, "k": K, "v": V}, ["y"], replace={"w": torch.zeros_like})
    assert values["y"].eq(0).all()


def test_weights_read_twice_stay() -> None:
    nodes = [node("MatMul", "q k", "s"), node("Softmax", "s", "w"), node("MatMul", "w v", "a"), node("Exp", "w", "e")]
    net = built([*nodes, node("MatMul", "e a", "y")], "q k v", {})
    assert "Attention" not in kinds(net)


def test_a_constant_value_with_a_bias_is_taken_by_one_pattern_only() -> None:
    nodes = [node("MatMul", "q k", "s"), node("Softmax", "s", "w"), node("MatMul", "w v", "a"), node("Add", "a b", "y")]
    net = built(nodes, "q k", {"v": np.eye(6, 4), "b": np.arange(4)})
    assert kinds(net) == ["Attention", "Add"]
    agree(net, Q, K)
