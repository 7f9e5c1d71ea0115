"""How much work a picture is worth: from a draft in seconds to a print in minutes."""

from collections.abc import Mapping
from dataclasses import dataclass

from agnostic.errors import unknown


@dataclass(frozen=True)
class Preset:
    """A size, a number of steps, and how strongly low frequencies are favoured.

    Attributes:
        name: as typed.
        size: of the picture's sides in pixels.
        steps: of the optimiser.
        decay: the power of the frequency by which Fourier coefficients are divided.
        summary: one line.
    """

    name: str
    size: int
    steps: int
    decay: float
    summary: str


PRESETS: Mapping[str, Preset] = {
    item.name: item
    for item in (
        Preset("draft", 128, 128, 1.5, "128 px, 128 steps: seconds a picture"),
        Preset("icon", 128, 512, 1.0, "128 px, 512 steps: what the pages show"),
        Preset("large", 224, 256, 1.0, "224 px, 256 steps: for classes and whole pictures"),
        Preset("print", 224, 2560, 1.0, "224 px, 2560 steps: for a figure"),
        Preset("maco", 512, 256, 1.0, "512 px, 256 steps: photographs' spectrum, only phases optimised"),
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
