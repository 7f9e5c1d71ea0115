"""A picture as a sample: fitted to the model's input, cut into superpixels, a grid, or the user's own regions."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from agnostic.engine.model import Model
from agnostic.engine.preprocess import Preprocess, assume
from agnostic.engine.signature import Tensor
from agnostic.engine.target import Array
from agnostic.errors import InputError, unknown
from agnostic.inputs.array import complete, feature_names, one_row
from agnostic.inputs.features import NumericFeatures
from agnostic.inputs.fills import fill_for
from agnostic.inputs.picture import Pixels, on_white, open_picture
from agnostic.inputs.regions import Labels, regions
from agnostic.inputs.sample import Sample

SHOWN_SIDE = 1024


def picture_input(model: Model, name: str | None = None) -> Tensor:
    """Find the input that eats the picture: the named one, or the first with the axes of a picture.

    Raises:
        UsageError: there is no input of that name.
        InputError: no input has the axes of a picture.
    """
    if name is not None:
        found = [tensor for tensor in model.inputs if tensor.name == name]
        if not found:
            raise unknown("input", name, [tensor.name for tensor in model.inputs])
        return found[0]
    for axes in (4, 3):
        for tensor in model.inputs:
            if len(tensor.shape) == axes and not _is_refused(tensor):
                return tensor
    if len(model.inputs) == 1:
        assume(model.inputs[0].shape, integer=False)
    raise InputError(
        f"none of the inputs is a picture: {', '.join(map(str, model.inputs))}; give arrays as NAME=FILE.npy"
    )


def _is_refused(tensor: Tensor) -> bool:
    try:
        assume(tensor.shape, integer=False)
    except InputError:
        return True
    return False


def declared_or_assumed(model: Model, tensor: Tensor) -> tuple[Preprocess, tuple[str, ...]]:
    """The way from pixels to this input, and a note where it had to be assumed."""
    if model.preprocess is not None:
        return model.preprocess, ()
    guess = assume(tensor.shape, tensor.is_integer)
    what = f"{guess.channels}, pixels x {guess.scale:.6g}, mean {_short(guess.mean)}, std {_short(guess.std)}"
    return guess, (
        f"the model declares no preprocessing; assumed {guess.layout} {guess.size[0]}x{guess.size[1]} {what}; "
        "declare it in MODEL.agnostic.toml under [preprocess], or with --channels, --scale, --mean, --std, --resize",
    )


def _short(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)


def image_sample(
    model: Model,
    picture: "str | os.PathLike[str] | Image.Image | npt.NDArray[np.uint8]",
    *,
    source: str | None = None,
    others: Mapping[str, Array] | None = None,
    features: str | Labels = "superpixels",
    fill: str = "blur",
    seed: int = 0,
) -> Sample:
    """Make a sample of a picture.

    Args:
        model: the model.
        picture: a file, a PIL image or pixels.
        source: the input that eats it; found by its axes if not given.
        others: the arrays of the model's other inputs.
        features: `superpixels` or `superpixels:N`, `grid:N` (N x N windows), a .npy or picture file with one label
            per position, or such an array.
        fill: what stands in where a feature is off: `blur`, `mean` (each feature's mean colour), `noise`, `zero` (zero
            in the model's own space), or a colour such as `gray` or `#808080`.
        seed: of the noise fill.

    Raises:
        InputError: the picture cannot be read, or the model takes no such picture.
        UsageError: an unknown kind of features or fill.
    """
    tensor = picture_input(model, source)
    preprocess, notes = declared_or_assumed(model, tensor)
    _check_depth(tensor, preprocess)
    opened = open_picture(picture)
    fitted = fit(opened, preprocess)
    pixels = np.asarray(fitted.resize(preprocess.size[::-1], Image.Resampling.BILINEAR))
    given = {**(others or {}), tensor.name: preprocess.row(pixels)[None]}
    arrays, more = complete(model, {**given, **_rows(model, others or {})})
    rgb = _to_rgb(pixels)
    labels = regions(features, rgb)
    sample_features = NumericFeatures(
        source=tensor.name,
        x=preprocess.planes(pixels),
        fill=fill_for(fill, pixels, labels, preprocess, seed),
        labels=labels,
        view=preprocess.channels_first,
        names=feature_names(labels),
        is_grid=True,
    )
    name = Path(picture).name if isinstance(picture, str | os.PathLike) else "picture"
    refill = partial(_refill, pixels, labels, preprocess)
    cut = partial(_cut, rgb)
    return Sample(
        model.feeds(arrays), tensor.name, sample_features, name, _shown(fitted), rgb, refill, cut, (*notes, *more)
    )


def pixel_sample(
    model: Model,
    given: Mapping[str, Array],
    *,
    features: str | Labels = "superpixels",
    fill: str = "blur",
    seed: int = 0,
) -> Sample:
    """Make a sample of the very array a picture model eats; what a person sees is computed back from it.

    Args:
        model: the model, whose first given input is the picture.
        given: arrays by input name, (1, ...) or without the batch axis.
        features: as for `image_sample`.
        fill: as for `image_sample`.
        seed: of the noise fill.

    Raises:
        InputError: the array does not fit.
    """
    source = next(iter(given))
    tensor = picture_input(model, source)
    preprocess, notes = declared_or_assumed(model, tensor)
    arrays, more = complete(model, _rows(model, given))
    feeds = model.feeds(arrays)
    x = preprocess.channels_first(np.asarray(feeds[source][:1], np.float32))[0]
    pixels = preprocess.invert(x)
    pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    rgb = _to_rgb(pixels)
    labels = regions(features, rgb)
    filler = fill_for(fill, pixels, labels, preprocess, seed)
    sample_features = NumericFeatures(
        source=source, x=x, fill=filler, labels=labels, view=preprocess.channels_first, names=feature_names(labels),
        is_grid=True,
    )  # fmt: skip
    refill = partial(_refill, pixels, labels, preprocess)
    return Sample(feeds, source, sample_features, "array", rgb, rgb, refill, partial(_cut, rgb), (*notes, *more))


def _refill(pixels: Pixels, labels: Labels, preprocess: Preprocess, fill: str, seed: int) -> npt.NDArray[np.float32]:
    return fill_for(fill, pixels, labels, preprocess, seed)


def _cut(pixels: Pixels, count: int) -> Labels:
    return regions(f"superpixels:{count}", pixels)


def _rows(model: Model, given: Mapping[str, Array]) -> dict[str, Array]:
    tensors = {tensor.name: tensor for tensor in model.inputs}
    stray = sorted(set(given) - set(tensors))
    if stray:
        raise unknown("input", stray[0], tensors)
    return {name: one_row(model, tensors[name], value) for name, value in given.items()}


def _check_depth(tensor: Tensor, preprocess: Preprocess) -> None:
    if preprocess.layout == "NHW" or len(tensor.shape) != 4:
        return
    depth = tensor.shape[1 if preprocess.layout == "NCHW" else 3]
    if isinstance(depth, int) and depth > 0 and depth != preprocess.depth:
        raise InputError(
            f"input {tensor} has {depth} channels, the {preprocess.origin} preprocessing gives {preprocess.depth} "
            f"({preprocess.channels}, {preprocess.layout}); declare channels and layout that fit"
        )


def fit(picture: Image.Image, preprocess: Preprocess) -> Image.Image:
    """Bring a picture to the model's channels and to the part of it that the model sees, at its own resolution.

    A picture that is there already comes back itself.
    """
    if preprocess.channels == "RGBA":
        picture = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    else:
        picture = picture if picture.mode == "RGB" else on_white(picture)
        picture = picture.convert("L") if preprocess.channels == "L" else picture
    if preprocess.resize == "crop":
        return _cropped(picture, preprocess.size)
    return _padded(picture, preprocess.size) if preprocess.resize == "pad" else picture


def _cropped(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Cut out the largest centred part with the aspect of the model's input."""
    scale = min(picture.width / size[1], picture.height / size[0])
    width, height = max(1, round(size[1] * scale)), max(1, round(size[0] * scale))
    if picture.size == (width, height):
        return picture
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def _padded(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Centre the picture on mid-grey with the aspect of the model's input."""
    scale = max(picture.width / size[1], picture.height / size[0])
    sheet = Image.new(picture.mode, (round(size[1] * scale), round(size[0] * scale)), _grey(picture.mode))
    sheet.paste(picture, ((sheet.width - picture.width) // 2, (sheet.height - picture.height) // 2))
    return sheet


def _grey(mode: str) -> int | tuple[int, ...]:
    return 128 if mode == "L" else (128, 128, 128) if mode == "RGB" else (128, 128, 128, 255)


def _shown(picture: Image.Image) -> Pixels:
    """The picture for a person's eyes, no larger than prints need."""
    rgb = on_white(picture)
    rgb.thumbnail((SHOWN_SIDE, SHOWN_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(rgb)


def _to_rgb(pixels: Pixels) -> Pixels:
    rgb = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]
    return np.ascontiguousarray(rgb)
