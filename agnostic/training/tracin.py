"""TracIn: what each training sample did to a target in the course of training, summed up over checkpoints.

Pruthi et al., "Estimating Training Data Influence by Tracing Gradient Descent" (NeurIPS 2020): a step on a sample of
loss L moves a target f by the learning rate times -f' L'; the sum over checkpoints stands for all steps. `similarity`
is the cosine of the same two gradients at one model (Charpiat et al., "Input Similarity from the Neural Network
Perspective", NeurIPS 2019).
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agnostic.engine.model import Model
from agnostic.engine.opening import load
from agnostic.engine.target import Floats
from agnostic.errors import InputError, UsageError
from agnostic.training.checkpoints import find_checkpoints
from agnostic.training.data import TrainingSet
from agnostic.training.influence import Influence, Query, class_of, said, slope_of, slopes_of
from agnostic.training.landscape import ALL, Landscape, Progress, landscape


def opened(checkpoints: Sequence[Any], opening: Mapping[str, Any] | None = None) -> list[Model]:
    """Open checkpoints: models, paths of .onnx files in order, or folders of them."""
    if all(isinstance(item, Model) for item in checkpoints) and checkpoints:
        return list(checkpoints)
    return [load(path, **(opening or {})) for path in find_checkpoints(checkpoints)]


def tracin(
    checkpoints: Sequence[Model],
    data: TrainingSet,
    queries: Sequence[Query],
    *,
    rates: Sequence[float] | None = None,
    weights: str | Sequence[str] = ALL,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Influence:
    """Sum up what each training sample did to each query's target.

    Args:
        checkpoints: the model in the course of its training, in order.
        data: its training set.
        queries: what is asked about; a target is the same tensor and unit in every checkpoint.
        rates: the learning rate around each checkpoint; 1 each by default, and then values have no unit.
        weights: `all`, `last`, or names of tensors.
        batch_size: samples per pass.
        progress: called with how many checkpoints are done, and of how many.

    Raises:
        UsageError: the rates do not fit, or torch is not installed.
        ModelError: there are no gradients.
        InputError: the data or a query does not fit the models.
    """
    shares = _rates(checkpoints, rates)
    if not queries:
        raise InputError("nothing was asked about; give an input, or the number of a training sample")
    started = time.perf_counter()
    total = np.zeros((len(queries), len(data)))
    last = checkpoints[-1]
    # The class is that of the trained model, and not of each checkpoint anew.
    fixed = [_fixed(last, query) for query in queries]
    for number, (model, rate) in enumerate(zip(checkpoints, shares, strict=True)):
        scape = landscape(model, data, weights=weights, batch_size=batch_size)
        slopes = np.stack([slope_of(model, query, scape.parameters) for query in fixed])
        total -= rate * scape.row_dots(slopes).T
        if progress is not None:
            progress(number + 1, len(checkpoints))
    meta = {
        "model": last.name, "model_sha256": last.sha256, "samples": len(data), "checkpoints": len(checkpoints),
        "rates": list(shares), "weights": weights if isinstance(weights, str) else list(weights),
        "seconds": time.perf_counter() - started,
    }  # fmt: skip
    return Influence(total, tuple(q.name for q in fixed), tuple(said(last, q) for q in fixed), meta)


def self_tracin(
    checkpoints: Sequence[Model],
    data: TrainingSet,
    *,
    rates: Sequence[float] | None = None,
    weights: str | Sequence[str] = ALL,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Floats:
    """Sum up the squared length of each sample's own gradient: (n,), high where a sample stayed hard to fit."""
    total = np.zeros(len(data))
    for number, (model, rate) in enumerate(zip(checkpoints, _rates(checkpoints, rates), strict=True)):
        scape = landscape(model, data, weights=weights, batch_size=batch_size)
        total += rate * _lengths(scape) ** 2
        if progress is not None:
            progress(number + 1, len(checkpoints))
    return total


def similarity(
    model: Model,
    data: TrainingSet,
    queries: Sequence[Query],
    *,
    weights: str | Sequence[str] = ALL,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Influence:
    """Take the cosine of the way each training sample pulls the weights, and the way that raises each target: -1 to 1.

    Args:
        model: the model.
        data: its training set.
        queries: what is asked about.
        weights: `all`, `last`, or names of tensors.
        batch_size: samples per pass.
        progress: called with how many samples are done, and of how many.
    """
    started = time.perf_counter()
    scape = landscape(model, data, weights=weights, batch_size=batch_size)
    slopes = slopes_of(model, queries, scape.parameters)
    sizes = np.linalg.norm(slopes, axis=1, keepdims=True)
    lengths = _lengths(scape, progress)
    values = -scape.row_dots(slopes / sizes).T / np.where(lengths > 0, lengths, np.inf)
    meta = {
        "model": model.name, "model_sha256": model.sha256, "samples": len(data),
        "weights": weights if isinstance(weights, str) else list(weights), "seconds": time.perf_counter() - started,
    }  # fmt: skip
    return Influence(values, tuple(q.name for q in queries), tuple(said(model, q) for q in queries), meta)


def _lengths(scape: Landscape, progress: Progress | None = None) -> Floats:
    return np.concatenate([np.linalg.norm(rows, axis=1) for _, rows in scape.row_gradients(progress=progress)])


def _fixed(model: Model, query: Query) -> Query:

    return query if query.target is not None else query._replace(label=class_of(model, query))


def _rates(checkpoints: Sequence[Model], rates: Sequence[float] | None) -> list[float]:
    if not checkpoints:
        raise UsageError("no checkpoint was given")
    shares = [1.0] * len(checkpoints) if rates is None else [float(rate) for rate in rates]
    if len(shares) == 1:
        shares *= len(checkpoints)
    if len(shares) != len(checkpoints) or not all(np.isfinite(rate) and rate > 0 for rate in shares):
        raise UsageError(f"{len(shares)} rates for {len(checkpoints)} checkpoints; give one above 0 for each, or one")
    return shares
