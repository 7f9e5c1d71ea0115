"""Pictures composed of their parts, and what the rendering loop does for them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import agnostic
from agnostic.errors import UsageError
from agnostic.optvis import Lens, render
from agnostic.optvis.canvas import Canvas, Param
from agnostic.optvis.draws import Draws
from agnostic.optvis.objective import objective
from agnostic.optvis.params import (
    PHOTO,
    aligned,
    cppn,
    estimate,
    fft,
    from_picture,
    image,
    image_sample,
    laplacian_pyramid,
    phases,
    pixels,
    to_valid_rgb,
)
from agnostic.optvis.params.images import Attention
from agnostic.optvis.transforms import random_crop, transform

PICTURE = Path(agnostic.__file__).parent / "models/pictures/cat_and_coffee.png"


@pytest.fixture(scope="module")
def lens() -> Lens:
    return Lens(agnostic.load("squeezenet"))


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    return np.asarray(Image.open(PICTURE).convert("RGB").resize((64, 48)), np.float32) / 255


@objective
def left(layer: str = "input"):  # type: ignore[no-untyped-def]
    """Brighten the left quarter; no model is needed for it."""
    return lambda seen: seen(layer)[:, :3, :, : seen(layer).shape[3] // 4].mean(dim=(1, 2, 3))


def test_a_picture_is_its_basis_in_colours() -> None:
    drawn = image(10, 6, basis=pixels(1.0))(Draws(0, [3])).draw()
    raw = pixels(1.0)(Draws(0, [3]), 3, 6, 10).raw()
    assert torch.equal(drawn, to_valid_rgb(raw, PHOTO)) and drawn.shape == (1, 3, 6, 10)
    plain = image(10, 6, basis=pixels(1.0), colours=None)(Draws(0, [3])).draw()
    assert torch.equal(plain, torch.sigmoid(raw))


def test_channels_grey_and_opacity() -> None:
    five = image(4, basis=pixels(1.0), channels=5)(Draws(0, [0]))
    (stored,) = five.variables.values()
    np.testing.assert_allclose(five.draw().detach(), torch.sigmoid(stored).detach(), atol=1e-6)
    grey = image(4, basis=pixels(1.0), grey=True, alpha=True)(Draws(0, [0]))
    (stored,) = grey.variables.values()
    drawn = grey.draw()
    assert stored.shape == (1, 2, 4, 4) and grey.alpha
    assert torch.equal(drawn, torch.sigmoid(stored)[:, [0, 0, 0, 1]])
    assert image(4, alpha=True)(Draws(0, [0])).draw().shape == (1, 4, 4, 4)
    with pytest.raises(UsageError, match="gradient"):
        image(4, alpha="yes")  # type: ignore[arg-type]


def test_names_say_how_to_make_it_again() -> None:
    assert image(64, basis=fft(decay=1.5) + cppn()).name == "image(64, basis=fft(decay=1.5) + cppn())"


def test_what_a_basis_asks_for_reaches_the_canvas() -> None:
    canvas = image(8, basis=aligned(cppn(2, 1)))(Draws(0, [0, 1]))
    assert canvas.couples and canvas.learning_rate == 0.005


@pytest.mark.parametrize("basis", [None, fft(sd=0, decay=1.5), laplacian_pyramid(3, sd=0), cppn(4, 2)])
@pytest.mark.parametrize("alpha", [False, True])
def test_the_first_picture_is_the_given_one(basis: object, alpha: bool, photograph: np.ndarray) -> None:
    drawn = from_picture(photograph, basis=basis, alpha=alpha)(Draws(0, [0, 1])).draw().detach()  # type: ignore[arg-type]
    for one in drawn:
        assert np.abs(one[:3].movedim(0, -1).numpy() - photograph).max() < 1.01e-3
    assert drawn.shape[1] == 3 + alpha


def test_starting_pictures_of_other_depths_and_colours(photograph: np.ndarray) -> None:
    five = np.random.default_rng(0).random((6, 4, 5))
    drawn = from_picture(five)(Draws(0, [0])).draw().detach()[0].movedim(0, -1)
    np.testing.assert_allclose(drawn, five, atol=1.01e-3)
    own = from_picture(photograph, colours=estimate([photograph]))(Draws(0, [0])).draw().detach()[0].movedim(0, -1)
    np.testing.assert_allclose(own, photograph, atol=1.01e-3)
    with pytest.raises(UsageError, match="expected"):
        from_picture(five[0])


def test_accentuation_moves_coefficients_by_their_weight(photograph: np.ndarray, lens: Lens) -> None:
    """Adam moves every coefficient alike at first: the picture's change is strongest where waves are long."""
    start = from_picture(photograph)
    before = start(Draws(0, [0])).draw().detach()[0].movedim(0, -1).numpy()
    after = render(lens, left(), start, steps=1, transforms=[], learning_rate=1e-3).pictures[0]
    raised = np.log(after / (1 - after)) - np.log(before / (1 - before))
    change = np.abs(np.fft.rfft2(raised.mean(axis=2)))
    assert change[0, 1:4].mean() > 5 * change[0, 20:].mean()


