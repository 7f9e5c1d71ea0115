import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from agnostic.engine.model import Model
from agnostic.engine.preprocess import Preprocess
from agnostic.errors import InputError, UsageError
from agnostic.inputs.image import fit, image_sample, picture_input, pixel_sample

Open = Callable[..., Model]
WIDE = Preprocess(size=(8, 8), scale=1.0)


def stripes(width: int, height: int) -> Image.Image:
    """Each column's red is its number, each row's green is its own."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.arange(width)
    pixels[..., 1] = np.arange(height)[:, None]
    return Image.fromarray(pixels)


def eats(opened: Open, shape: str, **preprocess: Any) -> Model:
    kind = preprocess.pop("dtype", "float")
    metadata = {"agnostic.preprocess": json.dumps(preprocess)} if preprocess else {}
    return opened(f"g ({kind}[{shape}] x) => ({kind}[{shape}] y) {{ y = Identity(x) }}", metadata=metadata)


@pytest.mark.parametrize(
    ("width", "height", "box"), [(40, 20, (10, 0, 30, 20)), (20, 40, (0, 10, 20, 30)), (7, 7, (0, 0, 7, 7))]
)
def test_crop_keeps_the_middle_as_large_as_it_goes(width: int, height: int, box: tuple[int, ...]) -> None:
    found = np.asarray(fit(stripes(width, height), replace(WIDE, resize="crop")))
    left, top, right, bottom = box
    assert found.shape == (bottom - top, right - left, 3)
    assert (found[0, 0, 0], found[0, -1, 0]) == (left, right - 1)
    assert (found[0, 0, 1], found[-1, 0, 1]) == (top, bottom - 1)


def test_crop_to_a_wide_input() -> None:
    found = np.asarray(fit(stripes(30, 30), replace(WIDE, size=(10, 30), resize="crop")))
    assert found.shape == (10, 30, 3) and (found[0, 0, 1], found[-1, 0, 1]) == (10, 19)


@pytest.mark.parametrize(("width", "height"), [(40, 20), (20, 40)])
def test_pad_adds_grey_on_both_sides(width: int, height: int) -> None:
    found = np.asarray(fit(stripes(width, height), replace(WIDE, resize="pad")))
    assert found.shape == (40, 40, 3)
    middle = found[10:30] if width > height else found[:, 10:30]
    assert np.array_equal(middle, np.asarray(stripes(width, height)))
    assert (found == 128).all(axis=2).sum() == 800


def test_squash_keeps_the_whole_picture() -> None:
    assert fit(stripes(40, 20), WIDE).size == (40, 20)


@pytest.mark.parametrize(("channels", "mode"), [("RGB", "RGB"), ("BGR", "RGB"), ("RGBA", "RGBA"), ("L", "L")])
@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
def test_pictures_come_in_the_models_channels(channels: Any, mode: str, resize: Any) -> None:
    for source in ("L", "RGB", "RGBA"):
        found = fit(stripes(9, 5).convert(source), replace(WIDE, channels=channels, resize=resize))
        assert found.mode == mode


@pytest.mark.parametrize(
    ("shape", "layout", "channels"),
    [("n,3,8,8", "NCHW", "RGB"), ("n,3,8,8", "NCHW", "BGR"), ("n,8,8,3", "NHWC", "RGB"), ("n,8,8", "NHW", "L"),
     ("n,4,8,8", "NCHW", "RGBA"), ("1,1,8,8", "NCHW", "L")],
)  # fmt: skip
def test_a_picture_at_its_own_size_reaches_the_model_pixel_by_pixel(
    opened: Open, shape: str, layout: str, channels: str
) -> None:
    model = eats(opened, shape, layout=layout, channels=channels, size=[8, 8], scale=1.0)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8) if channels == "L" else (8, 8, 3), np.uint8)
    sample = image_sample(model, Image.fromarray(pixels), features="grid:2", fill="zero")
    planes = pixels[None] if channels == "L" else np.moveaxis(pixels, -1, 0)
    planes = planes[::-1] if channels == "BGR" else planes
    planes = np.concatenate([planes, np.full((1, 8, 8), 255)]) if channels == "RGBA" else planes
    assert np.array_equal(sample.features.x, planes)
    out = np.empty((2, *sample.arrays["x"].shape[1:]), np.float32)
    sample.features.blend(np.array([[True] * 4, [True, False, False, False]]), {sample.source: out})
    assert np.array_equal(out[:1], sample.arrays["x"])
    assert np.array_equal(model.preprocess.channels_first(out)[1, :, :4, :4], planes[:, :4, :4])  # type: ignore[union-attr]
    assert sample.pixels is not None and sample.pixels.shape == (8, 8, 3)
    assert sample.notes == ()


def test_the_same_from_a_file_an_image_and_pixels(opened: Open, tmp_path: Path) -> None:
    model = eats(opened, "n,3,16,16", size=[16, 16])
    picture = stripes(30, 20)
    picture.save(tmp_path / "stripes.png")
    samples = [image_sample(model, given) for given in (tmp_path / "stripes.png", picture, np.asarray(picture))]
    assert [sample.name for sample in samples] == ["stripes.png", "picture", "picture"]
    for sample in samples[1:]:
        assert np.array_equal(sample.arrays["x"], samples[0].arrays["x"])
        assert np.array_equal(sample.features.labels, samples[0].features.labels)


def test_a_person_sees_the_part_the_model_sees_at_its_own_resolution(opened: Open) -> None:
    model = eats(opened, "n,3,8,8", size=[8, 8], resize="crop")
    sample = image_sample(model, stripes(60, 40), features="grid:2")
    assert sample.picture is not None and sample.picture.shape == (40, 40, 3)
    huge = image_sample(model, Image.new("RGB", (3000, 2000)), features="grid:2")
    assert huge.picture is not None and huge.picture.shape == (1024, 1024, 3)


def test_one_pixel_is_enough(opened: Open) -> None:
    sample = image_sample(eats(opened, "n,3,8,8", size=[8, 8], scale=1.0), Image.new("RGB", (1, 1), (5, 6, 7)))
    assert sample.features.x[:, 3, 3].tolist() == [5, 6, 7]


def test_what_was_assumed_is_said(opened: Open) -> None:
    sample = image_sample(eats(opened, "n,3,8,8"), stripes(8, 8), features="grid:2")
    assert sample.notes == (
        "the model declares no preprocessing; assumed NCHW 8x8 RGB, pixels x 0.00392157, mean 0.485,0.456,0.406, "
        "std 0.229,0.224,0.225; declare it in MODEL.agnostic.toml under [preprocess], or with --channels, --scale, "
        "--mean, --std, --resize",
    )


def test_whole_number_inputs_eat_raw_pixels(opened: Open) -> None:
    model = eats(opened, "n,8,8,3", dtype="uint8")
    sample = image_sample(model, stripes(8, 8), features="grid:2")
    assert sample.arrays["x"].dtype == np.uint8
    assert np.array_equal(sample.arrays["x"][0], np.asarray(stripes(8, 8)))


@pytest.mark.parametrize(
    ("preprocess", "error", "message"),
    [
        ({"channels": "L"}, InputError, "has 3 channels, the metadata preprocessing gives 1 (L, NCHW)"),
        ({"channels": "RGBA"}, InputError, "has 3 channels, the metadata preprocessing gives 4"),
        ({"layout": "NHWC", "size": [3, 8]}, InputError, "has 8 channels, the metadata preprocessing gives 3"),
        ({"size": [9, 8]}, InputError, "expected size 8 along axis 2"),
    ],
)  # fmt: skip
def test_a_declaration_that_does_not_fit_the_input_is_refused(
    opened: Open, preprocess: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as caught:
        image_sample(eats(opened, "n,3,8,8", **preprocess), stripes(8, 8), features="grid:2")
    assert message in str(caught.value)


TWO = "g (float[n,3,8,8] a, float[n,1,4,4] b, float[n,5] v) => (float[n,3,8,8] y) { y = Relu(a) }"


def test_the_input_that_eats_the_picture_is_found(opened: Open) -> None:
    model = opened(TWO)
    assert picture_input(model).name == "a"
    assert picture_input(model, "b").name == "b"
    with pytest.raises(UsageError, match="unknown input 'c'"):
        picture_input(model, "c")
    later = opened("g (float[n,5] v, float[n,3,8,8] a) => (float[n,3,8,8] y) { y = Relu(a) }")
    assert picture_input(later).name == "a"
    grey = opened("g (float[n,5] v, float[n,8,8] a) => (float[n,8,8] y) { y = Relu(a) }")
    assert picture_input(grey).name == "a"


def test_models_that_eat_no_pictures_say_what_to_give(opened: Open) -> None:
    with pytest.raises(InputError, match=r"shape \['n', 5\], which is no picture .* give the array itself as a \.npy"):
        picture_input(opened("g (float[n,5] v) => (float[n,5] y) { y = Relu(v) }"))
    with pytest.raises(InputError, match=r"none of the inputs is a picture: v float32 \[n, 5\], w .*NAME=FILE\.npy"):
        picture_input(opened("g (float[n,5] v, float[n,5] w) => (float[n,5] y) { y = Add(v, w) }"))


def test_the_very_array_a_model_eats_is_shown_as_the_picture_it_came_from(opened: Open) -> None:
    model = eats(opened, "n,3,8,8", size=[8, 8], channels="BGR", mean=[0.1, 0.2, 0.3], std=[0.5, 1, 2])
    picture = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    first = image_sample(model, picture, features="superpixels:4", fill="blur")
    sample = pixel_sample(model, {"x": first.arrays["x"]}, features="superpixels:4", fill="blur")
    assert sample.pixels is not None and np.array_equal(sample.pixels, picture)
    assert np.array_equal(sample.features.x, first.features.x)
    assert np.array_equal(sample.features.labels, first.features.labels)
    assert np.array_equal(sample.features.fill, first.features.fill)
    with pytest.raises(InputError, match="expected size 3 along axis 1"):
        pixel_sample(model, {"x": np.zeros((1, 4, 8, 8))})
    with pytest.raises(UsageError, match="unknown input 'z'"):
        pixel_sample(model, {"x": np.zeros((1, 3, 8, 8)), "z": np.zeros(1)})


def test_grey_arrays_are_shown_grey(opened: Open) -> None:
    model = eats(opened, "n,1,8,8", size=[8, 8], channels="L", scale=1.0)
    sample = pixel_sample(model, {"x": np.full((1, 8, 8), 77.0)}, features="grid:2", fill="mean")
    assert sample.picture is not None and (sample.picture == 77).all() and sample.picture.shape == (8, 8, 3)
    assert (sample.features.fill == 77).all()
