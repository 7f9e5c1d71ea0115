import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import agnostic
from agnostic import models
from agnostic.blocks import agreement, matched_units, two_targets
from agnostic.blocks.compare import _Covariance
from agnostic.errors import InputError, UsageError

PICTURES = [models.picture(name) for name in models.pictures()]


def permuted(proto, layer, order):
    """The same function, with the units of the convolution behind `layer`/pre in another order."""
    copy = onnx.ModelProto()
    copy.CopyFrom(proto)
    held = {item.name: item for item in copy.graph.initializer}

    def reorder(name, axis):
        numbers = numpy_helper.to_array(held[name])
        held[name].CopyFrom(numpy_helper.from_array(np.take(numbers, order, axis=axis), name))

    producer = next(node for node in copy.graph.node if layer in node.output)
    conv = next(node for node in copy.graph.node if producer.input[0] in node.output)
    reorder(conv.input[1], 0)
    reorder(conv.input[2], 0)
    for node in copy.graph.node:
        if layer in node.input:
            reorder(node.input[1], 1)
    return copy


def test_a_copy_with_its_channels_permuted_is_matched_channel_by_channel(squeezenet_model):
    layer, order = "fire5/squeeze", np.random.default_rng(0).permutation(32)
    copy = agnostic.load(permuted(squeezenet_model.proto, layer, order), device="cpu")
    copy.preprocess = squeezenet_model.preprocess
    pairs = [(layer, layer), ("fire9/concat", "fire9/concat")]
    found, behind = matched_units(squeezenet_model, copy, PICTURES, pairs, batch_size=2)
    alive = np.flatnonzero(np.diag(found.correlation[:, np.argsort(order)]) > 0)
    assert len(alive) > 25
    matched = dict(found.pairs.tolist())
    assert all(order[matched[unit]] == unit for unit in alive)
    np.testing.assert_allclose(found.strengths[: len(alive)], 1, atol=1e-5)
    assert found.positions == len(PICTURES) * 27 * 27
    assert all(a == b for (a, b), r in zip(behind.pairs.tolist(), behind.strengths, strict=True) if r > 0.999)
    same = agreement(squeezenet_model, copy, PICTURES)
    assert same.agreement == 1 and same.largest < 1e-3 and same.pictures == len(PICTURES)


def test_the_streamed_covariance_is_that_of_all_rows(rng):
    rows = rng.normal(1000, 1, size=(50, 7)).astype(np.float32)
    rows[:, 5] = 2 * rows[:, 0]
    stream = _Covariance()
    for start, stop in ((0, 1), (1, 20), (20, 50)):
        stream.add(rows[start:stop, :3], rows[start:stop, 3:])
    np.testing.assert_allclose(stream.products / 49, np.cov(rows.T.astype(np.float64)), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(stream.mean, rows.mean(axis=0, dtype=np.float64))
    assert (stream.count, stream.split) == (50, 3)


def test_the_push_predicts_one_layer_from_the_other(smooth):
    pictures = np.random.default_rng(3).normal(size=(30, 1, 3, 6, 6)).astype(np.float32)
    (found,) = matched_units(smooth, smooth, pictures, [("late", "late")])
    np.testing.assert_allclose(found.push, np.eye(5), atol=1e-3)
    np.testing.assert_allclose(np.diag(found.correlation), 1)


def test_maps_of_different_sizes_are_compared_at_the_smaller(smooth):
    pictures = np.random.default_rng(3).normal(size=(4, 1, 3, 6, 6)).astype(np.float32)
    (found,) = matched_units(smooth, smooth, pictures, [("early", "late")])
    assert found.correlation.shape == (4, 5) and found.pairs.shape == (4, 2) and found.positions == 4 * 16
    assert (np.abs(found.correlation) <= 1).all()


def test_rounded_weights_agree_nearly(squeezenet_model):
    proto = onnx.ModelProto()
    proto.CopyFrom(squeezenet_model.proto)
    for item in proto.graph.initializer:
        numbers = numpy_helper.to_array(item)
        if numbers.ndim == 4:
            step = np.abs(numbers).max() / 127
            item.CopyFrom(numpy_helper.from_array((np.round(numbers / step) * step).astype(np.float32), item.name))
    rounded = agnostic.load(proto, device="cpu")
    found = agreement(squeezenet_model, rounded, PICTURES, batch_size=3)
    assert found.agreement >= 0.8 and 0 < found.mean < found.largest < 5
    scores = [model.run(_rows(model), ["logits"])["logits"] for model in (squeezenet_model, rounded)]
    np.testing.assert_allclose(found.largest, np.abs(scores[0] - scores[1]).max(), rtol=1e-4)
    np.testing.assert_allclose(found.mean, np.abs(scores[0] - scores[1]).mean(), rtol=1e-4)


def _rows(model):
    from agnostic.blocks import as_sample
    from agnostic.blocks.maps import stacked

    return stacked(model, [as_sample(model, picture) for picture in PICTURES])


def test_two_targets_are_ordered_from_one_to_the_other(squeezenet_model, cat):
    found = two_targets(squeezenet_model, cat, "fire9/concat", "Egyptian cat", "coffee mug", how="linear")
    assert (np.diff(found.difference[found.order]) <= 0).all()
    assert found.strip().tolist() == [*found.order[:4], *found.order[-3:]]
    assert found.strip(9999).tolist() == found.order.tolist()
    slope = squeezenet_model.gradient(cat.arrays, "Egyptian cat - coffee mug", "fire9/concat")[0]
    maps = squeezenet_model.activations(cat.arrays, "fire9/concat")[0]
    np.testing.assert_allclose(found.difference, (slope * maps).sum(axis=(1, 2)), atol=1e-3)


def test_errors(smooth, on_smooth, squeezenet_model):
    with pytest.raises(UsageError, match="two different ones"):
        two_targets(smooth, on_smooth, "late", 0, 0)
    with pytest.raises(UsageError, match="no pair of layers"):
        matched_units(smooth, smooth, [], [])
    with pytest.raises(InputError, match="fewer than two positions"):
        matched_units(smooth, smooth, [], [("late", "late")])
    with pytest.raises(InputError, match="no picture"):
        agreement(smooth, smooth, [])
