"""Maps over one axis: the CAM family on layers whose places lie along a line, against closed forms."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import agnostic
from agnostic.engine.model import Model
from agnostic.errors import UsageError

Open = Callable[..., Model]
FAMILY = (
    "ablationcam", "cam", "eigencam", "fem", "gradcam", "gradcam++", "guided_gradcam", "hirescam", "layercam",
    "scorecam", "smoothgradcam++", "xgradcam",
)  # fmt: skip
TEXT = """g (float[n,2,12] x) => (float[n,3] y) {
    c = Conv<kernel_shape=[3], pads=[1,1]>(x, k) m = Relu(c) p = GlobalAveragePool(m) f = Flatten(p) y = Gemm(f, v, b)
}"""


@pytest.fixture(scope="module")
def pooled(opened: Open) -> tuple[Model, dict[str, Any], Any]:
    """A convolution that keeps the length, a mean over places and a linear classifier; its weights, and a sample."""
    rng = np.random.default_rng(5)
    weights = {"k": rng.normal(size=(4, 2, 3)), "v": rng.normal(size=(4, 3)), "b": rng.normal(size=3)}
    weights = {name: value.astype(np.float32) for name, value in weights.items()}
    model = opened(TEXT, weights, metadata={"agnostic.series": json.dumps({"layout": "NCT"})})
    return model, weights, rng.normal(size=(2, 12)).astype(np.float32)


def test_the_mean_of_cam_is_the_score_without_its_bias(pooled: Any) -> None:
    model, weights, x = pooled
    maps = model.activations(x[None], "m")[0]
    for index in range(3):
        found = agnostic.explain(model, x, "cam", index)
        np.testing.assert_allclose(found.values, weights["v"][:, index] @ maps, atol=1e-5)
        assert found.values.mean() + found.base_value == pytest.approx(found.meta["score"], abs=1e-5)
        assert found.base_value == pytest.approx(weights["b"][index])


def test_gradcam_is_cam_over_the_places(pooled: Any) -> None:
    model, _, x = pooled
    exact = agnostic.explain(model, x, "cam", 1).values
    for name in ("gradcam", "hirescam"):
        found = agnostic.explain(model, x, name, 1, signed=True)
        np.testing.assert_allclose(found.values, exact / 12, atol=1e-6)


def test_ablation_weighs_a_channel_by_its_mean_share(pooled: Any) -> None:
    """Without a channel the score falls by v times its mean."""
    model, weights, x = pooled
    maps = model.activations(x[None], "m")[0]
    falls = weights["v"][:, 2] * maps.mean(axis=1)
    found = agnostic.explain(model, x, "ablationcam", 2)
    np.testing.assert_allclose(found.values, np.maximum(falls @ maps, 0), atol=1e-5)


@pytest.mark.parametrize("name", FAMILY)
def test_the_whole_family_answers_on_a_real_network(name: str) -> None:
    from agnostic import models

    found = agnostic.explain("season", models.sample("season"), name)
    assert found.values.shape == (28,) and np.isfinite(found.values).all() and np.ptp(found.values) > 0


def test_a_line_of_height_one_is_a_line(opened: Open) -> None:
    """Some exporters convolve over (1, length)."""
    text = """g (float[n,12,1] x) => (float[n,2] y) {
        t = Transpose<perm=[0,2,1]>(x) u = Unsqueeze(t, two) c = Conv<kernel_shape=[1,3]>(u, k) m = Relu(c)
        p = GlobalAveragePool(m) f = Flatten(p) y = MatMul(f, v)
    }"""
    rng = np.random.default_rng(1)
    weights = {"k": rng.normal(size=(3, 1, 1, 3)), "v": rng.normal(size=(3, 2))}
    initial = {name: value.astype(np.float32) for name, value in weights.items()} | {"two": np.array([2])}
    model = opened(text, initial, metadata={"agnostic.series": json.dumps({"layout": "NTC"})})
    x = rng.normal(size=(12, 1)).astype(np.float32)
    found = agnostic.explain(model, x, "gradcam", 0, signed=True)
    small = weights["v"][:, 0] @ model.activations(x[None], "m")[0][:, 0] / 10
    centres = (np.arange(12) + 0.5) * 10 / 12 - 0.5
    np.testing.assert_allclose(found.values, np.interp(centres, np.arange(10), small), atol=1e-5)


def test_what_needs_a_plane_still_says_so(pooled: Any) -> None:
    model, _, x = pooled
    for name in ("blur_ig", "xrai"):
        with pytest.raises(UsageError, match=name):
            agnostic.explain(model, x, name)
    with pytest.raises(UsageError, match="gradcam explains"):
        agnostic.explain(model, x, "gradcam", features="steps,per-channel")
