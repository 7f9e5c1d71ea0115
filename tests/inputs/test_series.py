"""Series as samples: layouts, files, and answers that are known in closed form."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import agnostic
from agnostic import models
from agnostic.engine.model import Model
from agnostic.errors import InputError, UsageError
from agnostic.inputs.reading import read_sample
from agnostic.inputs.series_axes import axes_of

Open = Callable[..., Model]
WEIGHTS = np.random.default_rng(2).normal(size=(2, 6)).astype(np.float32)
SUM = "p = Mul(x, w) s = ReduceSum<keepdims=0>(p, axes) y = Unsqueeze(s, one)"
TEXTS = {
    "NCT": f"g (float[n,2,6] x) => (float[n,1] y) {{ {SUM} }}",
    "NTC": f"g (float[n,6,2] x) => (float[n,1] y) {{ {SUM} }}",
}


@pytest.fixture(scope="module")
def weighing(opened: Open) -> Callable[..., Model]:
    """A model whose score is the sum of w * x over channels and steps, in either layout."""

    def build(layout: str, section: Any = None, **more: Any) -> Model:
        weights = WEIGHTS if layout == "NCT" else WEIGHTS.T
        metadata = {"agnostic.series": json.dumps({"layout": layout, **(section or {}), **more})}
        initial = {"w": weights, "axes": np.array([1, 2]), "one": np.array([1])}
        return opened(TEXTS[layout], initial, metadata=metadata)

    return build


@pytest.fixture
def x(rng: np.random.Generator) -> Any:
    return rng.normal(size=(2, 6)).astype(np.float32)


@pytest.mark.parametrize("layout", ["NCT", "NTC"])
@pytest.mark.parametrize("features", ["windows:3", "windows:2,per-channel", "steps", "changes:4"])
def test_a_linear_model_gives_each_segment_its_own_sum(weighing: Any, x: Any, layout: str, features: str) -> None:
    given = x if layout == "NCT" else x.T
    found = agnostic.explain(weighing(layout), given, "kernelshap", 0, features=features, fill="zero")
    sample = read_sample(weighing(layout), given, features=features)
    single = WEIGHTS * x
    labels = np.broadcast_to(sample.features.labels, (2, 6))
    expected = [single[labels == feature].sum() for feature in range(sample.features.count)]
    np.testing.assert_allclose(found.weights, expected, atol=1e-5)
    np.testing.assert_array_equal(found.data, x)


@pytest.mark.parametrize("layout", ["NCT", "NTC"])
def test_gradients_are_summed_over_channels_or_kept_apart(weighing: Any, x: Any, layout: str) -> None:
    given = x if layout == "NCT" else x.T
    together = agnostic.explain(weighing(layout), given, "input_x_gradient", 0)
    np.testing.assert_allclose(together.values, (WEIGHTS * x).sum(axis=0), atol=1e-5)
    apart = agnostic.explain(weighing(layout), given, "input_x_gradient", 0, features="windows:3,per-channel")
    np.testing.assert_allclose(apart.values, WEIGHTS * x, atol=1e-5)
    np.testing.assert_allclose(apart.weights, (WEIGHTS * x).reshape(2, 3, 2).sum(2).ravel(), atol=1e-5)


def test_occlusion_slides_a_window_along_time(weighing: Any, x: Any) -> None:
    found = agnostic.explain(weighing("NCT"), x, "occlusion", 0, fill="zero", window=2, stride=2)
    falls = (WEIGHTS * x).sum(axis=0).reshape(3, 2).sum(axis=1)
    np.testing.assert_allclose(found.values, np.repeat(falls, 2), atol=1e-5)


def test_files_frames_and_arrays_are_the_same_series(weighing: Any, x: Any, tmp_path: Path) -> None:
    model = weighing("NTC", channels=["heat", "wind"], units=["°C", "m/s"], time="hour")
    frame = pandas.DataFrame({"day": ["mon"] * 6, "wind": x[1], "heat": x[0]})
    frame.to_csv(tmp_path / "week.csv", index=False)
    np.save(tmp_path / "week.npy", x.T[None])
    for given in (tmp_path / "week.csv", tmp_path / "week.npy", frame, x.T, x.T[None], x.T.tolist(), {"x": x.T}):
        sample = read_sample(model, given)
        np.testing.assert_allclose(sample.arrays["x"], x.T[None], rtol=1e-6)
        assert sample.shown["channels"] == ["heat", "wind"] and sample.shown["time"] == "hour"
    assert read_sample(model, tmp_path / "week.csv").notes == ("week.csv: the model does not eat 'day'",)


def test_columns_of_other_names_are_taken_in_order_and_that_is_said(weighing: Any, x: Any, tmp_path: Path) -> None:
    pandas.DataFrame({"p": x[0], "q": x[1]}).to_csv(tmp_path / "pq.csv", index=False)
    sample = read_sample(weighing("NCT", channels=["heat", "wind"]), tmp_path / "pq.csv")
    assert sample.notes == ("pq.csv: columns taken for 'heat', 'wind' by their order",)


@pytest.mark.parametrize(
    ("text", "layout"),
    [
        ("g (float[n,2,6] x) => (float[n,2,6] y) { y = Identity(x) }", "NCT"),
        ("g (float[n,28,1] x) => (float[n,28,1] y) { y = Identity(x) }", "NTC"),
        ("g (float[n,t,3] x) => (float[n,t,3] y) { y = Identity(x) }", "NTC"),
        ("g (float[n,3,t] x) => (float[n,3,t] y) { y = Identity(x) }", "NCT"),
        ("g (float[n,t] x) => (float[n,t] y) { y = Identity(x) }", "NT"),
    ],
)
def test_what_no_model_declares_is_assumed_by_size_and_said(opened: Open, text: str, layout: str) -> None:
    axes = axes_of(opened(text))
    assert axes.layout == layout
    assert "[series]" in axes.note and "taken for" in axes.note


def test_one_channel_needs_no_axis_of_its_own(opened: Open) -> None:
    text = "g (float[n,4] x) => (float[n,4] y) { y = Identity(x) }"
    model = opened(text, metadata={"agnostic.series": '{"layout": "NT"}'})
    sample = read_sample(model, [1.0, 2, 3, 4], features="steps")
    assert sample.features.shape == (4,) and sample.arrays["x"].shape == (1, 4)
    found = agnostic.explain(model, [1.0, 2, 3, 4], "occlusion", 2, by="segments", features="steps", baseline=None)
    np.testing.assert_allclose(found.weights, [0, 0, 3 - 2.5, 0], atol=1e-6)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"layout": "CNT"}, "layout 'CNT': expected NCT, NTC, NT"),
    ({"layout": "NT"}, "as fits the input"),
    ({"chanels": []}, "unknown key 'chanels'"),
    ({"channels": "heat"}, "channels: expected a list of words"),
    ({"channels": ["heat"]}, "channels: 1 words for 2 channels"),
    ({"units": ["a", "b", "c"]}, "units: 3 words for 2 channels"),
    ({"input": "z"}, "unknown input 'z'"),
]


@pytest.mark.parametrize(("section", "says"), BAD)
def test_declarations_that_make_no_sense_name_the_key(
    weighing: Any, x: Any, section: dict[str, Any], says: str
) -> None:
    with pytest.raises(UsageError, match=says):
        read_sample(weighing("NCT", section), x)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (np.zeros((2, 5)), r"2 channels of 5 steps; the input x float32 \[n, 2, 6\] takes 2 of 6"),
        (np.zeros((3, 6)), "3 channels of 6 steps"),
        (np.zeros((4, 2, 6)), r"an array of shape \[4, 2, 6\] is no series"),
        (np.zeros(6), "is no series for the input"),
        ([[1, 2], [3]], "channels of different lengths"),
        (np.full((2, 6), np.nan), "channel 0 has a gap at step 0"),
        (np.array([["a"] * 6] * 2), "expected numbers"),
        (pandas.DataFrame({"p": [1, 2, 3, 4, 5, None], "q": 0}), "channel 0 has a gap at step 5"),
        (pandas.DataFrame({"p": ["1"] * 5 + ["x"], "q": 0}), "step 5 of 'p': 'x' is no number"),
    ],
)
def test_series_that_do_not_fit_say_why(weighing: Any, given: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        read_sample(weighing("NCT"), given)


def test_settings_of_tables_are_refused(weighing: Any, x: Any) -> None:
    for option, value in (("row", 0), ("background", x)):
        with pytest.raises(UsageError, match=f"--{option} goes with a table, not with a series"):
            read_sample(weighing("NCT"), x, **{option: value})


def test_integrated_gradients_on_the_embedded_network_add_up() -> None:
    found = agnostic.explain("season", models.sample("season"), "integrated_gradients")
    rise = found.meta["score"] - found.base_value
    assert found.target == "autumn"
    assert found.values.sum() == pytest.approx(rise, abs=2e-3 * abs(rise))
    assert found.meta["parity"]["largest"] < 1e-5 and found.meta["random_parity"]["largest"] < 1e-4


def test_the_fall_speaks_for_autumn_rather_than_spring() -> None:
    """The sample falls from 20 to 10 degrees; turned round it rises, and the model says spring instead."""
    days = np.loadtxt(models.sample("season"), skiprows=1)
    model = agnostic.load("season", device="cpu")
    forward, back = (model.run(np.float32(days[None, None, ::step]))["logits"][0] for step in (1, -1))
    assert forward[3] > forward[1] + 1 and back[1] > back[3]
    found = agnostic.explain(model, days, "kernelshap", "autumn - spring", features="windows:4")
    assert found.weights.argmax() in (0, 3)  # where it begins warm, or ends cool
