from collections.abc import Callable

import numpy as np
import pytest

from agnostic.errors import UsageError
from agnostic.inputs.features import Features

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


@pytest.fixture(params=VIEWS)
def layout(request: pytest.FixtureRequest) -> tuple[Features, tuple[int, ...], Callable[[np.ndarray], np.ndarray]]:
    """Features of a picture in one layout, the model's axes, and how to turn its buffer into (n, C, H, W)."""
    view, axes = VIEWS[request.param]
    depth = 1 if request.param == "NHW" else 3
    names = tuple("abcd")
    return Features(X[:depth], FILL[:depth], LABELS, view, names, True), axes, view


def test_blending_switches_features(layout: tuple[Features, tuple[int, ...], Callable[..., np.ndarray]]) -> None:
    features, axes, view = layout
    out = np.full((4, *axes), np.nan, np.float32)
    features.blend(KEEP, out)
    expected = np.where(KEEP[:, None][..., LABELS], features.x, features.fill)
    assert np.array_equal(view(out), expected)


def test_mixing_fades(layout: tuple[Features, tuple[int, ...], Callable[..., np.ndarray]]) -> None:
    features, axes, view = layout
    masks = np.random.default_rng(1).random((4, 6, 8), np.float32)
    masks[0], masks[1] = 0, 1
    out = np.full((4, *axes), np.nan, np.float32)
    features.mix(masks, out)
    expected = masks[:, None] * features.x + (1 - masks[:, None]) * features.fill
    assert np.allclose(view(out), expected, atol=1e-6)
    assert np.array_equal(view(out)[0], features.fill) and np.array_equal(view(out)[1], features.x)


def test_erasing_covers_a_box(layout: tuple[Features, tuple[int, ...], Callable[..., np.ndarray]]) -> None:
    features, axes, view = layout
    boxes = np.array([[[0, 2], [0, 3]], [[4, 6], [7, 8]], [[0, 6], [0, 8]]])
    out = np.full((3, *axes), np.nan, np.float32)
    features.erase(boxes, out)
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
    features = Features(x, -x, labels, lambda out: out[:, None], tuple(map(str, range(groups))), False)
    keep = np.random.default_rng(0).random((3, groups)) < 0.5
    out = np.empty((3, *shape), np.float32)
    features.blend(keep, out)
    assert np.array_equal(out, np.where(keep[:, labels], x[0], -x[0]))
    masks = np.random.default_rng(0).random((3, *shape), np.float32)
    features.mix(masks, out)
    assert np.allclose(out, masks * x[0] - (1 - masks) * x[0], atol=1e-5)
    box = np.array([[[0, 1]] * len(shape)])
    features.erase(box, out[:1])
    assert out[0].ravel()[0] == -1 and np.array_equal(out[0].ravel()[1:], x.ravel()[1:])


def test_painting_gives_each_position_its_features_weight() -> None:
    features = Features(X, FILL, LABELS, VIEWS["NCHW"][0], tuple("abcd"), True)
    painted = features.paint(np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]]))
    assert (painted.shape, painted.dtype) == ((2, 6, 8), np.float32)
    assert painted[1, 0, 0] == 5 and painted[0, 5, 7] == 4
    assert (features.count, features.shape, features.sizes.tolist()) == (4, (6, 8), [12, 12, 12, 12])


def test_arrays_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(UsageError, match=r"label map has shape \[6, 7\], expected \[6, 8\]"):
        Features(X, FILL, LABELS[:, 1:], VIEWS["NCHW"][0], tuple("abcd"), True)
    with pytest.raises(UsageError):
        Features(X, FILL[:1], LABELS, VIEWS["NCHW"][0], tuple("abcd"), True)
