"""An array as the histogram that dashboards draw: counts and edges, a few hundred bytes however large the array is."""

from __future__ import annotations

import math
from typing import Any, Dict

from .errors import DataError

# What `log` makes of an array that is too long to be shown number by number.
ARRAY_BINS = 32
# A histogram of a thousand bins would be a table.
BINS_MAX = 512
# Between these a range and the way from values to bins are numbers of 32 bits.
_FLOAT32_SPANS = (1e-30, 1e38)
# So many elements are looked at together.
_BLOCK = 1 << 16


def histogram(array: Any, path: str, bins: int = ARRAY_BINS) -> Dict[str, Any]:
    """The histogram of a NumPy array's finite values. Raises DataError where the values are no real numbers."""
    import numpy  # whoever has an array has it loaded

    kind = array.dtype.kind
    if kind not in "biuf":
        raise DataError(f"{path}: an array of {array.size:,} values of type {array.dtype} is no data for a histogram")
    if kind == "b":
        array = array.view(numpy.uint8) if array.flags.c_contiguous else array.astype(numpy.uint8)
    elif kind == "f" and array.itemsize < 4:
        array = array.astype(numpy.float32)
    flat = array.ravel()
    if not flat.size:
        return _counted(flat, 0.0, 1.0, min(bins, BINS_MAX))  # as NumPy's
    low, high = float(numpy.minimum.reduce(flat)), float(numpy.maximum.reduce(flat))
    if not (math.isfinite(low) and math.isfinite(high)):
        flat = flat[numpy.isfinite(flat)]
        low, high = (float(flat.min()), float(flat.max())) if flat.size else (0.0, 0.0)
    return _counted(flat, low, high, min(bins, BINS_MAX))


def _counted(flat: Any, low: float, high: float, bins: int) -> Dict[str, Any]:
    """Counts and edges of finite values. What stands at an edge may be counted on either side of it."""
    if low == high:
        low, high = low - 0.5, high + 0.5
    span = high - low
    width, scale = span / bins, bins / span
    if not (math.isfinite(width) and math.isfinite(scale)):
        # The range of the values is itself no finite number, or too narrow to be cut into bins.
        return {"_type": "histogram", "values": [int(flat.size)], "bins": [low, high]}
    if not _FLOAT32_SPANS[0] < span < _FLOAT32_SPANS[1] and flat.itemsize < 8:
        flat = flat.astype(float)
    counts = _in_bins(flat[:_BLOCK], low, scale, bins)
    for start in range(_BLOCK, flat.size, _BLOCK):  # a large array must not take its size again
        counts = counts + _in_bins(flat[start : start + _BLOCK], low, scale, bins)
    *values, highest = counts.tolist()
    values[-1] += highest
    return {"_type": "histogram", "values": values, "bins": [*[low + index * width for index in range(bins)], high]}


def _in_bins(values: Any, low: float, scale: float, bins: int) -> Any:
    """How many of the values are in each bin, and how many at the end of the last."""
    import numpy

    places = values - low
    places *= scale
    return numpy.bincount(places.astype(numpy.intp), minlength=bins + 1)
