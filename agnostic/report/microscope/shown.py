"""The pictures that have pages of their own: what the model sees of them, and what it answers."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from agnostic import api
from agnostic.answers import scores
from agnostic.blocks.maps import as_sample
from agnostic.engine.model import Model
from agnostic.errors import InputError
from agnostic.inputs.sample import Sample
from agnostic.report.microscope.folder import Folder, slugs
from agnostic.report.microscope.sprites import Pixels, jpeg
from agnostic.report.microscope.steps import Facts, Outcome

Progress = Callable[[int, int], None]
SHOWN, THUMB = 512, 96
# Classes that are looked at, of those with the highest scores.
TOP = 5


@dataclass(frozen=True)
class Shown:
    """A picture with pages of its own.

    Attributes:
        id: its name in the site.
        file: its name as a person knows it.
        digest: of the file's content.
        sample: what the model eats.
        predictions: the classes with the highest scores, first first.
    """

    id: str
    file: str
    digest: str
    sample: Sample
    predictions: tuple[api.Prediction, ...]

    @property
    def classes(self) -> tuple[int, ...]:
        """The classes that are looked at."""
        return tuple(item.index for item in self.predictions)

    @property
    def pixels(self) -> Pixels:
        """The picture as it is shown: (h, w, 3)."""
        if self.sample.picture is None:
            return np.full((1, 1, 3), 128, np.uint8)
        return self.sample.picture


def read_shown(model: Model, paths: Sequence[Path]) -> tuple[list[Shown], list[dict[str, str]]]:
    """Read pictures; those that cannot be used are named with the reason."""
    found, skipped = [], []
    names = slugs(_names(paths))
    for name, path in zip(_names(paths), paths, strict=True):
        try:
            content = path.read_bytes()
            sample = as_sample(model, path)
            # Entries of the output, whatever kind of answer they make up: pages attribute them one by one.
            predictions = tuple(scores.predict(model, sample, TOP))
        except (InputError, OSError) as error:
            skipped.append({"file": path.name, "reason": reason(error, path)})
            continue
        found.append(Shown(names[name], path.name, sha256(content).hexdigest(), sample, predictions))
    return found, skipped


def reason(error: Exception, path: Path) -> str:
    """Say what is wrong with a file without naming where it lies."""
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).removeprefix(f"{path}: ").replace(str(path.parent) + os.sep, "").split())


def _names(paths: Sequence[Path]) -> list[str]:
    """Name each path by its stem, those of equal stems by their number as well."""
    seen: dict[str, int] = {}
    names = []
    for path in paths:
        seen[path.stem] = seen.get(path.stem, 0) + 1
        names.append(path.stem if seen[path.stem] == 1 else f"{path.stem}\n{seen[path.stem]}")
    return names


def write_picture(folder: Folder, shown: Shown) -> Outcome:
    """Write the picture at the size of the pages, and a small one."""
    whole = Image.fromarray(shown.pixels)
    whole.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    side = min(whole.size)
    left, top = (whole.width - side) // 2, (whole.height - side) // 2
    small = whole.crop((left, top, left + side, top + side)).resize((THUMB, THUMB), Image.Resampling.LANCZOS)
    base = f"data/images/{shown.id}"
    files = (
        folder.write(f"{base}/image.jpg", jpeg(whole, 90)),
        folder.write(f"{base}/thumb.jpg", jpeg(small, 85)),
    )
    return Outcome(files, {"width": whole.width, "height": whole.height})


def about(shown: Shown, size: Facts) -> dict[str, Any]:
    """What the site's own file says of a picture."""
    return {
        "id": shown.id,
        "file": shown.file,
        "width": size["width"],
        "height": size["height"],
        "predictions": [item.as_dict() for item in shown.predictions],
        "top": shown.classes,
    }
