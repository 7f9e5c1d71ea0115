"""Products of matrices."""

import torch
from torch import Tensor

from agnostic.converters.torch_import.registry import operator, plain

plain(Det=torch.linalg.det)


@operator("MatMul")
def matmul(a: Tensor, b: Tensor) -> Tensor:
    """Matrix product with broadcasting over leading axes."""
    return torch.matmul(a, b)


@operator("Gemm")
def gemm(
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803
    transB: int = 0,  # noqa: N803
) -> Tensor:
    """Alpha a b + beta c, with a and b transposed where asked."""
    a, b = a.T if transA else a, b.T if transB else b
    if c is None:
        y = torch.mm(a, b)
        return y if alpha == 1.0 else alpha * y
    if not a.is_floating_point():
        return (alpha * torch.mm(a, b) + beta * c).to(a.dtype)
    return torch.addmm(c, a, b, beta=beta, alpha=alpha)


@operator("Einsum")
def einsum(*tensors: Tensor, equation: str) -> Tensor:
    """Sum of products over the named axes."""
    return torch.einsum(equation.replace(" ", ""), *tensors)
