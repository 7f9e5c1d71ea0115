"""Attention in its fused forms. A query that may attend nothing gives zero, and a gradient of zero, never NaN."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from agnostic.converters.torch_import.registry import operator


class Attended(NamedTuple):
    """The result (b, h, q, d) with the scores (b, h, q, k) at each stage on the way to it."""

    y: Tensor
    raw: Tensor
    capped: Tensor
    biased: Tensor
    weights: Tensor


def attend(
    q: Tensor, k: Tensor, v: Tensor, scale: float, allowed: Tensor | None, bias: Tensor | None, softcap: float = 0.0
) -> Attended:
    """Scaled dot-product attention over heads (b, h, length, size), key heads repeated where there are fewer.

    Args:
        q: queries.
        k: keys.
        v: values.
        scale: factor of the dot products.
        allowed: broadcasts to the scores; False excludes a key.
        bias: broadcasts to the scores and is added; -inf excludes a key.
        softcap: bound of the scores by tanh, where it is not zero.
    """
    repeats = q.shape[1] // k.shape[1]
    if repeats > 1:
        k, v = k.repeat_interleave(repeats, 1), v.repeat_interleave(repeats, 1)
    root = math.sqrt(scale)
    raw = (q * root) @ (k.transpose(-1, -2) * root)
    capped = torch.tanh(raw / softcap) * softcap if softcap else raw
    if bias is not None:
        finite = ~torch.isneginf(bias)
        allowed = finite if allowed is None else allowed & finite
        biased = capped + torch.where(finite, bias, 0)
    else:
        biased = capped
    if allowed is None:
        weights = torch.softmax(biased, -1)
        return Attended(weights @ v, raw, capped, biased, weights)
    biased = torch.where(allowed, biased, -torch.inf)
    idle = ~allowed.any(-1, keepdim=True)
    weights = torch.where(idle, 0, torch.softmax(torch.where(idle, 0, biased), -1))
    return Attended(weights @ v, raw, capped, biased, weights)


def heads(x: Tensor, count: int | None) -> Tensor:
    """Split (b, length, heads · size) into (b, heads, length, size); four axes are split already."""
    if x.ndim == 4:
        return x
    if not count:
        raise ValueError("inputs of three axes need the number of heads")
    return x.reshape(*x.shape[:2], count, -1).transpose(1, 2)


def joined(x: Tensor) -> Tensor:
    """Join (b, heads, length, size) into (b, length, heads · size)."""
    return x.transpose(1, 2).flatten(2)


@operator("Attention")
def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None = None,
    past_key: Tensor | None = None,
    past_value: Tensor | None = None,
    lengths: Tensor | None = None,
    *,
    is_causal: int = 0,
    kv_num_heads: int | None = None,
    left_window_size: int = -1,
    q_num_heads: int | None = None,
    qk_matmul_output_mode: int = 0,
    right_window_size: int = -1,
    scale: float | None = None,
    softcap: float = 0.0,
    softmax_precision: int = 1,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Attend with an optional cache, mask, causal frontier and window."""
    flat = q.ndim == 3
    q, k, v = heads(q, q_num_heads), heads(k, kv_num_heads), heads(v, kv_num_heads)
    before = 0 if past_key is None else past_key.shape[2]
    if past_key is not None and past_value is not None:
        k, v = torch.cat([past_key, k], 2), torch.cat([past_value, v], 2)
    allowed = _visible(q, k, before, lengths, is_causal, left_window_size, right_window_size)
    allowed, bias = _with_mask(allowed, mask, k.shape[2])
    factor = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    found = attend(q, k, v, factor, allowed, bias, softcap)
    stages = (found.raw, found.capped, found.biased, found.weights)
    return joined(found.y) if flat else found.y, k, v, stages[qk_matmul_output_mode]


def _visible(
    q: Tensor, k: Tensor, before: int, lengths: Tensor | None, causal: int, left: int, right: int
) -> Tensor | None:
    """Work out which keys each query may see by its position, as a mask that broadcasts to the scores."""
    queries, keys = q.shape[2], k.shape[2]
    cells = torch.arange(keys, device=q.device)
    place = torch.arange(queries, device=q.device)[:, None] + before
    if lengths is not None:
        place = place + (lengths.reshape(-1, 1, 1, 1) - queries)
    rules = []
    if lengths is not None:
        rules.append(cells < lengths.reshape(-1, 1, 1, 1))
    if causal:
        rules.append(cells <= place)
    if left >= 0:
        rules.append(cells >= place - left)
    if right >= 0:
        rules.append(cells <= place + right)
    return conjunction(rules)


