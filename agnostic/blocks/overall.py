"""Groups of a layer over many pictures: directions that come up again and again, each shown by where it is strongest.

Where groups of one picture say what that picture is made of, these say what the layer has words for. The activation
vectors, or the attributions to a target, of some places of every picture are factorised together; with signs, what is
above and what is below zero count apart. After Hilton et al., "Understanding RL Vision" (Distill, 2020).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.blocks.attribution import attribute
from agnostic.blocks.factors import factorise, stability
from agnostic.blocks.groups import top_class
from agnostic.blocks.maps import Array32, as_sample, layer_maps
from agnostic.blocks.slopes import How
from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.engine.target import Floats, Target
from agnostic.errors import InputError, UsageError, missing_extra

Of = Literal["activations", "attributions"]
# Vectors that are factorised in all: enough for a layer of a thousand units, and bounded in memory.
MOST_VECTORS = 50_000


class Strongest(NamedTuple):
    """Where a picture holds most of a group.

    Attributes:
        picture: its number among the pictures.
        value: how much.
        place: (y, x) on the layer's map.
        shape: height and width of that map.
    """

    picture: int
    value: float
    place: tuple[int, int]
    shape: tuple[int, int]


@dataclass(frozen=True, eq=False)
class OverallGroups:
    """What many pictures have in common at a layer.

    Attributes:
        layer: its name.
        of: what was factorised.
        channels: (n, C) float32, each group's direction, of length one.
        strengths: (pictures, n) float32, how much of each group the picture's best place holds.
        places: (pictures, n, 2) where that is, (y, x).
        shapes: (pictures, 2) height and width of each picture's map.
        explained: the share of the squared length of the vectors that the groups account for.
        stability: how much alike the groups of other random beginnings are, 1 where they are the same.
    """

    layer: str
    of: Of
    channels: Array32
    strengths: Array32
    places: npt.NDArray[np.intp]
    shapes: npt.NDArray[np.intp]
    explained: float
    stability: float

    def top(self, group: int, k: int = 8) -> list[Strongest]:
        """The pictures that hold most of a group, the most first; none that hold nothing of it."""
        order = np.argsort(-self.strengths[:, group], kind="stable")[:k]
        return [
            Strongest(
                int(picture), float(self.strengths[picture, group]), _pair(self.places[picture, group]),
                _pair(self.shapes[picture]),
            )
            for picture in order if self.strengths[picture, group] > 0
        ]  # fmt: skip

    def maps(self, values: Array32) -> Array32:
        """Tell how much of each group every place of a layer holds: (C, h, w) to (n, h, w), none negative.

        Each vector is mixed of the groups as well as can be without taking any away.
        """
        mixed = mixed_of(values.reshape(len(values), -1).T, self.channels)
        return np.ascontiguousarray(mixed.T.reshape(len(self.channels), *values.shape[1:]), np.float32)


def overall_groups(
    model: Model,
    pictures: Sequence[Any],
    layer: str,
    n: int = 8,
    *,
    of: Of = "activations",
    target: Target | str | int | None = None,
    places: int = 16,
    seed: int = 0,
    how: How = "path",
    progress: Callable[[int, int], None] | None = None,
) -> OverallGroups:
    """Factorise what a layer holds on many pictures, or what it adds to a target on them.

    The pictures are gone through twice, one at a time: for the vectors, and for how much each holds.

    Args:
        model: the model.
        pictures: paths, PIL images, arrays that the model eats, or samples.
        layer: the layer.
        n: how many groups.
        of: activations, or attributions.
        target: of which attributions; by default what the model answers to each picture.
        places: how many places of a picture are taken, drawn by the seed and the picture's number.
        seed: of places and factorisation.
        how: of attributions: along the path from zero, or linear.
        progress: told of pictures looked at, of twice their number.

    Raises:
        UsageError: n or a name does not fit, or scikit-learn is not installed.
        InputError: there is no picture, or one cannot be read.
        ItemError: there is nothing but zeros.
        ModelError: there is no gradient, where one is asked for.
    """
    if of not in ("activations", "attributions") or places < 1:
        raise UsageError(f"of={of!r}, places={places}: expected 'activations' or 'attributions', and 1 or more")
    if not pictures:
        raise InputError("no picture was given; expected one or more")
    count = max(1, min(places, MOST_VECTORS // len(pictures)))
    told = progress or (lambda _done, _all: None)

    def held() -> Iterator[Array32]:
        for item in pictures:
            if (deadline := current()) is not None:
                deadline.check()
            yield _values(model, item, layer, of, target, how)

    rows = np.concatenate([_drawn(values, count, seed, i, told, 2 * len(pictures)) for i, values in enumerate(held())])
    factors = factorise(rows, n, seed)
    firm = stability(rows, factors, seed)
    channels = factors.right.astype(np.float32)
    found = [_strongest(values, channels) for values in _counted(held(), told, len(pictures))]
    strengths, at, shapes = (np.stack(column) for column in zip(*found, strict=True))
    return OverallGroups(layer, of, channels, strengths, at, shapes, factors.explained, firm)


def _values(model: Model, given: Any, layer: str, of: Of, target: Target | str | int | None, how: How) -> Array32:
    sample = as_sample(model, given)
    if of == "activations":
        return layer_maps(model, sample, layer)
    aim = top_class(model, sample) if target is None else target
    return attribute(model, sample, layer, [aim], how=how)[0].values


def _drawn(
    values: Array32, count: int, seed: int, number: int, told: Callable[[int, int], None], total: int
) -> Array32:
    """The vectors at some places: (count, C); all of them where there are no more."""
    told(number + 1, total)
    vectors = values.reshape(len(values), -1).T
    if len(vectors) <= count:
        return vectors
    chosen = np.random.default_rng([seed, number]).choice(len(vectors), count, replace=False)
    return vectors[np.sort(chosen)]


def _counted(items: Iterable[Array32], told: Callable[[int, int], None], count: int) -> Iterator[Array32]:
    for number, item in enumerate(items):
        told(count + number + 1, 2 * count)
        yield item


def _strongest(values: Array32, channels: Array32) -> tuple[Array32, npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    mixed = mixed_of(values.reshape(len(values), -1).T, channels)
    best = mixed.argmax(axis=0)
    width = values.shape[2]
    strengths = mixed[best, np.arange(len(channels))].astype(np.float32)
    return strengths, np.stack([best // width, best % width], axis=1), np.array(values.shape[1:], np.intp)


def mixed_of(vectors: npt.NDArray[np.floating[Any]], channels: Array32) -> Floats:
    """Mix vectors (m, C) of directions (n, C) without taking any away, by least squares: (m, n) float64.

    Raises:
        UsageError: scikit-learn, which brings SciPy, is not installed.
    """
    try:
        from scipy.optimize import nnls
    except ImportError as error:
        raise missing_extra("scikit-learn", "microscope", "grouping") from error

    # The problem in n dimensions has the same solution as that in C: only products with the directions count.
    basis = channels.astype(np.float64)
    root, inside = _rooted(basis)
    right = vectors.astype(np.float64) @ inside
    return np.stack([nnls(root, row)[0] for row in right]) if len(right) else np.zeros((0, len(basis)))


def _rooted(basis: Floats) -> tuple[Floats, Floats]:
    """Give R (k, n) and Q (C, k) with basis.T = Q R and Q's columns orthogonal, of length one."""
    inside, root = np.linalg.qr(basis.T)
    return root, inside


def _pair(values: npt.NDArray[np.intp]) -> tuple[int, int]:
    return int(values[0]), int(values[1])
