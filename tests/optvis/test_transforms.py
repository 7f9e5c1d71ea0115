"""Transforms against NumPy and SciPy, picture by picture."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from agnostic.errors import UsageError
from agnostic.optvis import transforms
from agnostic.optvis.draws import TRANSFORMS, Draws

SIZES = ((17, 23), (16, 16), (24, 15))


def pictures(count: int = 3, height: int = 17, width: int = 23, channels: int = 3) -> Tensor:
    values = np.random.default_rng(3).uniform(0.1, 0.9, (count, channels, height, width))
    return torch.from_numpy(values.astype(np.float32))


def smooth(count: int, height: int, width: int) -> Tensor:
    """Pictures without fine detail, of which two interpolations make nearly the same."""
    noise = pictures(count, height, width).numpy()
    blurred = ndimage.gaussian_filter(noise, (0, 0, 3, 3))
    return torch.from_numpy((blurred - blurred.mean()) / blurred.std() * 0.1 + 0.5)


def draws(streams: Sequence[int] = (0, 1, 2)) -> Draws:
    return Draws(5, streams, TRANSFORMS)


ALL = (
    transforms.pad(3),
    transforms.pad(3, "uniform"),
    transforms.jitter(5),
    transforms.random_scale([0.7, 0.8, 0.9, 1.1, 1.2, 1.3]),
    transforms.random_rotate(range(-40, 41)),
    transforms.random_crop(11),
    transforms.noise(0.1),
    transforms.on_background(),
    transforms.compose(transforms.standard()),
    transforms.compose(transforms.article()),
    transforms.compose(transforms.atlas()),
    transforms.compose(transforms.caricature()),
)


@pytest.mark.parametrize("shake", ALL, ids=str)
def test_a_row_depends_on_its_own_stream_alone(shake: transforms.Transform) -> None:
    whole = shake(pictures(height=41, width=37), draws((0, 1, 2)))
    alone = shake(pictures(height=41, width=37)[1:2], draws((1,)))
    assert torch.allclose(whole[1:2], alone, atol=1e-6)


@pytest.mark.parametrize("shake", ALL[1:], ids=str)
def test_rows_differ_and_a_seed_repeats(shake: transforms.Transform) -> None:
    same = pictures(1, 41, 37).expand(6, -1, -1, -1)
    found = shake(same, draws(range(6)))
    assert len({row.numpy().tobytes() for row in found}) > 1
    assert torch.equal(found, shake(same, draws(range(6))))


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_pad_equals_numpys(height: int, width: int) -> None:
    given = pictures(2, height, width)
    edges = ((0, 0), (0, 0), (4, 4), (4, 4))
    expected = np.pad(given.numpy(), edges, mode="reflect")
    assert np.array_equal(transforms.pad(4)(given, draws((0, 1))).numpy(), expected)
    for value in (0.5, 0.2):
        expected = np.pad(given.numpy(), edges, constant_values=value)
        assert np.allclose(transforms.pad(4, "constant", value)(given, draws((0, 1))).numpy(), expected)


def test_uniform_padding_is_one_level_per_picture() -> None:
    found = transforms.pad(2, "uniform")(pictures(), draws())
    borders = torch.cat([found[:, :, :2].flatten(1), found[:, :, -2:].flatten(1)], dim=1)
    assert torch.allclose(borders, borders[:, :1].expand_as(borders), atol=1e-6)
    assert torch.allclose(borders[:, 0], draws().uniform(0, 1, 1)[:, 0], atol=1e-6)
    assert torch.allclose(found[:, :, 2:-2, 2:-2], pictures(), atol=1e-6)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_jitter_is_a_crop_that_reaches_every_place(height: int, width: int) -> None:
    """Zeros shifted in, or a range of crops that misses a side, would show here."""
    given, amount = pictures(1, height, width), 3
    crops = {
        given.numpy()[0, :, top : top + height - amount, left : left + width - amount].tobytes(): (top, left)
        for top in range(amount + 1)
        for left in range(amount + 1)
    }
    found = transforms.jitter(amount)(given.expand(400, -1, -1, -1), draws(range(400)))
    counts = np.zeros((amount + 1, amount + 1), int)
    for row in found:
        counts[crops[row.contiguous().numpy().tobytes()]] += 1
    # 25 expected at each of 16 places; 5 or less has a chance below one in a million.
    assert counts.min() > 5


def test_crop_cuts_a_border() -> None:
    assert torch.equal(transforms.crop(4)(pictures(), draws()), pictures()[:, :, 4:-4, 4:-4])
    assert torch.equal(transforms.crop(0)(pictures(), draws()), pictures())


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_scaling_equals_scipys(factor: float, height: int, width: int) -> None:
    given = pictures(1, height, width)
    found = transforms.random_scale([factor])(given, draws((0,)))[0].numpy()
    assert found == pytest.approx(_by_scipy(given[0].numpy(), np.eye(2) / factor), abs=1e-4)


@pytest.mark.parametrize("angle", [-30, 0, 10, 90])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_turning_equals_scipys_and_goes_anticlockwise(angle: float, height: int, width: int) -> None:
    given = pictures(1, height, width)
    found = transforms.random_rotate([angle])(given, draws((0,)))[0].numpy()
    turned = np.stack(
        [ndimage.rotate(plane, angle, reshape=False, order=1, mode="grid-constant", cval=0.5) for plane in given[0]]
    )
    assert found == pytest.approx(turned, abs=1e-4)


def _by_scipy(picture: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Look up, about the middle, where a matrix of rows and columns says."""
    middle = (np.array(picture.shape[1:]) - 1) / 2
    offset = middle - matrix @ middle
    return np.stack(
        [ndimage.affine_transform(p, matrix, offset, order=1, mode="grid-constant", cval=0.5) for p in picture]
    )


