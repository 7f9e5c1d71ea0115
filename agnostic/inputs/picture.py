"""Open a picture file, which may be hostile, as plain 8-bit pixels."""

import os
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from agnostic.errors import InputError

Pixels = npt.NDArray[np.uint8]

# Vector and page formats run interpreters, and the stubs read nothing.
REFUSED = {"EPS", "PDF", "WMF", "FPX", "MIC", "GRIB", "BUFR", "HDF5", "MPEG"}
# Tried first: asking every format in turn costs a fifth of a small picture's reading.
_COMMON = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
MAX_PIXELS = 50_000_000
_PLAIN = ("RGB", "RGBA", "L")


def open_picture(source: "str | os.PathLike[str] | Image.Image | npt.NDArray[np.generic]") -> Image.Image:
    """Read a picture upright, in mode RGB, RGBA or L with 8 bits a channel.

    Args:
        source: a file in any raster format Pillow reads, a PIL image, or an array (H, W), (H, W, 3) or (H, W, 4) uint8.

    Raises:
        InputError: the file is missing, no picture, broken, or larger than 50 million pixels.
    """
    if isinstance(source, Image.Image):
        return plain(ImageOps.exif_transpose(source))
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if not isinstance(source, str | os.PathLike):
        raise InputError(f"got a {type(source).__name__}; expected the path of a picture, a PIL image or an array")
    return _read(Path(source))


@lru_cache(4)
def _formats(_: int) -> tuple[str, ...]:
    """The formats that are read, in the order in which a file is tried, with so many registered."""
    known = set(Image.OPEN) - REFUSED
    return (*(name for name in _COMMON if name in known), *sorted(known - set(_COMMON)))


def _read(path: Path) -> Image.Image:
    Image.init()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=_formats(len(Image.OPEN))) as picture:
                _check_size(path, picture)
                picture.load()
                # Nobody else holds this one: it is turned where it lies, and handed on without a copy.
                ImageOps.exif_transpose(picture, in_place=True)
                return picture if picture.mode in _PLAIN else plain(picture)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; expected a picture") from None
    except Image.DecompressionBombError:
        raise InputError(
            f"{path}: far more than {MAX_PIXELS // 10**6} million pixels; shrink the picture first"
        ) from None
    except UnidentifiedImageError:
        raise InputError(f"{path}: not a picture; expected PNG, JPEG, WebP, TIFF or another raster format") from None
    except InputError:
        raise
    except Exception as error:
        # Broken files make decoders raise whatever comes to hand: struct.error, zlib.error, OverflowError, …
        reason = getattr(error, "strerror", None) or " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"{path}: the picture cannot be read: {reason}") from error


def _check_size(path: Path, picture: Image.Image) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise InputError(
            f"{path}: {width} x {height} is more than {MAX_PIXELS // 10**6} million pixels; shrink the picture first"
        )


def plain(picture: Image.Image) -> Image.Image:
    """Convert any mode to RGB, RGBA or L without losing what is visible."""
    if picture.mode in _PLAIN:
        return picture.copy()
    if picture.mode.startswith("I"):
        return _from_wide(np.asarray(picture).astype(np.int64))
    if picture.mode == "F":
        raise InputError(
            "a picture of floating-point numbers has no defined white; give an 8- or 16-bit picture, or .npy"
        )
    if picture.mode == "1":
        return picture.convert("L")
    try:
        return picture.convert("RGBA" if picture.has_transparency_data else "RGB")
    except ValueError:
        raise InputError(f"a picture in mode {picture.mode} cannot be turned into RGB; save it as RGB first") from None


def _from_wide(values: npt.NDArray[np.int64]) -> Image.Image:
    """Scale 16-bit grey to 8 bits by the range of the format, not of the picture."""
    if values.min() < 0 or values.max() > 65535:
        raise InputError("a 32-bit integer picture has no defined white; give an 8- or 16-bit picture")
    return Image.fromarray(np.rint(values / 257).astype(np.uint8))


def _from_array(values: npt.NDArray[np.generic]) -> Image.Image:
    if values.dtype != np.uint8 or values.ndim not in (2, 3) or (values.ndim == 3 and values.shape[2] not in (3, 4)):
        raise InputError(
            f"a picture as an array: expected uint8 (H, W), (H, W, 3) or (H, W, 4), "
            f"got {values.dtype} {list(values.shape)}"
        )
    return Image.fromarray(np.ascontiguousarray(values))


def on_white(picture: Image.Image) -> Image.Image:
    """Lay a picture with transparency on white, as a viewer shows it; others come back as RGB."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    sheet = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(sheet, picture).convert("RGB")
