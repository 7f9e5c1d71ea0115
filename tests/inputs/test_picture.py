import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from agnostic.errors import InputError
from agnostic.inputs.picture import on_white, open_picture

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
GREY = RGB[..., 0]


def saved(picture: Image.Image, path: Path, **options: Any) -> Path:
    picture.save(path, **options)
    return path


@pytest.mark.parametrize("opener", ["file", "image"])
@pytest.mark.parametrize(
    ("mode", "suffix", "expected"),
    [
        ("1", "png", "L"),
        ("L", "png", "L"),
        ("LA", "png", "RGBA"),
        ("P", "png", "RGB"),
        ("RGB", "png", "RGB"),
        ("RGBA", "png", "RGBA"),
        ("I;16", "png", "L"),
        ("CMYK", "tiff", "RGB"),
        ("YCbCr", "jpg", "RGB"),
        ("RGB", "webp", "RGB"),
        ("RGB", "bmp", "RGB"),
        ("RGB", "gif", "RGB"),
    ],
)
def test_every_mode_becomes_eight_bits_of_grey_or_colour(
    tmp_path: Path, opener: str, mode: str, suffix: str, expected: str
) -> None:
    picture = Image.fromarray(GREY.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(RGB).convert(mode)
    assert picture.mode == mode
    source: Any = saved(picture, tmp_path / f"a.{suffix}") if opener == "file" else picture
    found = open_picture(source)
    assert (found.mode, found.size) == (expected, (8, 6))


def test_lossless_pixels_come_back_as_they_are(tmp_path: Path) -> None:
    assert np.array_equal(open_picture(saved(Image.fromarray(RGB), tmp_path / "a.png")), RGB)
    assert np.array_equal(open_picture(saved(Image.fromarray(GREY), tmp_path / "a.png")), GREY)
    assert np.array_equal(open_picture(RGB), RGB)
    assert np.array_equal(open_picture(GREY), GREY)
    assert np.array_equal(open_picture(np.asfortranarray(RGB)), RGB)


def test_black_and_white_are_the_ends_of_the_scale() -> None:
    assert np.asarray(open_picture(Image.fromarray(np.array([[False, True]])))).tolist() == [[0, 255]]


def test_sixteen_bits_are_scaled_by_the_format_not_by_the_picture(tmp_path: Path) -> None:
    wide = np.array([[0, 257, 1000, 65535]], np.uint16)
    for source in (Image.fromarray(wide), saved(Image.fromarray(wide), tmp_path / "a.png")):
        assert np.asarray(open_picture(source)).tolist() == [[0, 1, 4, 255]]
    assert np.asarray(open_picture(Image.fromarray(wide.astype(np.int32)))).tolist() == [[0, 1, 4, 255]]


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (Image.fromarray(np.array([[-1, 5]], np.int32)), "a 32-bit integer picture has no defined white"),
        (Image.fromarray(np.array([[70000]], np.int32)), "a 32-bit integer picture has no defined white"),
        (Image.fromarray(np.array([[0.5]], np.float32)), "floating-point numbers has no defined white"),
        (Image.new("La", (2, 2)), "mode La cannot be turned into RGB"),
        (np.zeros((2, 2, 3), np.float32), "expected uint8 (H, W), (H, W, 3) or (H, W, 4), got float32 [2, 2, 3]"),
        (np.zeros((3, 2, 2), np.uint8), "got uint8 [3, 2, 2]"),
        (np.zeros(3, np.uint8), "got uint8 [3]"),
        (None, "got a NoneType; expected the path of a picture"),
        (b"\x89PNG", "got a bytes; expected the path of a picture"),
        (3.0, "got a float; expected the path"),
    ],
)  # fmt: skip
def test_pictures_without_a_defined_white_are_refused(picture: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        open_picture(picture)
    assert message in str(caught.value)


def test_a_palette_with_transparency_is_laid_on_white(tmp_path: Path) -> None:
    picture = Image.new("P", (2, 1), 0)
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    path = saved(picture, tmp_path / "a.png", transparency=0)
    found = open_picture(path)
    assert found.mode == "RGBA"
    assert np.asarray(on_white(found)).tolist() == [[[255, 255, 255], [40, 50, 60]]]


def test_half_transparent_pixels_mix_with_white() -> None:
    picture = Image.new("RGBA", (1, 1), (100, 0, 200, 128))
    mixed = [255 + (value - 255) * 128 / 255 for value in (100, 0, 200)]
    assert np.abs(np.asarray(on_white(picture))[0, 0] - mixed).max() <= 1
    grey = on_white(Image.fromarray(GREY))
    assert np.array_equal(np.asarray(grey), np.repeat(GREY[..., None], 3, axis=2))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    upright = Image.fromarray(RGB)
    # How each orientation was stored is undone by its inverse, by the standard's own table.
    stored = {
        1: upright,
        2: ImageOps.mirror(upright),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: ImageOps.flip(upright),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(stored, tmp_path / "a.png", exif=exif.tobytes())
    assert np.array_equal(open_picture(path), RGB)


def test_of_a_moving_picture_the_first_frame_counts(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue")]
    path = saved(frames[0], tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert open_picture(path).getpixel((0, 0)) == (255, 0, 0)


def test_a_single_pixel_is_a_picture(tmp_path: Path) -> None:
    assert open_picture(saved(Image.new("RGB", (1, 1), "red"), tmp_path / "a.png")).size == (1, 1)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(path: Path, width: int, height: int) -> Path:
    """A PNG of a few hundred bytes whose header promises any size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(10_000)))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b""))
    return path


@pytest.mark.parametrize(("width", "height"), [(20_000, 10_000), (10_000, 10_000), (7_100, 7_100)])
def test_bombs_are_refused_before_they_are_decoded(tmp_path: Path, width: int, height: int) -> None:
    path = bomb(tmp_path / "bomb.png", width, height)
    assert path.stat().st_size < 1000
    with pytest.raises(InputError, match="more than 50 million pixels; shrink the picture first"):
        open_picture(path)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.png", b"hello, I am a text\n", "not a picture; expected PNG, JPEG"),
        ("a.png", b"", "not a picture"),
        ("a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", "not a picture"),
        ("a.pdf", b"%PDF-1.4\n%%EOF\n", "not a picture"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
    ],
)
def test_what_is_no_picture_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        open_picture(tmp_path / name)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file; expected a picture"):
        open_picture(tmp_path / "a.png")
    with pytest.raises(InputError, match="Is a directory"):
        open_picture(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tiff", "webp", "bmp", "ico", "tga", "ppm"])
def test_broken_files_give_a_picture_or_one_line(tmp_path: Path, suffix: str) -> None:
    """Cut short and flipped at random, no file may bring anything but a picture or an InputError."""
    path = saved(Image.fromarray(RGB).resize((40, 30)), tmp_path / f"a.{suffix}")
    whole = path.read_bytes()
    random = np.random.default_rng(0)
    refused = 0
    for _ in range(40):
        broken = bytearray(whole[: random.integers(1, len(whole))] if random.random() < 0.5 else whole)
        for place in random.integers(0, len(broken), 4):
            broken[place] = random.integers(0, 256)
        path.write_bytes(broken)
        try:
            assert open_picture(path).mode in ("RGB", "RGBA", "L")
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 0
