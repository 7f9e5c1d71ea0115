import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from agnostic.engine.opening import load
from agnostic.engine.runtime import OutOfMemoryError
from agnostic.errors import UsageError
from agnostic.kernels.resize import bilinear


def weights_of(model, name):
    return next(numpy_helper.to_array(item) for item in model.proto.graph.initializer if item.name == name)


def without_channel(proto, channel):
    """The same network, in which a filter of the convolution is nothing."""
    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    for tensor in changed.graph.initializer:
        if tensor.name in ("kernel", "offset"):
            values = numpy_helper.to_array(tensor).copy()
            values[channel] = 0
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return load(changed)


def test_weights_equal_removing_the_filters(averaged, explain, averaged_picture):
    x = ((averaged_picture.astype(np.float32) / 255 - 0.5) / 0.25).transpose(2, 0, 1)[None]
    scores = averaged.run(x)["scores"][0]
    falls = np.stack([scores - without_channel(averaged.proto, k).run(x)["scores"][0] for k in range(5)], axis=1)
    maps = averaged.activations(x, "map")[0]
    expected = np.maximum(bilinear(np.tensordot(falls, maps, 1), (12, 12)), 0)
    found = explain("ablationcam", averaged, averaged_picture, (0, 1, 2))
    np.testing.assert_allclose(found.values, expected, atol=1e-4)
    assert found.facts[0] == {"layer": "map", "channels": 5}


def test_channels_may_come_last(channels_last, explain, averaged_picture):
    pixels = averaged_picture[:11, :11]
    x = (pixels.astype(np.float32) / 255)[None]
    maps, weights = channels_last.activations(x, "map")[0], weights_of(channels_last, "v")
    falls = maps.mean(axis=(0, 1)) * weights[:, 1]
    expected = bilinear((maps @ falls)[None], (11, 11))
    found = explain("ablationcam", channels_last, pixels, (1,), task={"at": "map"})
    np.testing.assert_allclose(found.values, np.maximum(expected, 0), atol=1e-4)


def test_only_live_channels_run(two_patches, explain, patches_picture):
    pixels = patches_picture.copy()
    pixels[..., 2] = 0
    seen = []
    explain("ablationcam", two_patches, pixels, task={"progress": lambda *step: seen.append(step), "batch_size": 1})
    assert seen == [(1, 2), (2, 2)]


def test_too_little_memory_halves_the_batch(averaged, explain, averaged_picture, monkeypatch):
    whole = explain("ablationcam", averaged, averaged_picture)
    run_from, rows = type(averaged).run_from, []

    def small(self, at, a, x=None, outputs=None):
        rows.append(len(a))
        if len(a) > 1:
            raise OutOfMemoryError("no memory for that")
        return run_from(self, at, a, x, outputs)

    monkeypatch.setattr(type(averaged), "run_from", small)
    halved = explain("ablationcam", averaged, averaged_picture, task={"batch_size": 4})
    assert rows == [4, 2, 1, 1, 1, 1, 1]
    np.testing.assert_allclose(halved.values, whole.values, atol=1e-5)


def test_a_target_before_the_layer_is_refused(averaged, explain, averaged_picture):
    with pytest.raises(UsageError, match="does not depend on 'map'"):
        explain("ablationcam", averaged, averaged_picture, ("map/pre:0",), task={"at": "map"})


def test_special_tokens_stay_when_a_channel_is_taken_off_the_places(transformer, explain, landscape_picture):
    """Score c falls by its channel's sum over the 24 places, of 25 tokens that the class token draws evenly."""
    means = (landscape_picture.reshape(4, 8, 6, 8, 3).mean(axis=(1, 3)) / 255).transpose(2, 0, 1)[:2]
    weights = means.sum(axis=(1, 2)) / 25
    found = explain("ablationcam", transformer(), landscape_picture, (0, 1))
    expected = bilinear((weights[:, None, None] * means).astype(np.float32), (32, 48))
    np.testing.assert_allclose(found.values, expected, atol=1e-5)
    assert found.facts[0]["layer"] == "tokens"
