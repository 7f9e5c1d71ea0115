"""The best cuts, against all cuts there are."""

from itertools import combinations

import numpy as np
import pytest

from agnostic.kernels.changes import changes


def cost(series: np.ndarray, starts: tuple[int, ...]) -> float:
    parts = np.split(series, starts[1:], axis=1)
    return sum(float(np.square(part - part.mean(axis=1, keepdims=True)).sum()) for part in parts)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("segments", [1, 2, 3, 4])
def test_no_other_cuts_are_better(channels: int, segments: int) -> None:
    rng = np.random.default_rng(channels)
    for _ in range(5):
        series = rng.normal(size=(channels, 11)) + 1e6
        found = changes(series, segments)
        tried = [(0, *cut) for cut in combinations(range(1, 11), segments - 1)]
        assert tuple(found) in tried
        assert cost(series, tuple(found)) == pytest.approx(min(cost(series, cut) for cut in tried), rel=1e-6)


def test_steps_in_noise_are_found(rng: np.random.Generator) -> None:
    heights = np.repeat([0.0, 4, -3, 8], [30, 50, 20, 40])
    series = np.stack([heights, heights[::-1]]) + 0.1 * rng.normal(size=(2, 140))
    assert changes(series, 7).tolist() == [0, 30, 40, 60, 80, 100, 110]
    one = heights[None] + 0.1 * rng.normal(size=(1, 140))
    assert changes(one, 4).tolist() == [0, 30, 80, 100]


def test_a_constant_series_is_one_segment() -> None:
    assert changes(np.full((2, 9), 0.1), 5).tolist() == [0]


def test_a_long_series_is_cut_between_groups(rng: np.random.Generator) -> None:
    series = np.repeat(np.array([1.0, -1, 2]), 5000)[None] + 0.1 * rng.normal(size=(1, 15000))
    found = changes(series, 3)
    assert found[0] == 0 and np.abs(found[1:] - [5000, 10000]).max() <= 4  # groups of four steps


@pytest.mark.parametrize(("shape", "segments"), [((1, 4), 0), ((1, 0), 2), ((0, 4), 2), ((4,), 2)])
def test_nothing_to_cut_is_refused(shape: tuple[int, ...], segments: int) -> None:
    with pytest.raises(ValueError):
        changes(np.zeros(shape), segments)
