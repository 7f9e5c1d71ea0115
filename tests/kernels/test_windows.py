import numpy as np
import pytest

from agnostic.kernels.windows import occlude, spread, windows

GRIDS = [((13,), 4, 3), ((13,), 1, 1), ((3,), 9, 2), ((20, 31), (5, 8), (5, 3)), ((9, 10, 11), 4, (4, 2, 3))]


def inside(box: np.ndarray) -> tuple[slice, ...]:
    return tuple(slice(start, stop) for start, stop in box)


@pytest.mark.parametrize("shape, size, stride", GRIDS)
def test_windows_cover_the_grid_are_alike_and_differ(shape: tuple[int, ...], size: int, stride: int) -> None:
    boxes = windows(shape, size, stride)
    assert boxes.dtype == np.int64 and boxes.shape[1:] == (len(shape), 2)
    assert len(np.unique(boxes, axis=0)) == len(boxes)
    np.testing.assert_array_equal(np.unique(boxes[..., 1] - boxes[..., 0], axis=0), [np.minimum(size, shape)])
    covered = np.zeros(shape, int)
    for box in boxes:
        covered[inside(box)] += 1
    assert covered.min() >= 1


def test_windows_that_fit_exactly_are_the_plain_grid() -> None:
    np.testing.assert_array_equal(windows((224, 224), 32, 8)[:, 0, 0], np.repeat(np.arange(0, 193, 8), 25))


@pytest.mark.parametrize("shape, size, stride", [((9,), 2, 3), ((9,), 2, 0), ((0,), 2, 1), ((4, 4), (2, 1), 2)])
def test_windows_that_would_leave_gaps_are_refused(shape: tuple[int, ...], size: int, stride: int) -> None:
    with pytest.raises(ValueError, match="expected 1 <= stride <= size"):
        windows(shape, size, stride)


def test_windows_want_one_length_per_axis() -> None:
    with pytest.raises(ValueError, match="size has 3 lengths, expected one, or one for each of 2 axes"):
        windows((8, 8), (1, 2, 3), 1)


@pytest.mark.parametrize("shape, size, stride", GRIDS)
@pytest.mark.parametrize("channels", [(), (1,), (3,), (2, 2)])
@pytest.mark.parametrize("layout", ["first", "last", "gaps"])
def test_occlude_is_copy_and_fill(
    shape: tuple[int, ...], size: int, stride: int, channels: tuple[int, ...], layout: str
) -> None:
    rng = np.random.default_rng(0)
    x, fill = rng.random((2, *channels, *shape)).astype(np.float32)
    boxes = windows(shape, size, stride)
    out = np.full((len(boxes), *x.shape), 9, np.float32)
    if layout == "last":
        out = np.moveaxis(
            np.empty((len(boxes), *shape, *channels), np.float32), range(-len(channels), 0), range(1, 1 + len(channels))
        )
    if layout == "gaps":
        out = np.empty((len(boxes), *x.shape[:-1], 2 * x.shape[-1]), np.float32)[..., ::2]
    occlude(x, fill, boxes, out)
    for item, box in zip(out, boxes, strict=True):
        twin = x.copy()
        twin[(..., *inside(box))] = fill[(..., *inside(box))]
        np.testing.assert_array_equal(item, twin)


def test_occlude_takes_a_number_an_empty_box_and_whole_numbers() -> None:
    x = np.arange(6).reshape(1, 6)
    out = np.empty((2, 1, 6), int)
    occlude(x, -1, np.array([[[2, 2]], [[0, 6]]]), out)
    np.testing.assert_array_equal(out, [x, np.full_like(x, -1)])


@pytest.mark.parametrize(
    "boxes, message",
    [
        (np.array([[[0, 5], [0, 4]]]), "boxes leave the grid"),
        (np.array([[[-1, 2], [0, 4]]]), "boxes leave the grid"),
        (np.array([[[3, 2], [0, 4]]]), "boxes leave the grid"),
        (np.array([[[0.0, 2.0], [0.0, 4.0]]]), "boxes is float64, expected integers"),
        (np.zeros((2, 2, 2), int), r"boxes has shape \(2, 2, 2\), expected \(1, 2, 2\)"),
        (np.zeros((1, 0, 2), int), "has 0 axes, expected 1 to 3"),
        (np.zeros(2, int), "boxes has shape"),
    ],
)
def test_occlude_refuses_boxes_outside_of_the_grid(boxes: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        occlude(np.zeros((3, 4, 4)), 0.0, boxes, np.zeros((1, 3, 4, 4)))


@pytest.mark.parametrize("shape, size, stride", GRIDS)
@pytest.mark.parametrize("targets", [(), (1,), (3,)])
def test_spread_is_the_mean_over_the_windows_around_each_position(
    shape: tuple[int, ...], size: int, stride: int, targets: tuple[int, ...]
) -> None:
    boxes = windows(shape, size, stride)
    scores = np.random.default_rng(0).normal(size=(len(boxes), *targets))
    values, coverage = spread(scores, boxes, shape)
    assert values.shape == (*targets, *shape) and coverage.shape == shape
    for position in np.ndindex(shape):
        around = ((boxes[..., 0] <= position) & (position < boxes[..., 1])).all(axis=1)
        assert coverage[position] == around.sum()
        np.testing.assert_allclose(values[(..., *position)], scores[around].mean(axis=0), atol=1e-13)


def test_spread_of_equal_scores_is_that_score() -> None:
    boxes = windows((50, 60), 9, 4)
    np.testing.assert_allclose(spread(np.full(len(boxes), 0.1), boxes, (50, 60)).values, 0.1, rtol=1e-14)


def test_positions_without_a_window_are_not_a_number() -> None:
    values, coverage = spread(np.array([2.0]), np.array([[[1, 2]]]), (3,))
    np.testing.assert_array_equal(values, [np.nan, 2.0, np.nan])
    np.testing.assert_array_equal(coverage, [0, 1, 0])


def test_spread_refuses_scores_of_another_number_of_windows() -> None:
    with pytest.raises(ValueError, match=r"scores has shape \(3,\), expected \(2\)"):
        spread(np.zeros(3), np.zeros((2, 1, 2), int), (4,))
    with pytest.raises(ValueError, match=r"scores has shape \(\)"):
        spread(np.array(1.0), np.zeros((2, 1, 2), int), (4,))
