"""Names for pieces of pictures: clusters by what the model's own layer holds over each piece.

A superpixel of one picture has no counterpart in another. What the model sees in it has: the layer's activations,
pooled over the piece, lie near those of alike pieces. k-means over many pictures gives clusters, and the number of the
nearest one is a piece's identity in all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from agnostic.blocks.maps import layer_maps
from agnostic.engine.model import Model
from agnostic.errors import InputError, UsageError, missing_extra
from agnostic.inputs.features import Features
from agnostic.inputs.sample import Sample
from agnostic.methods._maps import default_layer

Array32 = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Clusters:
    """Clusters of pieces.

    Attributes:
        layer: whose activations were pooled.
        centres: (K, C) float32, the means of their pieces' vectors.
    """

    layer: str
    centres: Array32

    def name(self, number: int) -> str:
        """What a cluster is called."""
        return f"cluster {number}"

    def numbers(self, vectors: Array32) -> npt.NDArray[np.intp]:
        """Find the nearest cluster of each piece: (pieces, C) to (pieces,)."""
        nearest: npt.NDArray[np.intp] = np.argmax(self.likeness(vectors), axis=1)
        return nearest

    def likeness(self, vectors: Array32) -> Array32:
        """Say how near each piece lies to each cluster: (pieces, C) to (pieces, K), larger the nearer."""
        return np.asarray(vectors @ self.centres.T - np.square(self.centres).sum(axis=1) / 2, np.float32)

    def named(self, model: Model, sample: Sample) -> Sample:
        """Give the pieces of a sample the names of their clusters.

        Raises:
            InputError: the layer holds other units than the clusters were made of.
        """
        vectors = piece_vectors(model, sample, self.layer)
        if vectors.shape[1] != self.centres.shape[1]:
            raise InputError(
                f"the clusters are of {self.centres.shape[1]} units of {self.layer!r}, {model.name!r} has "
                f"{vectors.shape[1]} there: they were made with another model"
            )
        identities = tuple(self.name(number) for number in self.numbers(vectors))
        return replace(sample, features=replace(sample.features, identities=identities))


def cluster(vectors: Sequence[Array32], layer: str, count: int, seed: int) -> Clusters:
    """Find clusters among the pieces of all samples by k-means.

    Raises:
        UsageError: there are fewer pieces than clusters, or scikit-learn is not installed.
    """
    try:
        from sklearn.cluster import KMeans
    except ImportError:
        raise missing_extra("scikit-learn", "summary", "--clusters") from None
    points = np.concatenate(vectors).astype(np.float64)
    if not 2 <= count <= len(points):
        raise UsageError(f"--clusters {count}: expected 2 to {len(points)}, the pieces of all pictures together")
    centres = KMeans(count, n_init=4, random_state=seed).fit(points).cluster_centers_
    return Clusters(layer, centres.astype(np.float32))


def piece_vectors(model: Model, sample: Sample, layer: str) -> Array32:
    """Pool a layer's activations over each piece of a sample: (pieces, C), of length one."""
    maps = layer_maps(model, sample, layer)
    shares = _shares(sample.features, (maps.shape[1], maps.shape[2]))
    return _unit(shares @ maps.reshape(len(maps), -1).T)


def usual_layer(model: Model) -> str:
    """Take the layer that class activation maps take: the last with more than one place."""
    return default_layer(model, (model.names.class_target(0),))


def _shares(features: Features, shape: tuple[int, int]) -> npt.NDArray[np.float64]:
    """Which share of each piece lies at which place of a map: (pieces, h * w), rows that add up to one."""
    height, width = features.shape
    rows = np.arange(height) * shape[0] // height
    columns = np.arange(width) * shape[1] // width
    places = (rows[:, None] * shape[1] + columns).ravel()
    size = shape[0] * shape[1]
    labels = features.labels.ravel().astype(np.intp)
    inside = labels < features.count
    flat = np.bincount(labels[inside] * size + places[inside], minlength=features.count * size)
    counts = flat.reshape(features.count, size)
    shares: npt.NDArray[np.float64] = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return shares


def _unit(vectors: npt.NDArray[np.floating]) -> Array32:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0), np.float32)