def test_a_background_is_random_and_coloured_like_photographs() -> None:
    one = image_sample(Draws(0, [0, 1]), 3, 64, 64)
    assert one.shape == (2, 3, 64, 64) and not one.requires_grad
    assert one.min() >= 0 and one.max() <= 1 and one.std() > 0.05
    raw = fft(0.2, 1.5)(Draws(0, [0, 1]), 3, 64, 64).raw()
    assert torch.equal(one, to_valid_rgb(raw).detach())
    assert image_sample(Draws(0, [0]), 5, 8, 8).shape == (1, 5, 8, 8)


def test_opacity_is_the_sum_of_the_gradients_sizes() -> None:
    attention = Attention()
    pictures = torch.rand(2, 3, 8, 8)
    assert attention.finish(pictures)[:, 3].eq(1).all()
    gradient = torch.zeros(2, 3, 8, 8)
    gradient[0, :, :, :4], gradient[1, 0, 4:] = -1.0, 3.0
    attention.observe(gradient)
    attention.observe(gradient / 2)
    shown = attention.finish(pictures)
    assert torch.equal(shown[:, :3], pictures)
    assert shown[0, 3, :, 0].eq(1).all() and shown[0, 3, :, 7].eq(0).all()
    assert shown[1, 3, 7].eq(1).all() and shown[1, 3, 0].eq(0).all()


def test_pictures_show_what_the_objective_cared_for(lens: Lens) -> None:
    found = render(lens, left(), image(32, alpha="gradient"), steps=3, transforms=[])
    opacity = found.pictures[0, :, :, 3]
    assert opacity[:, :6].min() == 1 and opacity[:, 12:].max() == 0
    plain = render(lens, left(), image(32), steps=3, transforms=[])
    np.testing.assert_array_equal(found.pictures[..., :3], plain.pictures)


def test_views_are_averaged(lens: Lens) -> None:
    """Shifts by a known number of columns: the mean of two views' gradients is that of the mean of two objectives."""
    moments: list[float] = []

    @transform
    def alternately():  # type: ignore[no-untyped-def]
        def function(pictures: torch.Tensor, draws: Draws) -> torch.Tensor:
            moments.append(draws.progress)
            return pictures * (1.0 if len(moments) % 2 else 0.5)

        return function

    @objective
    def shown():  # type: ignore[no-untyped-def]
        return lambda seen: seen.shown[:, :3].square().mean(dim=(1, 2, 3))

    param = image(16, basis=pixels(0.1))
    found = render(lens, shown(), param, steps=2, views=2, transforms=[alternately()])
    assert moments == [0.0, 0.0, 0.5, 0.5]
    first = param(Draws(0, [0])).draw().detach().numpy()
    np.testing.assert_allclose(found.values[0, 0], np.square(first).mean() * (1 + 0.25) / 2, rtol=1e-5)
    assert found.recipe["views"] == 2
    with pytest.raises(UsageError, match="views=0"):
        render(lens, shown(), param, steps=2, views=0)


def test_a_canvas_is_told_the_mean_gradient_of_the_views(lens: Lens) -> None:
    told: list[torch.Tensor] = []

    def watched(draws: Draws) -> Canvas:
        return replace(image(8, basis=pixels())(draws), observe=told.append)

    for views in (1, 3):
        render(lens, left(), Param(watched, "watched"), steps=1, views=views, transforms=[])
    expected = np.zeros((1, 3, 8, 8), np.float32)
    expected[..., :2] = 1 / (3 * 8 * 2)
    for gradient in told:
        np.testing.assert_allclose(gradient, expected, rtol=1e-5)
    assert len(told) == 2


@pytest.mark.parametrize(
    "basis", [pixels(), fft(), laplacian_pyramid(), cppn(8, 3), phases()], ids=lambda basis: basis.name
)
def test_a_unit_grows_in_every_basis(basis: object, lens: Lens) -> None:
    def follow() -> np.ndarray:
        param = image(48, basis=basis)  # type: ignore[arg-type]
        found = render(lens, "fire3/concat:5", param, steps=12, transforms=[], seed=4)
        assert found.values[-3:].mean() > found.values[:2].mean() + 0.5
        return found.pictures

    assert follow().tobytes() == follow().tobytes()


def test_crops_lie_within_the_picture_where_they_should() -> None:
    """Columns and rows hold their own number, so that the sampled picture tells where the window was."""
    ramp = torch.linspace(0.5, 199.5, 200)
    places = torch.stack([ramp.expand(200, 200), ramp[:, None].expand(200, 200)]).expand(300, -1, -1, -1)
    draws = Draws(0, range(300))
    draws.progress = 1.0
    seen = random_crop(20, 0.5, 0.3)(places, draws)
    first, last = seen[:, 0, 0, 0], seen[:, 0, 0, -1]
    sides = (last - first) * 20 / 19 / 200
    assert abs(float(sides.mean()) - 0.3) < 0.01 and abs(float(sides.std()) - 0.05) < 0.01
    centres = (first + last) / 2 / 200
    low, high = centres - sides / 2, centres + sides / 2
    assert low.min() >= -1e-3 and high.max() <= 1 + 1e-3
    assert abs(float(centres.mean()) - 0.5) < 0.03 and 0.12 < float(centres.std()) < 0.16
