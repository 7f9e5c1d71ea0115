"""Models of tables (domain ai.onnx.ml): scalers, encoders and linear models. Labels are text or integers."""

from collections.abc import Sequence
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


def floats(x: Tensor) -> Tensor:
    """Convert integers to float32; floats stay as they are."""
    return x if x.is_floating_point() else x.float()


def constants(values: Sequence[float] | None, x: Tensor) -> Tensor:
    """Make a tensor of an attribute, in the type and place of x; zero where it is missing."""
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
    x = floats(x)
    return (x - constants(offset, x)) * constants(scale or [1.0], x)


@operator("Normalizer", domain=TABLES)
def normalizer(x: Tensor, *, norm: str = "MAX") -> Tensor:
    """Divide each row by its largest value, absolute sum or length; a zero row stays zero."""
    x = floats(x)
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
    return torch.where(missing, constants(imputed_value_floats, x), x)


@operator("FeatureVectorizer", domain=TABLES)
def feature_vectorizer(*columns: Tensor, inputdimensions: list[int] | None = None) -> Tensor:
    """Join columns into one table of floats."""
    return torch.cat([floats(x).reshape(x.shape[0], -1) for x in columns], 1)


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
    x = floats(x)
    return transformed(x @ constants(coefficients, x).reshape(targets, -1).T + constants(intercepts, x), post_transform)


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
    x = floats(x)
    scores = x @ constants(coefficients, x).reshape(-1, x.shape[-1]).T + constants(intercepts, x)
    if scores.shape[1] == 1 and len(classlabels_ints or classlabels_strings or []) == 2:
        scores = torch.cat([-scores, scores], 1)
    scores = transformed(scores, post_transform)
    if scores.shape[1] > 1:
        return labels(scores.argmax(1), classlabels_ints, classlabels_strings), scores
    positive = scores.reshape(-1) >= (0.0 if post_transform == "NONE" else 0.5)
    return labels(positive.long(), [0, *(classlabels_ints or [1])[:1]], None), scores
