"""Media, tables, charts: what can be logged beside numbers, and stored in artifacts.

>>> from wandb.data_types import Histogram
>>> Histogram([1.0, 2.0]).MAX_LENGTH
512

The classes are loaded when they are first used, and the libraries that some of them need (NumPy, Pillow, soundfile, …)
when a value needs them. `_base` says what all values have in common, `_sink` where their bytes go, `_limits` how large
they may be.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, List

from ._base import BatchableMedia, Media, WBValue

if TYPE_CHECKING:
    from ._histogram import Histogram

__all__ = ["BatchableMedia", "Histogram", "Media", "WBValue"]

# In which module of this package the classes are.
HOMES = {
    "Histogram": "_histogram",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        home = HOMES.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = getattr(importlib.import_module(f".{home}", __name__), name)
        return value


def __dir__() -> List[str]:
    return sorted({*globals(), *HOMES})
