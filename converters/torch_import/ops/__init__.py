"""The operators, one module per family; importing this package registers them all."""

from agnostic.converters.torch_import.ops import (
    activations,
    casting,
    convolution,
    elementwise,
    matrix,
    normalisation,
    pooling,
    reduction,
    resize,
    selection,
    shape,
)

__all__ = [
    "activations",
    "casting",
    "convolution",
    "elementwise",
    "matrix",
    "normalisation",
    "pooling",
    "reduction",
    "resize",
    "selection",
    "shape",
]
