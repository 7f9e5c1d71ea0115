"""How objectives, parametrisations and transforms say what they are: as the call that made them."""

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor


def described(make: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Write a call as it may be typed.

    >>> described(sorted, ([3, 1],), {"reverse": True})
    'sorted([3, 1], reverse=True)'
    """
    said = [_said(value) for value in args] + [f"{key}={_said(value)}" for key, value in kwargs.items()]
    return f"{make.__name__}({', '.join(said)})"


def _said(value: Any) -> str:
    if isinstance(value, np.ndarray | Tensor):
        return f"array{list(value.shape)}"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_said(item) for item in value)}]"
    if callable(value) and not hasattr(value, "name"):
        return getattr(value, "__name__", type(value).__name__)
    return str(getattr(value, "name", value))
