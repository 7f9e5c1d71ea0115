"""A picture with its recipe and its numbers: a PNG that carries the recipe in its text chunks, and a JSON beside it.

Files are written whole or not at all, hold no time of day, and come out the same from the same recipe.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from agnostic.draw.tiles import plain_tile
from agnostic.engine.gradients import Parity
from agnostic.engine.model import Model
from agnostic.errors import InputError, UsageError
from agnostic.explanation import write_whole
from agnostic.optvis.measures import Measures
from agnostic.optvis.rendering import Pictures, Rendering, as_picture
from agnostic.versions import versions

FORMAT = "agnostic.picture.1"
#: The keys of the PNG's text chunks.
RECIPE, TITLE, SOFTWARE = "agnostic.recipe", "Title", "Software"
_DEPTHS = (1, 3, 4)


@dataclass(frozen=True)
class Portrait:
    """One rendered picture, what it is of, how it was made, and its numbers.

    Attributes:
        label: what it is of, as a person calls it.
        picture: (h, w, c) float32 in 0..1.
        recipe: all that is needed to make it again, as plain values.
        measures: its numbers.
    """

    label: str
    picture: Pictures
    recipe: Mapping[str, Any]
    measures: Measures

    def image(self, bands: Sequence[int] | None = None) -> Image.Image:
        """Draw it: a plain tile that says so where the unit is dead, chosen bands where the channels are no colours.

        Args:
            bands: the channels shown as red, green and blue, of a picture that has neither 1, 3 nor 4; the first three
                by default.

        Raises:
            UsageError: there is no such channel.
        """
        if self.measures.dead:
            height, width = self.picture.shape[:2]
            return Image.fromarray(plain_tile(width, height, [self.label.rpartition(":")[2], "dead"]))
        return as_picture(self.picture[..., self.shown(bands)] if self.is_banded else self.picture)

    @property
    def is_banded(self) -> bool:
        """Whether its channels are no colours, so that a PNG shows some of them only."""
        return self.picture.shape[2] not in _DEPTHS

    def shown(self, bands: Sequence[int] | None = None) -> list[int]:
        """Choose the three channels that are shown as red, green and blue."""
        count = self.picture.shape[2]
        chosen = list(bands) if bands is not None else [min(band, count - 1) for band in range(3)]
        if len(chosen) != 3 or not all(0 <= band < count for band in chosen):
            raise UsageError(f"--bands {','.join(map(str, chosen))}: expected three numbers of 0 to {count - 1}")
        return chosen

    def png(self, bands: Sequence[int] | None = None) -> bytes:
        """Give the bytes of the PNG, with the recipe in its text chunks."""
        info = PngInfo()
        info.add_text(TITLE, self.label)
        info.add_text(SOFTWARE, f"agnostic {versions().get('agnostic-xai', '')}".strip())
        info.add_text(RECIPE, json.dumps(self.recipe, sort_keys=True))
        buffer = io.BytesIO()
        self.image(bands).save(buffer, "PNG", pnginfo=info, compress_level=6)
        return buffer.getvalue()

    def save(self, folder: Path, stem: str, bands: Sequence[int] | None = None) -> dict[str, Any]:
        """Write STEM.png, then STEM.json, which thus stands for a finished picture; all channels go to STEM.npy.

        Returns:
            What the JSON holds: the recipe, `measures` and `files`.

        Raises:
            LimitError: a file cannot be written.
        """
        content = self.png(bands)
        write_whole(folder / f"{stem}.png", content)
        files: dict[str, Any] = {"picture": f"{stem}.png", "sha256": sha256(content).hexdigest()}
        if self.is_banded:
            buffer = io.BytesIO()
            np.save(buffer, self.picture)
            write_whole(folder / f"{stem}.npy", buffer.getvalue())
            files |= {"array": f"{stem}.npy", "bands": self.shown(bands)}
        record = {**self.recipe, "measures": self.measures.as_dict(), "files": files}
        write_whole(folder / f"{stem}.json", (json.dumps(record, indent=1) + "\n").encode())
        return record


def portraits(
    rendering: Rendering,
    labels: Sequence[str],
    measures: Sequence[Measures],
    *,
    model: Model,
    made_by: Mapping[str, Any],
    parity: Parity | None = None,
) -> list[Portrait]:
    """Give every picture of a rendering its recipe.

    Args:
        rendering: the pictures.
        labels: what each is of.
        measures: the numbers of each.
        model: what they were rendered on.
        made_by: the recipe's name, its options and whatever else was chosen, as plain values.
        parity: how far the torch re-import is from onnxruntime.
    """
    common = {
        "format": FORMAT,
        "model": {"name": model.name, "sha256": model.sha256},
        **made_by,
        "rendering": {key: value for key, value in rendering.recipe.items() if key != "objective"},
        "parity": None if parity is None else {**parity._asdict(), "largest": float(f"{parity.largest:.3g}")},
        "versions": dict(versions("torch", "pillow")),
        "stopped": rendering.stopped,
    }
    steps = np.isfinite(rendering.values).sum(axis=0)
    return [
        Portrait(
            label,
            rendering.pictures[row],
            {**common, "of": label, "steps_done": int(steps[row])},
            measures[row],
        )
        for row, label in enumerate(labels)
    ]


def read_recipe(path: Path) -> dict[str, Any]:
    """Read back what a picture was made with: from the PNG itself, or, with its numbers, from the JSON beside it.

    Raises:
        InputError: the file is missing, or holds no recipe.
    """
    try:
        text = _text(path)
        found = json.loads(text)
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError) as error:
        reason = getattr(error, "strerror", None) or "neither such a PNG nor a JSON"
        raise InputError(f"{path}: cannot be read as a picture with a recipe: {reason}") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(f"{path}: carries no recipe of this package (expected {FORMAT})")
    return found


def _text(path: Path) -> str:
    if path.suffix.lower() == ".json":
        return path.read_text("utf-8")
    with Image.open(path, formats=["PNG"]) as picture:
        picture.load()
        return str(picture.info.get(RECIPE, "{}"))
