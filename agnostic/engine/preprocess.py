"""How a picture becomes the array a model eats: declared in metadata, a sidecar or flags, never guessed in silence.

The declaration, as JSON under the ONNX metadata key `agnostic.preprocess`, or as the table `[preprocess]` of the
sidecar `model.agnostic.toml`::

    layout = "NCHW"        # or NHWC, or NHW (grey without a channel axis): the axes of the input
    size = [224, 224]      # height, width
    channels = "RGB"       # or BGR, RGBA, L (grey)
    scale = 0.00392157     # the pixels 0..255 are multiplied by this
    mean = [0.485, …]      # then this is taken off, per channel in the order of `channels`
    std = [0.229, …]       # then the result is divided by this
    resize = "squash"      # or crop (short side to size, centre), pad (long side to size)
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, get_args, get_type_hints

import numpy as np
import numpy.typing as npt

from agnostic.errors import InputError, UsageError

Layout = Literal["NCHW", "NHWC", "NHW"]
Channels = Literal["RGB", "BGR", "RGBA", "L"]
Resize = Literal["squash", "crop", "pad"]
Shape = tuple[int | str | None, ...]
Array32 = npt.NDArray[np.float32]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Preprocess:
    """One declared way from pixels to the model's input: x = (pixel * scale - mean) / std."""

    layout: Layout = "NCHW"
    size: tuple[int, int] = (224, 224)
    channels: Channels = "RGB"
    scale: float = 1 / 255
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    resize: Resize = "squash"
    origin: str = "declared"

    def __post_init__(self) -> None:
        """Refuse values that cannot be meant."""
        for name, allowed in (("layout", Layout), ("channels", Channels), ("resize", Resize)):
            if getattr(self, name) not in get_args(allowed):
                raise UsageError(
                    f"preprocess {name}={getattr(self, name)!r}: expected one of {', '.join(get_args(allowed))}"
                )
        if len(self.size) != 2 or min(self.size) < 1:
            raise UsageError(f"preprocess size={self.size}: expected height and width, each at least 1")
        if self.layout == "NHW" and self.channels != "L":
            raise UsageError(f"preprocess layout=NHW has no channel axis: expected channels=L, got {self.channels}")
        for name in ("mean", "std"):
            if len(getattr(self, name)) not in (1, self.depth):
                raise UsageError(
                    f"preprocess {name}: {len(getattr(self, name))} values for {self.depth} channels ({self.channels})"
                )
        if not all(self.std) or not self.scale or not np.isfinite([*self.mean, *self.std, self.scale]).all():
            raise UsageError("preprocess: scale and std must be finite and not zero, mean finite")

    @property
    def depth(self) -> int:
        """How many channels the model eats."""
        return 1 if self.channels == "L" else len(self.channels)

    def apply(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Turn (..., H, W, depth) pixels in RGB(A) or grey order into (..., *axes of one input) float32."""
        order = pixels[..., ::-1] if self.channels == "BGR" else pixels
        values = (order.astype(np.float32) * np.float32(self.scale) - np.asarray(self.mean, np.float32)) / np.asarray(
            self.std, np.float32
        )
        if self.layout == "NHW":
            return np.ascontiguousarray(values[..., 0])
        return np.ascontiguousarray(np.moveaxis(values, -1, -3) if self.layout == "NCHW" else values)

    def row(self, pixels: npt.NDArray[np.uint8]) -> Array32:
        """Turn (H, W) or (H, W, depth) pixels into one row of the model's input, without the batch axis."""
        return self.apply(pixels[..., None] if pixels.ndim == 2 else pixels)

    def planes(self, pixels: npt.NDArray[np.uint8]) -> Array32:
        """Turn pixels into (C, H, W) in the model's space, whatever its layout."""
        return np.ascontiguousarray(self.channels_first(self.row(pixels)[None])[0])

    def channels_first(self, values: Array32) -> Array32:
        """View (n, *axes of one input) as (n, C, H, W); writing to the view writes to the array."""
        if self.layout == "NHW":
            return values[:, None]
        return values if self.layout == "NCHW" else np.moveaxis(values, -1, 1)

    def invert(self, values: Array32) -> npt.NDArray[np.uint8]:
        """Turn one row of what the model eats, (C, H, W), back into (H, W, depth) pixels."""
        moved = np.moveaxis(values, 0, -1).astype(np.float64)
        pixels = (moved * np.asarray(self.std) + np.asarray(self.mean)) / self.scale
        whole: npt.NDArray[np.uint8] = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        return whole[..., ::-1] if self.channels == "BGR" else whole

    def as_dict(self) -> dict[str, Any]:
        """The declaration as plain JSON values, with where it comes from."""
        return {
            item.name: list(value) if isinstance(value := getattr(self, item.name), tuple) else value
            for item in fields(self)
        }

    def with_flags(self, flags: Mapping[str, Any]) -> "Preprocess":
        """Override single values, as command-line flags do."""
        given = {name: value for name, value in flags.items() if value is not None}
        return from_mapping({**self._declared(), **given}, f"{self.origin} and flags") if given else self

    def _declared(self) -> dict[str, Any]:
        return {name: value for name, value in self.as_dict().items() if name != "origin"}


def from_mapping(values: Mapping[str, Any], origin: str) -> Preprocess:
    """Read a declaration; unknown keys and wrong types are refused with their names."""
    hints = {name: hint for name, hint in get_type_hints(Preprocess).items() if name != "origin"}
    unknown = sorted(set(values) - set(hints))
    if unknown:
        raise UsageError(f"{origin}: unknown preprocess key {unknown[0]!r}; known: {', '.join(hints)}")
    try:
        clean = {name: _coerce(name, value) for name, value in values.items()}
    except (TypeError, ValueError) as error:
        raise UsageError(f"{origin}: preprocess {error}") from error
    return replace(Preprocess(**clean), origin=origin)


def _coerce(name: str, value: Any) -> Any:
    try:
        if isinstance(value, str) and name in ("size", "mean", "std"):
            raise TypeError("text would be read letter by letter")
        if name == "size":
            return (int(value), int(value)) if isinstance(value, int) else tuple(int(item) for item in value)
        if name in ("mean", "std"):
            return (float(value),) if isinstance(value, int | float) else tuple(float(item) for item in value)
        return float(value) if name == "scale" else str(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name}={value!r} cannot be read as numbers") from None


def assume(shape: Shape, integer: bool) -> Preprocess:
    """Guess from an input's shape, for a model that declares nothing; the caller has to say so.

    Three channels are taken as ImageNet-normalised RGB, one as grey in 0..1, integers as raw pixels.

    Raises:
        InputError: the shape is not that of a picture.
    """
    layout, depth, height, width = _layout_of(shape)
    if depth not in (1, 3, 4):
        raise InputError(
            f"the model's input {list(shape)} has {depth} channels, a picture has 1, 3 or 4; "
            "give the array itself as a .npy file"
        )
    channels: Channels = "L" if depth == 1 else "RGB" if depth == 3 else "RGBA"
    imagenet = depth == 3 and not integer
    return Preprocess(
        layout=layout,
        size=(height or width or 224, width or height or 224),
        channels=channels,
        scale=1.0 if integer else 1 / 255,
        mean=IMAGENET_MEAN if imagenet else (0.0,),
        std=IMAGENET_STD if imagenet else (1.0,),
        origin="assumed",
    )


def _layout_of(shape: Shape) -> tuple[Layout, int, int | None, int | None]:
    sizes = [size if isinstance(size, int) and size > 0 else None for size in shape]
    if len(sizes) == 4:
        if sizes[1] not in (1, 3, 4) and sizes[3] in (1, 3, 4):
            return "NHWC", int(sizes[3] or 0), sizes[1], sizes[2]
        return "NCHW", sizes[1] or 3, sizes[2], sizes[3]
    if len(sizes) == 3 and sizes[0] in (3, 4):
        raise InputError(
            f"the model's input {list(shape)} is one picture without a batch axis; export the model with one, such as "
            f"[1, {', '.join(map(str, shape))}]"
        )
    if len(sizes) == 3 and all(size is not None and size > 4 for size in sizes[1:]):
        return "NHW", 1, sizes[1], sizes[2]
    raise InputError(
        f"the model's input has shape {list(shape)}, which is no picture (expected 4 axes such as [n, 3, 224, 224]); "
        "give the array itself as a .npy file"
    )
