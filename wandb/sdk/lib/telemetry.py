"""Where callbacks of other libraries note which features they use. This client counts nothing of it."""

from __future__ import annotations

import contextlib
from typing import Any, Iterator


class TelemetryRecord:
    """Takes whatever is noted, at any depth, and keeps it to itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        noted = TelemetryRecord()
        setattr(self, name, noted)
        return noted


@contextlib.contextmanager
def context(run: Any = None, obj: Any = None) -> Iterator[TelemetryRecord]:
    """What a callback notes its features in.

    >>> with context() as noted:
    ...     noted.feature.sb3 = True
    """
    yield TelemetryRecord() if obj is None else obj
