from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.inputs.features import Features, NumericFeatures

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(3, 6, 8)).astype(np.float32)
FILL = RANDOM.normal(size=(3, 6, 8)).astype(np.float32)
LABELS = (np.arange(6)[:, None] // 3 * 2 + np.arange(8) // 4).astype(np.int32)
KEEP = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1], [0, 1, 1, 1]], np.bool_)

VIEWS = {
    "NCHW": (lambda out: out, (3, 6, 8)),
    "NHWC": (lambda out: np.moveaxis(out, -1, 1), (6, 8, 3)),
    "NHW": (lambda out: out[:, None], (6, 8)),
}


def numeric(x: np.ndarray, fill: np.ndarray, labels: np.ndarray, view: Any, names: tuple[str, ...]) -> NumericFeatures:
    return NumericFeatures("x", x, fill, view, labels, names, is_grid=True)


Layout = tuple[NumericFeatures, tuple[int, ...], Callable[[np.ndarray], np.ndarray]]


@pytest.fixture(params=VIEWS)
def layout(request: pytest.FixtureRequest) -> Layout:
    """Features of a picture in one layout, the model's axes, and how to turn its buffer into (n, C, H, W)."""
    view, axes = VIEWS[request.param]
    depth = 1 if request.param == "NHW" else 3
    names = tuple("abcd")
    return numeric(X[:depth], FILL[:depth], LABELS, view, names), axes, view


def test_blending_switches_features(layout: Layout) -> None:
    features, axes, view = layout
    out = np.full((4, *axes), np.nan, np.float32)
    features.blend(KEEP, {"x": out})
    expected = np.where(KEEP[:, None][..., LABELS], features.x, features.fill)
    assert np.array_equal(view(out), expected)


def test_mixing_fades(layout: Layout) -> None:
    features, axes, view = layout
    masks = np.random.default_rng(1).random((4, 6, 8), np.float32)
    masks[0], masks[1] = 0, 1
    out = np.full((4, *axes), np.nan, np.float32)
    features.mix(masks, {"x": out})
    expected = masks[:, None] * features.x + (1 - masks[:, None]) * features.fill
    assert np.allclose(view(out), expected, atol=1e-6)
    assert np.array_equal(view(out)[0], features.fill) and np.array_equal(view(out)[1], features.x)


def test_erasing_covers_a_box(layout: Layout) -> None:
    features, axes, view = layout
    boxes = np.array([[[0, 2], [0, 3]], [[4, 6], [7, 8]], [[0, 6], [0, 8]]])
    out = np.full((3, *axes), np.nan, np.float32)
    features.erase(boxes, {"x": out})
    expected = np.repeat(features.x[None], 3, axis=0)
    for row, ((top, bottom), (left, right)) in enumerate(boxes):
        expected[row, :, top:bottom, left:right] = features.fill[:, top:bottom, left:right]
    assert np.array_equal(view(out), expected)


@pytest.mark.parametrize("shape", [(5,), (2, 5), (2, 3, 4)])
def test_positions_may_have_any_number_of_axes(shape: tuple[int, ...]) -> None:
    count = int(np.prod(shape))
    x = np.arange(1, count + 1, dtype=np.float32).reshape(1, *shape)
    labels = np.arange(count, dtype=np.int32).reshape(shape) // 2
    groups = int(labels.max()) + 1
    features = NumericFeatures("x", x, -x, lambda out: out[:, None], labels, tuple(map(str, range(groups))))
    keep = np.random.default_rng(0).random((3, groups)) < 0.5
    out = np.empty((3, *shape), np.float32)
    features.blend(keep, {"x": out})
    assert np.array_equal(out, np.where(keep[:, labels], x[0], -x[0]))
    masks = np.random.default_rng(0).random((3, *shape), np.float32)
    features.mix(masks, {"x": out})
    assert np.allclose(out, masks * x[0] - (1 - masks) * x[0], atol=1e-5)
    box = np.array([[[0, 1]] * len(shape)])
    features.erase(box, {"x": out[:1]})
    assert out[0].ravel()[0] == -1 and np.array_equal(out[0].ravel()[1:], x.ravel()[1:])


def test_painting_gives_each_position_its_features_weight() -> None:
    features = numeric(X, FILL, LABELS, VIEWS["NCHW"][0], tuple("abcd"))
    painted = features.paint(np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]))
    assert (painted.shape, painted.dtype) == ((2, 6, 8), np.float32)
    assert painted[1, 0, 0] == 5 and painted[0, 5, 7] == 4
    assert (features.count, features.shape, features.sizes.tolist()) == (4, (6, 8), [12, 12, 12, 12])


def test_a_position_of_no_feature_is_never_off_and_has_no_weight() -> None:
    x = np.arange(1, 6, dtype=np.float32)[None]
    labels = np.array([3, 0, 1, 2, 3], np.int32)
    features = NumericFeatures("x", x, np.where(labels == 3, x, -x), lambda out: out[:, None], labels, tuple("abc"))
    out = np.empty((2, 5), np.float32)
    features.blend(np.array([[False] * 3, [True, False, True]]), {"x": out})
    assert out.tolist() == [[1, -2, -3, -4, 5], [1, 2, -3, 4, 5]]
    assert features.paint(np.array([[7.0, 8, 9]])).tolist() == [[0, 7, 8, 9, 0]]
    assert features.gather(np.arange(10).reshape(2, 5)).tolist() == [[1, 2, 3], [6, 7, 8]]
    assert features.sizes.tolist() == [1, 1, 1]


class Switches(Features):
    """Features of something that is no array: three switches, the second of which spans two positions."""

    @property
    def inputs(self) -> dict[str, Any]:
        return {"x": np.bool_}

    def blend(self, keep: np.ndarray, rows: dict[str, np.ndarray], draw: np.ndarray | None = None) -> None:
        rows["x"][:] = keep


def test_features_of_any_kind_are_erased_by_boxes_and_do_not_fade() -> None:
    switches = Switches(np.array([0, 1, 1, 2, 3], np.int32), tuple("abc"))
    out = np.empty((3, 3), bool)
    switches.erase(np.array([[[0, 1]], [[2, 4]], [[4, 5]]]), {"x": out})
    assert out.tolist() == [[False, True, True], [True, False, False], [True, True, True]]
    with pytest.raises(UsageError, match="switched on and off"):
        switches.mix(np.zeros((1, 5), np.float32), {"x": out})


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(UsageError, match=r"label map has shape \[6, 7\], expected \[6, 8\]"):
        numeric(X, FILL, LABELS[:, 1:], VIEWS["NCHW"][0], tuple("abcd"))
    with pytest.raises(UsageError):
        numeric(X, FILL[:1], LABELS, VIEWS["NCHW"][0], tuple("abcd"))
