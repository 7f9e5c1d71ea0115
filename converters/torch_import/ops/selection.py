"""Taking and putting elements by index, and functions that order or mask them."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from agnostic.converters.torch_import.registry import operator

_SCATTER = {"add": "sum", "mul": "prod", "max": "amax", "min": "amin"}


def _wrapped(indices: Tensor, length: int) -> Tensor:
    """Count negative indices from the end."""
    indices = indices.long()
    return torch.where(indices < 0, indices + length, indices)


@operator("Gather")
def gather(x: Any, indices: Tensor, *, axis: int = 0) -> Any:
    """Take slices along an axis; the indices' shape replaces it."""
    if isinstance(x, np.ndarray):
        return np.take(x, indices.numpy(), axis)
    at = axis % x.ndim
    if indices.ndim == 0:  # one slice, such as a length out of a shape, at little cost
        return x.select(at, int(indices))
    taken = x.index_select(at, _wrapped(indices, x.shape[at]).reshape(-1))
    return taken.reshape([*x.shape[:at], *indices.shape, *x.shape[at + 1 :]])


@operator("GatherElements")
def gather_elements(x: Tensor, indices: Tensor, *, axis: int = 0) -> Tensor:
    """Take one element for each index, at the index's own place on the other axes."""
    return x.gather(axis, _wrapped(indices, x.shape[axis]))


@operator("GatherND")
def gather_nd(x: Tensor, indices: Tensor, *, batch_dims: int = 0) -> Tensor:
    """Take slices by coordinates in the last axis of the indices."""
    batch = x.shape[:batch_dims]
    data = x.reshape(-1, *x.shape[batch_dims:])
    places = indices.reshape(data.shape[0], -1, indices.shape[-1])
    coordinates = [_wrapped(places[..., i], data.shape[i + 1]) for i in range(indices.shape[-1])]
    rows = torch.arange(data.shape[0], device=x.device)[:, None].expand(places.shape[:2])
    taken = data[(rows, *coordinates)]
    return taken.reshape([*batch, *indices.shape[batch_dims:-1], *taken.shape[2:]])


@operator("ScatterElements", "Scatter")
def scatter_elements(x: Tensor, indices: Tensor, updates: Tensor, *, axis: int = 0, reduction: str = "none") -> Tensor:
    """Put, or combine, one element at each index."""
    places = _wrapped(indices, x.shape[axis])
    if reduction == "none":
        return x.scatter(axis, places, updates)
    return x.scatter_reduce(axis, places, updates, _SCATTER[reduction])


@operator("ScatterND")
def scatter_nd(x: Tensor, indices: Tensor, updates: Tensor, *, reduction: str = "none") -> Tensor:
    """Put, or combine, slices at coordinates in the last axis of the indices."""
    depth = indices.shape[-1]
    flat = torch.zeros(indices.shape[:-1], dtype=torch.int64, device=x.device)
    for i in range(depth):
        flat = flat * x.shape[i] + _wrapped(indices[..., i], x.shape[i])
    rest = torch.Size(x.shape[depth:]).numel()
    rows = flat.reshape(-1, 1).expand(-1, rest)
    data, values = x.reshape(-1, rest), updates.reshape(-1, rest)
    if reduction == "none":
        return data.scatter(0, rows, values).reshape(x.shape)
    return data.scatter_reduce(0, rows, values, _SCATTER[reduction]).reshape(x.shape)


@operator("TensorScatter")
def tensor_scatter(
    cache: Tensor, update: Tensor, starts: Tensor | None = None, *, axis: int = -2, mode: str = "linear"
) -> Tensor:
    """Write each sample's update into its cache from its start on, around the end in circular mode."""
    at, steps = axis % cache.ndim, update.shape[axis]
    first = torch.zeros(len(cache), dtype=torch.int64, device=cache.device) if starts is None else starts
    places = first[:, None] + torch.arange(steps, device=cache.device)
    places = places % cache.shape[at] if mode == "circular" else places
    shape = [len(cache) if i == 0 else steps if i == at else 1 for i in range(cache.ndim)]
    return cache.scatter(at, places.reshape(shape).expand(update.shape), update)