def conjunction(rules: list[Tensor]) -> Tensor | None:
    """Combine masks that broadcast against each other; no masks allow everything."""
    result = None
    for rule in rules:
        result = rule if result is None else result & rule
    return result


def _with_mask(allowed: Tensor | None, mask: Tensor | None, keys: int) -> tuple[Tensor | None, Tensor | None]:
    """Bring a boolean or additive mask, excluding the keys that it is too short for, into (allowed, bias)."""
    if mask is None:
        return allowed, None
    missing = keys - mask.shape[-1]
    boolean = mask.dtype is torch.bool
    if missing > 0:
        mask = torch.nn.functional.pad(mask, (0, missing), value=False if boolean else -torch.inf)
    if boolean:
        return (mask if allowed is None else allowed & mask), None
    return allowed, mask


def rotated(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> Tensor:
    """Turn pairs of the last axis of x (b, h, length, size) by angles (…, length, size / 2) (Su et al., 2021)."""
    width = 2 * cos.shape[-1]
    head, rest = x[..., :width], x[..., width:]
    if interleaved:
        a, b = head[..., 0::2], head[..., 1::2]
        turned = torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)
    else:
        a, b = head.chunk(2, -1)
        turned = torch.cat([a * cos - b * sin, a * sin + b * cos], -1)
    return torch.cat([turned, rest], -1) if rest.shape[-1] else turned


@operator("RotaryEmbedding")
def rotary_embedding(
    x: Tensor,
    cos: Tensor,
    sin: Tensor,
    positions: Tensor | None = None,
    *,
    interleaved: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
) -> Tensor:
    """Rotary position embedding of (b, length, heads · size) or (b, heads, length, size)."""
    split = heads(x, num_heads)
    if positions is not None:
        cos, sin = cos[positions], sin[positions]
    half = (rotary_embedding_dim or split.shape[-1]) // 2
    y = rotated(split, cos[:, None, :, :half], sin[:, None, :, :half], bool(interleaved))
    return joined(y) if x.ndim == 3 else y


@operator("LinearAttention")
def linear_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    state: Tensor | None = None,
    decay: Tensor | None = None,
    beta: Tensor | None = None,
    *,
    chunk_size: int = 64,
    kv_num_heads: int,
    q_num_heads: int,
    scale: float = 0.0,
    update_rule: str = "gated_delta",
) -> tuple[Tensor, Tensor]:
    """Attention by a running state (b, h, dk, dv) with optional decay and delta rule (Yang et al., 2024)."""
    q, k, v = heads(q, q_num_heads), heads(k, kv_num_heads), heads(v, kv_num_heads)
    factor = scale or 1 / math.sqrt(q.shape[-1])
    kept = None if decay is None or "gated" not in update_rule else heads(decay, kv_num_heads).exp()
    rate = None if beta is None or "delta" not in update_rule else beta.transpose(1, 2)[..., None]
    if state is None:
        state = q.new_zeros(*k.shape[:2], k.shape[-1], v.shape[-1])
    outputs = []
    for t in range(q.shape[2]):
        if kept is not None:
            state = state * kept[:, :, t, :, None]
        key, value = k[:, :, t, :, None], v[:, :, t, None, :]
        if "delta" in update_rule:
            value = value - key.transpose(-1, -2) @ state
            value = value if rate is None else value * rate[:, :, t, None]
        state = state + key * value
        read = state.repeat_interleave(q_num_heads // kv_num_heads, 1)
        outputs.append(factor * (q[:, :, t, None, :] @ read))
    return joined(torch.cat(outputs, 2)), state


@operator("CausalConvWithState")
def causal_conv(
    x: Tensor, w: Tensor, b: Tensor | None = None, past: Tensor | None = None, *, activation: str = "none"
) -> tuple[Tensor, Tensor]:
    """Depthwise convolution over past positions only; the last k - 1 of them are handed on."""
    carried = w.shape[-1] - 1
    past = x.new_zeros(*x.shape[:2], carried) if past is None else past
    full = torch.cat([past, x], -1)
    y = torch.nn.functional.conv1d(full, w, b, groups=x.shape[1])
    y = y if activation == "none" else torch.nn.functional.silu(y)
    return y, full[..., full.shape[-1] - carried :]
