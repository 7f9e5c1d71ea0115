"""How much work a picture is worth: from a draft in seconds to a print in minutes.

Why these numbers: with coefficients over frequency to the power of 1 (Lucid's), pictures of late layers are still grey
after 128 steps, and a quarter of the units looked at kept more than a fifth of their energy in detail above 0.25 cycles
per pixel. To the power of 1.5 late layers are rich, but early ones, which any step excites, end in neon rainbows, half
of their values at a limit. So the power is 1.5 and the contrast of each picture is limited, which leaves weak pictures
as they are. The limit of 3 lies between 2.5, pale, and 4, whose hard edges make a picture less robust. The figures are
in `docs/benchmarks.md`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from agnostic.errors import unknown

# See above.
_DECAY, _CONTRAST = 1.5, 3.0


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
        contrast: the largest root mean square of a picture's numbers before colours and squashing; None for any.
    """

    name: str
    size: int
    steps: int
    decay: float
    summary: str
    phases: bool = False
    views: int = 1
    contrast: float | None = None


PRESETS: Mapping[str, Preset] = {
    item.name: item
    for item in (
        Preset("draft", 128, 128, _DECAY, "128 px, 128 steps: seconds a picture", contrast=_CONTRAST),
        Preset("icon", 128, 512, _DECAY, "128 px, 512 steps: what the pages show", contrast=_CONTRAST),
        Preset("large", 224, 256, _DECAY, "224 px, 256 steps: for classes and whole pictures", contrast=_CONTRAST),
        Preset("print", 224, 2560, _DECAY, "224 px, 2560 steps: for a figure", contrast=_CONTRAST),
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
