import time

import numpy as np
import pytest

from agnostic.engine.limits import current, time_limit
from agnostic.errors import LimitError
from agnostic.optvis.lens import Lens
from agnostic.optvis.portraying import labels_of, made_with, portray, stream_of, target_of
from agnostic.optvis.presets import Preset
from agnostic.optvis.recipes import Order, get
from agnostic.optvis.rendering import Rendering

NET = "net (float[n,3,8,8] x) => (float[n,4] y) { c = Conv(x, w) r = Relu(c) p = GlobalAveragePool(r) y = Flatten(p) }"


@pytest.fixture
def order(opened, rng):
    plain = {"mean": [0.0], "std": [1.0], "scale": 1 / 255, "size": [8, 8]}
    lens = Lens(opened(NET, {"w": rng.normal(size=(4, 3, 3, 3)).astype("f4")}, preprocess=plain))
    return Order(lens, ("r:1", "r:3"), Preset("tiny", 12, 3, 1.0, ""))


def rendering(count, *names):
    return Rendering(
        np.zeros((count, 2, 2, 3), "f4"), {}, np.zeros((1, count), "f4"), np.ones(count, bool), "", {}, names
    )


def test_pictures_are_called_what_the_recipe_says_or_what_was_ordered():
    assert labels_of(rendering(2, "a:1", "-a:1"), ["a:1"]) == ["a:1", "-a:1"]
    assert labels_of(rendering(2), ["a:1", "b:2"]) == ["a:1", "b:2"]
    assert labels_of(rendering(4), ["a:1", "b:2"]) == ["a:1 #1", "a:1 #2", "b:2 #1", "b:2 #2"]
    assert labels_of(rendering(3), ["a:1", "b:2"]) == [f"a:1 to b:2 #{number}" for number in (1, 2, 3)]


def test_labels_lead_back_to_targets(order):
    assert target_of(order.lens, "r:1 #2") == order.lens.model.target("r:1")
    assert target_of(order.lens, "-r:1").terms[0].weight == -1
    assert target_of(order.lens, "r") is None


def test_company_changes_nothing(order):
    """A unit draws from its own stream; batches of other sizes may differ in the last bit of a pixel."""
    together, _ = portray(order, get("unit"), {})
    ((alone,), _) = portray(Order(order.lens, ("r:3",), order.preset), get("unit"), {})
    np.testing.assert_allclose(together[1].picture, alone.picture, atol=1 / 255)
    assert np.abs(together[0].picture - together[1].picture).max() > 0.05
    assert stream_of("tabby") != stream_of("espresso")


def test_everything_that_was_chosen_is_written_down(order):
    found = made_with(order, get("unit"), {"sign": "negative"})
    assert found["options"] == {"sign": "negative"}
    assert found["preset"]["steps"] == 3 and "summary" not in found["preset"]
    assert found["input"]["tensor"] == "x" and found["input"]["scale"] == [1.0, 1.0, 1.0]
    assert found["colours"]["origin"].startswith("photographs")
    assert found["picture"] is None
    with_picture = Order(order.lens, (), order.preset, picture=np.zeros((4, 4, 3), np.float32))
    assert len(made_with(with_picture, get("unit"), {})["picture"]) == 64


def test_a_stopped_rendering_gets_only_the_numbers_that_cost_nothing(order):
    def progress(done, steps, value):
        raise KeyboardInterrupt

    stopped = Order(order.lens, ("r:1",), order.preset, progress=progress)
    ((item,), why) = portray(stopped, get("unit"), {})
    assert why == "interrupt"
    assert item.recipe["stopped"] == "interrupt" and item.recipe["steps_done"] == 1
    assert item.measures.activation is None and item.measures.objective is not None


@pytest.mark.parametrize(
    ("raised", "why"), [(KeyboardInterrupt(), "interrupt"), (LimitError("the time is up"), "time")]
)
def test_what_is_stopped_while_it_is_measured_keeps_its_finished_picture(order, monkeypatch, raised, why):
    def measure(*_, **__):
        time.sleep(0.02)
        raise raised

    expected, _ = portray(order, get("unit"), {})
    monkeypatch.setattr("agnostic.optvis.portraying.measure", measure)
    with time_limit(60):
        monkeypatch.setattr(current(), "_end", time.monotonic() + (5 if why == "interrupt" else 0.01))
        monkeypatch.setattr("agnostic.optvis.rendering.current", lambda: None)
        monkeypatch.setattr("agnostic.optvis.portraying.certificate", lambda *_: None)
        found, stopped = portray(order, get("unit"), {})
    assert stopped == why
    np.testing.assert_array_equal(found[0].picture, expected[0].picture)
    assert found[0].recipe["stopped"] == "" and found[0].measures.activation is None


def test_memory_that_ran_out_is_no_stop(order, monkeypatch):
    def measure(*_, **__):
        raise LimitError("there is not enough memory")

    monkeypatch.setattr("agnostic.optvis.portraying.measure", measure)
    with pytest.raises(LimitError, match="not enough memory"):
        portray(order, get("unit"), {})
