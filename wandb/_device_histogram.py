"""Histograms of PyTorch's tensors that live on a device: counted there, so that a few dozen numbers leave it.

Handing work to a device takes as long for a bias as for a matrix. So tensors of one length, of which models have many,
are counted as the rows of one matrix, and all that was counted is waited for once.
"""

from __future__ import annotations

import importlib
import math
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

# In 32 bits, which histc counts in, this is the highest number that one more can still be added to.
COUNT_MAX = 1 << 24
# A matrix has at most so many elements: it is a copy, and a device may be nearly full.
_MATRIX_ELEMENTS_MAX = 1 << 22
# So many bins at once are counted in a GPU's fast memory.
_BINS_MAX = 1 << 13


class Counted(NamedTuple):
    """Finite values: the least and the greatest, and how many are in each of the bins between them. Where all are
    equal there is one bin."""

    low: float
    high: float
    counts: List[int]

    def as_histogram(self) -> Dict[str, Any]:
        """As a log stores it."""
        edges = [self.low, self.high]
        bins = len(self.counts)
        if bins > 1:
            width = (self.high - self.low) / bins
            edges = [*[self.low + index * width for index in range(bins)], self.high]
        return {"_type": "histogram", "values": self.counts, "bins": edges}


def count_on_device(tensors: Sequence[Any], bins: int) -> List[Optional[Counted]]:
    """Count the values of tensors of one device, each with one dimension and at most COUNT_MAX elements; None for a
    tensor that has no finite value. Raises RuntimeError where the device, or a setting of PyTorch, doesn't allow it."""
    found: List[Optional[Counted]] = [None] * len(tensors)
    alike: Dict[Tuple[int, Any], List[int]] = {}  # length and type -> places of the tensors
    for place, tensor in enumerate(tensors):
        if tensor.shape[0]:
            alike.setdefault((tensor.shape[0], tensor.dtype), []).append(place)
    if not alike:
        return found
    torch = importlib.import_module("torch")
    places: List[int] = []
    counted: List[Any] = []
    for (length, _), members in alike.items():
        rows = max(1, min(_MATRIX_ELEMENTS_MAX // length, _BINS_MAX // bins))
        for start in range(0, len(members), rows):
            some = members[start : start + rows]
            places += some
            counted.append(_count_rows(torch, torch.stack([tensors[place] for place in some]).float(), bins))
    for place, (low, high, *counts) in zip(places, torch.cat(counted).tolist()):
        if not (math.isfinite(low) and math.isfinite(high)):
            found[place] = _count_finite(tensors[place].float(), bins)
        elif low == high:
            found[place] = Counted(low, high, [tensors[place].shape[0]])
        else:
            found[place] = Counted(low, high, list(map(int, counts)))
    return found


def _count_rows(torch: Any, matrix: Any, bins: int) -> Any:
    """Of each row the least value, the greatest one, and how many there are in each bin; that of a row that isn't
    finite, or whose values are equal, is not to be used."""
    rows = matrix.shape[0]
    low, high = matrix.amin(1, keepdim=True), matrix.amax(1, keepdim=True)
    # Each bin gets a number of its own among those of all rows, and is counted by the middle between it and the next.
    first = torch.arange(0, rows * bins, bins, device=matrix.device, dtype=matrix.dtype).unsqueeze(1)
    numbers = (matrix - low).div_(high - low).mul_(bins).floor_().clamp_(0, bins - 1).add_(first).add_(0.5)
    counts = numbers.histc(rows * bins, 0, rows * bins).reshape(rows, bins)
    return torch.cat([low, high, counts], 1)


def _count_finite(values: Any, bins: int) -> Optional[Counted]:
    """The same for one tensor, of which some values are not finite."""
    values = values[values.isfinite()]
    if not values.shape[0]:
        return None
    low, high = float(values.min()), float(values.max())
    counts = values.histc(bins, low, high).tolist() if low != high else [values.shape[0]]
    return Counted(low, high, list(map(int, counts)))
