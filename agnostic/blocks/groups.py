"""Neuron groups: a layer's units and places factorised into a few, what they add to classes, and to each other.

A group is a map times a direction of units. After Olah et al., "The Building Blocks of Interpretability" (2018).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from agnostic.blocks.attribution import attribute
from agnostic.blocks.factors import Factors, factorise, stability
from agnostic.blocks.maps import Array32, Held, held
from agnostic.blocks.slopes import DEFAULT_BATCH, How, projections, slopes
from agnostic.engine.model import Model
from agnostic.engine.target import Floats, Target
from agnostic.errors import UsageError
from agnostic.inputs.sample import Sample

Of = Literal["activations", "gradients", "attributions"]


@dataclass(frozen=True, eq=False)
class Groups:
    """A layer as a sum of groups, from left to right by where each is strongest.

    Attributes:
        layer: its name.
        of: what was factorised.
        target: of which target, for gradients and attributions; empty for activations.
        spatial: (n, h, w) float32, how much of the group each position holds; never negative.
        channels: (n, C) float32, the group's direction, of length one.
        explained: the share of the squared length of what was factorised that the groups account for.
        stability: how much alike the groups of other random beginnings are, 1 where they are the same.
    """

    layer: str
    of: Of
    target: str
    spatial: Array32
    channels: Array32
    explained: float
    stability: float

    @property
    def pieces(self) -> Array32:
        """Each group by itself: (n, C, h, w); their sum stands for what was factorised."""
        return self.spatial[:, None] * self.channels[:, :, None, None]

    @property
    def peaks(self) -> tuple[tuple[int, int], ...]:
        """Where each group is strongest: (y, x)."""
        width = self.spatial.shape[2]
        flat = self.spatial.reshape(len(self.spatial), -1).argmax(axis=1)
        return tuple((int(place) // width, int(place) % width) for place in flat)


@dataclass(frozen=True, eq=False)
class Effects:
    """What groups add to targets.

    Attributes:
        targets: their names.
        values: (n, targets) float64.
        rest: (targets,) what the part of the layer adds that is in no group.
        rises: (targets,) by how much the score is higher than with the layer at zero.
    """

    targets: tuple[str, ...]
    values: Floats
    rest: Floats
    rises: Floats

    @property
    def completeness(self) -> Floats:
        """All groups and the rest over the rise, (targets,): 1 where they add up, NaN where the score does not rise."""
        total = self.values.sum(axis=0) + self.rest
        ratio: Floats = np.divide(total, self.rises, out=np.full(len(total), np.nan), where=self.rises != 0)
        return ratio


@dataclass(frozen=True, eq=False)
class Links:
    """What the groups of an earlier layer add to those of a later one.

    Attributes:
        source, destination: the layers.
        values: (early, late) float64, in units of the later layer along each group's direction.
        rest: (late,) what is added by the part of the earlier layer that is in no group.
    """

    source: str
    destination: str
    values: Floats
    rest: Floats


def groups(
    model: Model,
    sample: Sample,
    layer: str,
    n: int = 6,
    of: Of = "activations",
    target: Target | str | int | None = None,
    seed: int = 0,
    *,
    how: How = "path",
) -> Groups:
    """Factorise what a layer holds, what would change a score, or what caused it.

    Args:
        model: the model.
        sample: the input.
        layer: the layer.
        n: how many groups.
        of: activations, gradients of a target, or attributions of it.
        target: the target of gradients and attributions; the class with the highest score by default.
        seed: of the factorisation.
        how: of gradients and attributions: along the path from zero, or linear.

    Raises:
        UsageError: n or a name does not fit, or scikit-learn is not installed.
        ItemError: there is nothing but zeros.
        ModelError: there is no gradient, where one is asked for.
    """
    if of == "activations":
        return grouped(layer, held(model, sample, layer).maps, n, seed)
    aim = model.target(target) if target is not None else top_class(model, sample)
    if of == "attributions":
        return grouped(layer, attribute(model, sample, layer, [aim], how=how)[0].values, n, seed, of, aim.name)
    if of == "gradients":
        found = held(model, sample, layer)
        slope = found.to_maps(slopes(model, sample, found, [aim], how=how))[0]
        return grouped(layer, slope, n, seed, of, aim.name)
    raise UsageError(f"of={of!r}: expected 'activations', 'gradients' or 'attributions'")


def grouped(layer: str, maps: Array32, n: int, seed: int = 0, of: Of = "activations", target: str = "") -> Groups:
    """Factorise maps (C, h, w) that are known already; see `groups`."""
    matrix = maps.reshape(len(maps), -1).T
    factors = factorise(matrix, n, seed)
    return _placed(layer, of, target, factors, maps.shape[1:], stability(matrix, factors, seed))


def top_class(model: Model, sample: Sample) -> Target:
    """The class with the highest score."""
    names = model.names
    scores = model.run(sample.arrays, [model.scores_tensor])[model.scores_tensor][0]
    per_class = np.moveaxis(np.atleast_1d(scores), names.class_axis if scores.ndim else 0, 0)
    return names.class_target(int(per_class.reshape(len(per_class), -1).mean(axis=1).argmax()))


def effects(
    model: Model,
    sample: Sample,
    found: Groups,
    targets: Sequence[Target | str | int],
    *,
    how: How = "path",
    steps: int = 32,
) -> Effects:
    """Tell what each group adds to targets: its part of the layer times the slope, summed.

    Args:
        model: the model.
        sample: the input.
        found: the groups.
        targets: classes, units, differences.
        how: with slopes where the model is, or their mean along the path from zero.
        steps: points of the path.

    Raises:
        UsageError: a name does not fit.
        ModelError: a target does not depend on the layer.
    """
    holds = held(model, sample, found.layer)
    aims = [model.target(target) for target in targets]
    slope = slopes(model, sample, holds, aims, how=how, steps=steps)
    values, rest = _products(found, holds, slope)
    return Effects(tuple(aim.name for aim in aims), values, rest, _rises(model, sample, found.layer, aims))


def links(
    model: Model,
    sample: Sample,
    early: Groups,
    late: Groups,
    *,
    how: How = "path",
    steps: int = 8,
    batch_size: int = DEFAULT_BATCH,
) -> Links:
    """Tell what each group of an earlier layer adds to each group of a later one.

    How much there is of a later group is the inner product of its layer with the group, brought to length one.

    Raises:
        ModelError: the later layer does not depend on the earlier one.
    """
    holds, later = held(model, sample, early.layer), held(model, sample, late.layer)
    aims = projections(later, _unit_pieces(late))
    slope = slopes(model, sample, holds, aims, how=how, steps=steps, batch_size=batch_size)
    values, rest = _products(early, holds, slope)
    return Links(early.layer, late.layer, values, rest)


def compatible(
    model: Model,
    sample: Sample,
    layer: str,
    late: Groups,
    n: int = 6,
    seed: int = 0,
    *,
    how: How = "path",
    steps: int = 8,
) -> Groups:
    """Factorise an earlier layer so that its groups go well with those of a later one.

    Every activation is split into one copy for each later group, in proportion to the size of what it adds to it; the
    copies are factorised as units of their own and then added up again.

    Raises:
        UsageError: n does not fit, or scikit-learn is not installed.
        ModelError: the later layer does not depend on the earlier one.
    """
    holds, later = held(model, sample, layer), held(model, sample, late.layer)
    found = slopes(model, sample, holds, projections(later, _unit_pieces(late)), how=how, steps=steps)
    sizes = abs(holds.to_maps(found) * holds.maps).astype(np.float64)
    copies = (_shares(sizes) * holds.maps).reshape(-1, int(np.prod(holds.maps.shape[1:])))
    factors = factorise(copies.T, n, seed)
    firm = stability(copies.T, factors, seed)
    summed = factors.right.reshape(n, len(late.spatial), -1).sum(axis=1)
    lengths = np.linalg.norm(summed, axis=1)
    right = np.divide(summed, lengths[:, None], out=np.zeros_like(summed), where=lengths[:, None] > 0)
    whole = Factors(factors.left * lengths, right, 0.0)
    matrix = holds.maps.reshape(len(holds.maps), -1).T.astype(np.float64)
    residual = matrix - whole.left @ whole.right
    explained = 1 - float((residual**2).sum() / (matrix**2).sum())
    return _placed(layer, "activations", "", whole._replace(explained=explained), holds.maps.shape[1:], firm)


def _placed(layer: str, of: Of, target: str, found: Factors, shape: tuple[int, ...], firm: float) -> Groups:
    """Order factors by where they are strongest, from left to right and then from top to bottom."""
    peaks = found.left.argmax(axis=0)
    order = np.lexsort((peaks // shape[1], peaks % shape[1]))
    spatial = found.left.T[order].reshape(-1, *shape).astype(np.float32)
    return Groups(layer, of, target, spatial, found.right[order].astype(np.float32), found.explained, firm)


def _parts(found: Groups, maps: Array32) -> Floats:
    """What of the layer belongs to each group: (n, C, h, w).

    Groups of activations are such parts. For others the activations are split in proportion to the groups' sizes.
    """
    pieces = found.pieces.astype(np.float64)
    if found.of == "activations":
        return pieces
    return _shares(abs(pieces)) * maps


def _shares(sizes: Floats) -> Floats:
    """Divide sizes (n, ...) by their sum, equally where that is zero."""
    total = sizes.sum(axis=0)
    shares: Floats = np.divide(sizes, total, out=np.full_like(sizes, 1 / len(sizes)), where=total > 0)
    return shares


def _products(found: Groups, holds: Held, slope: Array32) -> tuple[Floats, Floats]:
    """The parts of the groups times slopes (targets, ...), and what is in no group: (n, targets), (targets,)."""
    parts = _parts(found, holds.maps)
    flat = holds.to_maps(slope).reshape(len(slope), -1).astype(np.float64)
    values: Floats = parts.reshape(len(parts), -1) @ flat.T
    rest: Floats = flat @ (holds.maps - parts.sum(axis=0)).ravel()
    return values, rest + _beside(holds, slope)


def _beside(holds: Held, slope: Array32) -> Floats:
    """What tokens that are no places add, of slopes (targets, ...) in the layer's own axis order: (targets,)."""
    if not holds.has_more:
        return np.zeros(len(slope))
    whole = (slope * holds.stored.astype(np.float64)).reshape(len(slope), -1).sum(axis=1)
    places = (holds.to_maps(slope) * holds.maps).reshape(len(slope), -1).sum(axis=1, dtype=np.float64)
    beside: Floats = whole - places
    return beside


def _unit_pieces(found: Groups) -> Array32:
    pieces = found.pieces
    lengths = np.linalg.norm(pieces.reshape(len(pieces), -1), axis=1)
    lengths[lengths == 0] = 1
    unit: Array32 = pieces / lengths[:, None, None, None].astype(np.float32)
    return unit


def _rises(model: Model, sample: Sample, layer: str, targets: Sequence[Target]) -> Floats:
    tensors = tuple(dict.fromkeys(name for target in targets for name in target.tensors))
    stored = model.activations(sample.arrays, layer)
    blank = model.run_from(layer, np.zeros_like(stored), sample.arrays, tensors)
    full = model.run(sample.arrays, tensors)
    return np.array([float(aim.read(full)[0] - aim.read(blank)[0]) for aim in targets])
