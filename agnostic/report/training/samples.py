"""What a page says of the samples: columns over all of them, and whole histories of those that are kept."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from agnostic.training.dynamics import REGIONS, Dynamics
from agnostic.training.ranking import Ranking
from agnostic.training.run import Run
from agnostic.training.store import Ints

#: Kept samples that share a file.
SHARD = 256


def columns(dynamics: Dynamics) -> dict[str, Any]:
    """One number a sample for every axis and filter of the map."""
    return {
        "label": dynamics.labels,
        "predicted": dynamics.predicted,
        "region": dynamics.region,
        "regions": REGIONS,
        "share_right": dynamics.share_right,
        "mean_epoch": dynamics.mean_epoch,
        "confidence": dynamics.confidence,
        "variability": dynamics.variability,
        "margin": dynamics.margin,
        "forgotten": dynamics.forgotten,
        "first_right": dynamics.first_right,
        "learned": dynamics.learned,
    }


def orders(rankings: Sequence[Ranking], kept: Ints, count: int) -> dict[str, Any]:
    """The rankings' orders and scores over so many samples, and which of these are kept."""
    places = np.full(count, -1)
    places[kept] = np.arange(len(kept))
    return {
        "kept": places,
        "orders": {item.name: item.order for item in rankings},
        "scores": {item.name: item.score for item in rankings},
        "flags": {item.name: np.flatnonzero(item.flagged) for item in rankings},
    }


def choose(dynamics: Dynamics | None, rankings: Sequence[Ranking], more: Ints, most: int, count: int) -> Ints:
    """Choose the samples that are kept with picture and history: all, or the first of every ranking and some others.

    Args:
        dynamics: what is known of the samples, where a run is.
        rankings: the rankings.
        more: samples that are kept in any case.
        most: how many are kept.
        count: how many samples there are.
    """
    if count <= most:
        return np.arange(count)
    chosen = dict.fromkeys(int(number) for number in more)
    width = max(1, int(0.75 * most) // max(len(rankings), 1))
    for ranking in rankings:
        chosen |= dict.fromkeys(int(number) for number in ranking.order[:width])
    # The rest by chance, so that easy samples can be looked at as well.
    others = np.random.default_rng(0).permutation(count if dynamics is not None else 0)
    for number in others:
        if len(chosen) >= most:
            break
        chosen[int(number)] = None
    return np.sort(np.fromiter(chosen, np.int64))


def histories(run: Run, ids: Ints) -> list[dict[str, Any]]:
    """What was predicted in each epoch, -1 where not seen, with the probabilities of label and prediction."""
    wanted = {int(number): at for at, number in enumerate(ids)}
    found: list[dict[str, Any]] = [{} for _ in ids]
    for block in run.blocks():
        inside = [number for number in wanted if block.start <= number < block.stop]
        if not inside:
            continue
        at = np.array(inside) - block.start
        part = block._replace(logits=block.logits[:, at], seen=block.seen[:, at], labels=block.labels[at])
        chances = part.probabilities()
        guesses = part.logits.argmax(axis=2)
        own = np.take_along_axis(chances, np.maximum(part.labels, 0)[None, :, None], axis=2)[..., 0]
        best = chances.max(axis=2)
        for row, number in enumerate(inside):
            seen = part.seen[:, row]
            found[wanted[number]] = {
                "predicted": np.where(seen, guesses[:, row], -1),
                "label": np.where(seen, own[:, row].round(3), np.nan),
                "best": np.where(seen, best[:, row].round(3), np.nan),
            }
    return found
