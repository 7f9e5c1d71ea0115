from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from agnostic.engine.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess, assume, from_mapping
from agnostic.errors import InputError, UsageError

PIXELS = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10
MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.25, 2.0)


def by_hand(channel: int, row: int, column: int, of: int) -> float:
    """(pixel / 255 - mean) / std of the channel that stands at `channel`, read from the picture's channel `of`."""
    return (float(PIXELS[row, column, of]) / 255 - MEAN[channel]) / STD[channel]


@pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_colour_follows_the_formula(layout: Any, channels: Any) -> None:
    way = Preprocess(layout=layout, size=(2, 3), channels=channels, mean=MEAN, std=STD)
    values = way.apply(PIXELS)
    assert values.shape == ((3, 2, 3) if layout == "NCHW" else (2, 3, 3))
    assert (values.dtype, values.flags.c_contiguous) == (np.float32, True)
    first = values if layout == "NCHW" else values.transpose(2, 0, 1)
    for channel, row, column in np.ndindex(3, 2, 3):
        of = channel if channels == "RGB" else 2 - channel
        assert first[channel, row, column] == pytest.approx(by_hand(channel, row, column, of), abs=1e-6)
    assert np.array_equal(way.planes(PIXELS), first)
    assert np.array_equal(way.invert(first), PIXELS)


@pytest.mark.parametrize(("layout", "shape"), [("NCHW", (1, 2, 3)), ("NHWC", (2, 3, 1)), ("NHW", (2, 3))])
def test_grey_follows_the_formula(layout: Any, shape: tuple[int, ...]) -> None:
    way = Preprocess(layout=layout, size=(2, 3), channels="L", scale=0.5, mean=(4.0,), std=(2.0,))
    values = way.row(PIXELS[..., 0])
    assert values.shape == shape
    assert np.array_equal(values.ravel(), (PIXELS[..., 0].ravel() * 0.5 - 4) / 2)
    assert way.planes(PIXELS[..., 0]).shape == (1, 2, 3)
    assert np.array_equal(way.invert(way.planes(PIXELS[..., 0]))[..., 0], PIXELS[..., 0])


def test_transparency_is_a_fourth_channel() -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    way = Preprocess(size=(2, 3), channels="RGBA", scale=1.0)
    assert np.array_equal(way.apply(pixels), pixels.transpose(2, 0, 1))
    assert np.array_equal(way.invert(way.planes(pixels)), pixels)


@pytest.mark.parametrize(
    ("layout", "channels", "shape"),
    [("NCHW", "RGB", (2, 3, 4, 5)), ("NHWC", "RGB", (2, 4, 5, 3)), ("NHW", "L", (2, 4, 5))],
)
def test_writing_to_the_channels_first_view_writes_the_models_own_buffer(
    layout: Any, channels: Any, shape: tuple[int, ...]
) -> None:
    way = Preprocess(layout=layout, channels=channels)
    buffer = np.zeros(shape, np.float32)
    view = way.channels_first(buffer)
    assert view.shape == (2, way.depth, 4, 5)
    view[1, -1, 3, 2] = 7
    assert np.count_nonzero(buffer) == 1
    assert way.channels_first(buffer)[1, -1, 3, 2] == 7


def test_inversion_rounds_and_stays_within_bytes() -> None:
    way = Preprocess(size=(1, 2), channels="L", scale=1.0)
    assert way.invert(np.array([[[-5.0, 300.0]]], np.float32)).ravel().tolist() == [0, 255]
    assert way.invert(np.array([[[3.6, 3.4]]], np.float32)).ravel().tolist() == [4, 3]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"layout": "NWHC"}, "layout='NWHC': expected one of NCHW, NHWC, NHW"),
        ({"channels": "HSV"}, "channels='HSV': expected one of RGB, BGR, RGBA, L"),
        ({"resize": "stretch"}, "resize='stretch': expected one of squash, crop, pad"),
        ({"size": [224]}, "expected height and width"),
        ({"size": [0, 224]}, "each at least 1"),
        ({"size": "224"}, "size='224' cannot be read as numbers"),
        ({"size": None}, "size=None cannot be read as numbers"),
        ({"layout": "NHW"}, "layout=NHW has no channel axis: expected channels=L, got RGB"),
        ({"mean": [1, 2]}, "mean: 2 values for 3 channels (RGB)"),
        ({"std": [1, 2, 3, 4]}, "std: 4 values for 3 channels (RGB)"),
        ({"channels": "L", "mean": [1, 2, 3]}, "mean: 3 values for 1 channels (L)"),
        ({"std": 0}, "scale and std must be finite and not zero"),
        ({"std": [1, 1, 0]}, "scale and std must be finite and not zero"),
        ({"scale": 0}, "scale and std must be finite and not zero"),
        ({"mean": float("nan")}, "mean finite"),
        ({"scale": float("inf")}, "must be finite"),
        ({"mean": "123"}, "mean='123' cannot be read as numbers"),
        ({"scale": "much"}, "scale='much' cannot be read as numbers"),
        ({"colour": 1}, "unknown preprocess key 'colour'; known: layout, size, channels"),
        ({"origin": "me"}, "unknown preprocess key 'origin'"),
    ],
)
def test_wrong_declarations_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_mapping(values, "here")
    assert message in str(caught.value)


