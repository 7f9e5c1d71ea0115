from typing import Any

import numpy as np
import pytest
import torch

from agnostic.converters.torch_import.ops.attention import attend

RNG = np.random.default_rng(12)


def floats(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    "attributes",
    [{}, {"is_causal": 1}, {"softcap": 2.0, "scale": 0.3, "qk_matmul_output_mode": 1}, {"qk_matmul_output_mode": 3}],
)
def test_attention_over_heads(check: Any, attributes: dict[str, Any]) -> None:
    mask = np.array([[1, 1, 1, 0], [1, 0, 1, 1], [1, 1, 0, 1]], bool)
    inputs = [floats(2, 4, 3, 5), floats(2, 2, 4, 5), floats(2, 2, 4, 6), mask]
    check("Attention", attributes, *inputs, outputs=4, opset=23, judge="reference", tolerance=1e-4)


def test_attention_with_packed_heads_and_a_cache(check: Any) -> None:
    inputs = [floats(2, 3, 8), floats(2, 4, 8), floats(2, 4, 8), None, floats(2, 2, 5, 4), floats(2, 2, 5, 4)]
    attributes = {"q_num_heads": 2, "kv_num_heads": 2, "is_causal": 1}
    check("Attention", attributes, *inputs, outputs=3, opset=23, judge="reference", tolerance=1e-4)


def test_a_query_without_keys_gives_zero_and_no_nan_gradient() -> None:
    q, k, v = (torch.from_numpy(floats(1, 1, 2, 3)).requires_grad_() for _ in range(3))
    bias = torch.tensor([[0.0, 0.0], [-torch.inf, -torch.inf]])
    y = attend(q, k, v, 1.0, None, bias).y
    gradients = torch.autograd.grad(y.sum(), (q, k, v))
    assert torch.equal(y[0, 0, 1], torch.zeros(3))
    assert all(bool(g.isfinite().all()) for g in gradients)
    assert torch.equal(gradients[0][0, 0, 1], torch.zeros(3))
    expected = torch.softmax(q[0, 0, 0] @ k[0, 0].T, -1) @ v[0, 0]
    torch.testing.assert_close(y[0, 0, 0], expected)


@pytest.mark.parametrize("interleaved", [0, 1])
def test_rotary_embedding(check: Any, interleaved: int) -> None:
    positions = np.array([[0, 2, 1], [1, 1, 3]], np.int64)
    inputs = [floats(2, 3, 8), floats(4, 2), floats(4, 2), positions]
    check("RotaryEmbedding", {"interleaved": interleaved, "num_heads": 2}, *inputs, opset=23, judge="reference")
