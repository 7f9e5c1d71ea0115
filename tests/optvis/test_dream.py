import json

import numpy as np
import pytest
import torch

from agnostic.engine.limits import time_limit
from agnostic.errors import ItemError, UsageError
from agnostic.optvis import dream as room
from agnostic.optvis.dream import DreamSettings, dream, normalised, octave_sizes
from agnostic.optvis.lens import Lens
from agnostic.optvis.objective import Objective
from agnostic.optvis.objectives import deepdream

WEIGHTS = np.array([0.5, -1.0, 2.0], np.float32)


@pytest.fixture
def lens_of(opened):
    def lens_of(side="h,w", kernel=1):
        text = (
            f"net (float[n,3,{side}] x) => (float[n,1] y) {{ a = Conv(x, w) p = GlobalAveragePool(a) y = Flatten(p) }}"
        )
        weights = np.broadcast_to(WEIGHTS.reshape(1, 3, 1, 1), (1, 3, kernel, kernel)).copy()
        preprocess = {"size": [8, 8], "mean": [0.0], "std": [1.0]}
        return Lens(opened(text, {"w": weights}, metadata={"agnostic.preprocess": json.dumps(preprocess)}))

    return lens_of


@pytest.fixture
def picture(rng):
    return rng.uniform(0.3, 0.7, (20, 28, 3)).astype(np.float32)


def one_step(picture, size):
    """The derivative of (w.p)^2 is along w times w.p: brought to a root mean square of one, times the step."""
    direction = (picture @ WEIGHTS)[..., None] * WEIGHTS
    return picture + size * direction / np.sqrt(np.square(direction).mean())


@pytest.mark.parametrize("side", ["h,w", "8,8"])
def test_a_step_is_the_gradient_of_the_mean_square(lens_of, picture, side):
    """Also tile by tile, where the last tiles overlap those before, and wherever the picture is shifted to."""
    settings = DreamSettings(octaves=1, steps=1, step_size=0.02, normalise="unit", seed=3)
    made = dream(lens_of(side), deepdream("a"), picture, settings)
    np.testing.assert_allclose(made.pictures[0], one_step(picture, 0.02), atol=2e-6)
    if side == "h,w":
        np.testing.assert_allclose(made.values, [[np.square(picture @ WEIGHTS).mean()]], rtol=1e-5)


def test_a_picture_smaller_than_the_model_is_framed(lens_of, picture):
    small = picture[:5, :6]
    settings = DreamSettings(octaves=1, steps=1, step_size=0.02, normalise="unit")
    made = dream(lens_of("8,8"), deepdream("a"), small, settings)
    np.testing.assert_allclose(made.pictures[0], one_step(small, 0.02), atol=2e-6)


def test_a_large_picture_is_gone_through_in_tiles(lens_of, picture, monkeypatch):
    settings = DreamSettings(octaves=1, steps=1, step_size=0.02, normalise="unit")
    monkeypatch.setattr(room, "_LARGEST_TILE", 9)
    made = dream(lens_of(), deepdream("a"), picture, settings)
    np.testing.assert_allclose(made.pictures[0], one_step(picture, 0.02), atol=2e-6)


def test_what_is_not_dreamt_of_stays(lens_of, picture):
    """Octaves add detail to the picture; of a picture without gradient nothing is lost in being made small."""
    still = Objective(lambda seen: 0 * seen("a").mean(dim=(1, 2, 3)), "still")
    made = dream(lens_of(), still, np.tile(picture, (4, 4, 1)), DreamSettings(octaves=3, steps=2))
    np.testing.assert_allclose(made.pictures[0], np.tile(picture, (4, 4, 1)), atol=1e-6)
    assert not made.moved[0]


def test_pixels_stay_pixels(lens_of, picture):
    made = dream(lens_of(), deepdream("a"), picture, DreamSettings(octaves=1, steps=10, step_size=0.3))
    assert made.pictures.min() == 0 and made.pictures.max() == 1 and made.pictures.dtype == np.float32


def test_the_seed_decides(lens_of, picture):
    def made(**settings):
        return dream(lens_of(kernel=3), deepdream("a"), picture, DreamSettings(steps=3, **settings)).pictures.tobytes()

    assert made(seed=1) == made(seed=1) != made(seed=2)
    assert made(seed=1, stream=5) != made(seed=1)


