import numpy as np
import pytest

from agnostic import models
from agnostic.blocks import as_sample, attribute, grid, two_targets
from agnostic.blocks.groups import groups
from agnostic.errors import UsageError
from agnostic.report.notebook import figure

LAYER = "fire9/concat"


@pytest.fixture(scope="module")
def cat(squeezenet_model):
    return as_sample(squeezenet_model, models.picture("cat_and_coffee"))


def test_every_result_with_positions_has_a_figure(squeezenet_model, cat):
    one = attribute(squeezenet_model, cat, LAYER, ["Egyptian cat"], how="linear")
    single, listed = figure(cat, one[0]), figure(cat, one)
    assert np.array_equal(np.asarray(single), np.asarray(listed))
    pair = figure(cat, two_targets(squeezenet_model, cat, LAYER, "Egyptian cat", "coffee mug", how="linear"))
    lengths = figure(cat, grid(squeezenet_model, cat, LAYER), dark=True)
    mixed = figure(cat, groups(squeezenet_model, cat, LAYER, 4))
    assert single.width == lengths.width < pair.width < mixed.width
    assert mixed.height > pair.height
    assert np.asarray(lengths).mean() < np.asarray(single).mean()


def test_the_map_is_what_differs(squeezenet_model, cat):
    one, other = (
        np.asarray(figure(cat, attribute(squeezenet_model, cat, LAYER, [name], how="linear")[0]))
        for name in ("Egyptian cat", "coffee mug")
    )
    width = min(one.shape[1], other.shape[1])
    apart = np.abs(one[:, :width].astype(int) - other[:, :width]).max(axis=(0, 2))
    assert not apart[: width // 3].any() and apart[width // 2 :].any()


def test_errors(squeezenet_model, cat, linear):
    with pytest.raises(UsageError, match="no attribution to draw"):
        figure(cat, [])
    model = linear(np.eye(3))
    with pytest.raises(UsageError, match="is no picture"):
        figure(as_sample(model, np.ones((1, 3), np.float32)), [])
