"""Boxes in three dimensions, for point clouds."""

from __future__ import annotations

import itertools
import math
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..errors import DataError

Triple = Tuple[float, float, float]


def box3d(
    *,
    center: Any,
    size: Any,
    orientation: Any,
    color: Sequence[float],
    label: Optional[str] = None,
    score: Optional[float] = None,
) -> Dict[str, Any]:
    """A box in space by its center, its size and how it is turned.

    >>> import wandb
    >>> box = wandb.box3d(center=(0, 0, 0), size=(2, 2, 2), orientation=(1, 0, 0, 0), color=(255, 0, 0), label="car")
    >>> box["corners"][0], len(box["corners"]), box["label"]
    ((-1.0, -1.0, -1.0), 8, 'car')

    center: x, y and z. size: the lengths along the box's own axes. orientation: the rotation from the axes of the
    space to those of the box, as a quaternion [r, x, y, z] other than 0. color: red, green and blue.

    Raises DataError.
    """
    middle, lengths = _numbers(center, 3, "center"), _numbers(size, 3, "size")
    turned = _rotation(_numbers(orientation, 4, "orientation"))
    corners: List[Triple] = []
    for signs in itertools.product((-1.0, 1.0), repeat=3):
        corner = [0.5 * length * sign for length, sign in zip(lengths, signs)]
        x, y, z = (middle[axis] + sum(corner[row] * turned[row][axis] for row in range(3)) for axis in range(3))
        corners.append((x, y, z))
    return {"corners": tuple(corners), "color": color, "label": label, "score": score}


def _numbers(values: Any, count: int, name: str) -> List[float]:
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise DataError(f"box3d: {name} is {count} numbers, not {values!r}")
    return numbers


def _rotation(quaternion: Sequence[float]) -> List[List[float]]:
    """The matrix that turns rows by a quaternion."""
    largest = max(map(abs, quaternion))
    if largest == 0:
        raise DataError("box3d: orientation is a quaternion other than 0; (1, 0, 0, 0) turns nothing")
    scaled = [part / largest for part in quaternion]  # so that no square overflows
    length = math.sqrt(sum(part * part for part in scaled))
    r, x, y, z = (part / length for part in scaled)
    return [
        [1 - 2 * (y * y + z * z), 2 * (x * y + z * r), 2 * (x * z - y * r)],
        [2 * (x * y - z * r), 1 - 2 * (x * x + z * z), 2 * (y * z + x * r)],
        [2 * (x * z + y * r), 2 * (y * z - x * r), 1 - 2 * (x * x + y * y)],
    ]
