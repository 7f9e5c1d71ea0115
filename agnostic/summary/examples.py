"""Examples of clusters: for each the pieces of pictures that lie nearest to its middle, as small pictures."""

import heapq
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from agnostic.engine.model import Model
from agnostic.inputs.sample import Sample
from agnostic.summary.clusters import Clusters, piece_vectors
from agnostic.summary.record import Summary

Picture = npt.NDArray[np.uint8]
MOST, SIDE = 4, 96
# What is not the piece itself is laid this far back.
DIMMED = 0.3


class Examples:
    """The best examples of each cluster, kept while samples pass by."""

    def __init__(self, clusters: Clusters) -> None:
        """Start with none."""
        self._clusters = clusters
        self._kept: dict[int, list[tuple[float, int, Picture]]] = {}
        self._count = 0

    def add(self, model: Model, sample: Sample) -> None:
        """Take a sample's pieces into account."""
        if sample.pixels is None:
            return
        likeness = self._clusters.likeness(piece_vectors(model, sample, self._clusters.layer))
        for piece, cluster in enumerate(likeness.argmax(axis=1)):
            kept = self._kept.setdefault(int(cluster), [])
            near = float(likeness[piece, cluster])
            self._count += 1
            if len(kept) < MOST or near > kept[0][0]:
                entry = (near, -self._count, thumbnail(sample.pixels, sample.features.labels == piece))
                (heapq.heappush if len(kept) < MOST else heapq.heapreplace)(kept, entry)

    def shown_in(self, summary: Summary) -> Summary:
        """Give a summary its examples: (F, MOST, SIDE, SIDE, 3) uint8, zeros where there are fewer."""
        shown = np.zeros((len(summary.identities), MOST, SIDE, SIDE, 3), np.uint8)
        for cluster, kept in self._kept.items():
            name = self._clusters.name(cluster)
            if name in summary.identities:
                for place, (_, _, picture) in enumerate(sorted(kept, key=lambda item: item[:2], reverse=True)):
                    shown[summary.identities.index(name), place] = picture
        meta = {**summary.meta, "clusters": len(self._clusters.centres), "layer": self._clusters.layer}
        return replace(summary, arrays={**summary.arrays, "examples": shown}, meta=meta)


def thumbnail(pixels: Picture, piece: npt.NDArray[np.bool_]) -> Picture:
    """Cut a square around a piece of a picture, (H, W, 3), and dim what is not the piece: (SIDE, SIDE, 3)."""
    from PIL import Image

    rows, columns = np.flatnonzero(piece.any(axis=1)), np.flatnonzero(piece.any(axis=0))
    side = min(max(np.ptp(rows), np.ptp(columns)) + 9, *piece.shape)
    top = int(np.clip((rows[0] + rows[-1] - side) // 2, 0, piece.shape[0] - side))
    left = int(np.clip((columns[0] + columns[-1] - side) // 2, 0, piece.shape[1] - side))
    cut = (slice(top, top + side), slice(left, left + side))
    strength = np.where(piece[cut], 1.0, DIMMED)[..., None]
    lit = (pixels[cut] * strength + 128 * (1 - strength)).astype(np.uint8)
    return np.asarray(Image.fromarray(lit).resize((SIDE, SIDE), Image.Resampling.BILINEAR))
