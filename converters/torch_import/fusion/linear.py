"""A matrix product with a bias."""

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from agnostic.converters.torch_import.fusion.neighbours import Fused, Neighbours
from agnostic.converters.torch_import.step import Step


def linear(product: Step, around: Neighbours) -> Fused | None:
    """Match the product with a constant matrix to which a constant row is added."""
    add = around.reader(product.outputs[0], "Add")
    if add is None or not around.is_constant(product.inputs[1], 2):
        return None
    bias = around.other(add, product.outputs[0])
    columns = around.constants[product.inputs[1]].shape[1]
    if not around.is_constant(bias, 1) or around.constants[bias].shape[0] != columns:
        return None
    inputs = (*product.inputs, bias)
    return Fused(add._replace(kind=("", "Gemm"), function=_product_with_bias, inputs=inputs), (product,))


def _product_with_bias(x: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
    return F.linear(x, matrix.T, bias) if x.ndim > 1 else torch.matmul(x, matrix) + bias
