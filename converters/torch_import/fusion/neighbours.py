"""What a pattern sees of a plan, and what it answers."""

import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from agnostic.converters.torch_import.step import Step


class Fused(NamedTuple):
    """A step that stands for several; ``inner`` are those it replaces beside the one that writes its output."""

    step: Step
    inner: tuple[Step, ...] = ()

    @property
    def writes(self) -> set[str]:
        """Name what the replaced steps write, by which they are known."""
        return {step.outputs[0] for step in (self.step, *self.inner)}


class Neighbours:
    """Who writes and who reads each tensor of a plan."""

    def __init__(self, steps: Sequence[Step], constants: Mapping[str, Any], kept: Collection[str]) -> None:
        """Index the steps of a plan; ``kept`` names the tensors that must exist."""
        self.constants, self.kept = constants, kept
        self.writers = {step.outputs[0]: step for step in steps}
        self.readers = {name: step for step in steps for name in step.reads}
        self.uses = Counter(name for step in steps for name in step.reads)

    def writer(self, name: str, kind: str, uses: int = 1) -> Step | None:
        """Return the step of that kind that writes a tensor read just so many times, and needed by nobody else."""
        step = self.writers.get(name)
        private = self.uses[name] == uses and name not in self.kept
        return step if step is not None and private and step.kind == ("", kind) else None

    def reader(self, name: str, kind: str) -> Step | None:
        """Return the step of that kind that alone reads a tensor nobody else needs."""
        step = self.readers.get(name)
        private = self.uses[name] == 1 and name not in self.kept
        return step if step is not None and private and step.kind == ("", kind) else None

    def operand(self, step: Step, kind: str) -> tuple[Step, str] | None:
        """Return the private writer, of that kind, of one of two inputs, and the name of the other input."""
        for name, other in (step.inputs, step.inputs[::-1]):
            writer = self.writer(name, kind)
            if writer is not None:
                return writer, other
        return None

    def other(self, step: Step, name: str) -> str:
        """Return the other input of a step with two."""
        return step.inputs[1] if step.inputs[0] == name else step.inputs[0]

    def number(self, name: str) -> float | None:
        """Return the value of a constant of one element; None where the tensor is anything else."""
        constant = self.constants.get(name)
        return float(constant.item()) if isinstance(constant, Tensor) and constant.numel() == 1 else None

    def is_number(self, name: str, value: float) -> bool:
        """Say whether a tensor is a constant of one element with about that value."""
        number = self.number(name)
        return number is not None and math.isclose(number, value, rel_tol=1e-6)

    def is_constant(self, name: str, rank: int) -> bool:
        """Say whether a tensor is a constant of floats with so many axes."""
        constant = self.constants.get(name)
        return isinstance(constant, Tensor) and constant.ndim == rank and constant.is_floating_point()


#: Looks whether a step ends (or carries) a pattern: ``pattern(step, around)``; None where it does not.
Pattern = Callable[[Step, Neighbours], Fused | None]
