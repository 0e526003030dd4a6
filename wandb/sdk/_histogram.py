"""An array as the histogram that dashboards draw: counts and edges, a few hundred bytes however large the array is."""

from __future__ import annotations

from typing import Any, Dict

from ..errors import DataError

# What `log` makes of an array that is too long to be shown number by number.
ARRAY_BINS = 32
# A histogram of a thousand bins would be a table.
BINS_MAX = 512


def histogram(array: Any, path: str, bins: int = ARRAY_BINS) -> Dict[str, Any]:
    """The histogram of a NumPy array's finite values. Raises DataError where the values are no real numbers."""
    import numpy  # whoever has an array has it loaded

    if array.dtype.kind not in "biuf":
        raise DataError(f"{path}: an array of {array.size:,} values of type {array.dtype} is no data for a histogram")
    if array.dtype.kind == "b":
        array = array.view(numpy.uint8) if array.flags.c_contiguous else array.astype(numpy.uint8)
    elif array.dtype.kind == "f" and array.dtype.itemsize < 4:
        array = array.astype(numpy.float32)
    flat = array.ravel()
    finite = numpy.isfinite(flat)
    if not finite.all():
        flat = flat[finite]
    try:
        with numpy.errstate(over="raise"):
            counts, edges = numpy.histogram(flat, bins=min(bins, BINS_MAX))
    except (ValueError, FloatingPointError):
        # The range of the values is itself no finite number, or too narrow to be cut into bins.
        low, high = float(flat.min()), float(flat.max())
        return {"_type": "histogram", "values": [int(flat.size)], "bins": [low, high]}
    return {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}
