"""One thing that a model says of a sample."""

from dataclasses import asdict, dataclass
from typing import Any

_ALWAYS = ("index", "name", "score", "probability")


@dataclass(frozen=True)
class Prediction:
    """What the model says of a sample.

    Attributes:
        index: the class, value or box.
        name: its label, or `class N`.
        score: what is explained by default, before the softmax where the graph has one; of a regression the value.
        probability: of a class after the softmax, or on its own where several may be right; of a box how sure the
            model is; None where the model's answer is no probability.
        output: which of several outputs says it.
        unit: of the value.
        box: left, top, right, bottom in pixels of the model's input.
        share: how much of the places the class takes.
    """

    index: int
    name: str
    score: float
    probability: float | None
    output: str | None = None
    unit: str | None = None
    box: tuple[float, float, float, float] | None = None
    share: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give it as plain JSON values, what does not apply left out."""
        return {name: value for name, value in asdict(self).items() if name in _ALWAYS or value is not None}