@pytest.mark.parametrize(
    ("size", "octaves", "scale", "sizes"),
    [
        ((100, 200), 3, 2.0, [(50, 100), (100, 200)]),
        ((256, 256), 4, 2.0, [(32, 32), (64, 64), (128, 128), (256, 256)]),
        ((140, 196), 2, 1.4, [(100, 140), (140, 196)]),
        ((10, 300), 3, 1.5, [(10, 300)]),
    ],
)
def test_octaves_end_with_the_size_of_the_picture(size, octaves, scale, sizes):
    assert octave_sizes(size, octaves, scale) == sizes


def band_strengths(values):
    waves = np.abs(np.fft.rfft2(values[0, 0].numpy()))
    return waves[0, 2], waves[0, 20]


def test_all_frequencies_come_to_one_strength():
    """A coarse wave forty times as strong as a fine one."""
    columns = torch.arange(64) / 64 * 2 * torch.pi
    waves = (torch.cos(2 * columns) + torch.cos(20 * columns) / 40).expand(1, 1, 64, 64)
    coarse, fine = band_strengths(waves)
    assert coarse / fine == pytest.approx(40, rel=1e-3)
    for how, most, least in (("unit", 40.1, 39.9), ("laplacian", 10, 0.1)):
        found = normalised(waves, how)
        assert found.square().mean() == pytest.approx(1, rel=1e-4)
        coarse, fine = band_strengths(found)
        assert least < coarse / fine < most
    assert torch.equal(normalised(torch.zeros(1, 3, 8, 8), "laplacian"), torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (3, 2), (37, 5)])
def test_any_size_is_normalised(shape):
    found = normalised(torch.linspace(-1, 2, shape[0] * shape[1]).view(1, 1, *shape), "laplacian")
    assert found.shape == (1, 1, *shape) and found.square().mean() == pytest.approx(1, rel=1e-4)


def test_an_interrupt_keeps_the_picture(lens_of, picture):
    large = np.tile(picture, (4, 4, 1))

    def watch(done, steps, value):
        assert steps == 9
        if done == 4:
            raise KeyboardInterrupt

    settings = DreamSettings(octaves=3, steps=3, octave_scale=1.2)
    made = dream(lens_of(), deepdream("a"), large, settings, watch)
    assert made.stopped == "interrupt" and made.pictures[0].shape == large.shape
    assert np.isfinite(made.values[:4]).all() and np.isnan(made.values[4:]).all()
    assert np.abs(made.pictures[0] - large).max() > 0.01


def test_the_end_of_the_time_keeps_the_picture(lens_of, picture):
    with time_limit(1e-6):
        made = dream(lens_of(), deepdream("a"), picture)
    assert made.stopped == "time" and np.array_equal(made.pictures[0], picture) and np.isnan(made.values).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"octaves": 0}, "octaves=0, steps=20: expected at least one of each"),
        ({"octave_scale": 1.0}, "octave_scale=1, step_size=0.01: expected more than 1, more than 0"),
        ({"step_size": 0.0}, "octave_scale=1.4, step_size=0: expected more than 1, more than 0"),
        ({"normalise": "none"}, "normalise='none': expected laplacian or unit"),
    ],
)
def test_settings_that_make_no_sense_are_refused(lens_of, picture, settings, message):
    with pytest.raises(UsageError) as caught:
        dream(lens_of(), deepdream("a"), picture, DreamSettings(**settings))
    assert str(caught.value) == message


def test_a_picture_of_other_channels_is_refused(lens_of, picture):
    with pytest.raises(UsageError, match="the picture has 1 channels, the model's pictures 3"):
        dream(lens_of(), deepdream("a"), picture[..., :1])


def test_an_objective_that_is_not_finite_is_named(lens_of, picture):
    with pytest.raises(ItemError, match="deepdream"):
        dream(lens_of(), deepdream("a") * float("nan"), picture)


def test_an_unknown_layer_is_met_with_the_nearest(lens_of, picture):
    with pytest.raises(UsageError, match="unknown layer"):
        dream(lens_of(), deepdream("aa"), picture)
