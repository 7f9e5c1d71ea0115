import numpy as np
import pytest
from skimage import data, segmentation

from agnostic.kernels.superpixels import boundaries, segment_means, slic

GREY = ["camera", "coins", "moon", "page", "clock"]
COLOUR = ["astronaut", "chelsea", "coffee", "rocket", "immunohistochemistry", "hubble_deep_field", "retina", "logo"]


def picture(name: str) -> np.ndarray:
    """One of the pictures inside the scikit-image wheel, at most 400 pixels a side."""
    whole = getattr(data, name)()[..., :3] if name in COLOUR else getattr(data, name)()
    return whole[:: len(whole) // 400 + 1, :: len(whole) // 400 + 1]


def reference(picture: np.ndarray, segments: int, compactness: float, iterations: int = 10) -> np.ndarray:
    return segmentation.slic(
        picture,
        n_segments=segments,
        compactness=compactness,
        max_num_iter=iterations,
        start_label=0,
        channel_axis=None if picture.ndim == 2 else -1,
    )


@pytest.mark.parametrize("segments, compactness", [(50, 10.0), (300, 3.0)])
@pytest.mark.parametrize("name", COLOUR)
def test_colour_labels_are_those_of_scikit_image(name: str, segments: int, compactness: float) -> None:
    labels = slic(picture(name), segments, compactness)
    assert labels.dtype == np.int32
    np.testing.assert_array_equal(labels, reference(picture(name), segments, compactness))


@pytest.mark.parametrize("segments, compactness", [(50, 0.1), (200, 10.0)])
@pytest.mark.parametrize("name", GREY)
def test_grey_labels_are_those_of_scikit_image(name: str, segments: int, compactness: float) -> None:
    np.testing.assert_array_equal(
        slic(picture(name), segments, compactness), reference(picture(name), segments, compactness)
    )


@pytest.mark.parametrize("box", [(1, 90), (90, 1), (7, 200), (200, 7), (61, 83), (2, 2), (1, 1)])
@pytest.mark.parametrize("segments", [1, 2, 9, 40, 10_000])
def test_odd_shapes_and_counts(box: tuple[int, int], segments: int) -> None:
    crop = picture("coffee")[100 : 100 + box[0], 150 : 150 + box[1]]
    np.testing.assert_array_equal(slic(crop, segments), reference(crop, segments, 10.0))


@pytest.mark.parametrize("iterations", [1, 3, 25])
def test_iterations_and_float_pictures(iterations: int) -> None:
    floats = picture("chelsea")[:120, :120] / 255.0
    labels = slic(floats, 60, 5.0, iterations)
    np.testing.assert_array_equal(labels, reference(floats, 60, 5.0, iterations))


def test_clusters_that_lose_all_their_pixels_are_left_out() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    np.testing.assert_array_equal(slic(noise, 300, 1.0), reference(noise, 300, 1.0))


def test_float32_and_views_give_the_labels_of_their_float64_copy() -> None:
    floats = np.random.default_rng(0).random((3, 40, 50), np.float32).transpose(1, 2, 0)
    np.testing.assert_array_equal(slic(floats), slic(np.ascontiguousarray(floats, np.float64)))


def test_flat_picture_falls_into_the_grid() -> None:
    # Seeds at 10 and 30: row and column 20 are as near to both, and the first takes them.
    labels = slic(np.full((40, 40, 3), 7, np.uint8), segments=4)
    np.testing.assert_array_equal(np.bincount(labels.ravel()), [21 * 21, 21 * 19, 19 * 21, 19 * 19])


def test_labels_are_dense_and_numbered_in_raster_order() -> None:
    labels = slic(picture("astronaut"), 80)
    values, first = np.unique(labels, return_index=True)
    np.testing.assert_array_equal(values, np.arange(len(values)))
    assert (np.diff(first) > 0).all()


@pytest.mark.parametrize(
    "given, message",
    [
        (np.full((4, 4, 3), np.nan), "NaN"),
        (np.array([[0.0, np.inf]]), "infinite"),
        (np.zeros((4, 4, 4)), r"\(4, 4, 4\)"),
        (np.zeros((0, 4)), r"\(0, 4\)"),
        (np.zeros((4, 4), np.int64), "int64"),
    ],
)
def test_unfit_pictures_are_refused(given: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        slic(given)


@pytest.mark.parametrize("setting", ["segments", "compactness", "iterations"])
@pytest.mark.parametrize("value", [0, -1, np.nan])
def test_settings_must_be_positive(setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=setting):
        slic(np.zeros((4, 4)), **{setting: value})


def test_boundaries_are_where_a_step_right_or_down_changes_the_label() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (20, 30))
    twin = np.zeros(labels.shape, bool)
    for y in range(20):
        for x in range(30):
            twin[y, x] = any(labels[y, x] != labels[v, u] for v, u in ((y, x + 1), (y + 1, x)) if v < 20 and u < 30)
    np.testing.assert_array_equal(boundaries(labels), twin)


def test_boundaries_are_one_side_of_scikit_images_two_sided_ones() -> None:
    labels = slic(picture("chelsea"), 40)
    both_sides = segmentation.find_boundaries(labels, connectivity=1, mode="thick")
    one_side = boundaries(labels)
    assert not (one_side & ~both_sides).any()
    other_side = np.roll(one_side, 1, axis=0) | np.roll(one_side, 1, axis=1)
    assert not (both_sides & ~one_side & ~other_side).any()


@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
def test_segment_means_equal_a_loop_over_segments(last: bool) -> None:
    labels = slic(picture("coffee"), 30)
    x = np.random.default_rng(0).normal(1e3, 1, (3, *labels.shape)).astype(np.float32)
    x = np.ascontiguousarray(x.transpose(1, 2, 0)).transpose(2, 0, 1) if last else x
    twin = np.empty(x.shape, np.float32)
    for label in np.unique(labels):
        here = labels == label
        twin[:, here] = x[:, here].mean(axis=1, dtype=np.float64, keepdims=True)
    np.testing.assert_allclose(segment_means(x, labels), twin, rtol=1.2e-7)


@pytest.mark.parametrize("labels", [np.full((2, 2), -1), np.full((2, 2), 4), np.zeros((2, 2)), np.zeros((2, 3), int)])
def test_segment_means_refuses_labels_it_cannot_number(labels: np.ndarray) -> None:
    with pytest.raises(ValueError, match="labels"):
        segment_means(np.zeros((1, 2, 2), np.float32), labels)