def test_a_quarter_turn_takes_the_right_edge_to_the_top() -> None:
    given = torch.zeros(1, 1, 9, 9)
    given[:, :, :, -1] = 1
    found = transforms.random_rotate([90])(given, draws((0,)))
    assert found[0, 0, 0].numpy() == pytest.approx(1, abs=1e-5)
    assert found[0, 0, 1:].numpy() == pytest.approx(0, abs=1e-5)


def test_flipping_swaps_left_and_right_of_about_half() -> None:
    given = pictures(1, 9, 10)
    found = transforms.random_flip()(given.expand(60, -1, -1, -1), draws(range(60)))
    kept = [bool(torch.allclose(row, given[0], atol=1e-5)) for row in found]
    swapped = [bool(torch.allclose(row, given[0].flip(2), atol=1e-5)) for row in found]
    assert all(a != b for a, b in zip(kept, swapped, strict=True))
    assert 15 < sum(kept) < 45


@pytest.mark.parametrize(("progress", "share"), [(0.0, 0.5), (1.0, 0.25)])
def test_a_random_window_shrinks_on_the_way(progress: float, share: float) -> None:
    """The picture's values are its own coordinates, so that the window can be read off."""
    rows, columns = torch.meshgrid(torch.arange(80.0), torch.arange(120.0), indexing="ij")
    given = torch.stack([rows, columns])[None].expand(300, -1, -1, -1)
    streams = draws(range(300))
    streams.progress = progress
    found = transforms.random_crop(20)(given, streams)
    assert found.shape == (300, 2, 20, 20)
    sides = (found[:, 0, -1, 0] - found[:, 0, 0, 0]) * 20 / 19
    assert float(sides.mean()) == pytest.approx(share * 80, abs=1)
    assert float(sides.std()) == pytest.approx(0.05 * 80, rel=0.2)
    assert found[:, 0].min() >= 0 and found[:, 0].max() <= 79
    assert found[:, 1].min() >= 0 and found[:, 1].max() <= 119
    middles = found.mean(dim=(2, 3))
    assert middles.mean(dim=0).tolist() == pytest.approx([39.5, 59.5], abs=2.5)
    # 0.15 of the sides, a little less where the window meets the edge.
    assert 8 < float(middles[:, 0].std()) < 13.5
    assert 13 < float(middles[:, 1].std()) < 20


