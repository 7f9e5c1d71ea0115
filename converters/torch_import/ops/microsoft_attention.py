"""The fused attention operators of onnxruntime (domain com.microsoft)."""

import math

import torch
from torch import Tensor

from agnostic.converters.torch_import.ops.attention import attend, heads, joined, rotated
from agnostic.converters.torch_import.ops.microsoft import MICROSOFT
from agnostic.converters.torch_import.registry import operator


def _padding(mask: Tensor | None, batch: int, queries: int, keys: int) -> Tensor | None:
    """Bring a mask of any of its forms to booleans that broadcast to (b, h, q, k).

    The forms: lengths (b), lengths and starts (2 b), a value per key (b, k), per query and key (b, q, k), or four axes.
    """
    if mask is None:
        return None
    if mask.ndim == 1:
        cells = torch.arange(keys, device=mask.device)
        ends = mask[:batch, None]
        seen = cells < ends
        seen = seen & (cells >= mask[batch : 2 * batch, None]) if len(mask) == 2 * batch else seen
        return seen[:, None, None, :]
    seen = mask.bool()
    if seen.ndim == 4:
        return seen[:, :, keys - queries : keys, :keys]
    return seen[:, None, None, :] if seen.ndim == 2 else seen[:, None]


def _causal(queries: int, keys: int, device: torch.device) -> Tensor:
    return torch.ones(queries, keys, dtype=torch.bool, device=device).tril(keys - queries)


def _biased(seen: Tensor | None, bias: Tensor | None, filter_value: float) -> Tensor | None:
    """Turn a padding mask into the large negative number that the runtime adds: a row of padding still attends."""
    if seen is None:
        return bias
    added = torch.where(seen, 0.0, filter_value)
    return added if bias is None else bias + added


