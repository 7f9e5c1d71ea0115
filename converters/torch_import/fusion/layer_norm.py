"""LayerNormalization written out, as exporters do before opset 17: eight passes over its tensor, and more back."""

from collections.abc import Sequence
from functools import partial

import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.fusion.neighbours import Fused, Neighbours
from agnostic.converters.torch_import.step import Step


def layer_norm(quotient: Step, around: Neighbours) -> Fused | None:
    """Match (x - mean) / √(mean((x - mean)²) + ε), scaled and shifted where that follows, over the last axes."""
    centred, deviation = quotient.inputs
    root = around.writer(deviation, "Sqrt")
    shifted = root and around.writer(root.inputs[0], "Add")
    found = shifted and around.operand(shifted, "ReduceMean")
    if root is None or shifted is None or found is None:
        return None
    variance, epsilon = found
    square = around.writer(variance.inputs[0], "Pow") or around.writer(variance.inputs[0], "Mul")
    # The quotient, and the square once or twice, are all that reads the difference.
    readers = 1 + square.inputs.count(centred) if square else 0
    difference = around.writer(centred, "Sub", readers)
    if square is None or difference is None or not _is_square(square, centred, around):
        return None
    mean = around.writer(difference.inputs[1], "ReduceMean")
    axes, offset = _last_axes(variance, around), around.number(epsilon)
    if mean is None or not axes or axes != _last_axes(mean, around) or mean.inputs[0] != difference.inputs[0]:
        return None
    if offset is None or offset < 0:
        return None
    inner = (root, shifted, variance, square, difference, mean)
    return _with_affine(quotient, mean.inputs[0], partial(_normalised, axes=axes, epsilon=offset), inner, around)


def _is_square(step: Step, base: str, around: Neighbours) -> bool:
    if step.kind[1] == "Mul":
        return step.inputs == (base, base)
    return step.inputs[0] == base and around.number(step.inputs[1]) == 2


def _last_axes(step: Step, around: Neighbours) -> int:
    """Count the last axes that a mean is taken over; 0 where it is over anything else, or drops them."""
    constant = around.constants.get(step.inputs[1]) if len(step.inputs) > 1 else None
    if not isinstance(constant, Tensor) or not getattr(step.function, "keywords", {}).get("keepdims", 1):
        return 0
    axes = sorted(constant.reshape(-1).tolist())
    return len(axes) if axes == list(range(-len(axes), 0)) else 0


def _with_affine(
    quotient: Step, x: str, function: partial[Tensor], inner: tuple[Step, ...], around: Neighbours
) -> Fused:
    """Take in the scale and the shift that follow, if both do."""
    product = around.reader(quotient.outputs[0], "Mul")
    total = product and around.reader(product.outputs[0], "Add")
    kind = ("", "LayerNormalization")
    if product is None or total is None:
        return Fused(quotient._replace(kind=kind, function=function, inputs=(x,)), inner)
    inputs = (x, around.other(product, quotient.outputs[0]), around.other(total, product.outputs[0]))
    return Fused(total._replace(kind=kind, function=function, inputs=inputs), (*inner, quotient, product))


def _normalised(
    x: Tensor, scale: Tensor | None = None, shift: Tensor | None = None, *, axes: int, epsilon: float
) -> Tensor:
    shape: Sequence[int] = x.shape[-axes:]
    if scale is None or shift is None:
        return F.layer_norm(x, shape, None, None, epsilon)
    if scale.shape == shape == shift.shape:
        return F.layer_norm(x, shape, scale, shift, epsilon)
    return F.layer_norm(x, shape, None, None, epsilon) * scale + shift
