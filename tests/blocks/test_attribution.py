import numpy as np
import pytest

from agnostic import models
from agnostic.blocks import as_sample, attribute, between, channel_directions, layer_maps, position_directions
from agnostic.blocks.maps import held
from agnostic.errors import ModelError, UsageError


def sample_of(model, seed=0):
    shape = [1, *model.inputs[0].shape[1:]]
    return as_sample(model, np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def weights_of(model, name):
    from onnx import numpy_helper

    return next(numpy_helper.to_array(item) for item in model.proto.graph.initializer if item.name == name)


@pytest.mark.parametrize("how", ["linear", "path"])
def test_on_a_linear_tail_both_ways_are_the_closed_form(smooth, on_smooth, how):
    maps, head = layer_maps(smooth, on_smooth, "late"), weights_of(smooth, "head")
    found = attribute(smooth, on_smooth, "late", [0, 2], how=how)
    for item, index in zip(found, (0, 2), strict=True):
        expected = maps * head[:, index, None, None] / maps[0].size
        np.testing.assert_allclose(item.values, expected, rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(item.channels.sum(), item.spatial.sum(), rtol=1e-12)
        np.testing.assert_allclose(item.total, item.score - item.base, rtol=1e-4)
        np.testing.assert_allclose(item.score, smooth.run(on_smooth.arrays)["scores"][0, index], rtol=1e-5)


def test_channels_last_are_no_hindrance(channels_last):
    sample = sample_of(channels_last)
    maps, head = layer_maps(channels_last, sample, "map"), weights_of(channels_last, "head")
    assert maps.shape == (5, 4, 5)
    np.testing.assert_array_equal(maps, channels_last.activations(sample.arrays, "map")[0].transpose(2, 0, 1))
    (found,) = attribute(channels_last, sample, "map", [1], how="linear")
    np.testing.assert_allclose(found.values, maps * head[:, 1, None, None] / 20, rtol=1e-4, atol=1e-7)


def test_tokens_lie_on_their_grid_and_the_class_token_is_counted_beside(tokens):
    sample = sample_of(tokens)
    stored = tokens.activations(sample.arrays, "tokens")[0]
    assert held(tokens, sample, "tokens").has_more
    np.testing.assert_array_equal(layer_maps(tokens, sample, "tokens"), stored[1:].T.reshape(4, 2, 3))
    w, head = weights_of(tokens, "w"), weights_of(tokens, "head")
    slope = ((1 - np.tanh(stored @ w) ** 2) * head[:, 0] / 7) @ w.T
    (found,) = attribute(tokens, sample, "tokens", [0], how="linear")
    np.testing.assert_allclose(found.values, (stored * slope)[1:].T.reshape(4, 2, 3), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.elsewhere, (stored * slope)[0].sum(), rtol=1e-4, atol=1e-6)
    (path,) = attribute(tokens, sample, "tokens", [0])
    np.testing.assert_allclose(path.completeness, 1, atol=2e-3)


def test_tokens_go_back_to_where_they_were_stored(tokens):
    holds = held(tokens, sample_of(tokens), "tokens")
    again = holds.to_stored(holds.maps[None])
    np.testing.assert_array_equal(again[0, 1:], holds.stored[0, 1:])
    assert not again[0, 0].any()


def test_a_vector_is_a_map_of_one_place(smooth, on_smooth):
    assert layer_maps(smooth, on_smooth, "pooled").shape == (5, 1, 1)


@pytest.mark.parametrize("kind", ["channels", "positions", "sums"])
def test_between_layers_is_finite_differences(smooth, on_smooth, kind):
    early, late = (layer_maps(smooth, on_smooth, name).astype(np.float64) for name in ("early", "late"))
    directions = {
        "channels": channel_directions(late.shape, [0, 3]),
        "positions": position_directions(late.astype(np.float32), [5, 10]),
        "sums": np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32),
    }[kind]
    found = between(smooth, on_smooth, "early", "late", directions, how="linear")
    full = directions if directions.ndim == 4 else np.broadcast_to(directions[:, :, None, None], (2, *late.shape))
    step = 1e-2
    bumps = step * np.eye(early.size).reshape(-1, *early.shape)
    above, below = (
        smooth.run_from("early", (early + side * bumps).astype(np.float32), on_smooth.arrays, ["late"])["late"]
        for side in (1, -1)
    )
    slope = np.einsum("ncab,mcab->mn", (above.astype(np.float64) - below) / (2 * step), full.astype(np.float64))
    np.testing.assert_allclose(found, slope.reshape(2, *early.shape) * early, atol=2e-3)


def test_paths_between_layers_add_up_to_the_rise(smooth, on_smooth):
    late = layer_maps(smooth, on_smooth, "late")
    directions = position_directions(late)
    assert directions.shape == (16, 5, 4, 4)
    found = between(smooth, on_smooth, "early", "late", directions, steps=12)
    blank = np.zeros((1, 4, 5, 5), np.float32)
    base = smooth.run_from("early", blank, on_smooth.arrays, ["late"])["late"][0]
    rises = np.einsum("mcab,cab->m", directions, late - base)
    np.testing.assert_allclose(found.sum(axis=(1, 2, 3)), rises, rtol=1e-4)
    np.testing.assert_allclose(
        np.einsum("mcab,cab->m", directions, late), np.linalg.norm(late, axis=0).ravel(), rtol=1e-5
    )


def test_the_batch_size_changes_nothing_and_zero_directions_cost_nothing(smooth, on_smooth):
    directions = channel_directions((5, 4, 4), [0, 1, 2])
    directions[1] = 0
    found = between(smooth, on_smooth, "early", "late", directions, steps=5)
    assert not found[1].any() and found[0].any() and found[2].any()
    single = between(smooth, on_smooth, "early", "late", directions, steps=5, batch_size=1)
    np.testing.assert_allclose(found, single, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("layer", ["fire2/concat", "fire5/concat", "pool5", "fire7/expand3x3", "fire9/concat"])
def test_paths_are_complete_on_squeezenet(squeezenet_model, cat, layer):
    found = attribute(squeezenet_model, cat, layer, ["Egyptian cat", "coffee mug"], tolerance=5e-3)
    for item in found:
        assert abs(item.completeness - 1) < 1e-2


def test_paths_are_complete_on_another_picture(squeezenet_model):
    sample = as_sample(squeezenet_model, models.picture("rocket"))
    (found,) = attribute(squeezenet_model, sample, "fire6/concat", ["missile"], tolerance=5e-3)
    assert abs(found.completeness - 1) < 1e-2


def test_what_does_not_fit_is_refused(smooth, on_smooth):
    with pytest.raises(UsageError, match="do not fit 'late'"):
        between(smooth, on_smooth, "early", "late", np.zeros((2, 7), np.float32))
    with pytest.raises(UsageError, match="did you mean"):
        attribute(smooth, on_smooth, "latte", [0])
    with pytest.raises(UsageError, match="how='straight'"):
        between(smooth, on_smooth, "early", "late", np.ones((1, 5), np.float32), how="straight")
    with pytest.raises(UsageError, match="steps=0"):
        between(smooth, on_smooth, "early", "late", np.ones((1, 5), np.float32), steps=0)
    with pytest.raises(ModelError, match="not at all"):
        between(smooth, on_smooth, "late", "early", np.ones((1, 4), np.float32))
