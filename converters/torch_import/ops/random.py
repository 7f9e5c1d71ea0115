"""Chance. A seed in the model makes a draw repeatable; the numbers are not those of other runtimes."""

import torch
from torch import Tensor

from agnostic.converters.torch_import.registry import Node, operator


def _generator(seed: float | None) -> torch.Generator | None:
    return None if seed is None else torch.Generator().manual_seed(int(seed) & 0xFFFFFFFF)


@operator("RandomNormal")
def random_normal(
    *, shape: list[int], dtype: int = 1, mean: float = 0.0, scale: float = 1.0, seed: float | None = None, node: Node
) -> Tensor:
    """Draw from a normal distribution."""
    return torch.randn(shape, generator=_generator(seed), dtype=node.precision.computed(dtype)) * scale + mean


@operator("RandomUniform")
def random_uniform(
    *, shape: list[int], dtype: int = 1, high: float = 1.0, low: float = 0.0, seed: float | None = None, node: Node
) -> Tensor:
    """Draw from [low, high)."""
    return torch.rand(shape, generator=_generator(seed), dtype=node.precision.computed(dtype)) * (high - low) + low


@operator("RandomNormalLike")
def random_normal_like(
    x: Tensor,
    *,
    dtype: int | None = None,
    mean: float = 0.0,
    scale: float = 1.0,
    seed: float | None = None,
    node: Node,
) -> Tensor:
    """Draw from a normal distribution in the shape of x."""
    kind = x.dtype if dtype is None else node.precision.computed(dtype)
    return (torch.randn(x.shape, generator=_generator(seed), dtype=kind) * scale + mean).to(x.device)


@operator("RandomUniformLike")
def random_uniform_like(
    x: Tensor,
    *,
    dtype: int | None = None,
    high: float = 1.0,
    low: float = 0.0,
    seed: float | None = None,
    node: Node,
) -> Tensor:
    """Draw from [low, high) in the shape of x."""
    kind = x.dtype if dtype is None else node.precision.computed(dtype)
    return (torch.rand(x.shape, generator=_generator(seed), dtype=kind) * (high - low) + low).to(x.device)


@operator("Bernoulli")
def bernoulli(p: Tensor, *, dtype: int | None = None, seed: float | None = None, node: Node) -> Tensor:
    """Draw ones with the given probabilities."""
    kind = p.dtype if dtype is None else node.precision.computed(dtype)
    return (torch.rand(p.shape, generator=_generator(seed)).to(p) < p).to(kind)


@operator("Multinomial")
def multinomial(
    logits: Tensor, *, dtype: int = 6, sample_size: int = 1, seed: float | None = None, node: Node
) -> Tensor:
    """Draw classes by unnormalised log-probabilities."""
    drawn = torch.multinomial(torch.softmax(logits, -1), sample_size, replacement=True, generator=_generator(seed))
    return drawn.to(node.precision.computed(dtype))


@operator("Dropout")
def dropout(
    x: Tensor, ratio: Tensor | None = None, training: Tensor | None = None, *, seed: int | None = None
) -> tuple[Tensor, Tensor]:
    """Pass x on; in training mode set a share of it to zero and scale the rest."""
    share = 0.5 if ratio is None else float(ratio)
    if training is None or not bool(training) or share == 0:
        return x, torch.ones_like(x, dtype=torch.bool)
    mask = (torch.rand(x.shape, generator=_generator(seed)) >= share).to(x.device)
    return torch.where(mask, x / (1 - share), 0), mask
