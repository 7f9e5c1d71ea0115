"""How the kernels compare with the usual ways of doing the same in Python.

Run ``python tests/benchmarks/bench_kernels.py``. Both ways of a row run in turn within each round, so that whatever
else the machine does slows both; a row shows the median times and the median of the rounds' ratios.
"""

import argparse
from collections.abc import Callable, Iterator
from statistics import median
from time import perf_counter
from typing import NamedTuple

import numpy as np
from PIL import Image
from skimage import data, segmentation

from agnostic.kernels import accumulate, bilinear, compose, draw_cells, mix, occlude, render, segment_means, slic
from agnostic.kernels.windows import windows

SIDE = 224
BATCH = 64
MEAN = np.array([0.485, 0.456, 0.406])
DEVIATION = np.array([0.229, 0.224, 0.225])


class Row(NamedTuple):
    """One task and the two ways of doing it; both return the same array, up to `tolerance`."""

    task: str
    ours: Callable[[], np.ndarray]
    theirs: Callable[[], np.ndarray]
    tolerance: float


def rows() -> Iterator[Row]:
    """Everything that is compared, on the astronaut at 224 x 224."""
    picture = np.asarray(Image.fromarray(data.astronaut()).resize((SIDE, SIDE)))
    large = data.astronaut()
    labels = slic(picture, 50)
    rng = np.random.default_rng(0)
    keep = rng.random((BATCH, labels.max() + 1)) < 0.5
    x, fill = as_input(picture), as_input(np.zeros_like(picture))
    out = np.empty((BATCH, *x.shape), np.float32)
    boxes = windows((SIDE, SIDE), 32, 8)[:BATCH]
    cells = draw_cells(BATCH, 7, 0.5, 0)
    masks = render(*cells, (SIDE, SIDE))
    weights = rng.normal(size=(BATCH, 4))
    maps = rng.random((BATCH, 7, 7), np.float32)

    yield Row("slic, 224: scikit-image", lambda: slic(picture, 50), lambda: skimage_slic(picture), 0)
    yield Row("slic, 512: scikit-image", lambda: slic(large, 50), lambda: skimage_slic(large), 0)
    yield Row("segment means: loop", lambda: segment_means(x, labels), lambda: means_by_loop(x, labels), 1e-6)
    yield Row(
        "compose: lime's loop", lambda: composed(x, fill, labels, keep, out), lambda: by_lime(picture, labels, keep), 0
    )
    yield Row(
        "compose: np.where",
        lambda: composed(x, fill, labels, keep, out),
        lambda: np.where(keep[:, labels][:, None], x, fill),
        0,
    )
    yield Row("mix: NumPy", lambda: mixed(x, fill, masks, out), lambda: mixed_by_numpy(x, fill, masks), 1e-6)
    yield Row("accumulate: einsum", lambda: totals(masks, weights), lambda: totals_by_numpy(masks, weights), 1e-9)
    yield Row("occlude: loop", lambda: occluded(x, fill, boxes, out), lambda: occluded_by_loop(x, fill, boxes), 0)
    yield Row("render: Pillow", lambda: render(*cells, (SIDE, SIDE)), lambda: render_by_pillow(*cells), 1e-5)
    yield Row("bilinear: Pillow", lambda: bilinear(maps, (SIDE, SIDE)), lambda: resized_by_pillow(maps), 1e-5)


def as_input(picture: np.ndarray) -> np.ndarray:
    """The usual preprocessing of one picture: 0..1, normalised, channels first, float32."""
    return np.ascontiguousarray(((picture / 255.0 - MEAN) / DEVIATION).transpose(2, 0, 1), np.float32)


def skimage_slic(picture: np.ndarray) -> np.ndarray:
    return segmentation.slic(picture, n_segments=50, start_label=0)


def means_by_loop(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    means = x.copy()
    for label in np.unique(labels):
        here = labels == label
        means[:, here] = x[:, here].mean(axis=1, dtype=np.float64, keepdims=True)
    return means


def composed(x: np.ndarray, fill: np.ndarray, labels: np.ndarray, keep: np.ndarray, out: np.ndarray) -> np.ndarray:
    compose(x, fill, labels, keep, out)
    return out


def by_lime(picture: np.ndarray, labels: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """One boolean mask per removed segment and sample, then the preprocessing of every sample."""
    samples = []
    for row in keep:
        sample = picture.copy()
        removed = np.zeros(labels.shape, bool)
        for segment in np.flatnonzero(~row):
            removed[labels == segment] = True
        sample[removed] = 0
        samples.append(sample)
    return np.stack([as_input(sample) for sample in samples])


def mixed(x: np.ndarray, fill: np.ndarray, masks: np.ndarray, out: np.ndarray) -> np.ndarray:
    mix(x, fill, masks, out)
    return out


def mixed_by_numpy(x: np.ndarray, fill: np.ndarray, masks: np.ndarray) -> np.ndarray:
    return masks[:, None] * x + (1 - masks[:, None]) * fill


def totals(masks: np.ndarray, weights: np.ndarray) -> np.ndarray:
    total = np.zeros((weights.shape[1], *masks.shape[1:]))
    accumulate(masks, weights, total)
    return total


def totals_by_numpy(masks: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.einsum("it,iyx->tyx", weights, masks.astype(np.float64), optimize=True)


def occluded(x: np.ndarray, fill: np.ndarray, boxes: np.ndarray, out: np.ndarray) -> np.ndarray:
    occlude(x, fill, boxes, out)
    return out


def occluded_by_loop(x: np.ndarray, fill: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    samples = []
    for (y0, y1), (x0, x1) in boxes:
        sample = x.copy()
        sample[:, y0:y1, x0:x1] = fill[:, y0:y1, x0:x1]
        samples.append(sample)
    return np.stack(samples)


def render_by_pillow(grids: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    cell = -(-SIDE // grids.shape[1])
    side = cell * (grids.shape[1] + 1)
    masks = []
    for grid, (y, x) in zip(grids, (shifts * cell).astype(int), strict=True):
        enlarged = Image.fromarray(grid.astype(np.float32)).resize((side, side), Image.Resampling.BILINEAR)
        masks.append(np.asarray(enlarged)[y : y + SIDE, x : x + SIDE])
    return np.stack(masks)


def resized_by_pillow(maps: np.ndarray) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(one).resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for one in maps])


def seconds(call: Callable[[], np.ndarray]) -> float:
    start = perf_counter()
    call()
    return perf_counter() - start


def main() -> None:
    """Check that both ways agree, time them in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print(f"{'kernel: compared with':28}{'ours ms':>10}{'theirs ms':>11}{'ratio':>8}")
    for row in rows():
        np.testing.assert_allclose(row.ours(), row.theirs(), rtol=0, atol=row.tolerance, err_msg=row.task)
        times = [(seconds(row.ours), seconds(row.theirs)) for _ in range(rounds)]
        ours, theirs = (1000 * median(side) for side in zip(*times, strict=True))
        ratio = median(their / our for our, their in times)
        print(f"{row.task:28}{ours:10.2f}{theirs:11.2f}{ratio:7.1f}x")


if __name__ == "__main__":
    main()
