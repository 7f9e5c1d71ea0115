"""Models of tables (domain ai.onnx.ml): scalers, linear models and kernel machines. Labels are text or integers."""

from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agnostic.converters.torch_import.registry import operator, refuse

TABLES = "ai.onnx.ml"
_NO_GRADIENT = "decision trees have no gradient; occlusion, lime and kernelshap work instead"

refuse("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor", domain=TABLES, reason=_NO_GRADIENT)
refuse(
    "CastMap",
    "CategoryMapper",
    "DictVectorizer",
    domain=TABLES,
    reason="maps and text have no gradient; feed the model the columns these nodes compute",
)


def _floats(x: Tensor) -> Tensor:
    return x if x.is_floating_point() else x.float()


def _like(values: Sequence[float] | None, x: Tensor) -> Tensor:
    return torch.tensor(values or [0.0], dtype=x.dtype, device=x.device)


def labels(indices: Tensor, ints: list[int] | None, strings: list[str] | None) -> Any:
    """Turn class indices into the labels of a classifier."""
    if strings:
        return np.array(strings, object)[indices.cpu().numpy()]
    return torch.tensor(ints, device=indices.device)[indices] if ints else indices


def transformed(scores: Tensor, transform: str) -> Tensor:
    """Turn scores into probabilities as a post_transform says."""
    if transform == "NONE":
        return scores
    if transform == "LOGISTIC":
        return torch.sigmoid(scores)
    if transform == "SOFTMAX":
        return torch.softmax(scores, -1)
    if transform == "SOFTMAX_ZERO":
        weights = torch.softmax(scores, -1)
        weights = torch.where(scores.abs() > 1e-7, weights, weights * scores)
        return weights / weights.sum(-1, keepdim=True)
    if transform == "PROBIT":
        return 2**0.5 * torch.erfinv(2 * scores - 1)
    raise ValueError(f"post_transform {transform!r} is unknown")


@operator("Scaler", domain=TABLES)
def scaler(x: Tensor, *, offset: list[float] | None = None, scale: list[float] | None = None) -> Tensor:
    """Subtract an offset and multiply by a scale, per column."""
    x = _floats(x)
    return (x - _like(offset, x)) * _like(scale or [1.0], x)


@operator("Normalizer", domain=TABLES)
def normalizer(x: Tensor, *, norm: str = "MAX") -> Tensor:
    """Divide each row by its largest value, absolute sum or length; a zero row stays zero."""
    x = _floats(x)
    if norm == "MAX":
        size = x.amax(-1, keepdim=True)
    else:
        size = torch.linalg.vector_norm(x, 1 if norm == "L1" else 2, -1, keepdim=True)
    return x / torch.where(size == 0, 1, size)


@operator("Binarizer", domain=TABLES)
def binarizer(x: Tensor, *, threshold: float = 0.0) -> Tensor:
    """One above the threshold, else zero; no gradient."""
    return torch.gt(x, threshold).to(x.dtype)


@operator("Imputer", domain=TABLES)
def imputer(
    x: Tensor,
    *,
    imputed_value_floats: list[float] | None = None,
    imputed_value_int64s: list[int] | None = None,
    replaced_value_float: float = 0.0,
    replaced_value_int64: int = 0,
) -> Tensor:
    """Fill what is missing, NaN or one value, per column."""
    if not x.is_floating_point():
        return torch.where(x == replaced_value_int64, torch.tensor(imputed_value_int64s, device=x.device), x)
    missing = torch.isnan(x) if np.isnan(replaced_value_float) else x == replaced_value_float
    return torch.where(missing, _like(imputed_value_floats, x), x)


@operator("FeatureVectorizer", domain=TABLES)
def feature_vectorizer(*columns: Tensor, inputdimensions: list[int] | None = None) -> Tensor:
    """Join columns into one table of floats."""
    return torch.cat([_floats(x).reshape(x.shape[0], -1) for x in columns], 1)


@operator("ArrayFeatureExtractor", domain=TABLES)
def array_feature_extractor(x: Any, columns: Tensor) -> Any:
    """Take columns by index."""
    chosen = columns.reshape(-1)
    if isinstance(x, np.ndarray):
        return np.take(x.reshape(1, -1) if x.ndim == 1 else x, chosen.numpy(), -1)
    return (x[None] if x.ndim == 1 else x).index_select(-1, chosen)


@operator("OneHotEncoder", domain=TABLES)
def one_hot_encoder(
    x: Any, *, cats_int64s: list[int] | None = None, cats_strings: list[str] | None = None, zeros: int = 1
) -> Tensor:
    """Turn categories into columns of zeros and ones."""
    if isinstance(x, np.ndarray):
        return torch.from_numpy((x[..., None] == np.array(cats_strings, object)).astype(np.float32))
    return torch.eq(x.long()[..., None], torch.tensor(cats_int64s, device=x.device)).float()


