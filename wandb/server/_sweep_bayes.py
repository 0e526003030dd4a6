"""The guess of Bayesian search: a Gaussian process over what was tried, and where it expects to improve most.

Small enough to need no library: a sweep has tens to hundreds of runs, and one guess takes milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

# Beyond this many runs the newest count: the work grows with the cube.
_TRIALS_MAX = 100
# Of coordinates that lie between 0 and 1: how far one result says something about its neighbours.
_LENGTH = 0.25
# The share of the losses' variance that is put down to chance; it also keeps the matrix invertible.
_NOISE = 1e-3

Point = Sequence[float]


def most_promising(points: Sequence[Point], losses: Sequence[float], candidates: Sequence[Point]) -> int:
    """The number of the candidate with the greatest expected improvement over the lowest loss."""
    points, losses = points[-_TRIALS_MAX:], losses[-_TRIALS_MAX:]
    mean = sum(losses) / len(losses)
    spread = math.sqrt(sum((loss - mean) ** 2 for loss in losses) / len(losses)) or 1.0
    scaled = [(loss - mean) / spread for loss in losses]
    lower = _cholesky([[_kernel(a, b) + (_NOISE if a is b else 0.0) for b in points] for a in points])
    weights = _solve_upper(lower, _solve_lower(lower, scaled))
    best = min(scaled)

    def improvement(candidate: Point) -> float:
        near = [_kernel(candidate, point) for point in points]
        expected = sum(a * b for a, b in zip(near, weights))
        known = _solve_lower(lower, near)
        deviation = math.sqrt(max(1.0 - sum(value * value for value in known), 1e-12))
        gain = best - expected
        z = gain / deviation
        below = 0.5 * (1 + math.erf(z / math.sqrt(2)))
        return gain * below + deviation * math.exp(-z * z / 2) / math.sqrt(2 * math.pi)

    return max(range(len(candidates)), key=lambda number: improvement(candidates[number]))


def _kernel(a: Point, b: Point) -> float:
    """Matérn 5/2: smooth, but not as smooth as to overshoot."""
    distance = math.sqrt(5 * sum((x - y) ** 2 for x, y in zip(a, b))) / _LENGTH
    return (1 + distance + distance * distance / 3) * math.exp(-distance)


def _cholesky(matrix: list[list[float]]) -> list[list[float]]:
    lower: list[list[float]] = []
    for i, row in enumerate(matrix):
        made: list[float] = []
        for j in range(i + 1):
            rest = row[j] - sum(a * b for a, b in zip(made, (lower[j] if j < i else made)))
            made.append(math.sqrt(max(rest, _NOISE * _NOISE)) if i == j else rest / lower[j][j])
        lower.append(made)
    return lower


def _solve_lower(lower: list[list[float]], right: Sequence[float]) -> list[float]:
    solved: list[float] = []
    for row, value in zip(lower, right):
        solved.append((value - sum(a * b for a, b in zip(row, solved))) / row[-1])
    return solved


def _solve_upper(lower: list[list[float]], right: Sequence[float]) -> list[float]:
    size = len(lower)
    solved = [0.0] * size
    for i in reversed(range(size)):
        rest = right[i] - sum(lower[k][i] * solved[k] for k in range(i + 1, size))
        solved[i] = rest / lower[i][i]
    return solved
