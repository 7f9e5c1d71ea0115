from typing import Any

import numpy as np
import pytest

RNG = np.random.default_rng(15)


def floats(*shape: int) -> Any:
    return RNG.standard_normal(shape).astype(np.float32)


@pytest.fixture
def fused(check: Any) -> Any:
    def compare(op: str, attributes: dict[str, Any], *inputs: Any, **more: Any) -> None:
        check(op, attributes, *inputs, domain="com.microsoft", opset=17, tolerance=1e-4, **more)

    return compare


MASKS = [None, np.array([2, 3], np.int32), np.array([[1, 1, 0], [0, 1, 1]], np.int32), np.ones((2, 3, 3), np.int32)]


@pytest.mark.parametrize("mask", MASKS)
@pytest.mark.parametrize("causal", [0, 1])
def test_attention(fused: Any, mask: Any, causal: int) -> None:
    inputs = [floats(2, 3, 8), floats(8, 24), floats(24), mask]
    fused("Attention", {"num_heads": 2, "unidirectional": causal}, *inputs)


def test_attention_with_different_sizes(fused: Any) -> None:
    fused("Attention", {"num_heads": 2, "qkv_hidden_sizes": [8, 8, 4]}, floats(1, 3, 6), floats(6, 20), floats(20))


def test_multi_head_attention(fused: Any) -> None:
    fused("MultiHeadAttention", {"num_heads": 2}, floats(2, 3, 8), floats(2, 4, 8), floats(2, 4, 8), floats(24))
    fused("MultiHeadAttention", {"num_heads": 2, "scale": 0.4}, floats(2, 3, 8), floats(2, 4, 8), floats(2, 4, 6))


def test_rotary_embedding(fused: Any) -> None:
    positions = np.array([[0, 1, 2]], np.int64)
    fused("RotaryEmbedding", {}, floats(1, 2, 3, 4), positions, floats(8, 2), floats(8, 2))
    fused("RotaryEmbedding", {"interleaved": 1}, floats(1, 3, 8), np.array([1], np.int64), floats(8, 2), floats(8, 2))


def test_group_query_attention_reads_its_cache(fused: Any) -> None:
    lengths, total = np.array([4], np.int32), np.array(5, np.int32)
    caches = floats(1, 2, 4, 8), floats(1, 2, 4, 8)
    inputs = [floats(1, 1, 32), floats(1, 1, 16), floats(1, 1, 16), *caches, lengths, total]
    fused("GroupQueryAttention", {"num_heads": 4, "kv_num_heads": 2}, *inputs, outputs=3)
