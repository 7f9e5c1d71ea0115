"""Normalisation by statistics of the batch, the map, the group, the layer or the neighbourhood."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.registry import Node, operator


@operator("BatchNormalization")
def batch_normalization(
    x: Tensor,
    scale: Tensor,
    b: Tensor,
    mean: Tensor,
    var: Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
) -> Tensor | tuple[Tensor, ...]:
    """Normalise channels by stored statistics, or in training mode by the batch's own, which are returned mixed in."""
    if not training_mode and (mean.requires_grad or var.requires_grad):  # torch has no derivative by these
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        factor = scale * torch.rsqrt(var + epsilon)
        return x * factor.reshape(shape) + (b - mean * factor).reshape(shape)
    if not training_mode:
        return F.batch_norm(x, mean, var, scale, b, False, 0.0, epsilon)
    axes = [axis for axis in range(x.ndim) if axis != 1]
    batch_mean, batch_var = x.mean(axes), x.var(axes, correction=0)
    y = F.batch_norm(x, None, None, scale, b, True, 0.0, epsilon)
    return y, mean * momentum + batch_mean * (1 - momentum), var * momentum + batch_var * (1 - momentum)


@operator("InstanceNormalization")
def instance_normalization(x: Tensor, scale: Tensor, b: Tensor, *, epsilon: float = 1e-5) -> Tensor:
    """Normalise each map by its own statistics, whatever the mode of the module."""
    return torch.group_norm(x, x.shape[1], scale, b, epsilon)


@operator("GroupNormalization")
def group_normalization(
    x: Tensor, scale: Tensor, b: Tensor, *, num_groups: int, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    """Normalise each group of channels by its own statistics."""
    return torch.group_norm(x, num_groups, scale, b, epsilon)


@operator("LayerNormalization")
def layer_normalization(
    x: Tensor,
    scale: Tensor,
    b: Tensor | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
    node: Node,
) -> Tensor | tuple[Tensor, Tensor, Tensor]:
    """Normalise the axes from the given one on; also return the mean and the inverse deviation where they are named."""
    first = axis % x.ndim
    shape = x.shape[first:]
    bias = None if b is None else b.expand(shape)
    y = F.layer_norm(x, shape, scale.expand(shape), bias, epsilon)
    if not (node.wants(1) or node.wants(2)):
        return y
    axes = list(range(first, x.ndim))
    inverse = torch.rsqrt(x.var(axes, correction=0, keepdim=True) + epsilon)
    return y, x.mean(axes, keepdim=True), inverse


@operator("RMSNormalization")
def rms_normalization(
    x: Tensor, scale: Tensor, *, axis: int = -1, epsilon: float = 1e-5, stash_type: int = 1
) -> Tensor:
    """Divide by the root mean square of the axes from the given one on."""
    shape = x.shape[axis % x.ndim :]
    return F.rms_norm(x, shape, None, epsilon) * scale


@operator("MeanVarianceNormalization")
def mean_variance_normalization(x: Tensor, *, axes: tuple[int, ...] = (0, 2, 3)) -> Tensor:
    """Shift to mean zero and scale to variance one along the axes."""
    centred = x - x.mean(list(axes), keepdim=True)
    return centred / (x.var(list(axes), correction=0, keepdim=True).sqrt() + 1e-9)


@operator("LRN")
def lrn(x: Tensor, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> Tensor:
    """Divide by the energy of neighbouring channels (Krizhevsky et al., 2012)."""
    before, after = (size - 1) // 2, size // 2
    border = [0, 0] * (x.ndim - 2) + [before, after]
    energy = F.pad(x * x, border).unfold(1, size, 1).sum(-1)
    return x / (bias + alpha / size * energy) ** beta


@operator("LpNormalization")
def lp_normalization(x: Tensor, *, axis: int = -1, p: int = 2) -> Tensor:
    """Divide by the p-norm along the axis; a zero vector stays zero."""
    norm = torch.linalg.vector_norm(x, p, axis, keepdim=True)
    return x / torch.where(norm == 0, 1, norm)
