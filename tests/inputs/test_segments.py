from typing import Any

import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.inputs.segments import fill_for, segments

X = np.array([[0, 0, 0, 4, 4, 1, 1, 1], [5, 5, 5, 5, 5, 9, 9, 9]], np.float32)
CHANNELS = ("heat", "wind")


@pytest.mark.parametrize(
    ("features", "starts"),
    [
        ("changes:3", [0, 3, 5]),
        ("changes", [0, 3, 5]),  # more cuts would not do better
        ("changes:2", [0, 5]),  # the one that both channels share
        ("windows:3", [0, 2, 5]),
        ("windows:20", list(range(8))),
        ("steps", list(range(8))),
    ],
)
def test_cuts_over_all_channels(features: str, starts: list[int]) -> None:
    found = segments(features, X, CHANNELS)
    assert found.starts.tolist() == starts
    assert found.labels.tolist() == (np.searchsorted(starts, np.arange(8), side="right") - 1).tolist()
    assert len(found.names) == len(starts) and not found.per_channel


def test_segments_are_named_by_their_steps_and_channel() -> None:
    assert segments("changes:3", X, CHANNELS).names == ("0-2", "3-4", "5-7")
    found = segments("changes:2,per-channel", X, CHANNELS)
    assert found.names == ("heat, 0-4", "heat, 5-7", "wind, 0-4", "wind, 5-7")
    assert found.labels.tolist() == [[0] * 5 + [1] * 3, [2] * 5 + [3] * 3]
    assert segments("steps, per-channel", X[:1], CHANNELS[:1]).labels.shape == (8,)  # one channel is all channels


def test_a_flat_series_is_cut_evenly() -> None:
    assert segments("changes:2", np.ones((1, 8), np.float32), ("a",)).starts.tolist() == [0, 4]


def test_own_labels_are_taken_as_they_are() -> None:
    found = segments(np.array([1, 1, 0, 0, 0, 1, 1, 1]), X, CHANNELS)
    assert (found.names, found.starts.tolist()) == (("feature 0", "feature 1"), [0, 2, 5])
    both = np.arange(16).reshape(2, 8)
    assert segments(both, X, CHANNELS).per_channel


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ("change:3", "did you mean 'changes:8'"),
        ("windows:0", "at least 1"),
        ("windows:x", "at least 1"),
        ("steps,channels", "expected per-channel"),
        ("grid", "of a series: changes"),
        (np.zeros(5, int), r"expected whole numbers \[8\] or \[2, 8\]"),
        (np.ones(8, int), "count up from 0"),
    ],
)
def test_what_cannot_be_is_refused(features: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        segments(features, X, CHANNELS)


def test_fills_are_what_they_are_called(rng: np.random.Generator) -> None:
    x = rng.normal(3, 2, (2, 4000)).astype(np.float32)
    starts = np.array([0, 1000, 2500])
    np.testing.assert_allclose(fill_for("mean", x, starts, 0), np.repeat(x.mean(1, keepdims=True), 4000, 1), rtol=1e-5)
    assert not fill_for("zero", x, starts, 0).any()
    noise = fill_for("noise", x, starts, 5)
    np.testing.assert_array_equal(noise, fill_for("noise", x, starts, 5))
    assert (noise != fill_for("noise", x, starts, 6)).any()
    np.testing.assert_allclose([noise.mean(), noise.std()], [3, 2], atol=0.1)
    line = fill_for("line", x, starts, 0)
    for channel in (0, 1):
        inner = np.linspace(x[channel, 999], x[channel, 2500], 1502)[1:-1]
        np.testing.assert_allclose(line[channel, 1000:2500], inner, atol=1e-4)
        np.testing.assert_allclose(line[channel, :1000], x[channel, 1000], atol=1e-6)
        np.testing.assert_allclose(line[channel, 2500:], x[channel, 2499], atol=1e-6)


def test_a_line_across_the_only_segment_is_level() -> None:
    np.testing.assert_array_equal(fill_for("line", X, np.array([0]), 0), np.repeat(X[:, :1], 8, axis=1))


def test_an_unknown_fill_names_those_there_are() -> None:
    with pytest.raises(UsageError, match="unknown fill 'blur'; of a series: mean, zero, line, noise"):
        fill_for("blur", X, np.array([0]), 0)
