import numpy as np
import pytest

from agnostic.kernels.resize import bilinear, crop, upsample_normalise

SHAPES = [((7, 7), (224, 224)), ((1, 1), (5, 3)), ((2, 5), (9, 4)), ((13, 11), (6, 7)), ((30, 30), (30, 30))]


def matrix(source: int, target: int) -> np.ndarray:
    """Linear interpolation of one axis as a (target, source) matrix: each row reads the hat functions at its place."""
    places = np.clip((np.arange(target) + 0.5) * source / target - 0.5, 0, source - 1)
    return np.clip(1 - np.abs(places[:, None] - np.arange(source)), 0, None)


@pytest.mark.parametrize("source, target", SHAPES)
def test_bilinear_is_a_product_with_two_matrices(source: tuple[int, int], target: tuple[int, int]) -> None:
    maps = np.random.default_rng(0).normal(size=(4, *source)).astype(np.float32)
    twin = matrix(source[0], target[0]) @ maps.astype(float) @ matrix(source[1], target[1]).T
    resized = bilinear(maps, target)
    assert resized.dtype == np.float32
    np.testing.assert_allclose(resized, twin, atol=2e-6)


@pytest.mark.parametrize("source, target", SHAPES)
def test_bilinear_is_torchs(source: tuple[int, int], target: tuple[int, int]) -> None:
    import torch

    maps = np.random.default_rng(1).normal(size=(4, *source)).astype(np.float32)
    theirs = torch.nn.functional.interpolate(torch.from_numpy(maps)[None], target, mode="bilinear")[0]
    np.testing.assert_allclose(bilinear(maps, target), theirs.numpy(), atol=5e-6)


def test_bilinear_reads_views_and_keeps_constants_exact() -> None:
    maps = np.random.default_rng(0).random((6, 8, 5), np.float32)
    np.testing.assert_array_equal(bilinear(maps.T, (20, 20)), bilinear(np.ascontiguousarray(maps.T), (20, 20)))
    assert (bilinear(np.full((1, 3, 3), 0.1, np.float32), (40, 50)) == np.float32(0.1)).all()


def test_crop_is_a_window_of_the_whole() -> None:
    maps = np.random.default_rng(0).random((3, 4, 5), np.float32)
    offsets = np.array([[0, 0], [7, 3], [12, 20]])
    out = np.empty((3, 18, 20), np.float32)
    crop(maps, offsets, (30, 40), out)
    whole = bilinear(maps, (30, 40))
    for got, (y, x), item in zip(out, offsets, whole, strict=True):
        np.testing.assert_array_equal(got, item[y : y + 18, x : x + 20])


@pytest.mark.parametrize("offset", [[-1, 0], [0, 3]])
def test_crop_refuses_windows_outside(offset: list[int]) -> None:
    with pytest.raises(ValueError, match="leave the resized map"):
        crop(np.zeros((1, 2, 2), np.float32), np.array([offset]), (10, 10), np.zeros((1, 8, 8), np.float32))


@pytest.mark.parametrize("maps", [np.zeros((2, 3, 3)), np.zeros((3, 3), np.float32), np.zeros((2, 0, 3), np.float32)])
def test_bilinear_refuses_what_it_cannot_resize(maps: np.ndarray) -> None:
    with pytest.raises(ValueError, match="maps"):
        bilinear(maps, (4, 4))


def test_masks_of_score_cam_run_from_zero_to_one() -> None:
    maps = np.random.default_rng(0).normal(-50, 9, (20, 7, 7)).astype(np.float32)
    large = bilinear(maps, (50, 60)).astype(float)
    low, high = large.min(axis=(1, 2), keepdims=True), large.max(axis=(1, 2), keepdims=True)
    masks = upsample_normalise(maps, (50, 60))
    np.testing.assert_allclose(masks, (large - low) / (high - low), atol=1e-6)
    np.testing.assert_array_equal(masks.min(axis=(1, 2)), 0)
    np.testing.assert_array_equal(masks.max(axis=(1, 2)), 1)


def test_constant_maps_become_zeros_in_any_buffer() -> None:
    out = np.full((2, 6, 16), 9, np.float32)[..., ::2]
    assert upsample_normalise(np.full((2, 3, 3), 5.5, np.float32), (6, 8), out) is out
    assert (out == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_maps_with_nan_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinite"):
        upsample_normalise(np.array([[[0, value]]], np.float32), (4, 4))


def test_buffer_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"out has shape \(1, 4, 4\), expected \(1, 5, 5\)"):
        upsample_normalise(np.ones((1, 2, 2), np.float32), (5, 5), np.zeros((1, 4, 4), np.float32))
