"""The grammar of interfaces: what is looked at, what is told of it, and how it is to be shown.

::

    Part      = Neuron | Spatial | Channel | Group | Whole  of a layer
    Content   = Activation | Attribution to a target | Attribution to a later Part
    View      = Part, Content, style

A view is checked when it is made: what makes no sense says why. `compute` returns arrays; nothing here draws. After
the grammar of Olah et al., "The Building Blocks of Interpretability" (2018).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from agnostic.blocks.attribution import attribute, between, channel_directions, position_directions
from agnostic.blocks.dictionary import dictionary
from agnostic.blocks.grids import grid
from agnostic.blocks.groups import effects, groups, links
from agnostic.blocks.maps import Array32, held
from agnostic.blocks.slopes import How
from agnostic.engine.model import Model
from agnostic.engine.target import Target
from agnostic.errors import UsageError
from agnostic.inputs.sample import Sample

Atom = Literal["neuron", "spatial", "channel", "group", "whole"]
Style = Literal["bars", "dictionary", "icons", "links", "map", "maps", "number", "scaled icons", "table", "tiles"]
Arrays = Mapping[str, npt.NDArray[Any]]

# Later places or units that are attributed at once: what comes back is as large as the earlier layer for each.
_AT_ONCE = 32


@dataclass(frozen=True)
class Part:
    """A layer, cut into atoms.

    Attributes:
        atom: neuron (every entry), spatial (positions), channel (units), group, or whole.
        layer: its name.
        chosen: the numbers of some positions (row by row) or units; all of them when empty.
        n: how many groups.
        seed: of the groups.
    """

    atom: Atom
    layer: str
    chosen: tuple[int, ...] = ()
    n: int = 6
    seed: int = 0

    def __post_init__(self) -> None:
        """Refuse an atom there is not, and a choice of what cannot be chosen."""
        if self.atom not in ("neuron", "spatial", "channel", "group", "whole"):
            raise UsageError(f"atom {self.atom!r}: expected neuron, spatial, channel, group or whole")
        if self.chosen and self.atom not in ("spatial", "channel"):
            raise UsageError(f"chosen={list(self.chosen)}: only positions (spatial) and units (channel) can be chosen")


@dataclass(frozen=True)
class Activation:
    """What the model holds there."""


@dataclass(frozen=True)
class Attribution:
    """What it adds to targets, or to parts of a later layer.

    Attributes:
        to: targets as `Model.target` takes them, or a `Part`.
        how: along the path from zero, or linear.
        steps: points of the path to a later layer.
    """

    to: Part | Sequence[Target | str | int]
    how: How = "path"
    steps: int = 8

    def __post_init__(self) -> None:
        """Refuse a single name, which is a sequence of letters, and no target at all."""
        if isinstance(self.to, str) or (not isinstance(self.to, Part) and not self.to):
            raise UsageError(f"attribution to {self.to!r}: expected a list of targets, such as ['tabby'], or a Part")


Content = Activation | Attribution
# What a content is called in the tables, and in errors.
Kind = Literal["activation", "target", "part"]


@dataclass(frozen=True)
class View:
    """One element of an interface.

    >>> View(Part("channel", "fire9/concat"), Attribution(["tabby"]), "bars").style
    'bars'

    Attributes:
        part: what is looked at.
        content: what is told of it.
        style: how it is to be shown; the first that fits when empty.
        top: how many units a dictionary lists.
    """

    part: Part
    content: Content = field(default_factory=Activation)
    style: Style | Literal[""] = ""
    top: int = 5

    def __post_init__(self) -> None:
        """Refuse a combination that makes no sense, and fill in the style.

        Raises:
            UsageError: with what would.
        """
        styles = self._styles()
        if self.style and self.style not in styles:
            raise UsageError(
                f"{self._words()} cannot be shown as {self.style!r}; choose {' or '.join(map(repr, styles))}"
            )
        object.__setattr__(self, "style", self.style or styles[0])

    @property
    def kind(self) -> Kind:
        """Which content it is."""
        if isinstance(self.content, Activation):
            return "activation"
        return "part" if isinstance(self.content.to, Part) else "target"

    def compute(self, model: Model, sample: Sample) -> Arrays:
        """Compute the arrays of the view, by name.

        `maps` (n, h, w) or (C, h, w), `map` (h, w), `values` of bars, tables and links, `icons` (n, C) directions to
        be rendered, `sides` (h, w) of scaled icons, `units` and `values` (h, w, top) of a dictionary.

        Raises:
            UsageError: a name does not fit the model.
            ModelError: there is no gradient, where one is needed.
        """
        return _COMPUTE[self.kind](self, model, sample)

    def _styles(self) -> tuple[Style, ...]:
        if isinstance(self.content, Attribution) and isinstance(self.content.to, Part):
            return self._between_styles(self.content.to)
        table = _ACTIVATION if isinstance(self.content, Activation) else _TARGET
        if self.part.atom not in table:
            raise UsageError(f"a layer as a whole holds no single number; take its {', '.join(table)}")
        return table[self.part.atom]

    def _between_styles(self, to: Part) -> tuple[Style, ...]:
        if to.layer == self.part.layer:
            raise UsageError(f"{to.layer!r} adds nothing to itself; attribute to a part of a later layer")
        if (self.part.atom, to.atom) not in _BETWEEN:
            fitting = " or ".join(late for early, late in _BETWEEN if early == self.part.atom)
            tip = f"take {fitting} of the later layer" if fitting else "take neuron, spatial, channel or group"
            raise UsageError(f"{self.part.atom} to {to.atom}: there is no such attribution; {tip}")
        return _BETWEEN[self.part.atom, to.atom]

    def _words(self) -> str:
        words = {
            "activation": "activations",
            "target": "attribution to targets",
            "part": "attribution to a later layer",
        }
        return f"{words[self.kind]} by {self.part.atom}"


_ACTIVATION: dict[Atom, tuple[Style, ...]] = {
    "neuron": ("maps",),
    "spatial": ("dictionary", "icons", "scaled icons", "map"),
    "channel": ("bars", "maps"),
    "group": ("maps", "icons"),
}
_TARGET: dict[Atom, tuple[Style, ...]] = {
    "neuron": ("maps",),
    "spatial": ("map",),
    "channel": ("bars",),
    "group": ("table",),
    "whole": ("number",),
}
_BETWEEN: dict[tuple[Atom, Atom], tuple[Style, ...]] = {
    ("neuron", "spatial"): ("maps",),
    ("neuron", "channel"): ("maps",),
    ("spatial", "spatial"): ("tiles",),
    ("spatial", "channel"): ("tiles",),
    ("channel", "spatial"): ("table",),
    ("channel", "channel"): ("table",),
    ("group", "group"): ("links",),
}


def _activations(view: View, model: Model, sample: Sample) -> Arrays:
    part = view.part
    if part.atom == "group":
        found = groups(model, sample, part.layer, part.n, seed=part.seed)
        return {"maps": found.spatial, "icons": found.channels}
    if part.atom != "spatial":
        maps = _chosen(held(model, sample, part.layer).maps, part)
        return {"values": maps.sum(axis=(1, 2), dtype=np.float64)} if view.style == "bars" else {"maps": maps}
    if view.style == "dictionary":
        entries = dictionary(model, sample, part.layer, view.top)
        return {"units": entries.units, "values": entries.values, "map": entries.norms}
    vectors = grid(model, sample, part.layer)
    return {"icons": vectors.directions, "sides": vectors.sides, "map": vectors.norms}


def _to_targets(view: View, model: Model, sample: Sample) -> Arrays:
    part, content = view.part, view.content
    if not isinstance(content, Attribution) or isinstance(content.to, Part):
        raise UsageError("expected an attribution to targets")
    if part.atom == "group":
        found = groups(model, sample, part.layer, part.n, seed=part.seed)
        told = effects(model, sample, found, content.to, how=content.how)
        return {"values": told.values, "rest": told.rest, "maps": found.spatial}
    items = attribute(model, sample, part.layer, content.to, how=content.how)
    if part.atom == "whole":
        return {"values": np.array([item.total for item in items])}
    maps = np.stack([_chosen(item.values, part) for item in items])
    return {"maps": maps} if part.atom == "neuron" else _reduced(maps, part.atom)


def _to_part(view: View, model: Model, sample: Sample) -> Arrays:
    part, content = view.part, view.content
    if not isinstance(content, Attribution) or not isinstance(content.to, Part):
        raise UsageError("expected an attribution to a part of a later layer")
    to = content.to
    if part.atom == "group":
        early, late = (groups(model, sample, item.layer, item.n, seed=item.seed) for item in (part, to))
        told = links(model, sample, early, late, how=content.how, steps=content.steps)
        return {"values": told.values, "rest": told.rest}
    rows = [
        _reduced(_between(model, sample, part, to, chosen, content), part.atom)
        for chosen in _batches(model, sample, to)
    ]
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _between(
    model: Model, sample: Sample, part: Part, to: Part, chosen: Sequence[int], content: Attribution
) -> Array32:
    late = held(model, sample, to.layer).maps
    shape = (late.shape[0], late.shape[1], late.shape[2])
    directions = position_directions(late, chosen) if to.atom == "spatial" else channel_directions(shape, chosen)
    found = between(model, sample, part.layer, to.layer, directions, how=content.how, steps=content.steps)
    return np.stack([_chosen(item, part) for item in found])


def _batches(model: Model, sample: Sample, to: Part) -> list[Sequence[int]]:
    shape = held(model, sample, to.layer).maps.shape
    count = shape[0] if to.atom == "channel" else shape[1] * shape[2]
    chosen = to.chosen or tuple(range(count))
    _check_chosen(to, count)
    return [chosen[start : start + _AT_ONCE] for start in range(0, len(chosen), _AT_ONCE)]


def _chosen(maps: Array32, part: Part) -> Array32:
    """Keep the chosen units of (C, h, w), or make zero what is not chosen of its positions."""
    if not part.chosen:
        return maps
    if part.atom == "channel":
        _check_chosen(part, len(maps))
        return maps[list(part.chosen)]
    _check_chosen(part, maps[0].size)
    kept = np.zeros(maps[0].size, np.float32)
    kept[list(part.chosen)] = 1
    return maps * kept.reshape(maps.shape[1:])


def _check_chosen(part: Part, count: int) -> None:
    for number in part.chosen:
        if not 0 <= number < count:
            raise UsageError(f"{part.atom} {number} of {part.layer!r}: expected 0 to {count - 1}")


def _reduced(maps: Array32, atom: Atom) -> dict[str, npt.NDArray[Any]]:
    """Add (m, C, h, w) up to what atoms ask for: positions (m, h, w) or units (m, C)."""
    if atom == "neuron":
        return {"maps": maps}
    if atom == "spatial":
        return {"maps": maps.sum(axis=1, dtype=np.float64)}
    return {"values": maps.sum(axis=(2, 3), dtype=np.float64)}


_COMPUTE: dict[Kind, Callable[[View, Model, Sample], Arrays]] = {
    "activation": _activations,
    "target": _to_targets,
    "part": _to_part,
}