@operator("LabelEncoder", domain=TABLES)
def label_encoder(
    x: Any,
    *,
    default_float: float = -0.0,
    default_int64: int = -1,
    default_string: str = "_Unused",
    default_tensor: Any = None,
    keys_floats: list[float] | None = None,
    keys_int64s: list[int] | None = None,
    keys_strings: list[str] | None = None,
    keys_tensor: Any = None,
    values_floats: list[float] | None = None,
    values_int64s: list[int] | None = None,
    values_strings: list[str] | None = None,
    values_tensor: Any = None,
) -> Any:
    """Map every element by a table; no gradient."""
    keys = _first(keys_tensor, keys_strings, keys_int64s, keys_floats)
    values = _first(values_tensor, values_strings, values_int64s, values_floats)
    text = values_strings is not None or (isinstance(values_tensor, np.ndarray))
    number = default_int64 if values_int64s is not None else default_float
    default = _first(default_tensor)[0] if default_tensor is not None else default_string if text else number
    table = dict(zip(keys, values, strict=True))
    missing = next((value for key, value in table.items() if key != key), default)  # NaN is a key of its own
    elements = x.reshape(-1).tolist()
    mapped = [table.get(key, missing if key != key else default) for key in elements]
    if text:
        return np.array(mapped, object).reshape(x.shape)
    dtype = values_tensor.dtype if values_tensor is not None else None
    return torch.tensor(mapped, dtype=dtype or (torch.int64 if values_int64s else torch.float32)).reshape(x.shape)


def _first(*tables: Any) -> list[Any]:
    found = next(table for table in tables if table is not None)
    return list(found.reshape(-1).tolist() if hasattr(found, "reshape") else found)


@operator("ZipMap", domain=TABLES)
def zip_map(
    x: Tensor, *, classlabels_int64s: list[int] | None = None, classlabels_strings: list[str] | None = None
) -> list[dict[Any, Tensor]]:
    """Name the columns of each row by the classes."""
    names: Sequence[Any] = classlabels_strings or classlabels_int64s or range(x.shape[-1])
    return [dict(zip(names, row.unbind(), strict=True)) for row in x]


@operator("LinearRegressor", domain=TABLES)
def linear_regressor(
    x: Tensor,
    *,
    coefficients: list[float],
    intercepts: list[float] | None = None,
    post_transform: str = "NONE",
    targets: int = 1,
) -> Tensor:
    """Linear model of one or several targets."""
    x = _floats(x)
    return transformed(x @ _like(coefficients, x).reshape(targets, -1).T + _like(intercepts, x), post_transform)


@operator("LinearClassifier", domain=TABLES)
def linear_classifier(
    x: Tensor,
    *,
    classlabels_ints: list[int] | None = None,
    classlabels_strings: list[str] | None = None,
    coefficients: list[float],
    intercepts: list[float] | None = None,
    multi_class: int = 0,
    post_transform: str = "NONE",
) -> tuple[Any, Tensor]:
    """Labels and scores of a linear model; one row of coefficients for two classes scores them with both signs."""
    x = _floats(x)
    scores = x @ _like(coefficients, x).reshape(-1, x.shape[-1]).T + _like(intercepts, x)
    if scores.shape[1] == 1 and len(classlabels_ints or classlabels_strings or []) == 2:
        scores = torch.cat([-scores, scores], 1)
    scores = transformed(scores, post_transform)
    if scores.shape[1] > 1:
        return labels(scores.argmax(1), classlabels_ints, classlabels_strings), scores
    positive = scores.reshape(-1) >= (0.0 if post_transform == "NONE" else 0.5)
    return labels(positive.long(), [0, *(classlabels_ints or [1])[:1]], None), scores


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
    x = _floats(x)
    weights = _like(coefficients, x)
    if n_supports:
        values = kernel(x, _like(support_vectors, x).reshape(n_supports, -1), kernel_type, kernel_params) @ weights
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
    x = _floats(x)
    classes = len(classlabels_ints or classlabels_strings or [0])
    if not vectors_per_class:
        scores = x @ _like(coefficients, x).reshape(classes, -1).T + rho[0]
        return labels(scores.argmax(1), classlabels_ints, classlabels_strings), transformed(scores, post_transform)
    vectors = _like(support_vectors, x).reshape(sum(vectors_per_class), -1)
    near = kernel(x, vectors, kernel_type, kernel_params)
    pairs, votes = _duels(near, _like(coefficients, x).reshape(classes - 1, -1), vectors_per_class, rho)
    chosen = votes.argmax(1)
    if prob_a:
        scores = coupled(torch.sigmoid(-(pairs * _like(prob_a, x) + _like(prob_b, x))), classes)
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
