"""What local linear models share: random on/off patterns near the input, and fits that stream until they are stable.

The fit itself is a function from the moments of the samples so far (see `_regression`) to slopes, intercept and R2.
"""

from collections.abc import Callable
from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.methods._regression import Fit, check_size, in_chunks, moments
from agnostic.methods.registry import Attribution, Task, check_positive

Distance = Literal["cosine", "euclidean"]
Patterns = npt.NDArray[np.bool_]
Solve = Callable[[Floats], Fit]

# How often the fit is judged, in samples, and into how many parts the samples are dealt to judge it.
CHUNK = 100
FOLDS = 6


class Sampling(NamedTuple):
    """How many patterns are drawn at most, what each counts, and the stability at which no more are."""

    samples: int
    kernel_width: float
    distance: Distance
    stop: float


class Finding(NamedTuple):
    """The fit of one target, and how stable its slopes are: their correlation with those of endlessly many samples."""

    slopes: Floats
    intercept: float
    r2: float
    samples: int
    stability: float


def fit_locally(name: str, task: Task, sampling: Sampling, solve: Solve) -> list[Finding]:
    """Fit the scores of random patterns, one finding per target.

    Every feature is on with probability one half. A pattern counts by its closeness to the untouched input,
    sqrt(exp(-distance^2 / kernel_width^2)). Sampling ends early once the slopes are stable. To tell, halves of the
    samples are fitted apart: from how well they agree follows how well the slopes of all samples correlate with those
    of endlessly many (Spearman and Brown, 1910).

    Raises:
        UsageError: a setting makes no sense, or there are too many features to fit.
    """
    check_positive(samples=sampling.samples, kernel_width=sampling.kernel_width)
    check_size(name, task.sample.features.count)
    if not 0 <= sampling.stop < 1:
        raise UsageError(f"--stop {sampling.stop:g}: expected 0 <= stop < 1")
    keep = _patterns(task, sampling.samples)
    closeness = np.exp(-0.5 * (_distances(keep, sampling.distance) / sampling.kernel_width) ** 2)
    return _stream(task, keep, closeness, sampling, solve)


def check_penalty(penalty: float) -> None:
    """Refuse a penalty below zero.

    Raises:
        UsageError: it is.
    """
    if penalty < 0:
        raise UsageError(f"--penalty {penalty:g}: expected penalty >= 0")


def fitted(task: Task, found: list[Finding]) -> Attribution:
    """Write findings as an attribution, whose base value is the fit where every feature is off."""
    weights = np.stack([item.slopes for item in found]).astype(np.float32)
    base = np.array([item.intercept for item in found])
    facts = [{"r2": item.r2, "samples": item.samples, "stability": item.stability} for item in found]
    return Attribution(task.sample.features.paint(weights), base, weights, facts)


def _patterns(task: Task, samples: int) -> Patterns:
    """Draw who is on: (samples, features) bool; the first pattern is the untouched input."""
    keep = task.random().integers(0, 2, (samples, task.sample.features.count), dtype=np.bool_)
    keep[0] = True
    return keep


def _distances(keep: Patterns, distance: Distance) -> Floats:
    """How far each pattern is from the all-on pattern, in 0..1."""
    share = keep.mean(axis=1, dtype=np.float64)
    distances: Floats = 1 - np.sqrt(share) if distance == "cosine" else np.sqrt(1 - share)
    return distances


def _stream(task: Task, keep: Patterns, closeness: Floats, sampling: Sampling, solve: Solve) -> list[Finding]:
    """Sample until every target is stable; each keeps the fit of the moment it became so.

    A target thus gets the same answer alone and among others.
    """
    (samples, features), stop = keep.shape, sampling.stop
    size = 1 + features + len(task.targets)
    folds = np.zeros((FOLDS, size, size))
    settled: dict[int, Finding] = {}
    findings: list[Finding] = []
    for chunk in in_chunks(task.sweep_features(keep), CHUNK):
        rows = np.arange(chunk.start, chunk.stop)
        for fold in range(FOLDS):
            mine = rows[rows % FOLDS == fold]
            folds[fold] += moments(keep[mine], chunk.scores[mine - chunk.start], closeness[mine])
        if chunk.stop < samples and (not stop or chunk.stop < _least(features)):
            continue
        findings = _findings(folds, solve, chunk.stop)
        settled |= {
            at: item for at, item in enumerate(findings) if at not in settled and stop and item.stability >= stop
        }
        if len(settled) == len(findings):
            _finish(task, chunk.stop)
            break
    return [settled.get(at, item) for at, item in enumerate(findings)]


def _least(features: int) -> int:
    """The samples below which halves of them cannot be fitted well enough to be compared."""
    return max(2 * CHUNK, 4 * features)


def _finish(task: Task, samples: int) -> None:
    if task.progress is not None:
        task.progress(samples, samples)


def _findings(folds: Floats, solve: Solve, samples: int) -> list[Finding]:
    fit = solve(folds.sum(axis=0))
    stability = _stability(folds, solve)
    return [
        Finding(slopes, float(intercept), float(r2), samples, float(stable))
        for slopes, intercept, r2, stable in zip(*fit, stability, strict=True)
    ]


def _stability(folds: Floats, solve: Solve) -> Floats:
    """How well the slopes correlate with those of endlessly many samples: (targets,), 0 where halves disagree."""
    agreements = []
    for half in combinations(range(FOLDS), FOLDS // 2):
        if 0 in half:  # the other splits are these with the halves swapped
            rest = [fold for fold in range(FOLDS) if fold not in half]
            halves = [solve(folds[list(part)].sum(axis=0)).slopes for part in (half, rest)]
            agreements.append(_correlation(*halves))
    agreement = np.clip(np.mean(agreements, axis=0), 0, 1)
    stability: Floats = np.sqrt(2 * agreement / (1 + agreement))
    return stability


def _correlation(a: Floats, b: Floats) -> Floats:
    """Correlate rows with rows: (n, k) and (n, k) to (n,), 0 where a row is constant."""
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    correlation: Floats = np.divide((a * b).sum(axis=1), norms, out=np.zeros(len(a)), where=norms > 0)
    return correlation
