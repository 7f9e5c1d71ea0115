"""Regions and places of a segmentation whose scores are known at every place."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import agnostic
from agnostic.answers import predict, question, untouched
from agnostic.engine.model import Model
from agnostic.errors import InputError, ItemError, UsageError

from .conftest import picture, sample_of, without

PIXELS = picture(255, 102, 255, 0)
# logits: ground 0, snow 6 m - 3, night -6 m - 1: snow where it is bright, ground in between.
SNOW, GROUND = 3.0, 0.0


def scores(model: Model, text: str, *quarters: int) -> float:
    sample = sample_of(model, PIXELS)
    target = question(model, sample, text).target
    return float(model.score(without(sample, *quarters), [target])[0, 0])


def test_classes_are_listed_by_their_share(segmenter: Model) -> None:
    listed = predict(segmenter, sample_of(segmenter, PIXELS))
    assert [(item.name, item.share) for item in listed] == [("ground", 0.5), ("snow", 0.5)]
    assert listed[1].score == pytest.approx(SNOW, abs=1e-5)


def test_a_region_is_the_mean_where_the_class_is_seen(segmenter: Model) -> None:
    assert scores(segmenter, "snow@mask") == pytest.approx(SNOW, abs=1e-5)
    # Without one of the two bright quarters, half of the region says -3.
    assert scores(segmenter, "snow@mask", 0) == pytest.approx(0, abs=1e-5)
    assert scores(segmenter, "snow@mask", 1, 3) == pytest.approx(SNOW, abs=1e-5)
    found = question(segmenter, sample_of(segmenter, PIXELS), "1@mask")
    assert found.target.name == "snow@mask"
    assert found.facts["region"].tolist() == [[1, 1, 0, 0]] * 4


@pytest.mark.parametrize("where", ["2,1", "50%,25%", "50.0%,30%"])
def test_a_place_reads_one_entry(segmenter: Model, where: str) -> None:
    found = question(segmenter, sample_of(segmenter, PIXELS), f"snow@{where}")
    assert np.argwhere(found.facts["region"]).tolist() == [[2, 1]]
    assert scores(segmenter, f"snow@{where}", 0) == pytest.approx(SNOW, abs=1e-5)
    assert scores(segmenter, f"snow@{where}", 2) == pytest.approx(-3, abs=1e-5)


def test_the_last_place_is_at_the_end_of_the_picture(segmenter: Model) -> None:
    found = question(segmenter, sample_of(segmenter, PIXELS), "snow@100%,0%")
    assert np.argwhere(found.facts["region"]).tolist() == [[3, 0]]


def test_against_the_rest_is_the_slope_of_the_log_probability(segmenter: Model) -> None:
    sample = sample_of(segmenter, PIXELS)
    target = question(segmenter, sample, "snow@0,0 vs rest").target
    logits = segmenter.run(sample.arrays, ("logits",))["logits"].astype(np.float64)

    def log_probability(logits: np.ndarray) -> float:
        row = logits[0, :, 0, 0]
        return float(row[1] - np.log(np.exp(row).sum()))

    for at in range(3):
        step = np.zeros_like(logits)
        step[0, at, 0, 0] = 1e-5
        slope = (log_probability(logits + step) - log_probability(logits - step)) / 2e-5
        assert target.read({"logits": step})[0] / 1e-5 == pytest.approx(slope, abs=1e-5)
    assert target.read({"logits": np.full_like(logits, 5)})[0] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("side", [4, 8])
@pytest.mark.parametrize("kind", ["png", "npy"])
def test_a_region_of_ones_own(segmenter: Model, tmp_path: Path, side: int, kind: str) -> None:
    mask = np.zeros((side, side), np.uint8)
    mask[: side // 2, side // 2 :] = 255
    path = tmp_path / f"mask.{kind}"
    np.save(path, mask) if kind == "npy" else Image.fromarray(mask).save(path)
    assert scores(segmenter, f"snow@{path}") == pytest.approx(6 * 102 / 255 - 3, abs=1e-5)


def test_the_largest_thing_is_explained_by_default(segmenter: Model) -> None:
    sample = sample_of(segmenter, picture(255, 102, 102, 0))
    assert question(segmenter, sample, None).target.name == "snow@mask"
    with pytest.raises(ItemError, match="nothing but ground on 'picture'"):
        question(segmenter, sample_of(segmenter, picture(0, 9, 9, 9)), "top")


def test_methods_agree_with_the_closed_form(segmenter: Model) -> None:
    e = agnostic.explain(segmenter, PIXELS, "integrated_gradients", "snow@mask", fill="black", features="grid:2")
    # A mean of eight places, each the mean of 2 x 2 pixels times 6: linear, so the gradient times the input.
    expected = np.where(PIXELS == 255, 6 / 32, 0.0)
    expected[:, 4:] = 0
    np.testing.assert_allclose(e.values, expected, atol=1e-5)
    assert e.region is not None and e.region.sum() == 8
    same = agnostic.explain(segmenter, PIXELS, "kernelshap", "snow@mask", fill="black", features="grid:2")
    np.testing.assert_allclose(same.weights, [3, 0, 3, 0], atol=1e-5)


def test_a_record_with_a_region_reloads_equal(segmenter: Model, tmp_path: Path) -> None:
    e = agnostic.explain(segmenter, PIXELS, "occlusion", "snow@mask - ground@0,3", fill="black")
    assert e.region is not None and e.region.sum() == 9
    e.save(tmp_path / "e.safetensors")
    assert agnostic.Explanation.load(tmp_path / "e.safetensors") == e


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("night@mask", ItemError, "the model sees no 'night' on 'picture', where it sees ground, snow"),
        ("snow@4,0", UsageError, "the answer has 4 rows and 4 columns; y,x count its places from 0"),
        ("snow@101%,0%", UsageError, "at most 100%"),
        ("snw@mask", UsageError, "unknown class 'snw'; did you mean 'snow'"),
        ("snow@none.png", InputError, "none.png: no such file; expected a picture, as the region behind @"),
        ("snow@none.npy", InputError, "none.npy: cannot be read as an array"),
        ("snow@", UsageError, "unknown target 'snow@'"),
        ("box:0", UsageError, "needs a model that answers with boxes"),
    ],
)
def test_what_is_not_there_is_named(segmenter: Model, text: str, error: Any, says: str) -> None:
    with pytest.raises(error) as raised:
        question(segmenter, sample_of(segmenter, PIXELS), text)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("mask", "says"),
    [(np.ones((3, 4)), "the mask is 3 x 4; expected rows x columns of 4 x 4 or 8 x 8"), (np.zeros((8, 8)), "is empty")],
)
def test_a_mask_that_does_not_fit_is_refused(segmenter: Model, tmp_path: Path, mask: Any, says: str) -> None:
    np.save(tmp_path / "m.npy", mask)
    with pytest.raises(UsageError, match=says):
        question(segmenter, sample_of(segmenter, PIXELS), f"snow@{tmp_path / 'm.npy'}")


@pytest.mark.parametrize("last", [True, False])
def test_classes_may_come_last_or_be_alone(opened: Any, last: bool) -> None:
    side = "float[n,8,8,2]" if last else "float[n,1,8,8]"
    text = f"g (float[n,1,8,8] image) => ({side} y) {{ "
    text += "a = Conv(image, k, b) y = Transpose<perm=[0,2,3,1]>(a) }" if last else "y = Conv(image, k, b) }"
    count = 2 if last else 1
    weights = {"k": np.array([6.0, -6.0], "f4")[:count].reshape(-1, 1, 1, 1), "b": np.array([-3.0, 3.0], "f4")[:count]}
    plain = {"scale": 1 / 255, "mean": [0.0], "std": [1.0], "channels": "L", "size": [8, 8]}
    labels = {"metadata": {"agnostic.labels": '["bright", "dark"]'}} if last else {}
    model = opened(text, weights, preprocess=plain, answer={"kind": "segmentation"}, **labels)
    sample = sample_of(model, PIXELS)
    found = question(model, sample, "0@mask")
    assert found.facts["region"].tolist() == (PIXELS == 255).tolist()
    assert model.score(sample.arrays, [found.target])[0, 0] == pytest.approx(3, abs=1e-5)
    if not last:
        with pytest.raises(UsageError, match="there is no rest"):
            question(model, sample, "0@mask vs rest")


def test_whether_the_picture_matters(segmenter: Model) -> None:
    assert not untouched(segmenter, sample_of(segmenter, PIXELS))
    assert untouched(segmenter, sample_of(segmenter, picture(0, 0, 0, 0)))
