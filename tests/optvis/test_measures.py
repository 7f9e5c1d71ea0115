from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from agnostic.engine.gradients import Parity
from agnostic.errors import ModelError, UsageError
from agnostic.optvis.lens import Lens
from agnostic.optvis.measures import Measures, as_saved, fine_share, measure, plain_measures
from agnostic.optvis.rendering import Rendering, as_picture
from agnostic.optvis.scoring import Scorer

PLAIN = {"mean": [0.0], "std": [1.0], "scale": 1 / 255, "size": [12, 12]}
# The first unit weighs colours, the second answers to fine detail, the third is off whatever it sees.
UNITS = """net (float[n,3,12,12] x) => (float[n,3] y) {
    c = Conv(x, w, b) r = Relu(c) p = GlobalAveragePool(r) y = Flatten(p)
}"""
# What stands behind the map is made for one size.
FIXED = "net (float[n,3,12,12] x) => (float[n,2] y) { c = Conv(x, w) f = Flatten(c) y = MatMul(f, v) }"


def weights():
    w = np.zeros((3, 3, 1, 3), np.float32)
    w[0, :, 0, 1] = 1, 2, 3
    w[1, :, 0, 0], w[1, :, 0, 1] = 1, -1
    return {"w": w, "b": np.array([-2, 0, -100], np.float32)}


@pytest.fixture
def units(opened):
    return Scorer(Lens(opened(UNITS, weights(), preprocess=PLAIN)))


def rendering(pictures, moved=None, stopped=""):
    values = np.array([[0.25] * len(pictures), [0.5] * len(pictures), [np.nan] * len(pictures)], np.float32)
    reached = np.ones(len(pictures), np.bool_) if moved is None else np.array(moved)
    return Rendering(pictures.astype(np.float32), {}, values, reached, stopped, {})


def measured(scorer, pictures, *names, **options):
    targets = [scorer.model.target(name) for name in names]
    return measure(scorer, rendering(pictures, **options), targets)


def wave(cycles, size=32):
    return np.broadcast_to(np.cos(2 * np.pi * cycles * np.arange(size))[:, None, None], (size, size, 1))


def test_fine_share_of_two_waves_is_that_of_their_squared_heights():
    assert fine_share(0.5 + 0.3 * wave(1 / 16)) == pytest.approx(0, abs=1e-12)
    assert fine_share(0.5 + 0.3 * wave(3 / 8)) == pytest.approx(1)
    assert fine_share(0.5 + 0.3 * wave(1 / 16) + 0.1 * wave(3 / 8)) == pytest.approx(0.1**2 / (0.3**2 + 0.1**2))
    assert fine_share(np.full((9, 9, 3), 0.7)) == 0


@pytest.mark.parametrize("shape", [(8, 8), (9, 7), (7, 10), (12, 9)])
def test_fine_share_equals_the_full_spectrum(rng, shape):
    picture = rng.random((*shape, 3))
    light = picture @ [0.299, 0.587, 0.114]
    energy = np.abs(np.fft.fft2(light)) ** 2
    energy[0, 0] = 0
    length = np.hypot(np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None])
    assert fine_share(picture) == pytest.approx(energy[length > 0.25].sum() / energy.sum())


@pytest.mark.parametrize("size", [12, 7, 20])
def test_activation_is_the_mean_over_positions_at_the_size_rendered(units, rng, size):
    pictures = as_saved(rng.random((2, size, size, 3)).astype(np.float32))
    linear = pictures @ np.array([1, 2, 3]) - 2
    found = measured(units, pictures, "r:0", "r:0")
    for row in range(2):
        # The kernel is one row high and three wide, without a border: the outer columns are not seen.
        inside = linear[row][:, 1:-1]
        assert found[row].activation == pytest.approx(np.maximum(inside, 0).mean(), rel=1e-5)
        assert found[row].before == pytest.approx(inside.mean(), rel=1e-4, abs=1e-5)
        assert found[row].objective == 0.5


def test_one_position_is_read_there(units, rng):
    pictures = as_saved(rng.random((1, 12, 12, 3)).astype(np.float32))
    (found,) = measured(units, pictures, "r:0@4,5")
    assert found.activation == pytest.approx(max(pictures[0, 4, 6] @ np.array([1, 2, 3]) - 2, 0), rel=1e-5)


def test_a_model_of_one_size_is_shown_the_picture_cut_or_padded_to_it(opened, rng):
    shapes = {"w": (2, 3, 3, 3), "v": (200, 2)}
    model = opened(
        FIXED, {name: rng.normal(size=shape).astype("f4") for name, shape in shapes.items()}, preprocess=PLAIN
    )
    scorer = Scorer(Lens(model))
    small = as_saved(rng.random((1, 8, 8, 3)).astype(np.float32))
    padded = np.full((1, 12, 12, 3), 0.5, np.float32)
    padded[:, 2:10, 2:10] = small
    expected = model.run(np.moveaxis(padded, -1, 1))["y"][0, 1]
    assert measured(scorer, small, "1")[0].activation == pytest.approx(expected, rel=1e-5)
    # The map in front of what is fixed does run at the picture's own size.
    assert scorer.tensors(small, ["c"])["c"].shape == (1, 2, 6, 6)


