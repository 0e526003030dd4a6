"""Histograms: counts and edges, written down inline."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple, Union

from .._histogram import BINS_MAX, histogram
from ..errors import DataError
from ._base import WBValue
from ._optional import load
from ._sink import Json

Edges = Union[Sequence[float], Any]
Counts = Union[Sequence[float], Any]


class Histogram(WBValue):
    """The distribution of many values as counts and the edges between them.

    >>> import wandb
    >>> wandb.Histogram([1, 2, 2, 4], num_bins=3).to_json()
    {'_type': 'histogram', 'values': [1, 2, 1], 'bins': [1.0, 2.0, 3.0, 4.0]}
    >>> wandb.Histogram(np_histogram=([2, 1], [0.0, 0.5, 1.0])).bins
    [0.0, 0.5, 1.0]

    sequence: the values; NaN and infinities don't count.
    np_histogram: counts and edges, as `numpy.histogram` returns them.
    num_bins: how many bins of equal width the values are sorted into, 512 at most.

    Raises DataError for more bins, for values that are no real numbers, and where the edges are not one more than the
    counts.
    """

    _log_type = "histogram"
    MAX_LENGTH = BINS_MAX

    def __init__(
        self,
        sequence: Any = None,
        np_histogram: Optional[Tuple[Counts, Edges]] = None,
        num_bins: int = 64,
    ) -> None:
        super().__init__()
        self.histogram: List[float]
        self.bins: List[float]
        if np_histogram is not None:
            if len(np_histogram) != 2:
                raise DataError("Histogram: np_histogram is a pair of counts and edges, as numpy.histogram returns it")
            self.histogram, self.bins = _plain(np_histogram[0]), _plain(np_histogram[1])
        else:
            if sequence is None:
                raise DataError("Histogram: pass a sequence of values, or np_histogram=(counts, edges)")
            if num_bins < 1:
                raise DataError(f"Histogram: num_bins is 1 or more, not {num_bins}")
            if num_bins > self.MAX_LENGTH:
                raise DataError(_too_long(num_bins))
            numpy = load("numpy", "numpy", "wandb.Histogram of values")
            found = histogram(numpy.asarray(_on_host(sequence)), "Histogram", num_bins)
            self.histogram, self.bins = found["values"], found["bins"]
        if len(self.histogram) > self.MAX_LENGTH:
            raise DataError(_too_long(len(self.histogram)))
        if len(self.bins) != len(self.histogram) + 1:
            raise DataError(f"Histogram: {len(self.histogram)} counts need one edge more, not {len(self.bins)}")

    def to_json(self, run_or_artifact: Any = None) -> Json:
        """The JSON object; it needs no file."""
        return {"_type": self._log_type, "values": self.histogram, "bins": self.bins}

    @classmethod
    def from_json(cls, json_obj: Json, source_artifact: Any) -> Histogram:
        """The histogram again."""
        return cls(np_histogram=(json_obj["values"], json_obj["bins"]))


def _plain(values: Any) -> List[float]:
    return list(values.tolist() if hasattr(values, "tolist") else values)


def _on_host(values: Any) -> Any:
    """A tensor's values where NumPy can read them."""
    return values.detach().cpu() if hasattr(values, "detach") and hasattr(values, "cpu") else values


def _too_long(bins: int) -> str:
    return f"Histogram: {bins} bins are above the limit of {BINS_MAX}; pass a smaller num_bins"
