"""Gradients integrated along straight lines, with further points where the integral is found to be wrong.

A network of ReLUs and maxima has gradients that jump, on the way from a baseline, in more places than any fixed rule
has points. But every point that is differentiated is also scored, and between two of them the integral of the slope
along the line has to be the difference of their scores: the error of each piece is known, not estimated. Pieces with
the largest errors are halved until all errors together are small enough.

The trapezoidal rule is used because each new point then serves both halves, as score and as gradient.
"""

from collections.abc import Iterable, Sequence
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
    mesh = _Mesh(task, starts, of)
    mesh.begin(steps)
    limit, rounding = mesh.limits(tolerance)
    while mesh.points < most and (abs(mesh.error) > limit).any():
        worst = mesh.worst(min(max(mesh.points // 8, 8), most - mesh.points), limit, rounding)
        if not worst:
            break
        mesh.halve(worst)
        mesh.settle(limit, max(16, _HELD // (task.origin.nbytes * len(task.targets))))
    return mesh.finish()


class _Mesh:
    """The lines, cut into pieces."""

    def __init__(self, task: Task, starts: Sequence[Array32], of: GradientOf) -> None:
        self._task, self._starts, self._of = task, starts, of
        self._found = np.zeros((len(task.targets), *task.origin.shape))
        self._settled = np.zeros(len(task.targets))
        self._pieces: list[_Piece] = []
        self._held: list[_Point] = []
        self._scores = self._bases = np.zeros(len(task.targets))
        self.points = 0

    def begin(self, steps: int) -> None:
        """Cut every line into equal pieces."""
        places = [(line, number / steps) for line in range(len(self._starts)) for number in range(steps)]
        *points, last = self._measured([*places, (0, 1.0)])
        self._scores = last.scores
        for line in range(len(self._starts)):
            ends = [*points[line * steps : (line + 1) * steps], self._moved(last, line)]
            self._add(_Piece(left, right) for left, right in pairwise(ends))
            self._held += ends
        self._bases = np.mean([point.scores for point in points[::steps]], axis=0)

    @property
    def error(self) -> Floats:
        """How far what is found adds up to something else than the score less its base: (targets,)."""
        total: Floats = self._settled + sum(piece.error for piece in self._pieces)
        return total / len(self._starts)

    def limits(self, tolerance: float) -> tuple[Floats, Floats]:
        """The error that is small enough, and the one that is rounding: (targets,) each."""
        rounding = _ROUNDING * np.max([np.abs(point.scores) for point in self._held], axis=0)
        return np.maximum(tolerance * np.abs(self._scores - self._bases), rounding), rounding

    def worst(self, count: int, limit: Floats, rounding: Floats) -> list[_Piece]:
        """The pieces with the largest errors, which for several targets is that of the target furthest off."""
        wrong = [piece for piece in self._ordered(limit) if (abs(piece.error) > rounding).any()]
        return wrong[:count]

    def halve(self, pieces: Sequence[_Piece]) -> None:
        """Put a point into the middle of each piece."""
        gone = set(pieces)
        self._pieces = [piece for piece in self._pieces if piece not in gone]
        middles = self._measured([(p.left.line, (p.left.place + p.right.place) / 2) for p in pieces])
        for piece, middle in zip(pieces, middles, strict=True):
            for end in (piece.left, piece.right):
                end.weight -= piece.width / 2
            self._add((_Piece(piece.left, middle), _Piece(middle, piece.right)))
        self._held += middles

    def settle(self, limit: Floats, held: int) -> None:
        """Leave the pieces with the smallest errors as they are, so that no more gradients are held than may be."""
        if len(self._held) <= held:
            return
        needed: set[_Point] = set()
        kept = []
        for piece in self._ordered(limit):
            if len(needed | {piece.left, piece.right}) <= held:
                needed |= {piece.left, piece.right}
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

    def _ordered(self, limit: Floats) -> list[_Piece]:
        scale = np.where(limit > 0, limit, 1)
        return sorted(self._pieces, key=lambda piece: -float(np.max(np.abs(piece.error) / scale)))

    def _add(self, pieces: Iterable[_Piece]) -> None:
        for piece in pieces:
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
