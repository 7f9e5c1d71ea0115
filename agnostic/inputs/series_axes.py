"""Where an input keeps channels and time: as a model declares it, or by the sizes of its axes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from agnostic.engine.model import Model
from agnostic.engine.signature import Tensor
from agnostic.errors import InputError, UsageError, unknown
from agnostic.inputs.features import Array32

Layout = Literal["NCT", "NTC", "NT"]
LAYOUTS: tuple[Layout, ...] = ("NCT", "NTC", "NT")
_KEYS = ("layout", "channels", "units", "time", "input")


@dataclass(frozen=True)
class Axes:
    """How an input holds a series.

    Attributes:
        tensor: the input.
        layout: its axes: batch, channels, time.
        channels: names of the channels, as far as they are known; empty where they are not.
        units: what each channel is measured in; empty where nothing is said.
        time: what a step is called.
        note: what was assumed; empty where all is declared.
    """

    tensor: Tensor
    layout: Layout
    channels: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    time: str = "step"
    note: str = ""

    @property
    def channel_count(self) -> int | None:
        """How many channels it has, where the graph says so."""
        return 1 if self.layout == "NT" else _size(self.tensor, self.layout.index("C"))

    @property
    def steps(self) -> int | None:
        """How many steps it has, where the graph says so."""
        return _size(self.tensor, self.layout.index("T"))

    def stored(self, x: Array32) -> tuple[int, ...]:
        """The shape in which the input holds a series (C, T), without the batch axis."""
        if self.layout == "NT":
            return (x.shape[1],)
        return x.shape if self.layout == "NCT" else x.shape[::-1]

    def view(self, stored: Array32) -> Array32:
        """View (n, *axes of the input) as (n, C, T); what is written there is written into the input."""
        if self.layout == "NT":
            return stored[:, None]
        return stored if self.layout == "NCT" else np.swapaxes(stored, 1, 2)


def axes_of(model: Model, name: str | None = None) -> Axes:
    """Find the input that holds the series and what its axes are: as declared, or by their sizes, with a note.

    Raises:
        UsageError: what is declared makes no sense, or there is no such input.
        InputError: no input has the axes of a series.
    """
    section = model.declared.get("series", {})
    if stray := sorted(set(section) - set(_KEYS)):
        raise UsageError(f"[series]: unknown key {stray[0]!r}; known: {', '.join(_KEYS)}")
    tensor = _input(model, name or section.get("input"))
    layout = section.get("layout")
    if layout is not None and (layout not in LAYOUTS or len(layout) != len(tensor.shape)):
        raise UsageError(f"[series] layout {layout!r}: expected {', '.join(LAYOUTS)}, as fits the input {tensor}")
    found, note = (layout, "") if layout is not None else _assumed(tensor)
    axes = Axes(
        tensor, found, _words(section, "channels"), _words(section, "units"), str(section.get("time", "step")), note
    )
    for key, words in (("channels", axes.channels), ("units", axes.units)):
        if words and axes.channel_count not in (None, len(words)):
            raise UsageError(f"[series] {key}: {len(words)} words for {axes.channel_count} channels; give one for each")
    return axes


def _input(model: Model, name: str | None) -> Tensor:
    found = [tensor for tensor in model.inputs if name in (None, tensor.name)]
    if not found:
        raise unknown("input", str(name), [tensor.name for tensor in model.inputs])
    fitting = [tensor for tensor in found if len(tensor.shape) == 3] or found
    if fitting[0].is_text or len(fitting[0].shape) not in (2, 3):
        raise InputError(
            f"input {fitting[0]} holds no series; "
            "expected numbers [n, channels, time], [n, time, channels] or [n, time]"
        )
    return fitting[0]


def _assumed(tensor: Tensor) -> tuple[Layout, str]:
    """Take a free axis for time, else the longer one; the last one where nothing tells."""
    if len(tensor.shape) == 2:
        return "NT", f"input {tensor} taken for one channel over time; declare it under [series] in MODEL.agnostic.toml"
    first, last = (_size(tensor, axis) for axis in (1, 2))
    layout: Layout = "NTC" if last is not None and (first is None or last < first) else "NCT"
    return layout, (
        f"the model declares no layout; input {tensor} taken for {layout}; "
        "declare it as layout under [series] in MODEL.agnostic.toml"
    )


def _size(tensor: Tensor, axis: int) -> int | None:
    size = tensor.shape[axis]
    return size if isinstance(size, int) and size > 0 else None


def _words(section: Mapping[str, Any], key: str) -> tuple[str, ...]:
    words = section.get(key, [])
    if not isinstance(words, Sequence) or isinstance(words, str) or not all(isinstance(word, str) for word in words):
        raise UsageError(f"[series] {key}: expected a list of words, one for each channel")
    return tuple(words)
