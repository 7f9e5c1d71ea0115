import json

import numpy as np
import pytest
import torch

from agnostic.errors import InputError, UsageError
from agnostic.optvis.space import space_of

DECLARED = {
    "NCHW": ("float[n,3,h,w] x", {"size": [8, 6], "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}),
    "NHWC": ("float[n,8,6,3] x", {"layout": "NHWC", "size": [8, 6], "mean": [0.5], "std": [0.5]}),
    "BGR in 0..255": ("float[n,3,h,w] x", {"channels": "BGR", "scale": 1, "mean": [103, 117, 124], "std": [2, 3, 4]}),
    "grey": ("float[n,8,6] x", {"layout": "NHW", "channels": "L", "size": [8, 6], "std": [2]}),
    "opacity": ("float[n,4,h,w] x", {"channels": "RGBA", "size": [8, 6]}),
}


@pytest.mark.parametrize("case", DECLARED)
def test_pictures_become_what_is_declared(case, opened, rng):
    signature, declared = DECLARED[case]
    model = opened(f"g ({signature}) => (float y) {{ y = ReduceMean<keepdims=0>(x) }}", metadata={
        "agnostic.preprocess": json.dumps(declared)
    })  # fmt: skip
    space = space_of(model)
    pictures = rng.random((2, 8, 6, space.channels), np.float32)
    ordered = pictures[..., ::-1] if declared.get("channels") == "BGR" else pictures
    scale, mean, std = declared.get("scale", 1 / 255), declared.get("mean", [0]), declared.get("std", [1])
    expected = (255 * ordered * scale - np.array(mean)) / np.array(std)
    layout = declared.get("layout", "NCHW")
    expected = {"NCHW": expected.transpose(0, 3, 1, 2), "NHWC": expected, "NHW": expected[..., 0]}[layout]
    found = space.to_model(torch.from_numpy(pictures.transpose(0, 3, 1, 2).copy()))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
    assert space.size == tuple(declared.get("size", (224, 224)))


def test_bands_that_are_no_colours(opened):
    model = opened("g (float[n,7,20,30] x) => (float y) { y = ReduceMean<keepdims=0>(x) }")
    space = space_of(model)
    assert (space.channels, space.size, space.layout) == (7, (20, 30), "NCHW")
    assert space.notes == ("the input has 7 channels and declares no range; assumed 0..1: give --range LOW,HIGH",)
    ranged = space_of(model, (-2, 6))
    assert ranged.notes == ()
    values = ranged.to_model(torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3).expand(1, 7, 1, 3))
    assert values[0, 3, 0].tolist() == [-2, 2, 6]


@pytest.mark.parametrize("given", [(1, 1), (2, 1), (0, float("inf")), (float("nan"), 1)])
def test_a_range_goes_up(given, opened):
    model = opened("g (float[n,7,20,30] x) => (float y) { y = ReduceMean<keepdims=0>(x) }")
    with pytest.raises(UsageError, match="expected two numbers, the smaller one first"):
        space_of(model, given)


def test_a_table_is_no_picture(linear):
    with pytest.raises(InputError, match=r"nothing to draw: .*`agnostic explain`, which needs no picture"):
        space_of(linear(np.eye(3)))
