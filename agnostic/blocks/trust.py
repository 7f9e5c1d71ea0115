"""How far to trust a picture: one function a badge, each a number and a plain sentence.

Those that ask the model again (`parity`, `path_dependence`, `ablation`, `randomisation`) live in `probes`; those here
judge what is known already. Rule: a badge stands beside the picture and never hides it.
"""

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from agnostic.blocks.attribution import LayerAttribution
from agnostic.blocks.badges import Badge, correlation, judged
from agnostic.blocks.groups import Groups
from agnostic.blocks.probes import ablation, curved, parity, path_dependence, randomisation
from agnostic.errors import UsageError

__all__ = [
    "Badge",
    "ablation",
    "completeness",
    "curved",
    "fidelity",
    "natural_path",
    "parity",
    "path_dependence",
    "randomisation",
    "robust_activation",
    "stability",
    "unit_consistency",
]


def completeness(found: LayerAttribution) -> Badge:
    """Judge how near the attributions come to adding up to the rise of the score."""
    value = found.completeness
    sentences = (
        "What the units add comes to the score.",
        "What the units add comes to roughly the score.",
        "What the units add does not come to the score: the sizes are not to be believed.",
    )
    facts = {"sum": found.total, "true": found.score - found.base}
    return judged(
        "completeness", value, (0.01, 0.1), sentences, distance=abs(value - 1), text=f"{value:.3f}", facts=facts
    )


def fidelity(found: Groups) -> Badge:
    """Judge how much of the layer its groups account for."""
    sentences = (
        "The groups account for most of what the layer holds.",
        "The groups leave out a good part of what the layer holds.",
        "The groups leave out most of what the layer holds: take more of them.",
    )
    text = f"{100 * found.explained:.0f} %"
    return judged("fidelity of groups", found.explained, (0.8, 0.5), sentences, text=text)


def stability(found: Groups) -> Badge:
    """Judge how much alike the groups of other random beginnings are."""
    sentences = (
        "Begun elsewhere, the factorisation finds the same groups.",
        "Begun elsewhere, the factorisation finds similar groups.",
        "Begun elsewhere, the factorisation finds other groups: these are one choice of many.",
    )
    return judged("stability of groups", found.stability, (0.9, 0.7), sentences, text=f"{found.stability:.2f}")


def unit_consistency(labels: Sequence[Hashable]) -> Badge:
    """Judge how much of one kind a unit's top examples are.

    Args:
        labels: what each example is, such as the class the model predicts for it.

    Returns:
        The badge's value is the share of the commonest label; its facts hold that (`purity`) and the entropy of the
        labels as a share of the largest there could be (`entropy`), 0 where all are the same.

    Raises:
        UsageError: there are fewer than two examples.
    """
    if len(labels) < 2:
        raise UsageError(f"{len(labels)} labels of top examples: expected 2 or more")
    counts = np.array([labels.count(label) for label in dict.fromkeys(labels)], np.float64)
    shares = counts / counts.sum()
    entropy = float(-(shares * np.log(shares)).sum() / np.log(len(labels)))
    purity = float(shares.max())
    sentences = (
        "Its top examples are of one kind.",
        "Its top examples are of a few kinds.",
        "Its top examples are of many kinds: it may stand for several things, or for none that the labels name.",
    )
    facts = {"purity": purity, "entropy": entropy + 0.0}
    return judged("consistency", purity, (0.8, 0.4), sentences, text=f"{100 * purity:.0f} %", facts=facts)


def robust_activation(icon: npt.ArrayLike, examples: npt.ArrayLike) -> Badge:
    """Judge whether a rendered picture excites its unit as real pictures do, however it is shifted.

    Args:
        icon: (n,) what the unit does for the picture under n transforms.
        examples: (m,) the unit's largest activation on each of m real pictures.

    Returns:
        The badge's value is the mean under transforms over the largest of real pictures; its facts hold that
        (`ratio`) and the share of real pictures that excite it less (`percentile`, 0..1).

    Raises:
        UsageError: either is empty.
    """
    shown, real = _numbers(icon, "activations of the icon"), _numbers(examples, "activations of examples")
    mean, most = float(shown.mean()), float(real.max())
    ratio = mean / most if most > 0 else float("nan")
    facts = {"ratio": ratio, "percentile": float((real < mean).mean())}
    sentences = (
        "Shifted or not, the icon excites the unit as much as the best real pictures.",
        "The icon excites the unit less than the best real pictures.",
        "The icon hardly excites the unit once it is shifted: it may show little of what the unit does.",
    )
    return judged("robust activation", ratio, (1.0, 0.5), sentences, facts=facts)


def natural_path(
    icon: Sequence[npt.ArrayLike], examples: Sequence[npt.ArrayLike], others: Sequence[npt.ArrayLike]
) -> Badge:
    """Judge whether a rendered picture reaches its unit the way natural pictures do.

    In every layer the icon's activations are correlated with those of the unit's top examples, on a scale from what
    random pictures have in common with these (0) to what these have in common with each other (1). After Geirhos et
    al., "Don't trust your eyes" (2024).

    Args:
        icon: of each layer, (C,) what its units do for the icon, such as their means over positions.
        examples: of each layer, (n, C) for two top examples or more.
        others: of each layer, (m, C) for random pictures.

    Returns:
        The badge's value is the mean over layers; its facts hold each layer by its number.

    Raises:
        UsageError: there is no layer, the numbers of layers differ, or there are too few pictures.
    """
    if not icon or not len(icon) == len(examples) == len(others):
        raise UsageError(
            f"{len(icon)}, {len(examples)} and {len(others)} layers: expected one or more, the same of all"
        )
    scores = [
        _likeness(*(np.asarray(item, np.float64) for item in rows)) for rows in zip(icon, examples, others, strict=True)
    ]
    value = float(np.mean(scores))
    sentences = (
        "The icon goes through the model as natural pictures of its kind do.",
        "The icon goes through the model partly as natural pictures of its kind do.",
        "The icon goes through the model by ways that natural pictures do not take.",
    )
    facts = {f"layer {number}": score for number, score in enumerate(scores)}
    return judged("natural path", value, (0.7, 0.3), sentences, text=f"{value:.2f}", facts=facts)


def _likeness(icon: npt.NDArray[Any], examples: npt.NDArray[Any], others: npt.NDArray[Any]) -> float:
    if icon.ndim != 1 or examples.ndim != 2 or others.ndim != 2 or len(examples) < 2 or not len(others):
        raise UsageError("expected [C] of the icon, [2 or more, C] of examples and [1 or more, C] of other pictures")
    low = np.mean([correlation(one, other) for one in examples for other in others])
    high = np.mean([correlation(examples[i], examples[j]) for i in range(len(examples)) for j in range(i)])
    mine = np.mean([correlation(icon, one) for one in examples])
    return float((mine - low) / (high - low)) if high > low else float("nan")


def _numbers(values: npt.ArrayLike, what: str) -> npt.NDArray[np.float64]:
    numbers = np.asarray(values, np.float64).ravel()
    if not numbers.size:
        raise UsageError(f"no {what} were given; expected 1 or more")
    return numbers
