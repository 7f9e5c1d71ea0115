"""The loop: known answers, reproducible pictures, and what happens when it is stopped."""

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import agnostic
from agnostic.engine.limits import time_limit
from agnostic.engine.model import Model
from agnostic.engine.runtime import OutOfMemoryError
from agnostic.errors import InputError, ItemError, UsageError
from agnostic.optvis import Rendering, objectives, rendering, transforms
from agnostic.optvis.lens import Lens, Seen
from agnostic.optvis.objective import Objective
from agnostic.optvis.params import image
from agnostic.optvis.rendering import render

SIDE = 15
NET = """net (float[n,C,h,w] x) => (float[n,4] y) {
    a = Conv<pads=[1,1,1,1]>(x, wa)
    r = Relu(a)
    b = Conv<strides=[2,2]>(r, wb)
    s = Relu(b)
    p = GlobalAveragePool(s)
    y = Flatten(p)
}"""

Make = Callable[..., Model]


def gabors() -> np.ndarray:
    """Eight filters: (8, side, side), of length 1 and mean 0."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    made = []
    for wavelength, phase in ((5, 0.0), (8, np.pi / 2)):
        for angle in np.arange(4) * np.pi / 4:
            across = x * np.cos(angle) + y * np.sin(angle)
            wave = np.exp(-(x**2 + y**2) / 18) * np.cos(2 * np.pi * across / wavelength + phase)
            made.append((wave - wave.mean()) / np.linalg.norm(wave - wave.mean()))
    return np.array(made, np.float32)


@pytest.fixture(scope="module")
def edges(opened: Make) -> Model:
    """A first layer of Gabor filters, each alike in all colours, behind a mean and deviation of photographs."""
    text = """net (float[n,3,h,w] x) => (float[n,8,p,q] y) { a = Conv<pads=[7,7,7,7]>(x, w) y = Relu(a) }"""
    weights = {"w": np.repeat(gabors()[:, None], 3, axis=1)}
    preprocess = {"size": [32, 32], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    return opened(text, weights, metadata={"agnostic.preprocess": json.dumps(preprocess)})


def net(opened: Make, channels: int = 3, layout: str = "NCHW", **metadata: str) -> Model:
    rng = np.random.default_rng(channels)
    weights = {
        "wa": rng.normal(size=(6, channels, 3, 3)).astype(np.float32) / 3,
        "wb": rng.normal(size=(4, 6, 3, 3)).astype(np.float32) / 3,
    }
    text = NET.replace("C", str(channels), 1)
    if layout == "NHWC":
        text = text.replace(f"float[n,{channels},h,w] x", f"float[n,h,w,{channels}] z")
        text = text.replace("a = Conv", "x = Transpose<perm=[0,3,1,2]>(z)\n a = Conv")
    return opened(text, weights, metadata=metadata)


@pytest.fixture(scope="module")
def small(opened: Make) -> Model:
    return net(opened)


def quick(model: Model | Lens, objective: Any = "s:1", param: Any = None, **settings: Any) -> Rendering:
    lens = model if isinstance(model, Lens) else Lens(model)
    channels = None if lens.space.channels == 3 else lens.space.channels
    return render(lens, objective, param or image(20, channels=channels), **{"steps": 6, **settings})


def test_each_units_picture_is_its_filter(edges: Model) -> None:
    """With a price on contrast the optimum has a closed form: grey plus the filter."""

    def priced(unit: int) -> Objective:
        def function(seen: Seen) -> torch.Tensor:
            energy = (seen("input") - 0.5).square().sum(dim=(1, 2, 3))
            return objectives.neuron("y", unit)(seen) - 6 * energy

        return Objective(function, f"priced({unit})")

    found = render(edges, [priced(unit) for unit in range(8)], image(33), transforms=[], steps=80)
    window = found.pictures[:, 9:24, 9:24] - 0.5
    for unit, expected in enumerate(gabors()):
        similar = [float(np.corrcoef(window[unit].mean(axis=-1).ravel(), other.ravel())[0, 1]) for other in gabors()]
        assert similar[unit] > 0.99
        assert int(np.argmax(similar)) == unit
        # The derivative of filter * x / 0.25 - 6 x^2 is zero at filter / 3.
        assert window[unit] == pytest.approx(np.repeat(expected[..., None] / 3, 3, axis=-1), abs=0.02)


def test_steps_go_up(small: Model) -> None:
    found = quick(small, ["s:0", "s:1", "s:2"], steps=40, redirect_steps=0)
    assert found.values.shape == (40, 3)
    assert (found.values[-5:].mean(axis=0) > found.values[:5].mean(axis=0)).all()
    assert found.moved.all()
    assert found.stopped == ""


def test_going_down_is_the_negative(small: Model) -> None:
    found = quick(small, [-objectives.channel("s", 1)], steps=30)
    assert found.values[-1, 0] > found.values[0, 0]
    assert found.recipe["objective"] == "-channel(s, 1)"


def test_snapshots_are_what_fewer_steps_give(small: Model) -> None:
    found = quick(small, steps=(2, 5, 3))
    assert sorted(found.snapshots) == [2, 3, 5]
    assert found.pictures.tobytes() == found.snapshots[5].tobytes()
    assert found.snapshots[3].tobytes() == quick(small, steps=3).pictures.tobytes()
    assert found.recipe["steps"] == 5


def test_a_seed_gives_the_same_bytes_and_another_others(small: Model) -> None:
    first, second, other = (quick(small, seed=seed).pictures for seed in (7, 7, 8))
    assert first.tobytes() == second.tobytes()
    assert np.abs(first - other).max() > 0.01


@pytest.mark.parametrize("size", [None, 16, 5])
def test_a_batchs_pictures_are_those_of_single_renders(small: Model, size: int | None) -> None:
    units = [f"s:{number % 4}" for number in range(16)]
    together = quick(small, units, batch_size=size, steps=8)
    for number in (0, 3, 6, 15):
        alone = quick(small, [units[number]], streams=[number], steps=8)
        assert together.pictures[number] == pytest.approx(alone.pictures[0], abs=1e-3)
        assert together.values[:, number] == pytest.approx(alone.values[:, 0], rel=1e-3, abs=1e-4)
    assert together.pictures.tobytes() == quick(small, units, batch_size=size, steps=8).pictures.tobytes()


def test_pictures_of_one_unit_differ_by_their_streams(small: Model) -> None:
    found = quick(small, "s:1", count=3)
    assert len({picture.tobytes() for picture in found.pictures}) == 3
    again = quick(small, "s:1", count=2, streams=[2, 0])
    assert again.pictures[0] == pytest.approx(found.pictures[2], abs=1e-3)
    assert again.pictures[1] == pytest.approx(found.pictures[0], abs=1e-3)


def _raises_at(step: int) -> Callable[[int, int, float], None]:
    def progress(done: int, steps: int, value: float) -> None:
        if done == step:
            raise KeyboardInterrupt

    return progress


def test_an_interrupt_keeps_the_pictures(small: Model) -> None:
    found = quick(small, ["s:0", "s:1", "s:2"], steps=(2, 6), batch_size=2, progress=_raises_at(4))
    assert found.stopped == "interrupt"
    assert found.pictures.shape == (2, 20, 20, 3)
    assert found.snapshots.keys() == {2}
    assert np.isfinite(found.values[:4]).all() and np.isnan(found.values[4:]).all()
    assert found.pictures == pytest.approx(quick(small, ["s:0", "s:1"], steps=4).pictures, abs=1e-3)


def test_the_end_of_the_time_keeps_the_pictures(small: Model) -> None:
    with time_limit(3):
        quick(small, steps=1)
        found = quick(small, steps=1000, progress=lambda done, steps, value: time.sleep(0.8 if done > 1 else 0))
    assert found.stopped == "time"
    assert found.pictures.shape == (1, 20, 20, 3)
    assert 1 < np.isfinite(found.values).sum() < 10


def test_too_little_memory_halves_the_batch(small: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, run, counts = quick(small, [f"s:{u % 4}" for u in range(7)]), Lens.run, []

    def narrow(lens: Lens, pictures: torch.Tensor, *rest: Any) -> Any:
        counts.append(len(pictures))
        if len(pictures) > 2:
            raise OutOfMemoryError("the gradient needs more memory than there is")
        return run(lens, pictures, *rest)

    monkeypatch.setattr(Lens, "run", narrow)
    found = quick(small, [f"s:{u % 4}" for u in range(7)])
    assert counts[:3] == [7, 4, 2]
    assert found.pictures == pytest.approx(expected.pictures, abs=1e-3)
    assert found.values == pytest.approx(expected.values, rel=1e-3, abs=1e-4)


def test_one_picture_without_memory_is_an_error(small: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> Any:
        raise OutOfMemoryError("the gradient needs more memory than there is")

    monkeypatch.setattr(Lens, "run", none)
    with pytest.raises(OutOfMemoryError, match="more memory"):
        quick(small, ["s:0", "s:1"])


def test_not_a_number_is_named(small: Model) -> None:
    broken = Objective(lambda seen: torch.log(-1 - seen("s").square().mean(dim=(1, 2, 3))), "log(nothing)")
    with pytest.raises(ItemError, match=r"log\(nothing\) is not finite at step 0"):
        quick(small, broken)


@pytest.mark.parametrize("size", [20, 40])
def test_a_model_of_one_size_is_shown_that_size(opened: Make, size: int) -> None:
    """A learnt position for each place of the map takes no other size."""
    text = """net (float[n,3,24,24] x) => (float[n,4] y) {
        a = Conv<strides=[4,4]>(x, w) b = Add(a, places) r = Relu(b) p = GlobalAveragePool(r) y = Flatten(p)
    }"""
    rng = np.random.default_rng(0)
    weights = {
        "w": rng.normal(size=(4, 3, 4, 4)).astype(np.float32),
        "places": rng.normal(size=(1, 4, 6, 6)).astype(np.float32),
    }
    found = quick(opened(text, weights), "r:2", image(size), steps=30)
    assert found.pictures.shape == (1, size, size, 3)
    assert found.values[-1, 0] > found.values[0, 0]
    # What lies outside the 24 pixels that are seen moves only where jitter brings it in.
    changed = np.abs(found.pictures[0] - 0.5).mean(axis=-1)
    assert changed[size // 2 - 5 : size // 2 + 5].mean() > 0.02


@pytest.mark.parametrize("channels", [1, 4, 13])
def test_any_number_of_channels(opened: Make, channels: int) -> None:
    found = quick(net(opened, channels), steps=20)
    assert found.pictures.shape == (1, 20, 20, channels)
    assert found.values[-1, 0] > found.values[0, 0]
    assert found.pictures.min() >= 0 and found.pictures.max() <= 1
    if channels == 13:
        with pytest.raises(UsageError, match="13 channels make no picture"):
            found.picture()
    else:
        assert found.picture().mode == {1: "L", 4: "RGBA"}[channels]


def test_channels_last_gives_the_same_pictures(opened: Make) -> None:
    preprocess = {"size": [20, 20], "mean": [0.4, 0.5, 0.6], "std": [0.2, 0.25, 0.3]}
    first, last = (
        net(opened, 3, layout, **{"agnostic.preprocess": json.dumps({**preprocess, "layout": layout})})
        for layout in ("NCHW", "NHWC")
    )
    assert quick(first).pictures == pytest.approx(quick(last).pictures, abs=1e-3)


def test_other_inputs_are_an_error_that_names_them(opened: Make) -> None:
    text = """net (float[n,3,h,w] x, float[n,4] age) => (float[n,4] y) {
        a = Conv(x, w) r = Relu(a) p = GlobalAveragePool(r) f = Flatten(p) y = Add(f, age)
    }"""
    model = opened(text, {"w": np.ones((4, 3, 3, 3), np.float32)})
    with pytest.raises(InputError, match=r"other inputs beside the picture .age."):
        quick(model, "r:1")


@pytest.fixture(scope="module")
def off(opened: Make) -> Model:
    """Units behind a ReLU that is off everywhere: one that a picture can turn on, one that none can."""
    text = """net (float[n,3,h,w] x) => (float[n,2,p,q] y) {
        a = Conv(x, wa, below) r = Relu(a) y = Conv(r, wb)
    }"""
    weights = {
        "wa": np.array([1.0, 0.0], np.float32)[:, None, None, None] * np.ones((2, 3, 1, 1), np.float32),
        "below": np.array([-1.6, -1.6], np.float32),
        "wb": np.eye(2, dtype=np.float32)[:, :, None, None],
    }
    return opened(text, weights, metadata={"agnostic.preprocess": json.dumps({"size": [20, 20]})})


def test_a_redirected_relu_wakes_a_unit(off: Model) -> None:
    plain, redirected = (quick(off, ["y:0", "y:1"], steps=40, redirect_steps=count) for count in (0, 40))
    assert plain.moved.tolist() == [False, False]
    assert plain.values.max() == 0
    assert redirected.moved.tolist() == [True, False]
    assert redirected.values[-1].tolist() == [pytest.approx(redirected.values[-1, 0]), 0]
    assert redirected.values[-1, 0] > 0.05


def test_the_redirect_ends(off: Model) -> None:
    found = quick(off, "y:0", image(20), steps=3, redirect_steps=1, transforms=[])
    later = quick(off, "y:0", image(20), steps=1, redirect_steps=1, transforms=[])
    # Adam's momentum carries on; the picture's gradient itself is zero again.
    assert found.moved.all() and later.moved.all()
    assert found.values.max() == 0


def test_targets_functions_and_objectives_are_taken(small: Model) -> None:
    aims = ["s:1", objectives.channel("s", 1), small.target("s:1")]
    named = [quick(small, [aim], transforms=[]).pictures for aim in aims]
    free = quick(small, lambda seen: seen("s")[:, 1].mean(dim=(1, 2)), transforms=[]).pictures
    for other in (*named[1:], free):
        assert other == pytest.approx(named[0], abs=1e-4)


def test_views_are_averaged(small: Model) -> None:
    once, often = (quick(small, views=count, steps=1, redirect_steps=0) for count in (1, 4))
    assert once.values.shape == often.values.shape == (1, 1)
    assert once.recipe["views"] == 1 and often.recipe["views"] == 4
    assert once.values[0, 0] != often.values[0, 0]


def test_progress_counts_every_step_of_every_batch(small: Model) -> None:
    told: list[tuple[int, int, float]] = []
    found = quick(small, ["s:0", "s:1", "s:2"], batch_size=2, progress=lambda *step: told.append(step))
    assert [done for done, _, _ in told] == list(range(1, 13))
    assert {steps for _, steps, _ in told} == {12}
    assert told[0][2] == pytest.approx(found.values[0, :2].mean(), rel=1e-5)


def test_the_recipe_says_what_was_done(small: Model) -> None:
    recipe = quick(small, seed=3, transforms=[transforms.jitter(2)], learning_rate=0.1).recipe
    expected = {
        "objective": "s:1",
        "parametrisation": "image(20, channels=None)",
        "transforms": "jitter(2)",
        "steps": 6,
        "learning_rate": 0.1,
        "seed": 3,
    }
    assert {key: recipe[key] for key in expected} == expected
    json.dumps(recipe)
    more = rendering.with_recipe(quick(small), model="small").recipe
    assert more["model"] == "small" and more["steps"] == 6


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 0}, "expected at least one step"),
        ({"steps": []}, "expected at least one step"),
        ({"count": 0}, "expected at least one picture"),
        ({"views": 0}, "expected at least one view"),
        ({"streams": [1, 2]}, "2 streams for 1 pictures"),
        ({"objective": []}, "0 objectives"),
        ({"objective": ["s:0"], "count": 2}, "1 objectives for 2 pictures"),
        ({"objective": "t:0"}, "t"),
    ],
)
def test_what_makes_no_sense_is_refused(small: Model, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        quick(small, **{"objective": "s:1", **settings})


def test_a_real_model_learns_in_a_few_steps(squeezenet_model: Model) -> None:
    found = render(squeezenet_model, ["fire3/concat:10", "fire5/concat:33"], image(64), steps=12)
    grey = agnostic.optvis.Lens(squeezenet_model).read("fire3/concat", torch.full((1, 3, 64, 64), 0.5))
    assert found.values[-1, 0] > float(grey[0, 10].mean())
    assert (found.values[-1] > found.values[0]).all()
    assert found.moved.all()
