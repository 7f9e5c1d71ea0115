"""Support vector machines (domain ai.onnx.ml), differentiable through their kernels and probabilities."""

from itertools import combinations, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agnostic.converters.torch_import.ops.table import TABLES, constants, floats, labels, transformed
from agnostic.converters.torch_import.registry import operator


def kernel(x: Tensor, vectors: Tensor, kind: str, parameters: list[float] | None) -> Tensor:
    """Kernel (LINEAR, POLY, RBF or SIGMOID) of each row of x with each vector: (n, vectors)."""
    gamma, offset, degree = parameters or [0.0, 0.0, 0.0]
    if kind == "RBF":
        return torch.exp(-gamma * ((x[:, None] - vectors) ** 2).sum(-1))
    product = x @ vectors.T
    if kind == "LINEAR":
        return product
    if kind == "POLY":
        return torch.pow(gamma * product + offset, int(degree))
    if kind == "SIGMOID":
        return torch.tanh(gamma * product + offset)
    raise ValueError(f"kernel {kind!r} is unknown")


@operator("SVMRegressor", domain=TABLES)
def svm_regressor(
    x: Tensor,
    *,
    coefficients: list[float],
    kernel_params: list[float] | None = None,
    kernel_type: str = "LINEAR",
    n_supports: int = 0,
    one_class: int = 0,
    post_transform: str = "NONE",
    rho: list[float],
    support_vectors: list[float] | None = None,
) -> Tensor:
    """Kernel machine with one value per row; one_class gives its sign, without a gradient."""
    x = floats(x)
    weights = constants(coefficients, x)
    if n_supports:
        values = kernel(x, constants(support_vectors, x).reshape(n_supports, -1), kernel_type, kernel_params) @ weights
    else:
        values = x @ weights
    values = (values + rho[0])[:, None]
    return torch.where(values > 0, 1, -1).to(x.dtype) if one_class else transformed(values, post_transform)


@operator("SVMClassifier", domain=TABLES)
def svm_classifier(
    x: Tensor,
    *,
    classlabels_ints: list[int] | None = None,
    classlabels_strings: list[str] | None = None,
    coefficients: list[float],
    kernel_params: list[float] | None = None,
    kernel_type: str = "LINEAR",
    post_transform: str = "NONE",
    prob_a: list[float] | None = None,
    prob_b: list[float] | None = None,
    rho: list[float],
    support_vectors: list[float] | None = None,
    vectors_per_class: list[int] | None = None,
) -> tuple[Any, Tensor]:
    """Labels by one-against-one votes, and scores: the pairs' values, or probabilities where the model has them."""
    x = floats(x)
    classes = len(classlabels_ints or classlabels_strings or [0])
    if not vectors_per_class:
        scores = x @ constants(coefficients, x).reshape(classes, -1).T + rho[0]
        return labels(scores.argmax(1), classlabels_ints, classlabels_strings), transformed(scores, post_transform)
    vectors = constants(support_vectors, x).reshape(sum(vectors_per_class), -1)
    near = kernel(x, vectors, kernel_type, kernel_params)
    pairs, votes = _duels(near, constants(coefficients, x).reshape(classes - 1, -1), vectors_per_class, rho)
    chosen = votes.argmax(1)
    if prob_a:
        scores = coupled(torch.sigmoid(-(pairs * constants(prob_a, x) + constants(prob_b, x))), classes)
        chosen = scores.argmax(1) if classes == 2 else chosen
    else:
        scores = torch.cat([-pairs, pairs], 1) if classes == 2 else pairs
    return labels(chosen, classlabels_ints, classlabels_strings), transformed(scores, post_transform)


def _duels(near: Tensor, weights: Tensor, counts: list[int], rho: list[float]) -> tuple[Tensor, Tensor]:
    """Decide every pair of classes: values (n, pairs) and votes (n, classes)."""
    starts = np.concatenate([[0], np.cumsum(counts)])
    parts = [slice(int(a), int(b)) for a, b in pairwise(starts)]
    votes = [torch.zeros(len(near), device=near.device) for _ in counts]
    values: list[Tensor] = []
    for i, j in combinations(range(len(counts)), 2):
        value = near[:, parts[i]] @ weights[j - 1, parts[i]] + near[:, parts[j]] @ weights[i, parts[j]]
        values.append(value + rho[len(values)])
        first = (values[-1] > 0).float()
        votes[i], votes[j] = votes[i] + first, votes[j] + 1 - first
    return torch.stack(values, 1), torch.stack(votes, 1)


def coupled(pairs: Tensor, classes: int) -> Tensor:
    """Couple the probabilities of pairs (n, pairs) into those of classes, by the iteration of Wu et al. (2004)."""
    wins = [[pairs.new_zeros(len(pairs))] * classes for _ in range(classes)]
    for index, (i, j) in enumerate(combinations(range(classes), 2)):
        share = pairs[:, index].clamp(1e-7, 1 - 1e-7)
        wins[i][j], wins[j][i] = share, 1 - share
    r = torch.stack([torch.stack(row, -1) for row in wins], 1)
    q = -r * r.transpose(1, 2) + torch.diag_embed((r * r).sum(1))
    p = torch.full_like(r[:, 0], 1 / classes)
    for _ in range(max(100, classes)):
        product = (q @ p[..., None])[..., 0]
        level = (p * product).sum(1, keepdim=True)
        moving = (product - level).abs().amax(1, keepdim=True) >= 0.005 / classes
        if not bool(moving.any()):
            break
        p = torch.where(moving, _swept(p, q, product, level), p)
    return p


def _swept(p: Tensor, q: Tensor, product: Tensor, level: Tensor) -> Tensor:
    """Improve every class's probability once."""
    for t in range(p.shape[1]):
        own = q[:, t, t, None]
        step = (level - product[:, t, None]) / own
        p = torch.cat([p[:, :t], p[:, t : t + 1] + step, p[:, t + 1 :]], 1) / (1 + step)
        level = (level + step * (step * own + 2 * product[:, t, None])) / (1 + step) ** 2
        product = (product + step * q[:, t]) / (1 + step)
    return p