def test_what_is_the_same_under_every_transform_holds_wholly(units):
    (found,) = measured(units, np.full((1, 12, 12, 3), 0.5, np.float32), "r:0")
    assert found.robust == pytest.approx(found.activation)
    assert found.share == pytest.approx(1)


def test_detail_of_single_pixels_does_not_hold(units):
    stripes = np.zeros((1, 24, 24, 3), np.float32)
    stripes[:, :, ::2] = 1
    (found,) = measured(units, stripes, "r:1")
    assert found.activation == pytest.approx(3 * 11 / 22)
    assert found.share < 0.8
    assert found.fine == pytest.approx(1)


def test_random_transforms_come_from_the_seed_alone(units, rng):
    pictures = rng.random((2, 16, 16, 3)).astype(np.float32)
    together = measured(units, pictures, "r:1", "r:1")
    alone = measured(units, pictures[1:], "r:1")
    assert together[1].robust == pytest.approx(alone[0].robust, rel=1e-6)
    target = units.model.target("r:1")
    other = measure(units, rendering(pictures[1:]), [target], seed=1)
    assert other[0].robust != alone[0].robust
    with pytest.raises(UsageError, match="0 random transforms"):
        measure(units, rendering(pictures[:1]), [target], trials=0)


def test_a_unit_that_is_off_everywhere_is_dead_and_one_below_zero_without_a_relu_is_not(units, rng):
    pictures = rng.random((4, 12, 12, 3)).astype(np.float32)
    found = measured(units, pictures, "r:2", "c:2", "r:0", "r:0", moved=[True, True, True, False])
    assert [item.dead for item in found] == [True, False, False, True]
    assert found[1].activation < 0 and found[1].share is None


def test_what_is_to_be_low_is_read_before_its_activation_function(units):
    dark = np.zeros((1, 12, 12, 3), np.float32)
    (found,) = measured(units, dark, "-r:0")
    assert found.activation == pytest.approx(2)
    assert not found.dead


def test_numbers_are_those_of_the_file(units, rng, tmp_path):
    pictures = rng.random((1, 12, 12, 3)).astype(np.float32)
    (found,) = measured(units, pictures, "r:0")
    as_picture(pictures[0]).save(tmp_path / "unit.png")
    sample = np.asarray(Image.open(tmp_path / "unit.png"))
    row = units.model.preprocess.row(sample)[None]
    assert found.activation == pytest.approx(units.model.score(row, [units.model.target("r:0")])[0, 0], rel=1e-6)


def test_percentile_counts_the_pictures_below():
    found = Measures(None, activation=2.0).beside(np.array([1.0, 1.5, 4.0, 0.0]))
    assert (found.percentile, found.times) == (75.0, 0.5)
    assert Measures(None, activation=2.0).beside(np.array([-1.0])).times is None
    assert Measures(None).beside(np.array([1.0])).percentile is None


def test_plain_measures_need_no_model(rng):
    (found,) = plain_measures(rendering(rng.random((1, 8, 8, 3)), moved=[False]))
    assert (found.objective, found.activation, found.dead) == (0.5, None, True)
    assert replace(found, objective=1 / 3).as_dict()["objective"] == 0.333333


def test_transparent_pictures_lie_on_grey(units):
    clear = np.zeros((1, 12, 12, 4), np.float32)
    (found,) = measured(units, clear, "r:0")
    assert found.activation == pytest.approx(0.5 * 6 - 2)


def test_parity_is_taken_on_a_random_picture_and_another_model_refused(units, monkeypatch):
    target = units.model.target("r:0")
    found = units.parity([target], seed=0)
    assert found.scale > 0 and found.relative < 1e-5
    monkeypatch.setattr("agnostic.engine.gradients.parity", lambda *_: Parity(1.0, 2.0, "r"))
    with pytest.raises(ModelError, match="not the same model"):
        units.parity([target], seed=0)


def test_onnxruntime_agrees_with_the_reimport_at_a_size_the_file_does_not_declare(squeezenet_model, rng):
    lens = Lens(squeezenet_model)
    pictures = rng.random((2, 64, 48, 3)).astype(np.float32)
    names, axis = lens.tensors_of("fire4/concat")
    fetched = Scorer(lens).tensors(pictures, names)
    with torch.no_grad():
        expected = lens.run(torch.from_numpy(np.moveaxis(pictures, -1, 1)), names)
    assert (len(names), axis) == (2, 1)
    for name in names:
        scale = np.abs(fetched[name]).max()
        np.testing.assert_allclose(fetched[name] / scale, expected[name].numpy() / scale, atol=1e-5)
