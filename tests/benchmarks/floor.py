"""The floor of a perturbation method: as many forward passes through a bare onnxruntime session, and nothing else."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import onnxruntime

from agnostic.converters import surgery
from agnostic.engine.model import Model

BATCHES = (1, 2, 4, 8, 16)
# The floor runs beside every third batch of whatever is measured: often enough to see the same weather.
EVERY = 3

Turn = Callable[[int], None]
# Explains once, calls turn(rows) after each batch it ran, and returns how many forward passes it took.
Contender = Callable[[Turn], int]


class Cost(NamedTuple):
    """Seconds of the process's CPU time, all threads, and of wall-clock time."""

    cpu: float
    wall: float

    def since(self, start: "Cost") -> "Cost":
        """What was spent after `start`."""
        return Cost(self.cpu - start.cpu, self.wall - start.wall)

    def plus(self, other: "Cost") -> "Cost":
        """Add up."""
        return Cost(self.cpu + other.cpu, self.wall + other.wall)

    def per(self, other: "Cost") -> "Cost":
        """Divide CPU time by CPU time and wall-clock time by wall-clock time."""
        return Cost(self.cpu / other.cpu, self.wall / other.wall)

    def times(self, factor: float) -> "Cost":
        """Multiply."""
        return Cost(self.cpu * factor, self.wall * factor)


class Race(NamedTuple):
    """One run of a contender beside the floor."""

    passes: int
    ratio: Cost  # of the contender to the floor of as many passes
    floor: Cost  # of one pass


def now() -> Cost:
    """Read both clocks."""
    return Cost(time.process_time(), time.perf_counter())


class Floor:
    """A bare session of the graph cut down to the scores, at the batch size at which it is fastest."""

    def __init__(self, model: Model, row: np.ndarray) -> None:
        """Build the session and try the batch sizes on copies of `row` (1, ...)."""
        options = onnxruntime.SessionOptions()
        # Threads that spin while they wait take the other sessions' cores in this process: slower for all of them.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = surgery.expose(model.proto, (model.scores_tensor,), only=True)
        self.session = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self.input = model.inputs[0].name
        self._row = row
        self.rates = self._rates()
        self.batch = min(self.rates, key=self.rates.__getitem__)

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Run one batch."""
        return self.session.run(None, {self.input: batch})[0]

    def run(self, rows: int) -> int:
        """Run at least `rows` rows in whole batches of the best size, and say how many those were."""
        batch = np.repeat(self._row, self.batch, axis=0)
        batches = -(-rows // self.batch)
        for _ in range(batches):
            self.scores(batch)
        return batches * self.batch

    def _rates(self, cycles: int = 15) -> dict[int, float]:
        """Least milliseconds of wall-clock time per row, by batch size; the sizes take turns."""
        batches = {size: np.repeat(self._row, size, axis=0) for size in BATCHES}
        times: dict[int, list[float]] = {size: [] for size in BATCHES}
        for cycle in range(cycles + 1):
            for size, batch in batches.items():
                start = now()
                for _ in range(max(BATCHES) // size):
                    self.scores(batch)
                if cycle:  # the first one allocates
                    times[size].append(1000 * now().since(start).wall / max(BATCHES))
        return {size: min(values) for size, values in times.items()}

    def race(self, contender: Contender) -> Race:
        """Run a contender with the floor in turns within it, and compare them pass by pass."""
        spent, rows, calls = Cost(0, 0), 0, 0

        def turn(size: int) -> None:
            nonlocal spent, rows, calls
            calls += 1
            if calls % EVERY == 1:
                begun = now()
                rows += self.run(size)
                spent = spent.plus(now().since(begun))

        start = now()
        passes = contender(turn)
        own = now().since(start).since(spent)
        one = spent.times(1 / rows)
        return Race(passes, own.times(1 / passes).per(one), one)


class _WarmError(Exception):
    """Enough has run to have everything loaded and compiled."""


def warm_up(contender: Contender) -> None:
    """Run the first two batches of a contender."""
    calls = 0

    def turn(size: int) -> None:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise _WarmError

    try:
        contender(turn)
    except _WarmError:
        return
