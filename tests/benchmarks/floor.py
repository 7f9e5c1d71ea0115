"""The floor of a perturbation method: as many forward passes through a bare onnxruntime session, and nothing else."""

import time
from collections.abc import Callable, Sequence
from itertools import cycle
from statistics import fmean
from typing import NamedTuple

import numpy as np
import onnxruntime

from agnostic.converters import surgery
from agnostic.engine.model import Model

BATCHES = (1, 4, 16)
# After so many rows of whatever is measured, the floor runs so many at one batch size; the sizes take turns.
EVERY, ROWS = 32, 16

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
    """One run of a contender beside the floor: what a pass cost."""

    passes: int
    own: Cost
    floor: dict[int, Cost]  # by batch size


def now() -> Cost:
    """Read both clocks."""
    return Cost(time.process_time(), time.perf_counter())


class Floor:
    """A bare session of the graph cut down to the scores."""

    def __init__(self, model: Model, row: np.ndarray) -> None:
        """Build the session; it will run copies of `row` (1, ...)."""
        options = onnxruntime.SessionOptions()
        # Threads that spin while they wait take the other sessions' cores in this process: slower for all of them.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = surgery.expose(model.proto, (model.scores_tensor,), only=True)
        self.session = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        self._input = model.inputs[0].name
        self._batches = {size: np.repeat(row, size, axis=0) for size in BATCHES}
        for size in BATCHES:  # the first run of a size allocates
            self._run(size)

    def scores(self, batch: np.ndarray) -> np.ndarray:
        """Run one batch."""
        return self.session.run(None, {self._input: batch})[0]

    def _run(self, size: int) -> Cost:
        """Run ROWS rows and say what one cost."""
        start = now()
        for _ in range(ROWS // size):
            self.scores(self._batches[size])
        return now().since(start).times(1 / ROWS)

    def race(self, contender: Contender) -> Race:
        """Run a contender with the floor in turns within it."""
        beside: dict[int, list[Cost]] = {size: [] for size in BATCHES}
        sizes, waiting, spent = cycle(BATCHES), 0, Cost(0, 0)

        def turn(rows: int) -> None:
            nonlocal waiting, spent
            begun = now()
            waiting += rows
            while waiting >= EVERY:
                size = next(sizes)
                beside[size].append(self._run(size))
                waiting -= EVERY
            spent = spent.plus(now().since(begun))

        start = now()
        passes = contender(turn)
        own = now().since(start).since(spent)
        return Race(passes, own.times(1 / passes), {size: mean(costs) for size, costs in beside.items() if costs})


def ratios(races: Sequence[Race]) -> tuple[list[Cost], dict[int, Cost]]:
    """Compare every race with the floor at its best, and say what a pass at the floor cost by batch size.

    Which size is best, and by how much, is told by all races together. A race's own floor, over all sizes, tells how
    the machine was while it ran.
    """
    sizes = {size: mean([race.floor[size] for race in races if size in race.floor]) for size in BATCHES}
    best = Cost(*(min(values) for values in zip(*sizes.values(), strict=True)))
    found = []
    for race in races:
        weather = mean(list(race.floor.values())).per(mean([sizes[size] for size in race.floor]))
        found.append(race.own.per(Cost(best.cpu * weather.cpu, best.wall * weather.wall)))
    return found, sizes


def mean(costs: Sequence[Cost]) -> Cost:
    """The mean on both clocks."""
    return Cost(*(fmean(values) for values in zip(*costs, strict=True)))


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
