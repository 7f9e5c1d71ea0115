"""Changes of element type, and tensors filled with a value."""

from typing import Any

import numpy as np
import torch
from onnx import TensorProto
from torch import Tensor

from agnostic.converters.torch_import.registry import Node, operator

_FLOAT = TensorProto.FLOAT


def cast_to(x: Any, element_type: int, node: Node, saturate: int = 1) -> Any:
    """Convert to an ONNX element type as it is computed here."""
    if element_type == TensorProto.STRING or isinstance(x, np.ndarray):
        return _text_cast(x, element_type, node)
    dtype = node.precision.computed(element_type)
    if dtype.is_floating_point:
        return node.precision.rounded(x, element_type, bool(saturate))
    return x != 0 if dtype is torch.bool else node.precision.integer(x, element_type)


def _text_cast(x: Any, element_type: int, node: Node) -> Any:
    if element_type != TensorProto.STRING:
        return node.precision.of(np.asarray(x, str).astype(np.float64), TensorProto.DOUBLE).to(
            node.precision.computed(element_type)
        )
    values = x if isinstance(x, np.ndarray) else x.detach().cpu().numpy()
    return np.array([str(value) for value in values.flat], object).reshape(values.shape)


@operator("Cast")
def cast(x: Any, *, to: int, saturate: int = 1, round_mode: str = "up", node: Node) -> Any:
    """Convert to the element type."""
    return cast_to(x, to, node, saturate)


@operator("CastLike")
def cast_like(x: Tensor, like: Tensor, *, saturate: int = 1, round_mode: str = "up", node: Node) -> Tensor:
    """Convert to the other tensor's type."""
    if node.type_of(1):
        return torch.as_tensor(cast_to(x, node.type_of(1), node, saturate))
    return x != 0 if like.dtype is torch.bool else x.to(like.dtype)


@operator("BitCast")
def bit_cast(x: Tensor, *, to: int, node: Node) -> Tensor:
    """Read the same bits as another type of the same width."""
    return x.view(node.precision.computed(to))


@operator("ConstantOfShape")
def constant_of_shape(shape: Tensor, *, value: Tensor | None = None) -> Tensor:
    """Fill a shape with a value, by default a float zero."""
    fill = torch.zeros(1) if value is None else value
    return torch.full(shape.tolist(), fill.item(), dtype=fill.dtype, device=shape.device)


@operator("Constant")
def constant(
    *,
    value: Any = None,
    value_float: float | None = None,
    value_floats: list[float] | None = None,
    value_int: int | None = None,
    value_ints: list[int] | None = None,
    value_string: str | None = None,
    value_strings: list[str] | None = None,
    node: Node,
) -> Any:
    """Return the one value that is given, in whichever attribute."""
    if value is not None:
        return value
    for numbers, element_type in ((value_float, _FLOAT), (value_floats, _FLOAT), (value_int, 7), (value_ints, 7)):
        if numbers is not None:
            return torch.tensor(numbers, dtype=node.precision.computed(element_type))
    return np.array(value_string if value_strings is None else value_strings, object)


@operator("EyeLike")
def eye_like(x: Tensor, *, dtype: int | None = None, k: int = 0, node: Node) -> Tensor:
    """Ones on the k-th diagonal of a matrix of the same shape."""
    kind = x.dtype if dtype is None else node.precision.computed(dtype)
    return torch.ones_like(x, dtype=torch.float64).triu(k).tril(k).to(kind)


@operator("Range")
def range_(start: Tensor, limit: Tensor, delta: Tensor, *, stash_type: int = 1) -> Tensor:
    """Count from start up to, without, the limit."""
    count = torch.ceil((limit.double() - start.double()) / delta.double()).clamp(min=0).long()
    steps = torch.arange(int(count), device=start.device)
    return (start + steps.to(start.dtype) * delta).to(start.dtype)
