"""Gradients integrated along straight lines, with further points where the integral is found to be wrong.

A network of ReLUs and maxima has gradients that jump, on the way from a baseline, in more places than any fixed rule
has points. But every point that is differentiated is also scored, and between two of them the integral of the slope
along the line has to be the difference of their scores: the error of each piece is known, not estimated. Pieces with
the largest errors are halved until all errors together are small enough.

The trapezoidal rule is used because each new point then serves both halves, as score and as gradient.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from agnostic.engine.autograd import GradientOf
from agnostic.engine.target import Floats
from agnostic.methods._gradients import Array32
from agnostic.methods._integrate import Integral, between, closed
from agnostic.methods.registry import Task

# Bytes of gradients held at once: the weight of a point is known only once no piece beside it is halved any more.
_HELD = 2**27
# Errors below this share of the scores are float32's own.
_ROUNDING = 1e-6


@dataclass(eq=False)
class _Point:
    """A point of a line: its scores and slopes (targets,), and its gradients until their weight is settled."""

    line: int
    place: float
    scores: Floats
    slopes: Floats
    gradients: Array32
    weight: float = 0.0


@dataclass(frozen=True, eq=False)
class _Piece:
    """What lies between two neighbouring points of a line."""

    left: _Point
    right: _Point

    @property
    def width(self) -> float:
        return self.right.place - self.left.place

    @property
    def error(self) -> Floats:
        """The integral of the slope by its two ends, less the difference of the scores: (targets,)."""
        slope: Floats = (self.left.slopes + self.right.slopes) / 2
        return slope * self.width - (self.right.scores - self.left.scores)


def integrate_adaptively(
    task: Task, starts: Sequence[Array32], steps: int, tolerance: float, most: int, of: GradientOf = "logit"
) -> Integral:
    """Integrate the gradient along the lines from each baseline to the sample until it adds up.

    The outcome does not depend on the batch size: pieces are chosen in rounds, by their errors alone.

    Args:
        task: the question.
        starts: the baselines, (*source axes) each.
        steps: points on each line to begin with, equally far apart; the sample is one more for all lines.
        tolerance: how far the values may add up to something else than the score's rise, as a share of it.
        most: points in all. Where they do not suffice, the error that is left is reported and no value is altered.
        of: logit, probability or loss of the target.
    """
    mesh = _Mesh(task, starts, of, tolerance)
    mesh.begin(steps)
    while mesh.points < most and mesh.is_off:
        worst = mesh.worst(min(max(mesh.points // 8, 8), most - mesh.points))
        if not worst:
            break
        mesh.halve(worst)
    return mesh.finish()


class _Mesh:
    """The lines, cut into pieces."""

    def __init__(self, task: Task, starts: Sequence[Array32], of: GradientOf, tolerance: float) -> None:
        self._task, self._starts, self._of, self._tolerance = task, starts, of, tolerance
        self._found = np.zeros((len(task.targets), *task.origin.shape))
        self._scores, self._bases, self._settled, self._limit, self._rounding = np.zeros((5, len(task.targets)))
        self._pieces: list[_Piece] = []
        self._held: list[_Point] = []
        self._room = max(16, _HELD // (task.origin.nbytes * len(task.targets)))
        self.points = 0

    def begin(self, steps: int) -> None:
        """Score the ends of all lines, then cut every line into equal pieces."""
        *firsts, last = self._measured([*((line, 0.0) for line in range(len(self._starts))), (0, 1.0)])
        self._scores, self._bases = last.scores, np.mean([point.scores for point in firsts], axis=0)
        self._rounding = _ROUNDING * np.max([abs(point.scores) for point in (*firsts, last)], axis=0)
        self._limit = np.maximum(self._tolerance * abs(self._scores - self._bases), self._rounding)
        for line, first in enumerate(firsts):
            whole = _Piece(first, self._moved(last, line))
            self._add(whole)
            self._held += [whole.left, whole.right]
            self._cut(whole, [number / steps for number in range(1, steps)])

    def _cut(self, rest: _Piece, places: Sequence[float]) -> None:
        """Put points into a piece from left to right, no more at once than half the room."""
        some = self._room // 2
        for start in range(0, len(places), some):
            middles = self._measured([(rest.left.line, place) for place in places[start : start + some]])
            rest = self._split({rest: middles})[-1]
            self._settle(rest)

    @property
    def is_off(self) -> bool:
        """Whether what is found adds up to something else than the score less its base, for any target."""
        total = self._settled + sum(piece.error for piece in self._pieces)
        return bool((abs(total) > self._limit * len(self._starts)).any())

    def worst(self, count: int) -> list[_Piece]:
        """The pieces with the largest errors, which for several targets is that of the target furthest off."""
        wrong = [piece for piece in self._ordered() if (abs(piece.error) > self._rounding).any()]
        return wrong[:count]

    def halve(self, pieces: Sequence[_Piece]) -> None:
        """Put a point into the middle of each piece."""
        middles = self._measured([(p.left.line, (p.left.place + p.right.place) / 2) for p in pieces])
        self._split({piece: [middle] for piece, middle in zip(pieces, middles, strict=True)})
        self._settle()

    def _split(self, points: Mapping[_Piece, Sequence[_Point]]) -> list[_Piece]:
        """Replace pieces by those between the points in each of them; the new ones are returned."""
        self._pieces = [piece for piece in self._pieces if piece not in points]
        count = len(self._pieces)
        for piece, inside in points.items():
            for end in (piece.left, piece.right):
                end.weight -= piece.width / 2
            for left, right in pairwise((piece.left, *inside, piece.right)):
                self._add(_Piece(left, right))
            self._held += inside
        return self._pieces[count:]

    def _settle(self, rest: _Piece | None = None) -> None:
        """Leave the pieces with the smallest errors as they are, so that no more gradients are held than may be."""
        if len(self._held) <= self._room:
            return
        needed = {rest.left, rest.right} if rest else set()
        kept = []
        for piece in self._ordered():
            ends = {piece.left, piece.right} - needed
            if len(needed) + len(ends) <= self._room:
                needed |= ends
                kept.append(piece)
            else:
                self._settled = self._settled + piece.error
        self._pieces = kept
        self._fold(point for point in self._held if point not in needed)
        self._held = [point for point in self._held if point in needed]

    def finish(self) -> Integral:
        """Add up what is still held."""
        self._fold(self._held)
        return closed(self._found, self._scores, self._bases, self.points)

    def _ordered(self) -> list[_Piece]:
        scale = np.where(self._limit > 0, self._limit, 1)
        return sorted(self._pieces, key=lambda piece: -float(np.max(abs(piece.error) / scale)))

    def _add(self, piece: _Piece) -> None:
        for end in (piece.left, piece.right):
            end.weight += piece.width / 2
        self._pieces.append(piece)

    def _fold(self, points: Iterable[_Point]) -> None:
        for point in points:
            self._found += point.gradients * (self._distance(point.line) * (point.weight / len(self._starts)))

    def _distance(self, line: int) -> Floats:
        distance: Floats = self._task.origin.astype(np.float64) - self._starts[line]
        return distance

    def _measured(self, places: Sequence[tuple[int, float]]) -> list[_Point]:
        """Differentiate at places on lines."""
        points: list[_Point] = []

        def write(start: int, stop: int, out: Array32) -> None:
            for row, (line, place) in enumerate(places[start:stop]):
                out[row] = between(self._starts[line], self._task.origin, place)

        for block in self._task.gradient_sweep(len(places), write, of=self._of, before=self.points):
            gradients, numbers = block.found.gradients[self._task.source], range(block.start, block.stop)
            for row, number in enumerate(numbers):
                points.append(self._point(*places[number], block.found.scores[row], gradients[:, row].copy()))
        self.points += len(places)
        return points

    def _point(self, line: int, place: float, scores: Floats, gradients: Array32) -> _Point:
        slopes = gradients.reshape(len(gradients), -1) @ self._distance(line).ravel()
        return _Point(line, place, scores.copy(), slopes, gradients)

    def _moved(self, point: _Point, line: int) -> _Point:
        """See a point that lines share as one of another line."""
        return self._point(line, point.place, point.scores, point.gradients)
