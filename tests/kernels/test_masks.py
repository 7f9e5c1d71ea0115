from collections.abc import Callable

import numpy as np
import pytest

from agnostic.kernels.masks import accumulate, compose, mix

Array = np.ndarray
Layout = Callable[[Array], Array]


def channels_last(array: Array) -> Array:
    """The same values, stored with the channels (axis -3) innermost."""
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, -3, -1)), -1, -3)


def every_other(array: Array) -> Array:
    """The same values, stored with gaps and backwards."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    view = wide[..., ::-2]
    view[...] = array
    return view


LAYOUTS = [np.ascontiguousarray, channels_last, every_other, np.asfortranarray]


@pytest.fixture(params=[0, 1])
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    return np.random.default_rng(request.param)


@pytest.mark.parametrize("size", [(5, 7), (64, 96), (224, 224)])
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("out_layout", LAYOUTS)
def test_compose_is_where_bit_for_bit(
    rng: np.random.Generator, size: tuple[int, int], layout: Layout, out_layout: Layout
) -> None:
    # Random bits hold every kind of number, NaNs with payloads among them.
    x, fill = rng.integers(0, 2**32, (2, 3, *size), np.uint32).view(np.float32)
    labels = rng.integers(0, 30, size).astype(np.int32)
    keep = rng.random((9, 30)) < 0.5
    out = out_layout(np.full((9, 3, *size), 9, np.float32))
    compose(layout(x), layout(fill), labels, keep, out)
    twin = np.where(keep[:, labels][:, None], x, fill)
    np.testing.assert_array_equal(np.ascontiguousarray(out).view(np.uint32), twin.view(np.uint32))


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int64, np.int32, np.uint8, np.bool_])
@pytest.mark.parametrize("channels, positions", [((), (11,)), ((4,), (6,)), ((), (3, 4, 5)), ((2, 3), (4, 5))])
def test_compose_serves_any_features_and_types(
    rng: np.random.Generator, dtype: type, channels: tuple[int, ...], positions: tuple[int, ...]
) -> None:
    x, fill = rng.integers(0, 100, (2, *channels, *positions)).astype(dtype)
    labels = rng.integers(0, 5, positions)
    keep = rng.integers(0, 2, (6, 5)).astype(np.uint8)
    out = np.empty((6, *x.shape), dtype)
    compose(x, fill, labels, keep, out)
    for item, row in zip(out, keep, strict=True):
        np.testing.assert_array_equal(item, np.where(row[labels].astype(bool), x, fill))


def test_compose_takes_a_colour_or_a_number_as_fill(rng: np.random.Generator) -> None:
    x = rng.random((3, 8, 8), np.float32)
    labels = np.arange(64).reshape(8, 8)
    colour = np.array([1, 2, 3], np.float32)[:, None, None]
    out = np.empty((1, 3, 8, 8), np.float32)
    compose(x, colour, labels, np.zeros((1, 64)), out)
    np.testing.assert_array_equal(out[0], np.broadcast_to(colour, x.shape))
    compose(x, 7, labels, np.zeros((1, 64)), out)
    assert (out == 7).all()


def test_compose_writes_an_empty_batch() -> None:
    compose(np.zeros((3, 4, 4)), 0.0, np.zeros((4, 4), int), np.zeros((0, 1)), np.zeros((0, 3, 4, 4)))


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x": np.zeros((3, 4, 5), np.float32)}, r"out has shape \(2, 3, 4, 4\)"),
        ({"fill": np.zeros((3, 4, 5), np.float32)}, r"fill has shape \(3, 4, 5\)"),
        ({"fill": np.zeros((3, 4, 4))}, "fill is float64, expected float32"),
        ({"out": np.zeros((2, 3, 4, 4))}, "out is float64, expected float32"),
        ({"labels": np.zeros((4, 5), int)}, r"labels has shape \(4, 5\), expected \(4, 4\)"),
        ({"labels": np.full((4, 4), 6)}, "labels run from 6 to 6, expected 0 to 5"),
        ({"labels": np.full((4, 4), -1)}, "labels run from -1 to -1"),
        ({"labels": np.zeros((4, 4))}, "labels is float64, expected integers"),
        ({"keep": np.zeros((3, 6))}, r"keep has shape \(3, 6\), expected \(2, any\)"),
    ],
)
def test_compose_refuses_what_does_not_fit(change: dict[str, Array], message: str) -> None:
    x = np.zeros((3, 4, 4), np.float32)
    arguments = {"x": x, "fill": x, "labels": np.zeros((4, 4), int), "keep": np.zeros((2, 6)), "out": np.stack([x, x])}
    with pytest.raises(ValueError, match=message):
        compose(**{**arguments, **change})


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("out_layout", LAYOUTS)
def test_mix_is_the_formula(rng: np.random.Generator, layout: Layout, out_layout: Layout) -> None:
    x, fill = rng.normal(size=(2, 3, 60, 70)).astype(np.float32)
    masks = rng.random((5, 60, 70), np.float32)
    out = out_layout(np.zeros((5, 3, 60, 70), np.float32))
    mix(layout(x), layout(fill), masks, out)
    share = masks[:, None]
    np.testing.assert_allclose(out, share * x + (1 - share) * fill, rtol=0, atol=1e-6)


def test_mix_at_its_ends_gives_input_and_fill_exactly(rng: np.random.Generator) -> None:
    x, fill = rng.normal(size=(2, 20)).astype(np.float32)
    out = np.empty((2, 20), np.float32)
    mix(x, fill, np.stack([np.ones(20), np.zeros(20)]).astype(np.float32), out)
    np.testing.assert_array_equal(out, [x, fill])


def test_mix_refuses_masks_of_another_shape_or_type() -> None:
    x, out = np.zeros((3, 4, 4), np.float32), np.zeros((2, 3, 4, 4), np.float32)
    with pytest.raises(ValueError, match=r"masks has shape \(2, 4, 5\), expected \(2, 4, 4\)"):
        mix(x, x, np.zeros((2, 4, 5), np.float32), out)
    with pytest.raises(ValueError, match="masks is float64, expected float32"):
        mix(x, x, np.zeros((2, 4, 4)), out)


def test_accumulate_is_the_weighted_sum(rng: np.random.Generator) -> None:
    masks = rng.random((40, 70, 90), np.float32)
    weights = rng.normal(size=(40, 3))
    total = np.ones((3, 70, 90))
    accumulate(masks, weights, total)
    np.testing.assert_allclose(total, 1 + np.einsum("it,iyx->tyx", weights, masks.astype(float)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("cuts", [[1], [7, 8, 30], list(range(1, 40))])
def test_accumulate_does_not_see_how_the_run_is_cut(rng: np.random.Generator, cuts: list[int]) -> None:
    masks, weights = rng.random((40, 64, 65), np.float32), rng.normal(size=(40, 2))
    whole, parts = np.zeros((2, 2, 64, 65))
    accumulate(masks, weights, whole)
    for some_masks, some_weights in zip(np.split(masks, cuts), np.split(weights, cuts), strict=True):
        accumulate(some_masks, some_weights, parts)
    np.testing.assert_array_equal(parts, whole)


def test_accumulate_refuses_totals_it_cannot_update_in_place() -> None:
    masks, weights = np.zeros((2, 4, 4), np.float32), np.zeros((2, 1))
    with pytest.raises(ValueError, match="not C-contiguous"):
        accumulate(masks, weights, np.zeros((1, 4, 8))[..., ::2])
    with pytest.raises(ValueError, match=r"total has shape \(2, 4, 4\), expected \(1, 4, 4\)"):
        accumulate(masks, weights, np.zeros((2, 4, 4)))
    with pytest.raises(ValueError, match=r"weights has shape \(3, 1\), expected \(2, any\)"):
        accumulate(masks, np.zeros((3, 1)), np.zeros((1, 4, 4)))
