"""The activation atlas: what a layer holds over many pictures, laid out on a plane, and its mean in every cell.

Equally many positions of each picture are taken, so that pictures count alike: one where there are many, so that
neighbours do not crowd the plane, and several where there are few. After Carter et al., "Exploring Neural Networks with
Activation Atlases" (Distill, 2019).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from agnostic.blocks.attribution import attribute
from agnostic.blocks.maps import Array32, as_sample, held
from agnostic.engine.limits import current
from agnostic.engine.model import Model
from agnostic.engine.sweep import Progress
from agnostic.engine.target import Floats
from agnostic.errors import InputError, UsageError, missing_extra
from agnostic.inputs.sample import Sample

Layout = Literal["pca", "tsne", "umap"]
Support = Literal["attribution", "prediction"]
FEWEST = 5
# How much the smallest directions of the second moments may be blown up when they are divided out.
_DAMPING = 1e-2


class Points(NamedTuple):
    """Positions of many pictures, those of one picture one after the other.

    Attributes:
        vectors: (n, C) float32, what the layer holds there.
        places: (n, 2) of 0..1: y and x, the middle of the position as a share of the map.
        classes: (n, k) the classes with the highest scores of each picture, -1 where there are fewer.
        supports: (n, k) float64, what the position adds to each; or 1 for the first class, 0 for the rest.
        pictures: (n,) the number of the picture.
    """

    vectors: Array32
    places: Floats
    classes: npt.NDArray[np.intp]
    supports: Floats
    pictures: npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Cell:
    """One cell of the plane.

    Attributes:
        column, row: where it is.
        members: the numbers of the points in it.
        vector: (C,) float32, their mean.
        whitened: (C,) float32, that mean with the layer's own second moments divided out: the direction in which this
            cell differs, to be rendered.
        supported: the class most supported, by the mean over the points.
        support: by how much.
    """

    column: int
    row: int
    members: npt.NDArray[np.intp]
    vector: Array32
    whitened: Array32
    supported: int
    support: float


@dataclass(frozen=True, eq=False)
class Atlas:
    """A plane of what a layer holds.

    Attributes:
        layer: its name.
        plane: (n, 2) float64 of 0..1, x and y of every point.
        grid: cells on a side.
        cells: those with enough points, row by row.
        points: the points.
    """

    layer: str
    plane: Floats
    grid: int
    cells: tuple[Cell, ...]
    points: Points


def atlas(
    model: Model,
    pictures: Iterable[Any],
    layer: str,
    *,
    grid: int = 10,
    fewest: int = FEWEST,
    layout: Layout = "pca",
    support: Support = "attribution",
    top: int = 5,
    each: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Atlas:
    """Lay out what a layer holds over many pictures.

    Args:
        model: the model.
        pictures: paths, PIL images or arrays.
        layer: the layer.
        grid: cells on a side.
        fewest: a cell with fewer points is left out.
        layout: pca, tsne (slow above ten thousand points), or umap where umap-learn is installed.
        support: what names a cell: what its positions add to classes (linear attribution) or what its pictures are
            taken for, which needs no gradient.
        top: classes of each picture that are looked at.
        each: positions of each picture; all, where the layer has fewer inside.
        seed: of the positions and of the layout.
        progress: called with (done, done): how many there are is not known beforehand.

    Raises:
        UsageError: a setting does not fit, or scikit-learn or umap-learn is not installed.
        InputError: there are fewer than three pictures.
    """
    found = points(model, pictures, layer, support=support, top=top, each=each, seed=seed, progress=progress)
    return arranged(layer, found, grid=grid, fewest=fewest, layout=layout, seed=seed)


def arranged(
    layer: str, found: Points, *, grid: int = 10, fewest: int = FEWEST, layout: Layout = "pca", seed: int = 0
) -> Atlas:
    """Lay out points that are known already, as for a finer grid of the same atlas; see `atlas`."""
    if grid < 1 or fewest < 1:
        raise UsageError(f"grid={grid}, fewest={fewest}: expected 1 or more of both")
    if layout not in _LAYOUTS:
        raise UsageError(f"layout={layout!r}: expected one of {', '.join(map(repr, _LAYOUTS))}")
    if (pictures := len(np.unique(found.pictures))) < 3:
        raise InputError(f"an atlas of {pictures} pictures: expected 3 or more")
    plane = clipped(_LAYOUTS[layout](found.vectors, seed))
    columns = np.minimum((plane * grid).astype(np.intp), grid - 1)
    whitening = _whitening(found.vectors)
    cells = [
        _cell(x, y, members, found, whitening)
        for y in range(grid)
        for x in range(grid)
        if len(members := np.flatnonzero((columns == (x, y)).all(axis=1))) >= fewest
    ]
    return Atlas(layer, plane, grid, tuple(cells), found)


def points(
    model: Model,
    pictures: Iterable[Any],
    layer: str,
    *,
    support: Support = "attribution",
    top: int = 5,
    each: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Points:
    """Take random positions of each picture, not at the border where the map has an inside; see `atlas`.

    The positions of picture i depend on the seed and on i alone.
    """
    if support not in ("attribution", "prediction"):
        raise UsageError(f"support={support!r}: expected 'attribution' or 'prediction'")
    if top < 1 or each < 1:
        raise UsageError(f"top={top}, each={each}: expected 1 or more of both")
    found = []
    for number, given in enumerate(pictures):
        if (deadline := current()) is not None:
            deadline.check()
        found.append(_points(model, as_sample(model, given), layer, support, top, each, seed, number))
        if progress is not None:
            progress(number + 1, number + 1)
    if not found:
        raise InputError("no picture was given; expected 3 or more")
    return Points(*(np.concatenate(column) for column in zip(*found, strict=True)))


def clipped(plane: Floats) -> Floats:
    """Bring a layout (n, 2) to 0..1: from the first to the last percentile, with a tenth of that beside."""
    low, high = np.percentile(plane, [1, 99], axis=0)
    margin = 0.1 * (high - low)
    span = high - low + 2 * margin
    span[span == 0] = 1
    inside: Floats = np.clip((plane - low + margin) / span, 0, 1)
    return inside


def _points(
    model: Model, sample: Sample, layer: str, support: Support, top: int, each: int, seed: int, number: int
) -> Points:
    maps = held(model, sample, layer).maps
    inside = [_interior(size) for size in maps.shape[1:]]
    chosen = np.random.default_rng([seed, number]).permutation(len(inside[0]) * len(inside[1]))[:each]
    y, x = inside[0][chosen // len(inside[1])], inside[1][chosen % len(inside[1])]
    scores = model.run(sample.arrays, [model.scores_tensor])[model.scores_tensor][0].astype(np.float64)
    per_class = np.moveaxis(scores, model.names.class_axis, 0).reshape(scores.shape[model.names.class_axis], -1)
    best = np.argsort(-per_class.mean(axis=1), kind="stable")[:top]
    supports = np.tile(np.arange(len(best)) == 0, (len(y), 1)).astype(np.float64)
    if support == "attribution":
        added = attribute(model, sample, layer, [int(index) for index in best], how="linear")
        supports = np.stack([np.asarray(item.spatial[y, x], np.float64) for item in added], axis=1)
    places = np.stack([(y + 0.5) / maps.shape[1], (x + 0.5) / maps.shape[2]], axis=1)
    return Points(maps[:, y, x].T.copy(), places, np.tile(best, (len(y), 1)), supports, np.full(len(y), number))


def _interior(size: int) -> npt.NDArray[np.intp]:
    return np.arange(1, size - 1) if size > 2 else np.arange(size)


def _cell(column: int, row: int, members: npt.NDArray[np.intp], found: Points, whitening: Floats) -> Cell:
    vector = found.vectors[members].mean(axis=0, dtype=np.float64)
    sums: defaultdict[int, float] = defaultdict(float)
    for number in members:
        for index, value in zip(found.classes[number], found.supports[number], strict=True):
            sums[int(index)] += float(value)
    # Of two that are supported alike, the lower number, so that the order of pictures does not matter.
    best = min(sums, key=lambda index: (-sums[index], index))
    whitened = (whitening @ vector).astype(np.float32)
    return Cell(column, row, members, vector.astype(np.float32), whitened, best, sums[best] / len(members))


def _whitening(vectors: Array32) -> Floats:
    """The inverse of the second moments, (C, C), with what there is little of kept from growing without bound."""
    rows = vectors.astype(np.float64)
    moments = rows.T @ rows / len(rows)
    scale = float(np.trace(moments)) / len(moments) or 1.0
    inverse: Floats = np.asarray(np.linalg.inv(moments / scale + _DAMPING * np.eye(len(moments))), np.float64)
    return inverse


def _pca(vectors: Array32, seed: int) -> Floats:
    try:
        from sklearn.decomposition import PCA
    except ImportError as error:
        raise missing_extra("scikit-learn", "microscope", "an atlas") from error
    rows = vectors.astype(np.float64)
    if rows.shape[1] == 1:
        return np.hstack([rows, np.zeros_like(rows)])
    plane: Floats = PCA(2, random_state=seed).fit_transform(rows)
    return plane


def _tsne(vectors: Array32, seed: int) -> Floats:
    try:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise missing_extra("scikit-learn", "microscope", "an atlas") from error
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    # Several threads add up in whatever order they come, and the layout is another one each time.
    with threadpool_limits(1):
        plane = TSNE(2, perplexity=perplexity, init="random", metric="cosine", random_state=seed).fit_transform(vectors)
    return np.asarray(plane, np.float64)


def _umap(vectors: Array32, seed: int) -> Floats:
    try:
        from umap import UMAP
    except ImportError as error:
        raise UsageError(
            "layout 'umap' needs the package umap-learn: pip install umap-learn; or take 'tsne'"
        ) from error
    near = min(50, len(vectors) - 1)
    plane = UMAP(n_neighbors=near, min_dist=0.05, metric="cosine", random_state=seed).fit_transform(vectors)
    return np.asarray(plane, np.float64)


_LAYOUTS: dict[str, Callable[[Array32, int], Floats]] = {"pca": _pca, "tsne": _tsne, "umap": _umap}


def class_points(found: Points, index: int) -> npt.NDArray[np.intp]:
    """The points of a class atlas: of pictures for which the class has the highest score of all.

    Raises:
        UsageError: there is none.
    """
    chosen = np.flatnonzero(found.classes[:, 0] == index)
    if not len(chosen):
        count = len(np.unique(found.pictures))
        raise UsageError(f"class {index} comes first in none of the {count} pictures; take another")
    return chosen


def subset(found: Points, chosen: Sequence[int] | npt.NDArray[np.intp]) -> Points:
    """Some of the points."""
    rows = np.asarray(chosen, np.intp)
    return Points(
        found.vectors[rows], found.places[rows], found.classes[rows], found.supports[rows], found.pictures[rows]
    )