@pytest.mark.parametrize(("height", "width"), [(20, 20), (9, 11), (20, 9), (17, 23)])
def test_pictures_are_brought_to_a_models_size(height: int, width: int) -> None:
    given = pictures()
    found = transforms.crop_or_pad_to(height, width)(given, draws()).numpy()
    assert found.shape == (3, 3, height, width)
    canvas = np.full((3, 3, 60, 60), 0.5, np.float32)
    top, left = 30 - 17 // 2, 30 - 23 // 2
    canvas[:, :, top : top + 17, left : left + 23] = given.numpy()
    expected = {
        canvas[:, :, a : a + height, b : b + width].tobytes()
        for a in range(29 - height // 2, 32 - height // 2)
        for b in range(29 - width // 2, 32 - width // 2)
    }
    assert np.ascontiguousarray(found).tobytes() in expected


def test_noise_has_its_deviation_and_no_bias() -> None:
    added = transforms.noise(0.08)(pictures(2, 64, 64), draws((0, 1))) - pictures(2, 64, 64)
    assert float(added.std()) == pytest.approx(0.08, rel=0.03)
    assert float(added.mean()) == pytest.approx(0, abs=0.003)


def test_gradients_get_one_length_per_picture() -> None:
    given = pictures().requires_grad_()
    weights = torch.tensor([2.0, -0.3, 0.0]).view(3, 1, 1, 1)
    shown = transforms.normalize_gradient()(given, draws())
    assert torch.equal(shown, given)
    (shown.square() * weights).sum().backward()
    expected = (given.detach() * weights).numpy()
    lengths = np.linalg.norm(expected.reshape(3, -1), axis=1)
    assert given.grad is not None
    for row in (0, 1):
        assert given.grad[row].numpy() == pytest.approx(expected[row] / lengths[row], rel=1e-4, abs=1e-7)
    assert not given.grad[2].any()


def test_gradients_get_the_length_of_their_stream() -> None:
    given = pictures(2).requires_grad_()
    transforms.normalize_gradient([1.0, 5.0, 7.0])(given, draws((2, 1))).square().sum().backward()
    assert given.grad is not None
    assert given.grad.flatten(1).norm(dim=1).tolist() == pytest.approx([7, 5], rel=1e-5)
    with pytest.raises(UsageError, match="2 scales meets picture 2"):
        transforms.normalize_gradient([1.0, 1.0])(given, draws((2, 1)))


def test_opacity_blends_with_a_background_of_each_picture() -> None:
    given = pictures(channels=4)
    solid, clear = given.clone(), given.clone()
    solid[:, 3], clear[:, 3] = 1, 0
    shake = transforms.on_background()
    assert torch.allclose(shake(solid, draws()), given[:, :3])
    behind = shake(clear, draws())
    assert float(behind.min()) > 0 and float(behind.max()) < 1
    assert not torch.allclose(behind[0], behind[1], atol=0.05)
    blended = given[:, 3:] * given[:, :3] + (1 - given[:, 3:]) * behind
    assert torch.allclose(shake(given, draws()), blended, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "size"),
    [(transforms.standard, 52), (transforms.article, 16), (transforms.atlas, 38), (transforms.caricature, 46)],
)
def test_the_named_lists_resample_once_and_nearly_as_one_by_one(make: object, size: int) -> None:
    assert callable(make)
    listed = make()
    given = smooth(4, 40, 40)
    together = transforms.compose(listed)(given, draws(range(4)))
    single, streams = given, draws(range(4))
    for item in listed:
        single = item(single, streams)
    assert together.shape == single.shape == (4, 3, size, size)
    # They differ by a second interpolation, and at the border, which a jitter before a turn cuts off.
    middle = slice(size // 4, -(size // 4))
    assert float((together - single)[:, :, middle, middle].abs().max()) < 0.05
    assert float((together - given.mean()).abs().max()) > 0.2


def test_whole_pixels_are_moved_exactly() -> None:
    both = transforms.compose([transforms.pad(3, "constant"), transforms.jitter(4)])
    streams = draws()
    expected = transforms.jitter(4)(transforms.pad(3, "constant")(pictures(), streams), streams)
    assert torch.equal(both(pictures(), draws()), expected)
    merged = transforms.pad(3, "constant").then(transforms.jitter(4))  # type: ignore[union-attr,arg-type]
    assert torch.allclose(merged(pictures(), draws()), expected, atol=1e-4)


def test_compose_keeps_order_and_says_it() -> None:
    def darker(shaken: Tensor, streams: Draws) -> Tensor:
        return shaken / 2

    shake = transforms.compose([transforms.jitter(2), darker, transforms.pad(1, "constant", 1.0)])
    found = shake(pictures(), draws())
    assert shake.name == "jitter(2), darker, pad(1, constant, value=1)"
    assert torch.equal(found[:, :, 1:-1, 1:-1], transforms.jitter(2)(pictures(), draws()) / 2)
    assert bool((found[:, :, 0] == 1).all())
    assert torch.equal(transforms.compose([])(pictures(), draws()), pictures())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: transforms.pad(-1), "expected 0 pixels or more"),
        (lambda: transforms.pad(1, "circle"), "expected the mode reflect, constant or uniform"),  # type: ignore[arg-type]
        (lambda: transforms.jitter(-2), "expected 0 pixels or more"),
        (lambda: transforms.random_scale([]), "expected factors above 0"),
        (lambda: transforms.random_scale([0.0]), "expected factors above 0"),
        (lambda: transforms.random_rotate([]), "expected at least one angle"),
        (lambda: transforms.noise(-0.1), "expected a standard deviation"),
        (lambda: transforms.random_crop(0), "expected a size of 1 or more"),
        (lambda: transforms.random_crop(9, 0.2, 0.5), "0 < last <= first <= 1"),
        (lambda: transforms.jitter(17)(pictures(), draws()), "leaves nothing of a picture"),
        (lambda: transforms.crop(9)(pictures(), draws()), "leaves nothing of a picture"),
    ],
)
def test_what_makes_no_sense_is_refused(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(UsageError, match=message):
        make()
