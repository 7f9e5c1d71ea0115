"""Reductions along axes. Axes come as an input; none means all axes, or none of them with noop_with_empty_axes."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from agnostic.converters.torch_import.registry import operator

Reduction = Callable[[Tensor, list[int], bool], Tensor]


def _sum_abs(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.abs().sum(axes, keep, dtype=x.dtype)


def _euclidean(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    if x.is_floating_point():
        norm: Tensor = torch.linalg.vector_norm(x, 2, axes, keep)
        return norm
    return x.double().square().sum(axes, keep).sqrt().to(x.dtype)


def _sum(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return x.sum(axes, keep, dtype=x.dtype)


def _mean(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    if x.is_floating_point():
        return x.mean(axes, keep)
    count = torch.Size([x.shape[axis] for axis in axes]).numel()
    return torch.div(x.sum(axes, keep), count, rounding_mode="trunc").to(x.dtype)


def _product(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    for axis in sorted(axes, reverse=True):
        x = x.prod(axis, keep, dtype=x.dtype)
    return x


def _extreme(largest: bool) -> Reduction:
    def reduce(x: Tensor, axes: list[int], keep: bool) -> Tensor:
        if any(x.shape[axis] == 0 for axis in axes):
            shape = [1 if i in axes else n for i, n in enumerate(x.shape) if keep or i not in axes]
            return x.new_full(shape, _bound(x.dtype, lowest=largest))
        if x.dtype == torch.bool:
            return reduce(x.to(torch.uint8), axes, keep).bool()
        return x.amax(axes, keep) if largest else x.amin(axes, keep)

    return reduce


def _bound(dtype: torch.dtype, lowest: bool) -> float:
    if dtype == torch.bool:
        return not lowest
    if dtype.is_floating_point:
        return -torch.inf if lowest else torch.inf
    return torch.iinfo(dtype).min if lowest else torch.iinfo(dtype).max


def _log_sum_exp(x: Tensor, axes: list[int], keep: bool) -> Tensor:
    return (
        torch.logsumexp(x, axes, keep) if x.is_floating_point() else torch.logsumexp(x.double(), axes, keep).to(x.dtype)
    )


_REDUCTIONS: dict[str, Reduction] = {
    "ReduceL1": _sum_abs,
    "ReduceL2": _euclidean,
    "ReduceLogSum": lambda x, axes, keep: x.sum(axes, keep).log().to(x.dtype),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceMax": _extreme(largest=True),
    "ReduceMean": _mean,
    "ReduceMin": _extreme(largest=False),
    "ReduceProd": _product,
    "ReduceSum": _sum,
    "ReduceSumSquare": lambda x, axes, keep: (x * x).sum(axes, keep, dtype=x.dtype),
}


def _reducer(reduction: Reduction) -> Callable[..., Any]:
    def reduce(x: Tensor, axes: Tensor | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Tensor:
        chosen = [] if axes is None else [axis % max(x.ndim, 1) for axis in axes.reshape(-1).tolist()]
        if not chosen and noop_with_empty_axes:
            # Nothing is summed, but what is done to each element still is.
            return reduction(x.unsqueeze(0), [0], False)
        return reduction(x, chosen or list(range(x.ndim)), bool(keepdims))

    return reduce


for _name, _function in _REDUCTIONS.items():
    operator(_name)(_reducer(_function))


def _arg(largest: bool) -> Callable[..., Tensor]:
    def find(x: Tensor, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Tensor:
        search = torch.argmax if largest else torch.argmin
        if not select_last_index:
            return search(x, axis, bool(keepdims))
        return x.shape[axis] - 1 - search(x.flip(axis), axis, bool(keepdims))

    return find


operator("ArgMax")(_arg(largest=True))
operator("ArgMin")(_arg(largest=False))
