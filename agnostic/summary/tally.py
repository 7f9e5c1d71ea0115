"""Attributions over a data set: what each feature got on each sample, by the name that it has in all of them.

The arrays of such a summary are one entry per feature and sample: `sample` and `feature` (n,) int32, `weight` (n,)
float32, `value` (n,) float32 (what the feature was there, NaN where that is no number), and `score` (samples,) float64.
A feature that occurs several times in one sample counts there with the sum of its weights.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.explanation import Explanation
from agnostic.inputs.sample import Sample
from agnostic.methods._regression import moments, ridge
from agnostic.summary.record import Row, Summary

Numbers = npt.NDArray[np.float64]


class Tally:
    """Explanations of one target by one method, folded one after another."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._numbers: dict[str, int] = {}
        self._parts: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.float32]]] = []
        self._scores: list[float] = []
        self._names: list[str] = []

    def add(self, found: Explanation, sample: Sample) -> None:
        """Fold one explanation.

        Raises:
            UsageError: the features of the sample have no names that other samples share.
        """
        identities = sample.features.identities
        if identities is None:
            raise UsageError(
                f"the pieces of {sample.name!r} have no names that other inputs share; give --clusters N to group "
                "pieces of pictures by what the model sees in them"
            )
        own, place = np.unique(np.array(identities, dtype=object), return_inverse=True)
        weights = np.bincount(place, _weights(found, sample), len(own))
        values = numbers_of(sample)[np.unique(place, return_index=True)[1]]
        numbers = [self._numbers.setdefault(str(name), len(self._numbers)) for name in own]
        self._parts.append((np.array(numbers, np.int32), weights.astype(np.float32), values.astype(np.float32)))
        self._scores.append(float(found.meta["score"]))
        self._names.append(sample.name)

    def summary(self, method: str, target: str, meta: Mapping[str, Any]) -> Summary:
        """Close the tally."""
        features, weights, values = (np.concatenate(parts) for parts in zip(*self._parts, strict=True))
        sizes = [len(numbers) for numbers, _, _ in self._parts]
        arrays = {
            "sample": np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
            "feature": features,
            "weight": weights,
            "value": values,
            "score": np.array(self._scores),
        }
        return Summary("attributions", method, target, tuple(self._numbers), arrays, {**meta, "samples": self._names})


def numbers_of(sample: Sample) -> Numbers:
    """What each feature of a sample is, as a number, (features,); NaN where it is none or several."""
    shown = sample.shown.get("numbers")
    if shown is not None:
        return np.array([np.nan if value is None else value for value in shown], np.float64)
    features, data = sample.features, sample.data
    if data is None or features.is_grid or sample.differentiable is not None:
        return np.full(features.count, np.nan)
    single = features.sizes == 1
    values: Numbers = np.where(single, features.gather(data[None])[0].astype(np.float64), np.nan)
    return values


def _weights(found: Explanation, sample: Sample) -> Floats:
    if found.weights is not None:
        return found.weights.astype(np.float64)
    if found.values.shape != sample.features.shape:
        raise UsageError(f"{found.method} scores no features of {sample.name!r}; take lime, normlime or kernelshap")
    sums: Floats = sample.features.gather(found.values[None])[0].astype(np.float64)
    return sums


def rows(summary: Summary) -> list[Row]:
    """The table: in how many samples a feature occurs, and the means of its weight over these.

    `size` is the mean of |weight|, `weight` the mean, `for` and `against` the means of what speaks for and against:
    weight = for - against, and where a feature occurs once in a sample, size = for + against.
    """
    count, size, positive, negative = _sums(summary)
    order = np.argsort(-size, kind="stable")
    return [
        {
            "feature": summary.identities[at],
            "samples": int(count[at]),
            "size": float(size[at] / count[at]),
            "weight": float((positive[at] - negative[at]) / count[at]),
            "for": float(positive[at] / count[at]),
            "against": float(negative[at] / count[at]),
        }
        for at in order
    ]


def _sums(summary: Summary) -> tuple[Numbers, Numbers, Numbers, Numbers]:
    feature, weight = summary.arrays["feature"].astype(np.intp), summary.arrays["weight"].astype(np.float64)
    size = len(summary.identities)
    parts = (np.ones_like(weight), abs(weight), np.maximum(weight, 0), np.maximum(-weight, 0))
    count, total, positive, negative = (np.asarray(np.bincount(feature, part, size), np.float64) for part in parts)
    return count, total, positive, negative


def average(summary: Summary) -> dict[str, float]:
    """The mean weight of each feature over the samples in which it occurs: of NormLIME's, its global weights."""
    return {row["feature"]: row["weight"] for row in rows(summary)}


def on_presence(summary: Summary, penalty: float = 1.0) -> dict[str, float]:
    """The slopes of one ridge regression of the score over which features occur; none where all occur always."""
    samples, features = len(summary.arrays["score"]), len(summary.identities)
    present = np.zeros((samples, features))
    present[summary.arrays["sample"].astype(np.intp), summary.arrays["feature"].astype(np.intp)] = 1
    varied = np.flatnonzero(np.ptp(present, axis=0))
    if not varied.size:
        return {}
    score = summary.arrays["score"].astype(np.float64)
    fit = ridge(moments(present[:, varied], score[:, None], np.ones(samples)), len(varied), penalty)
    return {summary.identities[at]: float(slope) for at, slope in zip(varied, fit.slopes[0], strict=True)}
