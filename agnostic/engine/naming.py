"""From what a person types to a Target: `tabby`, `281`, `logits[281]`, `fire9/concat:12@7,7`, `tabby - espresso`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agnostic.converters.layers import Layer
from agnostic.engine.target import Target, Term
from agnostic.errors import UsageError, unknown

_PLUS_MINUS = re.compile(r"\s+([+-])\s+")
_FACTOR = re.compile(r"^(-)?\s*(?:(\d+(?:\.\d*)?|\.\d+)\s*\*\s*)?(.+)$")
_ENTRY = re.compile(r"^(.+)\[([\d,:\s]*)\]$")
_UNIT = re.compile(r"^(.+):(\d+)(?:@(\d+(?:,\d+)*))?$")


@dataclass(frozen=True)
class Names:
    """The names of one model that targets are made of.

    Attributes:
        scores: the tensor that holds the class scores.
        class_axis: which axis of it, the batch axis not counted, runs over the classes.
        shapes: shape of every output and layer without the batch axis; None where a size is unknown.
    """

    scores: str
    class_axis: int
    shapes: Mapping[str, tuple[int | None, ...]]
    layers: Mapping[str, Layer]
    labels: Sequence[str] | None

    def target(self, text: str) -> Target:
        """Resolve what a person typed.

        Raises:
            UsageError: a part names nothing, or several things; the nearest names are offered.
        """
        text = text.strip()
        if not text:
            raise UsageError("the target is empty; give a class name, a class number, or layer:unit")
        whole = self._label(text)
        if whole is not None:
            return whole
        parts = _PLUS_MINUS.split(text)
        total = self._part(parts[0])
        for sign, part in zip(parts[1::2], parts[2::2], strict=True):
            total = total + self._part(part) if sign == "+" else total - self._part(part)
        return total

    def class_target(self, index: int) -> Target:
        """The score of one class, named by its label where there is one."""
        size = self.class_count
        if index < 0 or (size is not None and index >= size):
            known = "" if size is None else f"; the model has the classes 0 to {size - 1}"
            raise UsageError(f"class {index} does not exist{known}")
        shape = self.shapes[self.scores]
        entry = tuple(index if axis == self.class_axis else None for axis in range(len(shape)))
        return Target((Term(self.scores, entry),), self.class_name(index))

    def class_name(self, index: int) -> str:
        """The label of a class, or its number."""
        return self.labels[index] if self.labels and index < len(self.labels) else f"class {index}"

    @property
    def class_count(self) -> int | None:
        """How many classes the scores have, where the graph says so; a single number is one."""
        shape = self.shapes[self.scores]
        return shape[self.class_axis] if shape else 1

    def _part(self, text: str) -> Target:
        match = _FACTOR.match(text.strip())
        if match is None:
            raise UsageError(f"the target {text!r} cannot be read; expected e.g. 'tabby - 0.5*espresso'")
        minus, factor, atom = match.groups()
        target = self._atom(atom.strip())
        weight = float(factor or 1) * (-1 if minus else 1)
        return target if weight == 1 else target * weight

    def _atom(self, text: str) -> Target:
        found = self._label(text)
        if found is not None:
            return found
        if text.isdigit():
            return self.class_target(int(text))
        if (match := _UNIT.match(text)) and match[1] in self.shapes:
            return self._unit(match[1], int(match[2]), match[3])
        if (match := _ENTRY.match(text)) and match[1] in self.shapes:
            return self._entry(match[1], match[2])
        raise self._unknown(text)

    def _label(self, text: str) -> Target | None:
        if not self.labels:
            return None
        exact = [index for index, label in enumerate(self.labels) if label.lower() == text.lower()]
        found = exact or [index for index, label in enumerate(self.labels) if text.lower() in synonyms(label)]
        if len(found) > 1:
            raise UsageError(f"the target {text!r} names the classes {', '.join(map(str, found))}; give the number")
        return self.class_target(found[0]) if found else None

    def _unit(self, tensor: str, unit: int, position: str | None) -> Target:
        shape = self.shapes[tensor]
        layer = self.layers.get(tensor)
        axis = layer.channel_axis - 1 if layer is not None else self.class_axis if tensor == self.scores else 0
        size = shape[axis] if axis < len(shape) else None
        if size is not None and unit >= size:
            raise UsageError(f"{tensor!r} has the units 0 to {size - 1}, not {unit}")
        index: list[int | None] = [None] * len(shape)
        index[axis] = unit
        if position is not None:
            spots = [int(item) for item in position.split(",")]
            free = [at for at in range(len(shape)) if at != axis]
            if len(spots) != len(free):
                raise UsageError(f"{tensor!r} has {len(free)} position axes, the target gives {len(spots)}")
            for at, spot in zip(free, spots, strict=True):
                index[at] = _within(tensor, spot, shape[at])
        at_text = f"@{position}" if position else ""
        return Target((Term(tensor, tuple(index)),), f"{tensor}:{unit}{at_text}")

    def _entry(self, tensor: str, inside: str) -> Target:
        shape = self.shapes[tensor]
        items = [item.strip() for item in inside.split(",")] if inside.strip() else []
        if len(items) > len(shape):
            raise UsageError(f"{tensor!r} has {len(shape)} axes behind the batch axis, the target gives {len(items)}")
        index = [None if item in ("", ":") else int(item) for item in items]
        for axis, item in enumerate(index):
            if item is not None:
                _within(tensor, item, shape[axis])
        if tensor == self.scores and len(index) == 1 and self.class_axis == 0 and index[0] is not None:
            return self.class_target(index[0])
        full = (*index, *([None] * (len(shape) - len(index))))
        return Target((Term(tensor, full),), f"{tensor}[{inside}]")

    def _unknown(self, text: str) -> UsageError:
        if text in self.shapes:
            return UsageError(f"the target {text!r} is a whole tensor; name a unit of it: {text}:0")
        if (match := _UNIT.match(text)) or (match := _ENTRY.match(text)):
            return unknown("layer", match[1], self.shapes)
        words = [word for label in self.labels or () for word in sorted(synonyms(label))]
        hint = "give a class number or layer:unit" + ("" if self.labels else " (the model declares no labels)")
        return unknown("target", text, words, hint)


def synonyms(label: str) -> set[str]:
    """The names in a label such as 'tabby, tabby cat', lower case."""
    return {part.strip().lower() for part in label.split(",")}


def _within(tensor: str, index: int, size: int | None) -> int:
    if size is not None and index >= size:
        raise UsageError(f"{tensor!r}: index {index} is outside 0 to {size - 1}")
    return index
