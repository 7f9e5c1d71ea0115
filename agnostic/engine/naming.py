"""From what a person types to a Target: `tabby`, `281`, `logits[281]`, `fire9/concat:12@7,7`, `tabby - espresso`."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agnostic.converters.layers import Layer
from agnostic.engine.target import Target, Term
from agnostic.errors import UsageError, unknown

_PLUS_MINUS = re.compile(r"\s+([+-])\s+")
_FACTOR = re.compile(r"^(-)?\s*(?:(\d+(?:\.\d*)?|\.\d+)\s*\*\s*)?(.+)$")
_ENTRY = re.compile(r"^(.+)\[([\d,:\s]*)\]$")
_UNIT = re.compile(r"^(.+):(\d+)(?:@(\d+(?:,\d+)*))?$")
_OF_INPUT = re.compile(r"^(?:(box):\d+|(like):.+|.+@.+)")

_ANSWERS: dict[str | None, tuple[str, str]] = {
    "box": ("boxes", "boxes"),
    "like": ("embedding", "an embedding"),
    None: ("segmentation", "a class at every place"),
}

Also = Callable[[str], Target | None]


@dataclass(frozen=True)
class NamedHead:
    """One of the outputs that answer.

    Attributes:
        output: its name.
        scores: the tensor that holds what is explained.
        axis: which axis of that, the batch axis not counted, runs over the classes or values.
        labels: the names of these.
        count: how many they are, where the graph says so.
    """

    output: str
    scores: str
    axis: int
    labels: tuple[str, ...] | None
    count: int | None


@dataclass(frozen=True)
class Names:
    """The names of one model that targets are made of.

    Attributes:
        scores: the tensor that holds the class scores.
        class_axis: which axis of it, the batch axis not counted, runs over the classes.
        shapes: shape of every output and layer without the batch axis; None where a size is unknown.
        layers: by name.
        labels: of the classes.
        heads: the outputs that answer, where there are several.
        instead: what can be named where classes have no score of their own; empty where they have.
        classes: how many classes there are, where that is not the length of an axis of the scores.
        kind: what kind of answer the model gives.
    """

    scores: str
    class_axis: int
    shapes: Mapping[str, tuple[int | None, ...]]
    layers: Mapping[str, Layer]
    labels: Sequence[str] | None
    heads: Sequence[NamedHead] = ()
    instead: str = ""
    classes: int | None = None
    kind: str = "classes"

    def target(self, text: str, also: Also | None = None) -> Target:
        """Resolve what a person typed.

        Args:
            text: sums and differences of names.
            also: resolves names that mean something on one input only; None for what it does not know.

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
        total = self._part(parts[0], also)
        for sign, part in zip(parts[1::2], parts[2::2], strict=True):
            total = total + self._part(part, also) if sign == "+" else total - self._part(part, also)
        return total

    @property
    def whole(self) -> Target:
        """The mean of everything that the model answers: what stands for any target of it."""
        return Target((Term(self.scores, (None,) * len(self.shapes[self.scores])),), self.scores)

    def class_target(self, index: int) -> Target:
        """The score of one class, named by its label where there is one; where classes have none, a plain entry."""
        shape = self.shapes[self.scores]
        size = (shape[self.class_axis] if shape else 1) if self.instead else self.class_count
        if index < 0 or (size is not None and index >= size):
            known = "" if size is None else f"; the model has the classes 0 to {size - 1}"
            raise UsageError(f"class {index} does not exist{known}")
        entry = tuple(index if axis == self.class_axis else None for axis in range(len(shape)))
        name = f"{self.scores}:{index}" if self.instead else self.class_name(index)
        return Target((Term(self.scores, entry),), name)

    def class_name(self, index: int) -> str:
        """The label of a class, or its number."""
        return self.labels[index] if self.labels and index < len(self.labels) else f"class {index}"

    @property
    def class_count(self) -> int | None:
        """How many classes the scores have, where the graph says so; a single number is one."""
        if self.classes is not None or self.instead:
            return self.classes
        shape = self.shapes[self.scores]
        return shape[self.class_axis] if shape else 1

    def class_index(self, text: str) -> int:
        """Find the number of a class by its label or number.

        Raises:
            UsageError: there is no such class, or several.
        """
        text = text.strip()
        found = int(text) if text.isdigit() else self._labelled(text, self.labels or ())
        count = self.class_count
        if found is None or (count is not None and found >= count):
            words = [word for label in self.labels or () for word in sorted(synonyms(label))]
            raise unknown("class", text, words, "give its number" + ("" if count is None else f", 0 to {count - 1}"))
        return found

    def _part(self, text: str, also: Also | None) -> Target:
        match = _FACTOR.match(text.strip())
        if match is None:
            raise UsageError(f"the target {text!r} cannot be read; expected e.g. 'tabby - 0.5*espresso'")
        minus, factor, atom = match.groups()
        target = self._atom(atom.strip(), also)
        weight = float(factor or 1) * (-1 if minus else 1)
        return target if weight == 1 else target * weight

    def _atom(self, text: str, also: Also | None) -> Target:
        found = self._label(text) or (also(text) if also is not None else None)
        if found is not None:
            return found
        if text.isdigit():
            return self._numbered(text)
        if (match := _UNIT.match(text)) and match[1] in self.shapes:
            return self._unit(match[1], int(match[2]), match[3])
        if (match := _ENTRY.match(text)) and match[1] in self.shapes:
            return self._entry(match[1], match[2])
        if (found := self._label_of_head(text)) is not None:
            return found
        raise self._unknown(text)

    def _label(self, text: str) -> Target | None:
        """Find a class by its label, in whichever output has it."""
        if not self.heads:
            found = self._labelled(text, self.labels or ())
            if found is not None and self.instead:
                raise UsageError(self.instead)
            return None if found is None else self.class_target(found)
        places = [(head, self._labelled(text, head.labels or ())) for head in self.heads]
        named = [(head, found) for head, found in places if found is not None]
        if len(named) > 1:
            choices = ", ".join(f"{head.output}:{text}" for head, _ in named)
            raise UsageError(f"the target {text!r} names something in several outputs; give one of {choices}")
        return self.head_target(*named[0]) if named else None

    def _labelled(self, text: str, labels: Sequence[str]) -> int | None:
        exact = [index for index, label in enumerate(labels) if label.lower() == text.lower()]
        found = exact or [index for index, label in enumerate(labels) if text.lower() in synonyms(label)]
        if len(found) > 1:
            raise UsageError(f"the target {text!r} names the classes {', '.join(map(str, found))}; give the number")
        return found[0] if found else None

    def _label_of_head(self, text: str) -> Target | None:
        """Find `output:label`."""
        for head in self.heads:
            if text.startswith(f"{head.output}:"):
                label = text.removeprefix(f"{head.output}:").strip()
                found = self._labelled(label, head.labels or ())
                if found is None:
                    raise unknown(f"class of {head.output!r}", label, head.labels or (), "give its number")
                return self.head_target(head, found)
        return None

    def head_target(self, head: NamedHead, index: int) -> Target:
        """One class or value of one of several outputs."""
        shape = self.shapes[head.scores]
        entry = tuple(index if axis == head.axis else None for axis in range(len(shape)))
        label = head.labels[index] if head.labels and index < len(head.labels) else str(index)
        return Target((Term(head.scores, entry),), f"{head.output}:{label}")

    def _numbered(self, number: str) -> Target:
        if self.instead:
            raise UsageError(self.instead)
        if len(self.heads) > 1:
            choices = ", ".join(f"{head.output}:{number}" for head in self.heads)
            raise UsageError(f"the target {number} counts in several outputs; give one of {choices}")
        return self._unit(self.heads[0].output, int(number), None) if self.heads else self.class_target(int(number))

    def _unit(self, tensor: str, unit: int, position: str | None) -> Target:
        head = next((head for head in self.heads if head.output == tensor and position is None), None)
        if head is not None and (head.count is None or unit < head.count):
            return self.head_target(head, unit)
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
        if len(index) == 1 and index[0] is not None:
            if (
                head := next((item for item in self.heads if (item.scores, item.axis) == (tensor, 0)), None)
            ) is not None:
                return self.head_target(head, index[0])
            if (tensor, self.class_axis) == (self.scores, 0) and not self.instead:
                return self.class_target(index[0])
        full = (*index, *([None] * (len(shape) - len(index))))
        return Target((Term(tensor, full),), f"{tensor}[{inside}]")

    def _unknown(self, text: str) -> UsageError:
        if text in self.shapes:
            return UsageError(f"the target {text!r} is a whole tensor; name a unit of it: {text}:0")
        if match := _OF_INPUT.match(text):
            return UsageError(self._misplaced(text, match[1] or match[2]))
        if (match := _UNIT.match(text)) or (match := _ENTRY.match(text)):
            return unknown("layer", match[1], self.shapes)
        words = [word for label in self.labels or () for word in sorted(synonyms(label))]
        hint = "give a class number or layer:unit" + ("" if self.labels else " (the model declares no labels)")
        return unknown("target", text, words, hint)

    def _misplaced(self, text: str, word: str | None) -> str:
        """Say what kind of answer a target belongs to that no entry of a tensor can be."""
        kind, answer = _ANSWERS[word]
        if self.kind == kind:
            return f"the target {text!r} depends on the input: give it to explain, together with one"
        other = "" if word else "; or name layer:unit@y,x"
        return f"the target {text!r} needs a model that answers with {answer}: declare it under [answer]{other}"


def synonyms(label: str) -> set[str]:
    """The names in a label such as 'tabby, tabby cat', lower case."""
    return {part.strip().lower() for part in label.split(",")}


def _within(tensor: str, index: int, size: int | None) -> int:
    if size is not None and index >= size:
        raise UsageError(f"{tensor!r}: index {index} is outside 0 to {size - 1}")
    return index
