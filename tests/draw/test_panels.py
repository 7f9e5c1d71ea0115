import numpy as np
import pytest

from agnostic.draw.light import dimmed
from agnostic.draw.overlays import Scale, overlay, shared_scale
from agnostic.draw.panels import Panel, drawn, enlarged
from agnostic.errors import InputError, UsageError

PICTURE = np.random.default_rng(0).integers(0, 256, (50, 70, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("height", "across", "width", "shape"),
    [
        (100, 100, 100, (100, 100)),
        (100, 100, 300, (300, 300)),
        (28, 28, 560, (560, 560)),
        (28, 28, 570, (560, 560)),  # pixels are squares: twenty each
        (300, 451, 560, (373, 560)),
        (2000, 3000, 560, (373, 560)),
        (1000, 100, 200, (300, 30)),  # no taller than one and a half times the column
        (1, 4000, 400, (1, 400)),
    ],
)
def test_sizes(height: int, across: int, width: int, shape: tuple[int, int]) -> None:
    assert enlarged(np.zeros((height, across, 3), np.uint8), width).shape[:2] == shape


@pytest.mark.parametrize("times", [1, 2, 3, 8])
def test_an_integer_scale_repeats_pixels(times: int) -> None:
    large = enlarged(PICTURE, 70 * times)
    for offset in range(times):
        np.testing.assert_array_equal(large[offset::times, offset::times], PICTURE)


def test_an_input_panel_is_untouched() -> None:
    panel = drawn(Panel(PICTURE, "in"), 140)
    np.testing.assert_array_equal(panel.image[::2, ::2], PICTURE)
    assert panel.scale is None


def test_a_heat_panel_is_the_overlay_of_its_own_scale() -> None:
    values = np.random.default_rng(1).random((5, 7))
    panel = drawn(Panel(PICTURE, "heat", values=values, style="heat"), 70)
    np.testing.assert_array_equal(panel.image, overlay(PICTURE, values))
    assert panel.scale == shared_scale([values])


def test_the_pixels_of_a_tiny_map_stay_pixels() -> None:
    picture = np.full((28, 28, 3), 128, np.uint8)
    values = np.zeros((28, 28))
    values[5, 9] = 1
    image = drawn(Panel(picture, "spike", values=values, style="heat"), 280).image
    lit = (image != dimmed(picture)[0, 0]).any(axis=-1)
    assert lit[50:60, 90:100].all() and lit.sum() == 100


def test_pieces_of_a_tiny_map_grow_with_it() -> None:
    picture, quarters = np.full((8, 8, 3), 90, np.uint8), np.kron([[0, 1], [2, 3]], np.ones((4, 4), np.int32))
    panel = Panel(picture, "m", values=(quarters == 1).astype(np.float32), segments=quarters, style="heat")
    image = drawn(panel, 160).image.astype(int)
    change = np.abs(image - image[-1, 0]).sum(-1)
    assert image.shape == (160, 160, 3)
    assert change[10:70, 90:150].min() > 50 and change[90:150, 10:70].max() == 0


def test_a_pieces_panel_takes_its_scale_from_its_weights() -> None:
    segments = np.arange(2).repeat(35)[None].repeat(50, axis=0)
    panel = drawn(Panel(PICTURE, "LIME", segments=segments, weights=np.array([0.2, -0.6]), style="pieces"), 70)
    assert panel.scale == Scale(-0.6, 0.6) and panel.diverging


def test_panels_share_a_bar_when_they_were_given_one_scale() -> None:
    values, scale = np.ones((5, 7)), Scale(0, 2)
    given = drawn(Panel(PICTURE, "a", values=values, style="heat", scale=scale), 70)
    same = drawn(Panel(PICTURE, "b", values=values / 2, style="heat", scale=scale), 70)
    signed = drawn(Panel(PICTURE, "c", values=values, style="heat", signed=True, scale=scale), 70)
    own = drawn(Panel(PICTURE, "d", values=2 * values, style="heat"), 70)
    assert given.shares_bar(same)
    assert not given.shares_bar(signed) and not given.shares_bar(own) and not own.shares_bar(own)


def test_a_panel_says_what_it_lacks() -> None:
    with pytest.raises(UsageError, match="'RISE' has no values"):
        Panel(PICTURE, "RISE", style="heat")
    with pytest.raises(UsageError, match="'LIME' lacks its pieces"):
        Panel(PICTURE, "LIME", style="pieces", weights=np.ones(2))
    with pytest.raises(InputError, match="expected uint8"):
        Panel(PICTURE[..., 0], "grey")
