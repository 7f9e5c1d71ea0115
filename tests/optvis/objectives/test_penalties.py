import numpy as np
import pytest
import torch

from agnostic.errors import UsageError
from agnostic.optvis import objectives as o
from agnostic.optvis.objectives.penalties import blurred


def blur(picture, width):
    """Average pixel by pixel: (h, w, c); the outermost ring of the window counts half, what is outside not at all."""
    height, length, reach = picture.shape[0], picture.shape[1], width // 2
    result = np.zeros_like(picture)
    for y in range(height):
        for x in range(length):
            total, count = 0, 0
            for v in range(max(0, y - reach), min(height, y + reach + 1)):
                for u in range(max(0, x - reach), min(length, x + reach + 1)):
                    weight = 0.5 if reach in (abs(v - y), abs(u - x)) else 1
                    total, count = total + weight * picture[v, u], count + weight
            result[y, x] = total / count
    return result


def planes(pictures):
    return torch.from_numpy(np.ascontiguousarray(pictures.transpose(0, 3, 1, 2)))


@pytest.fixture
def see_through(rng):
    return rng.random((2, 16, 14, 4), np.float32)


def test_total_variation(seen, pictures, ort, agree):
    across, down = np.abs(np.diff(pictures, axis=2)), np.abs(np.diff(pictures, axis=1))
    agree(o.total_variation()(seen), across.sum(axis=(1, 2, 3)) + down.sum(axis=(1, 2, 3)))
    maps = ort.behind("clip")
    expected = sum(np.abs(np.diff(maps, axis=axis)).sum(axis=(1, 2, 3)) for axis in (2, 3))
    agree(o.total_variation("clip")(seen), expected)


def test_distances_from_a_constant(seen, pictures, ort, agree):
    agree(o.l1()(seen), pictures.sum(axis=(1, 2, 3)))
    agree(o.l1("input", 0.5)(seen), np.abs(pictures - 0.5).sum(axis=(1, 2, 3)))
    agree(o.l2("input", constant=0.5)(seen), np.sqrt(1e-6 + ((pictures - 0.5) ** 2).sum(axis=(1, 2, 3))))
    agree(o.l1("silu")(seen), np.abs(ort.behind("silu")).sum(axis=(1, 2, 3)))
    agree(o.l2("silu", epsilon=4)(seen), np.sqrt(4 + (ort.behind("silu") ** 2).sum(axis=(1, 2, 3))))


def test_they_go_by_lucids_names_too():
    assert (o.l1, o.l2) == (o.L1, o.L2)


def test_a_flat_picture_has_a_finite_distance(net, look):
    leaf = torch.full((1, 3, 16, 14), 0.5, requires_grad=True)
    view = look(net, np.full((1, 16, 14, 3), 0.5, np.float32))
    view.pictures = leaf
    o.l2("input", 0.5)(view).sum().backward()
    assert torch.isfinite(leaf.grad).all()


@pytest.mark.parametrize("width", [3, 5])
def test_a_blur_counts_the_outermost_half(width, pictures):
    expected = np.stack([blur(picture, width) for picture in pictures])
    np.testing.assert_allclose(blurred(planes(pictures), width), planes(expected), rtol=1e-5)


def test_what_is_lost_in_a_blur(seen, pictures, agree):
    lost = pictures - np.stack([blur(picture, 3) for picture in pictures])
    agree(o.blur_input_each_step()(seen), 0.5 * (lost**2).sum(axis=(1, 2, 3)))


def test_a_step_down_blurs_the_picture(net, pictures, look):
    # x - k * gradient = (1 - k) x + k blur(x): the blur itself has to stand still.
    leaf = planes(pictures).requires_grad_()
    view = look(net, pictures)
    view.pictures = leaf
    o.blur_input_each_step()(view).sum().backward()
    stepped = (leaf - 0.3 * leaf.grad).detach()
    torch.testing.assert_close(stepped, 0.7 * planes(pictures) + 0.3 * blurred(planes(pictures), 3))


def test_the_blur_of_opacity(net, see_through, look, agree):
    lost = (see_through - np.stack([blur(picture, 3) for picture in see_through]))[..., 3]
    agree(o.blur_alpha_each_step()(look(net, see_through, alpha=True)), 0.5 * (lost**2).sum(axis=(1, 2)))


def test_a_border_is_to_be_smooth_and_grey(seen, pictures, agree):
    border = np.ones((16, 14, 1))
    border[3:-3, 3:-3] = 0
    smooth = np.stack([blur(picture, 5) for picture in pictures])
    cost = (smooth - pictures) ** 2 + 0.8 * (pictures - 0.5) ** 2
    agree(o.penalize_boundary_complexity(3)(seen), -(cost * border).sum(axis=(1, 2, 3)))
    # All of it is border where the picture is no larger.
    agree(o.penalize_boundary_complexity()(seen), -cost.sum(axis=(1, 2, 3)))


def test_a_mask_and_a_level_of_its_own(seen, pictures, agree, rng):
    mask = rng.random((16, 14))
    smooth = np.stack([blur(picture, 5) for picture in pictures])
    cost = (smooth - pictures) ** 2 + 0.8 * (pictures - 0.2) ** 2
    expected = -(cost * mask[..., None]).sum(axis=(1, 2, 3))
    agree(o.penalize_boundary_complexity(mask=mask, level=0.2)(seen), expected)


def test_opacity(net, see_through, look, ort, agree):
    view = look(net, see_through, alpha=True)
    full, part = see_through[..., 3].mean(axis=(1, 2)), see_through[:, 2:-2, 2:-2, 3].mean(axis=(1, 2))
    agree(o.opacity()(view), full)
    agree(o.opacity(2)(view), part)
    # The transparency notebook's sum of a unit weighed by how little is drawn.
    unit = o.channel("clip", 1)
    weighed = unit * (1 - o.opacity()) * 0.5 + unit * (1 - o.opacity(2))
    agree(weighed(view), unit(view).numpy() * (0.5 * (1 - full) + 1 - part))
    assert weighed.name.startswith("channel(clip, 1) * (1 - opacity()) * 0.5 + ")


@pytest.mark.parametrize("make", [o.blur_alpha_each_step, o.opacity])
def test_opacity_is_of_pictures_that_have_it(make, seen):
    with pytest.raises(UsageError, match=r"these have none: store them with image\(alpha=True\)"):
        make()(seen)


def test_what_makes_no_sense_is_said(seen, net, see_through, look):
    for make in (lambda: o.penalize_boundary_complexity(0), lambda: o.opacity(-1)):
        with pytest.raises(UsageError, match="expected a"):
            make()
    with pytest.raises(UsageError, match=r"the mask is \[3, 3\], the pictures are \[16, 14\]: give one size"):
        o.penalize_boundary_complexity(mask=np.ones((3, 3)))(seen)
    with pytest.raises(UsageError, match=r"opacity\(7\) leaves nothing of a picture of 14 x 16 pixels"):
        o.opacity(7)(look(net, see_through, alpha=True))
