"""What layer attributions come down to: the units that speak for and against, class totals, and a few shared maps."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.blocks.attribution import LayerAttribution
from agnostic.blocks.factors import factorise
from agnostic.blocks.maps import Array32
from agnostic.engine.target import Floats
from agnostic.errors import ItemError, UsageError

Sign = Literal["both", "for", "against"]


class TopUnits(NamedTuple):
    """The units that add the most, first first.

    Attributes:
        units: (k,) their numbers.
        values: (k,) float64 what each adds.
        largest: the largest size of what any unit of the layer adds, to scale bars by.
    """

    units: npt.NDArray[np.intp]
    values: Floats
    largest: float


class ClassFactors(NamedTuple):
    """A few maps that the spatial attributions of many classes are made of.

    Attributes:
        maps: (n, h, w) float32, none negative, the largest value of each 1.
        to_classes: (n, classes) float64, how much of each map a class has.
        explained: the share of the positive attributions that they account for, 1 where they are all.
    """

    maps: Array32
    to_classes: Floats
    explained: float


def top_units(found: LayerAttribution, k: int = 12, sign: Sign = "both") -> TopUnits:
    """List the units that add the most to a score.

    Args:
        found: the attribution.
        k: how many at most.
        sign: the largest by size, the largest that speak for the target, or those that speak against it.

    Raises:
        UsageError: there is no such sign, or k is not positive.
    """
    if k < 1 or sign not in ("both", "for", "against"):
        raise UsageError(f"k={k}, sign={sign!r}: expected 1 or more, of 'both', 'for' or 'against'")
    values = found.channels
    keys = {"both": abs(values), "for": values, "against": -values}[sign]
    order = np.argsort(-keys, kind="stable")[:k]
    chosen = order[keys[order] > 0]
    return TopUnits(chosen, values[chosen], float(abs(values).max(initial=0.0)))


def totals(found: Sequence[LayerAttribution]) -> Mapping[str, Mapping[str, float]]:
    """Compare, target by target, what a layer adds in all with the rise of the score: sum, true and completeness."""
    return {
        item.target: {"sum": item.total, "true": item.score - item.base, "completeness": item.completeness}
        for item in found
    }


def class_factors(found: Sequence[LayerAttribution], n: int = 2, seed: int = 0) -> ClassFactors:
    """Reduce the spatial attributions of many classes to a few maps by NMF of what speaks for each class.

    Args:
        found: the same layer's attributions of several targets.
        n: how many maps.
        seed: of the factorisation.

    Raises:
        UsageError: there are too few targets or positions, or scikit-learn is not installed.
        ItemError: no position speaks for any target.
    """
    if len({item.layer for item in found}) != 1:
        raise UsageError("expected attributions to one layer, of one target or more")
    positive = np.stack([np.maximum(item.spatial, 0) for item in found])
    if not positive.any():
        raise ItemError(f"no position of {found[0].layer!r} speaks for any of these targets; take other targets")
    factors = factorise(positive.reshape(len(found), -1).T, n, seed)
    peaks = factors.left.max(axis=0)
    peaks[peaks == 0] = 1
    maps = (factors.left / peaks).T.reshape(n, *positive.shape[1:])
    return ClassFactors(maps.astype(np.float32), factors.right * peaks[:, None], factors.explained)
