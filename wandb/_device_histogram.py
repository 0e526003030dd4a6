"""Histograms of PyTorch's tensors that live on a device: counted there, so that a few dozen numbers leave it.

A device is waited for twice, however many the tensors are: for the least and the greatest value of each, and for their
counts. Everything in between is only handed to it.
"""

from __future__ import annotations

import importlib
import math
from typing import Any, Dict, List, NamedTuple, Optional, Sequence

# In 32 bits, which histc counts in, this is the highest number that one more can still be added to.
COUNT_MAX = 1 << 24


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
    tensor that has no finite value."""
    found: List[Optional[Counted]] = [None] * len(tensors)
    filled = [index for index, tensor in enumerate(tensors) if tensor.shape[0]]
    if not filled:
        return found
    stack = importlib.import_module("torch").stack
    ends: List[Any] = []
    for index in filled:
        values = tensors[index].float()  # of other types a copy, which is gone before the next one is made
        ends += (values.min(), values.max())
    numbers: List[float] = stack(ends).tolist()
    waiting: List[Any] = []
    places: List[int] = []
    for index, low, high in zip(filled, numbers[::2], numbers[1::2]):
        values = tensors[index].float()
        if not (math.isfinite(low) and math.isfinite(high)):
            values = values[values.isfinite()]
            if not values.shape[0]:
                continue
            low, high = float(values.min()), float(values.max())
        found[index] = Counted(low, high, [values.shape[0]])
        if low != high:
            waiting.append(values.histc(bins, low, high))
            places.append(index)
    if waiting:
        for index, counts in zip(places, stack(waiting).int().tolist()):
            known = found[index]
            assert known is not None
            found[index] = known._replace(counts=counts)
    return found
