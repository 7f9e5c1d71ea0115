"""How much work a picture is worth: from a draft in seconds to a print in minutes."""

from collections.abc import Mapping
from dataclasses import dataclass

from agnostic.errors import unknown


@dataclass(frozen=True)
class Preset:
    """A size, a number of steps, and how pictures are stored.

    Attributes:
        name: as typed.
        size: of the picture's sides in pixels; the longer side, where it has the shape of a given picture.
        steps: of the optimiser.
        decay: the power of the frequency by which Fourier coefficients are divided.
        summary: one line.
        phases: optimise only the phases of a photograph's spectrum, seen through random windows (MaCo).
        views: how many windows each step looks through.
    """

    name: str
    size: int
    steps: int
    decay: float
    summary: str
    phases: bool = False
    views: int = 1


PRESETS: Mapping[str, Preset] = {
    item.name: item
    for item in (
        Preset("draft", 128, 128, 1.5, "128 px, 128 steps: seconds a picture"),
        Preset("icon", 128, 512, 1.0, "128 px, 512 steps: what the pages show"),
        Preset("large", 224, 256, 1.0, "224 px, 256 steps: for classes and whole pictures"),
        Preset("print", 224, 2560, 1.0, "224 px, 2560 steps: for a figure"),
        Preset("maco", 512, 256, 1.0, "512 px, 256 steps: only phases, as in a photograph", phases=True, views=4),
        Preset("dream", 448, 40, 1.0, "448 px, 40 steps: for deepdreams"),
    )
}


def preset(name: str) -> Preset:
    """Look a preset up.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS, f"known: {', '.join(PRESETS)}")
    return PRESETS[name]