@operator("Attention", domain=MICROSOFT)
def attention(
    x: Tensor,
    w: Tensor,
    b: Tensor | None = None,
    mask: Tensor | None = None,
    past: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    do_rotary: int = 0,
    mask_filter_value: float = -10000.0,
    num_heads: int,
    past_present_share_buffer: int = 0,
    qkv_hidden_sizes: list[int] | None = None,
    rotary_embedding_dim: int = 0,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[Tensor, Tensor]:
    """Project (b, length, c) to queries, keys, values by one matrix, attend, and return the cache (2, b, h, l, d)."""
    if do_rotary or past_present_share_buffer:
        raise ValueError("rotary positions and shared buffers inside Attention are not supported")
    projected = x @ w if b is None else x @ w + b
    sizes = qkv_hidden_sizes or [w.shape[1] // 3] * 3
    q, k, v = (heads(part, num_heads) for part in torch.split(projected, sizes, -1))
    if past is not None:
        k, v = torch.cat([past[0], k], 2), torch.cat([past[1], v], 2)
    queries, keys = q.shape[2], k.shape[2]
    allowed = _causal(queries, keys, x.device) if unidirectional else None
    added = _biased(_padding(mask, len(x), queries, keys), bias, mask_filter_value)
    found = attend(q, k, v, scale or 1 / math.sqrt(q.shape[-1]), allowed, added)
    return joined(found.y), torch.stack([k, v]) if k.shape == v.shape else k


@operator("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(
    q: Tensor,
    k: Tensor | None = None,
    v: Tensor | None = None,
    bias: Tensor | None = None,
    mask: Tensor | None = None,
    added: Tensor | None = None,
    past_key: Tensor | None = None,
    past_value: Tensor | None = None,
    *,
    mask_filter_value: float = -10000.0,
    num_heads: int,
    scale: float | None = None,
    unidirectional: int = 0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Attend with projected inputs: three tensors, keys and values packed (b, l, h, 2, d), or all (b, l, h, 3, d)."""
    if k is None:
        q, k, v = (part.squeeze(3).transpose(1, 2) for part in torch.split(q, 1, 3))
    elif v is None:
        k, v = (part.squeeze(3).transpose(1, 2) for part in torch.split(k, 1, 3))
    q, k, v = (heads(t, num_heads) if t.ndim == 3 else t for t in (q, k, v))
    if bias is not None:
        sizes = [t.shape[1] * t.shape[-1] for t in (q, k, v)]
        q, k, v = (
            t + heads(p[None, None], num_heads) for t, p in zip((q, k, v), torch.split(bias, sizes), strict=True)
        )
    if past_key is not None and past_value is not None:
        k, v = torch.cat([past_key, k], 2), torch.cat([past_value, v], 2)
    queries, keys = q.shape[2], k.shape[2]
    allowed = _causal(queries, keys, q.device) if unidirectional else None
    total = _biased(_padding(mask, len(q), queries, keys), added, mask_filter_value)
    found = attend(q, k, v, scale or 1 / math.sqrt(q.shape[-1]), allowed, total)
    return joined(found.y), k, v


@operator("GroupQueryAttention", domain=MICROSOFT)
def group_query_attention(
    q: Tensor,
    k: Tensor | None,
    v: Tensor | None,
    past_key: Tensor | None,
    past_value: Tensor | None,
    lengths: Tensor,
    total: Tensor,
    cos: Tensor | None = None,
    sin: Tensor | None = None,
    positions: Tensor | None = None,
    added: Tensor | None = None,
    *,
    do_rotary: int = 0,
    kv_num_heads: int,
    local_window_size: int = -1,
    num_heads: int,
    rotary_interleaved: int = 0,
    scale: float | None = None,
    smooth_softmax: int = 0,
    softcap: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Causal attention of language models, with fewer key heads, a cache, rotary positions and a window.

    ``lengths`` holds, per sample, the index of its last valid key.
    """
    if smooth_softmax:
        raise ValueError("smooth_softmax is not supported")
    q, k, v = _unpacked(q, k, v, num_heads, kv_num_heads)
    before = 0 if past_key is None else past_key.shape[2]
    rows = torch.arange(q.shape[2], device=q.device) + before
    if do_rotary and cos is not None and sin is not None:
        where = rows[None] if positions is None else positions
        q, k = (rotated(t, cos[where][:, None], sin[where][:, None], bool(rotary_interleaved)) for t in (q, k))
    if past_key is not None and past_value is not None:
        k, v = torch.cat([past_key, k], 2), torch.cat([past_value, v], 2)
    cells = torch.arange(k.shape[2], device=q.device)
    allowed = (cells <= rows[:, None]) & (cells <= lengths.reshape(-1, 1, 1, 1))
    if local_window_size > 0:
        allowed = allowed & (cells > rows[:, None] - local_window_size)
    found = attend(q, k, v, scale or 1 / math.sqrt(q.shape[-1]), allowed, added, softcap)
    return joined(found.y), k, v


def _unpacked(
    q: Tensor, k: Tensor | None, v: Tensor | None, count: int, kv_count: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Split into heads, and first into queries, keys and values where one tensor holds them all."""
    if k is None or v is None:
        size = q.shape[-1] // (count + 2 * kv_count)
        q, k, v = torch.split(q, [count * size, kv_count * size, kv_count * size], -1)
    return heads(q, count), heads(k, kv_count), heads(v, kv_count)


@operator("RotaryEmbedding", domain=MICROSOFT)
def rotary_embedding(
    x: Tensor,
    positions: Tensor,
    cos: Tensor,
    sin: Tensor,
    *,
    interleaved: int = 0,
    is_packed_batching: int = 0,
    num_heads: int = 0,
    rotary_embedding_dim: int = 0,
    scale: float = 1.0,
) -> Tensor:
    """Rotary position embedding; a single position is where the first token stands."""
    split = x if x.ndim == 4 else heads(x, num_heads or x.shape[-1] // (2 * cos.shape[-1]))
    if positions.numel() == 1 and positions.ndim == 1:
        positions = (positions + torch.arange(split.shape[2], device=x.device))[None]
    y = rotated(split, cos[positions][:, None], sin[positions][:, None], bool(interleaved))
    return y if x.ndim == 4 else joined(y)