def test_short_forms_are_read() -> None:
    way = from_mapping({"size": 32, "mean": 0.5, "std": [2], "scale": 1}, "here")
    assert (way.size, way.mean, way.std, way.scale, way.origin) == ((32, 32), (0.5,), (2.0,), 1.0, "here")


def test_flags_override_single_values_and_are_named_as_the_origin() -> None:
    way = Preprocess(mean=MEAN, std=STD, origin="sidecar")
    changed = way.with_flags({"channels": "BGR", "scale": None, "resize": "pad"})
    assert changed == replace(way, channels="BGR", resize="pad", origin="sidecar and flags")
    assert way.with_flags({"scale": None}) is way


def test_the_declaration_as_plain_values_reads_back() -> None:
    way = Preprocess(layout="NHWC", size=(8, 9), mean=MEAN, std=STD, origin="x")
    plain = way.as_dict()
    assert plain["mean"] == list(MEAN)
    assert from_mapping({name: value for name, value in plain.items() if name != "origin"}, "x") == way


@pytest.mark.parametrize(
    ("shape", "integer", "layout", "size", "channels", "normalised"),
    [
        (("n", 3, 224, 224), False, "NCHW", (224, 224), "RGB", True),
        ((1, 3, 32, 64), False, "NCHW", (32, 64), "RGB", True),
        (("n", 224, 192, 3), False, "NHWC", (224, 192), "RGB", True),
        (("n", 28, 28, 1), False, "NHWC", (28, 28), "L", False),
        (("n", 1, 28, 28), False, "NCHW", (28, 28), "L", False),
        (("n", 4, 28, 28), False, "NCHW", (28, 28), "RGBA", False),
        (("n", 3, "height", "width"), False, "NCHW", (224, 224), "RGB", True),
        (("n", 3, 100, "width"), False, "NCHW", (100, 100), "RGB", True),
        (("n", "h", "w", 3), False, "NHWC", (224, 224), "RGB", True),
        (("n", 3, 32, 32), True, "NCHW", (32, 32), "RGB", None),
        (("n", 28, 28), False, "NHW", (28, 28), "L", False),
        # Both ends could be the channels: the usual order for ONNX wins.
        (("n", 3, 224, 3), False, "NCHW", (224, 3), "RGB", True),
    ],
)
def test_what_is_assumed_of_an_undeclared_picture(
    shape: Any, integer: bool, layout: str, size: Any, channels: str, normalised: bool | None
) -> None:
    way = assume(shape, integer)
    assert (way.layout, way.size, way.channels, way.origin) == (layout, size, channels, "assumed")
    assert way.scale == (1.0 if integer else 1 / 255)
    assert (way.mean, way.std) == ((IMAGENET_MEAN, IMAGENET_STD) if normalised else ((0.0,), (1.0,)))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (("n", 10), "which is no picture"),
        (("n", 10, 5, 5), "has 10 channels, a picture has 1, 3 or 4"),
        (("n", 28, 1), "which is no picture"),
        ((), "which is no picture"),
        (("n", 3, 8, 8, 8), "which is no picture"),
        ((3, 224, 224), "without a batch axis; export the model with one, such as [1, 3, 224, 224]"),
    ],
)
def test_other_shapes_are_no_pictures(shape: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        assume(shape, integer=False)
    assert message in str(caught.value)
