"""Cut a picture into features: superpixels, a grid of windows, or the user's own label map."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from agnostic.errors import UsageError, unknown
from agnostic.inputs.array import read_array
from agnostic.inputs.picture import Pixels, open_picture

Labels = npt.NDArray[np.int32]

DEFAULT_SEGMENTS = 50
DEFAULT_CELLS = 7


def regions(features: str | Labels, pixels: Pixels) -> Labels:
    """Cut a picture into features: (H, W) int32 labels that count up from 0.

    Args:
        features: `superpixels[:N]`, `grid:N`, a file with a label map, or the map itself.
        pixels: (H, W, 3) uint8 at the model's size.

    Raises:
        UsageError: an unknown kind, or a map of another size.
    """
    shape = pixels.shape[:2]
    if not isinstance(features, str):
        return _own_labels(np.asarray(features), shape)
    kind, _, size = features.partition(":")
    if kind == "superpixels":
        from agnostic.kernels.superpixels import slic

        return slic(pixels, segments=_number(features, size, DEFAULT_SEGMENTS))
    if kind == "grid":
        return _grid(shape, _number(features, size, DEFAULT_CELLS))
    path = Path(features)
    if path.suffix == ".npy":
        return _own_labels(read_array(path), shape)
    if path.is_file():
        return _own_labels(np.asarray(open_picture(path).convert("L")), shape)
    raise unknown(
        "features", features, ["superpixels:50", "grid:7"], "expected superpixels[:N], grid[:N] or a label map"
    )


def _number(text: str, size: str, default: int) -> int:
    if size and (not size.isdigit() or int(size) < 1):
        raise UsageError(f"features {text!r}: expected a number of at least 1 behind the colon")
    return int(size) if size else default


def _grid(shape: tuple[int, ...], cells: int) -> Labels:
    rows = np.arange(shape[0]) * min(cells, shape[0]) // shape[0]
    columns = np.arange(shape[1]) * min(cells, shape[1]) // shape[1]
    return (rows[:, None] * min(cells, shape[1]) + columns).astype(np.int32)


def _own_labels(labels: npt.NDArray[np.generic], shape: tuple[int, ...]) -> Labels:
    if labels.ndim != 2 or not np.issubdtype(labels.dtype, np.integer):
        raise UsageError(f"a label map is (H, W) integers; got {labels.dtype} {list(labels.shape)}")
    if labels.shape != shape:
        rows = (np.arange(shape[0]) * labels.shape[0]) // shape[0]
        columns = (np.arange(shape[1]) * labels.shape[1]) // shape[1]
        labels = labels[rows][:, columns]
    inverse: Labels = np.unique(labels, return_inverse=True)[1].reshape(shape).astype(np.int32)
    return inverse