@operator("TopK")
def top_k(x: Tensor, k: Tensor, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> tuple[Tensor, Tensor]:
    """Largest or smallest k along an axis and their indices; of equals the first."""
    values, places = torch.sort(x, dim=axis, descending=bool(largest), stable=True)
    count = int(k.item())
    return values.narrow(axis, 0, count), places.narrow(axis, 0, count)


@operator("NonZero")
def non_zero(x: Tensor) -> Tensor:
    """Coordinates of the elements that are not zero, one row per axis."""
    return x.reshape(x.shape or (1,)).nonzero().T


@operator("Compress")
def compress(x: Tensor, condition: Tensor, *, axis: int | None = None) -> Tensor:
    """Keep the slices, or the elements of the flattened tensor, for which the condition holds."""
    kept = condition.nonzero().reshape(-1)
    return x.reshape(-1)[kept] if axis is None else x.index_select(axis, kept)


@operator("Unique")
def unique(x: Tensor, *, axis: int | None = None, sorted: int = 1) -> tuple[Tensor, ...]:
    """Distinct elements or slices with their first places, the inverse and the counts, sorted or as they first come."""
    array = x.detach().cpu().numpy()
    _, first, inverse, counts = np.unique(array, True, True, True, axis=axis)
    inverse = inverse.reshape(-1)
    if not sorted:
        order = np.argsort(first)
        first, counts, inverse = first[order], counts[order], np.argsort(order)[inverse]
    places = [torch.from_numpy(a.astype(np.int64)).to(x.device) for a in (first, inverse, counts)]
    values = x.reshape(-1)[places[0]] if axis is None else x.index_select(axis, places[0])
    return values, *places


@operator("OneHot")
def one_hot(indices: Tensor, depth: Tensor, values: Tensor, *, axis: int = -1) -> Tensor:
    """Spread indices into an axis of on-values (and off-values elsewhere)."""
    count = int(depth.reshape(-1)[0].item())
    at = axis % (indices.ndim + 1)
    shape = [count if i == at else 1 for i in range(indices.ndim + 1)]
    classes = torch.arange(count, device=indices.device).reshape(shape)
    return torch.where(_wrapped(indices, count).unsqueeze(at) == classes, values[1], values[0])


@operator("Trilu")
def trilu(x: Tensor, k: Tensor | None = None, *, upper: int = 1) -> Tensor:
    """Upper or lower triangle of the last two axes; zero outside."""
    diagonal = 0 if k is None else int(k.item())
    return x.triu(diagonal) if upper else x.tril(diagonal)


@operator("CumSum")
def cum_sum(x: Tensor, axis: Tensor, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
    """Running sum, backwards or without the element itself if asked."""
    return _running(torch.cumsum, 0, x, int(axis.item()), exclusive, reverse)


@operator("CumProd")
def cum_prod(x: Tensor, axis: Tensor, *, exclusive: int = 0, reverse: int = 0) -> Tensor:
    """Running product, backwards or without the element itself if asked."""
    return _running(torch.cumprod, 1, x, int(axis.item()), exclusive, reverse)


def _running(function: Any, neutral: int, x: Tensor, axis: int, exclusive: int, reverse: int) -> Tensor:
    if reverse:
        x = x.flip(axis)
    if exclusive:
        first = torch.full_like(x.narrow(axis, 0, 1), neutral)
        x = torch.cat([first, x.narrow(axis, 0, x.shape[axis] - 1)], axis)
    y: Tensor = function(x, axis).to(x.dtype)
    return y.flip(axis) if reverse else y


@operator("ReverseSequence")
def reverse_sequence(x: Tensor, lengths: Tensor, *, batch_axis: int = 1, time_axis: int = 0) -> Tensor:
    """Reverse the first steps, as many as each sample has, and leave the rest."""
    steps = torch.arange(x.shape[time_axis], device=x.device)
    shape = [1] * x.ndim
    shape[time_axis] = x.shape[time_axis]
    steps = steps.reshape(shape)
    shape = [1] * x.ndim
    shape[batch_axis] = x.shape[batch_axis]
    count = lengths.reshape(shape)
    return x.gather(time_axis, torch.where(steps < count, count - 1 - steps, steps).expand(x.shape))
