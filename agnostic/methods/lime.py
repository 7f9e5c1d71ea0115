"""LIME: a local linear model of the score over random on/off patterns of the features."""

from itertools import combinations
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.engine.target import Floats
from agnostic.errors import UsageError
from agnostic.methods._regression import check_size, in_chunks, moments, ridge
from agnostic.methods.registry import Attribution, Task, check_positive, method

Distance = Literal["cosine", "euclidean"]
Patterns = npt.NDArray[np.bool_]

# How often the fit is judged, in samples, and into how many parts the samples are dealt to judge it.
CHUNK = 100
FOLDS = 6


@method("lime", needs=("forward",), summary="A local linear model of the score over random on/off patterns.")
def lime(
    task: Task,
    *,
    samples: int = 1000,
    kernel_width: float = 0.25,
    distance: Distance = "cosine",
    penalty: float = 1.0,
    stop: float = 0.99,
) -> Attribution:
    """Fit a weighted ridge regression to the scores of random patterns (Ribeiro, Singh and Guestrin, KDD 2016).

    Every feature is on with probability one half. A pattern counts by its closeness to the untouched input,
    sqrt(exp(-distance^2 / kernel_width^2)), and the slopes of the fit are the features' weights. Sampling ends early
    once the slopes are stable. To tell, halves of the samples are fitted apart: from how well they agree follows how
    well the slopes of all samples correlate with those of endlessly many (Spearman and Brown, 1910).

    Args:
        task: the question.
        samples: how many patterns at most.
        kernel_width: distance at which a pattern's weight has fallen to 0.61; smaller is more local.
        distance: cosine (one minus the cosine of the angle to the all-on pattern), or euclidean (the root of the share
            of features that are off).
        penalty: of the ridge regression; 0 is plain least squares.
        stop: correlation at which the slopes count as stable, below 1; 0 draws all samples.
    """
    features = task.sample.features
    check_positive(samples=samples, kernel_width=kernel_width)
    check_size("lime", features.count)
    if penalty < 0 or not 0 <= stop < 1:
        raise UsageError(f"--penalty {penalty:g} --stop {stop:g}: expected penalty >= 0 and 0 <= stop < 1")
    keep = _patterns(task, samples)
    closeness = np.exp(-0.5 * (_distances(keep, distance) / kernel_width) ** 2)
    found = _stream(task, keep, closeness, penalty, stop)
    weights = np.stack([item.slopes for item in found]).astype(np.float32)
    base = np.array([item.intercept for item in found])
    facts = [{"r2": item.r2, "samples": item.samples, "stability": item.stability} for item in found]
    return Attribution(features.paint(weights), base, weights, facts)


class _Finding(NamedTuple):
    """The fit of one target, and how stable its slopes are: their correlation with those of endlessly many samples."""

    slopes: Floats
    intercept: float
    r2: float
    samples: int
    stability: float


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


def _stream(task: Task, keep: Patterns, closeness: Floats, penalty: float, stop: float) -> list[_Finding]:
    """Sample until every target is stable; each keeps the fit of the moment it became so.

    A target thus gets the same answer alone and among others.
    """
    samples, features = keep.shape
    size = 1 + features + len(task.targets)
    folds = np.zeros((FOLDS, size, size))
    settled: dict[int, _Finding] = {}
    findings: list[_Finding] = []
    for chunk in in_chunks(task.sweep_features(keep), CHUNK):
        rows = np.arange(chunk.start, chunk.stop)
        for fold in range(FOLDS):
            mine = rows[rows % FOLDS == fold]
            folds[fold] += moments(keep[mine], chunk.scores[mine - chunk.start], closeness[mine])
        if chunk.stop < samples and (not stop or chunk.stop < _least(features)):
            continue
        findings = _findings(folds, features, penalty, chunk.stop)
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


def _findings(folds: Floats, features: int, penalty: float, samples: int) -> list[_Finding]:
    fit = ridge(folds.sum(axis=0), features, penalty)
    stability = _stability(folds, features, penalty)
    return [
        _Finding(slopes, float(intercept), float(r2), samples, float(stable))
        for slopes, intercept, r2, stable in zip(*fit, stability, strict=True)
    ]


def _stability(folds: Floats, features: int, penalty: float) -> Floats:
    """How well the slopes correlate with those of endlessly many samples: (targets,), 0 where halves disagree."""
    agreements = []
    for half in combinations(range(FOLDS), FOLDS // 2):
        if 0 in half:  # the other splits are these with the halves swapped
            rest = [fold for fold in range(FOLDS) if fold not in half]
            halves = [ridge(folds[list(part)].sum(axis=0), features, penalty).slopes for part in (half, rest)]
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
