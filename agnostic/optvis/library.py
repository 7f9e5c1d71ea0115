"""The user's own pictures, beside which a rendered one is judged: how much does each excite a unit?"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from agnostic.engine.model import Model
from agnostic.engine.target import Array, Floats, Target
from agnostic.errors import InputError
from agnostic.inputs.array import one_row, read_array
from agnostic.inputs.image import declared_or_assumed, fit
from agnostic.inputs.picture import open_picture
from agnostic.optvis.lens import Lens
from agnostic.optvis.params.colour import Colours, estimate
from agnostic.optvis.params.maco import Spectrum, spectrum_of

_ROWS = 16
# More say no more of colours and frequencies.
_FOR_STATISTICS = 128
Batch = tuple[list[str], Array]


class Library:
    """The pictures of a folder, and of folders in it, read anew at each pass: nothing is kept but their names.

    Attributes:
        files: what looks like a picture, or like the array that the model eats (.npy), by name.
        failed: why some could not be read; filled by the first pass.
    """

    def __init__(self, folder: Path) -> None:
        """List a folder.

        Raises:
            InputError: there is no such folder, or no picture in it.
        """
        if not folder.is_dir():
            raise InputError(f"--images {folder}: no such folder; expected one with pictures")
        known = {*Image.registered_extensions(), ".npy"}
        found = (path for path in folder.rglob("*") if path.suffix.lower() in known and path.is_file())
        self.folder = folder
        self.files = {str(path.relative_to(folder)): path for path in sorted(found)}
        self.failed: dict[str, str] = {}
        if not self.files:
            raise InputError(f"--images {folder}: holds no picture; expected PNG, JPEG, … or .npy files")

    def scores(self, lens: Lens, targets: Sequence[Target]) -> Floats:
        """Read targets off every picture that can be read: (pictures, targets)."""
        return np.concatenate([lens.model.score(rows, targets) for _, rows in self._batches(lens)])

    def unit_scores(self, lens: Lens, layer: str) -> Floats:
        """Give the mean over all positions of every unit of a layer on every picture: (pictures, units)."""
        axis = lens.model.layer(layer).channel_axis
        found = []
        for _, rows in self._batches(lens):
            values = np.moveaxis(lens.model.activations(rows, layer), axis, 1).astype(np.float64)
            found.append(values.reshape(*values.shape[:2], -1).mean(axis=2))
        return np.concatenate(found)

    def pictures(self, lens: Lens) -> list[npt.NDArray[np.float32]]:
        """Give the first of the pictures as the model is shown them: (h, w, c) in 0..1 each, 128 at most."""
        found: list[npt.NDArray[np.float32]] = []
        for _, rows in self._batches(lens):
            found += list(_as_pictures(lens, rows))
            if len(found) >= _FOR_STATISTICS:
                break
        return found

    def colours(self, lens: Lens) -> Colours:
        """Measure the colour statistics of the pictures."""
        return estimate(self.pictures(lens))

    def spectrum(self, lens: Lens, colours: Colours | None) -> Spectrum:
        """Measure how strong each frequency is in the pictures, in the axes of the colours."""
        return spectrum_of(self.pictures(lens), colours)

    def _batches(self, lens: Lens) -> Iterator[Batch]:
        """Read rows of the model's input, some at a time.

        Raises:
            InputError: none of the pictures can be read.
        """
        names: list[str] = []
        rows: list[Array] = []
        for name, row in self._rows(lens.model, lens.space.tensor):
            names.append(name)
            rows.append(row)
            if len(rows) == _ROWS:
                yield names, np.concatenate(rows)
                names, rows = [], []
        if rows:
            yield names, np.concatenate(rows)
        if len(self.failed) == len(self.files):
            first = next(iter(self.failed.values()))
            raise InputError(f"--images {self.folder}: none of the {len(self.files)} files can be read: {first}")

    def _rows(self, model: Model, tensor: str) -> Iterator[tuple[str, Array]]:
        for name, path in self.files.items():
            if name in self.failed:
                continue
            try:
                row = _row(model, tensor, path)
            except InputError as error:
                self.failed[name] = str(error)
                continue
            yield name, row


def _as_pictures(lens: Lens, rows: Array) -> npt.NDArray[np.float32]:
    """Turn what the model eats back into pictures (n, h, w, c) in 0..1."""
    space = lens.space
    last = {"NCHW": np.moveaxis(rows, 1, -1), "NHWC": rows}.get(space.layout, rows[..., None]).astype(np.float32)
    pictures = (last - np.asarray(space.shift, np.float32)) / np.asarray(space.scale, np.float32)
    return np.clip(pictures[..., ::-1] if space.reverse else pictures, 0, 1)


def _row(model: Model, name: str, path: Path) -> Array:
    """Read one file as the model eats it: (1, ...)."""
    tensor = next(item for item in model.inputs if item.name == name)
    if path.suffix.lower() == ".npy":
        return model.feeds({name: one_row(model, tensor, read_array(path))})[name]
    preprocess, _ = declared_or_assumed(model, tensor)
    fitted = fit(open_picture(path), preprocess)
    pixels = np.asarray(fitted.resize(preprocess.size[::-1], Image.Resampling.BILINEAR))
    return model.feeds({name: preprocess.row(pixels)[None]})[name]
