"""Attention written out: the scores of every query and key, which torch need not keep."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812
from onnx import TensorProto
from torch import Tensor

from agnostic.converters.torch_import.fusion.neighbours import Fused, Neighbours
from agnostic.converters.torch_import.step import Step, execute

#: Types that a cast keeps as they are where the value has them already.
_EXACT = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE})


class _Scores(NamedTuple):
    """How the softmax's input comes about: ``q k``, times or over a factor, plus a mask ("" where there is none)."""

    steps: tuple[Step, ...]
    factor: str = ""
    mask: str = ""


class _Weights(NamedTuple):
    """The steps from the scores to the weights, whether those select NaN away, and what they are cast to."""

    steps: tuple[Step, ...]
    guarded: bool = False
    types: frozenset[torch.dtype] = frozenset()


def attention(product: Step, around: Neighbours) -> Fused | None:
    """Match softmax(s q k + mask) v, where s and the mask may be missing, and a NaN in the softmax taken for zero."""
    weights = _weights(product.inputs[0], around)
    scores = weights and _scores(weights.steps[0].inputs[0], around)
    if weights is None or scores is None or not _is_one_number(scores.factor, around):
        return None
    steps = (*scores.steps, *weights.steps, product)
    named = (*scores.steps[0].inputs, product.inputs[1], scores.factor, scores.mask)
    written = {step.outputs[0] for step in steps}
    # What else the steps read comes along, for where they have to be executed as they are written.
    inputs = (*named, *sorted({name for step in steps for name in step.reads} - written - set(named)))
    divided = any(step.kind[1] == "Div" for step in scores.steps)
    function = partial(
        _attended, steps=steps, names=inputs, divided=divided, guarded=weights.guarded, types=weights.types
    )
    return Fused(product._replace(kind=("", "Attention"), function=function, inputs=inputs), steps[:-1])


def _weights(name: str, around: Neighbours) -> _Weights | None:
    """Walk back over casts to a softmax, or to the Where that puts zero in the place of its NaN."""
    cast = around.writer(name, "Cast")
    if cast is not None:
        to, node = cast.function.keywords["to"], cast.function.keywords["node"]  # type: ignore[attr-defined]
        found = _weights(cast.inputs[0], around) if to in _EXACT else None
        types = frozenset({node.precision.computed(to)})
        return found and found._replace(steps=(*found.steps, cast), types=found.types | types)
    where = around.writer(name, "Where")
    is_nan = where and around.writer(where.inputs[0], "IsNaN")
    if where is None or is_nan is None:
        softmax = around.writer(name, "Softmax")
        return _Weights((softmax,)) if softmax is not None and _is_last(softmax) else None
    softmax = around.writer(where.inputs[2], "Softmax", 2)
    if softmax is None or not _is_last(softmax) or is_nan.inputs[0] != where.inputs[2]:
        return None
    return _Weights((softmax, is_nan, where), guarded=True) if around.number(where.inputs[1]) == 0 else None


def _is_last(softmax: Step) -> bool:
    return bool(getattr(softmax.function, "keywords", {}).get("axis", -1) == -1)


def _scores(name: str, around: Neighbours) -> _Scores | None:
    """Walk back over a mask, if there is one, to the product of queries and keys."""
    add = around.writer(name, "Add")
    if add is None:
        return _scaled(name, around)
    for scores, mask in (add.inputs, add.inputs[::-1]):
        found = _scaled(scores, around)
        if found:
            return found._replace(steps=(*found.steps, add), mask=mask)
    return None


def _scaled(name: str, around: Neighbours) -> _Scores | None:
    """Walk back over a factor, if there is one, to the product of queries and keys."""
    product = around.writer(name, "MatMul")
    if product is not None:
        return _Scores((product,))
    scale = around.writer(name, "Mul") or around.writer(name, "Div")
    found = scale and around.operand(scale, "MatMul")
    if scale is None or found is None or (scale.kind[1] == "Div" and scale.inputs[1] != found[1]):
        return None
    return _Scores((found[0], scale), found[1])


def _is_one_number(factor: str, around: Neighbours) -> bool:
    """Say whether a factor is, or may turn out to be, one number."""
    return factor not in around.constants or around.number(factor) is not None


def _attended(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    factor: Tensor | None,
    mask: Tensor | None,
    *others: Any,
    steps: tuple[Step, ...],
    names: tuple[str, ...],
    divided: bool,
    guarded: bool,
    types: frozenset[torch.dtype],
) -> Tensor:
    """Attend with q (..., l, d), k (..., d, s) and v (..., s, d), the way the nodes say where torch's is another."""
    if types <= {q.dtype} and _are_heads(q, k, v) and _is_plain(factor, q.ndim) and _fits(mask, q, k):
        number = 1.0 if factor is None else float(factor)
        y = _by_torch(q, k, v, mask, 1 / number if divided else number)
        if not guarded or not bool(torch.isnan(y).any()):
            return y
    return _as_written(steps, dict(zip(names, (q, k, v, factor, mask, *others), strict=True)))


def _by_torch(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, scale: float) -> Tensor:
    k = k.transpose(-1, -2)
    if mask is not None:
        mask = mask[(None,) * (4 - mask.ndim)]
    if q.ndim == 4:
        return F.scaled_dot_product_attention(q, k, v, mask, scale=scale)
    return F.scaled_dot_product_attention(q[None], k[None], v[None], mask, scale=scale)[0]


def _as_written(steps: tuple[Step, ...], values: dict[str, Any]) -> Tensor:
    rules: Mapping[str, Any] = {}
    for step in steps:
        execute(step, values, rules)
    y: Tensor = values[steps[-1].outputs[0]]
    return y


def _are_heads(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Whether nothing is broadcast, and all have one size, as torch's fast attention wants it."""
    if q.ndim not in (3, 4) or not q.is_floating_point():
        return False
    *batch, _, size = q.shape
    return list(k.shape[:-1]) == [*batch, size] and list(v.shape) == [*batch, k.shape[-1], size]


def _is_plain(factor: Tensor | None, rank: int) -> bool:
    """Whether a factor is a positive number through which no gradient flows."""
    if factor is None:
        return True
    one = factor.numel() == 1 and factor.ndim <= rank and not factor.requires_grad
    return one and 0 < float(factor) < math.inf


def _fits(mask: Tensor | None, q: Tensor, k: Tensor) -> bool:
    """Whether a mask can be spread over the scores, and leaves something to attend to in every row.

    A row masked throughout is NaN where it is written out, but zero in torch's attention.
    """
    if mask is None:
        return True
    scores = (*q.shape[:-1], k.shape[-1])
    spread = mask.ndim <= len(scores) and all(
        n in (1, full) for n, full in zip(mask.shape[::-1], scores[::-1], strict=False)
    )
    return spread and mask.ndim > 0 and mask.numel() > 0 and bool(torch.isfinite(mask.amax(-1)).all())
