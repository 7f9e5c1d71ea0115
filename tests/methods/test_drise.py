"""D-RISE: the score of its paper under RISE's masks, against a plain loop."""

from typing import Any

import numpy as np
import pytest

import agnostic
from agnostic import api
from agnostic.answers import question
from agnostic.engine.model import Model
from agnostic.errors import UsageError
from agnostic.kernels.rise import draw_cells, render
from agnostic.methods import get

PLAIN = {"scale": 1 / 255, "mean": [0.0], "std": [1.0], "channels": "L", "size": [12, 12]}
# Nine cells of 4 x 4; each proposes a box around itself, of class 0 by its brightness, of class 1 by half of it.
TEXT = """
g (float[n,1,12,12] image) => (float[n,9,7] out) {
    bright = AveragePool<kernel_shape=[4,4],strides=[4,4]>(image)
    row = Reshape(bright, flat)
    none = Mul(row, nought)
    boxes = Add(none, places)
    sure = Mul(row, nine)
    half = Mul(row, point)
    out = Concat<axis=2>(boxes, sure, row, half)
}
"""


@pytest.fixture(scope="module")
def cells(opened: Any) -> Model:
    down, across = np.divmod(np.arange(9), 3)
    places = np.stack([4 * across + 2, 4 * down + 2, np.full(9, 6), np.full(9, 6)], axis=1)
    weights = {
        "flat": [0, 9, 1],
        "nought": np.zeros((1, 1, 4), "f4"),
        "places": places[None].astype("f4"),
        "nine": np.float32(0.9),
        "point": np.float32(0.5),
    }
    model: Model = opened(TEXT, weights, preprocess=PLAIN, answer={"kind": "boxes", "layout": "yolov5"})
    return model


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    dim = np.random.default_rng(1).integers(0, 80, (12, 12)).astype(np.uint8)
    dim[4:8, 8:12] = 250
    return dim


def by_hand(out: np.ndarray, first: int) -> list[float]:
    """The paper's formula, proposal by proposal, for the box that a proposal of the first row is."""

    def edges(row: np.ndarray) -> tuple[float, ...]:
        return row[0] - row[2] / 2, row[1] - row[3] / 2, row[0] + row[2] / 2, row[1] + row[3] / 2

    own, found = out[0, first], []
    for rows in out:
        best = 0.0
        for row in rows:
            a, b = edges(own), edges(row)
            wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            shared = max(wide, 0) * max(high, 0)
            overlap = shared / (own[2] * own[3] + row[2] * row[3] - shared)
            length = np.linalg.norm(own[5:]) * np.linalg.norm(row[5:])
            alike = own[5:] @ row[5:] / length if length else 0.0
            best = max(best, overlap * alike * row[4])
        found.append(best)
    return found


def test_the_published_estimate_against_a_plain_loop(cells: Model, pixels: np.ndarray) -> None:
    count, side = 60, 4
    e = agnostic.explain(cells, pixels, "drise", masks=count, cells=side, fill="black", estimate="paper", seed=5)
    drawn = draw_cells(count, side, 0.5, 5)
    masks = render(drawn.grids, drawn.shifts, (12, 12))
    whole = np.asarray(pixels, np.float32)[None] / 255
    out = cells.run({"image": np.concatenate([whole, masks * whole])[:, None]})["out"]
    first = int(out[0, :, 4].argmax())
    scores = by_hand(out.astype(np.float64), first)
    assert first == 5
    assert e.meta["score"] == pytest.approx(scores[0], abs=1e-6)
    expected = np.mean([score * mask for score, mask in zip(scores[1:], masks, strict=True)], axis=0) / 0.5
    np.testing.assert_allclose(e.values, expected, atol=1e-5)


def test_evidence_lies_where_the_box_is(cells: Model, pixels: np.ndarray) -> None:
    e = agnostic.explain(cells, pixels, "drise", masks=800, cells=6, fill="black")
    evidence = np.maximum(e.values, 0)
    assert evidence[4:8, 8:12].sum() > 5 * evidence.sum() * 16 / 144


def test_the_batch_size_changes_nothing(cells: Model, pixels: np.ndarray) -> None:
    few, many = (agnostic.explain(cells, pixels, "drise", masks=90, batch_size=size).values for size in (1, 32))
    np.testing.assert_allclose(few, many, atol=1e-6)


def test_its_own_defaults_are_the_papers(cells: Model) -> None:
    options = {option.name: option.default for option in get("drise").options}
    assert options == {"masks": 5000, "cells": 16, "probability": 0.5, "estimate": "centred"}


def test_it_is_for_boxes(squeezenet: Model, cells: Model, pixels: np.ndarray) -> None:
    with pytest.raises(UsageError, match=r"drise explains one of several boxes, such as box:0, not 'out\[0,4\]'"):
        agnostic.explain(cells, pixels, "drise", "out[0,4]")
    with pytest.raises(UsageError, match="--masks 0"):
        agnostic.explain(cells, pixels, "drise", masks=0)


def test_memory_is_bounded_however_many_masks(cells: Model, pixels: np.ndarray) -> None:
    """Nothing that is kept grows by a mask or by its proposals: two thousand masks peak as two hundred do."""
    import tracemalloc

    peaks = []
    for count in (200, 2000):
        sample = api.prepare(cells, pixels, get("drise"))
        _ = question(cells, sample, "box:0")
        tracemalloc.start()
        api.answer(cells, sample, get("drise"), ["box:0"], {"masks": count, "cells": 4}, batch_size=16)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 1800 masks of 12 x 12 float32 alone would be a megabyte; their grids and shifts are 18 numbers each.
    assert peaks[1] - peaks[0] < 1800 * 18 * 8 * 2
