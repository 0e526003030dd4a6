"""Incremental tables: each `log` keeps the rows that came since the one before, in an entry of one artifact."""

from __future__ import annotations

import re
import time
from typing import Any, List, Optional, Tuple

from .._terminal import termwarn
from ..errors import UsageError
from ._sink import Json

# As many increments does a page put together.
SHOWN_MAX = 100
_ENTRY = re.compile(r"(?P<number>\d+|None)-(?P<time>\d+)\.")


class Increments:
    """How far an incremental table has been logged."""

    ARTIFACT_TYPE = "wandb-run-incremental-table"

    def __init__(self) -> None:
        self.logged = 0  # rows
        self._number: Optional[int] = None
        self._previous: List[str] = []
        self._run: Any = None

    def begin(self, run: Any, key: str) -> None:
        """The table is about to be logged; in a run that was resumed it goes on with what was logged before.

        Raises UsageError for another run than the first.
        """
        if self._run is not None and self._run is not run:
            raise UsageError("a table with log_mode='INCREMENTAL' belongs to the run that it was logged to first")
        if self._run is None and run.resumed:
            self._resume(run.summary.get(key))
        self._run = run
        if self._number is None:
            self._number = 0

    def _resume(self, before: Any) -> None:
        if not isinstance(before, dict) or before.get("_type") != "incremental-table-file":
            return
        self._previous = list(before.get("previous_increments_paths") or ())
        if before.get("artifact_path"):
            self._previous.append(before["artifact_path"])
        self._number = int(before.get("increment_num") or 0) + 1

    def entry(self, key: str) -> str:
        """The name of the entry that gets the next rows."""
        return f"{self._number}-{time.time_ns() // 1_000_000}.{key}"

    def next(self, url: Optional[str]) -> None:
        """Rows came after a `log`, whose entry is at `url`."""
        if url is not None:
            self._previous.append(url)
        self._number = (self._number or 0) + 1
        if self._number == SHOWN_MAX:
            termwarn(f"pages show the last {SHOWN_MAX} increments of a table; this one has more", repeat=False)

    def to_json(self) -> Json:
        """What the table's JSON object says of them."""
        return {"increment_num": self._number or 0, "previous_increments_paths": list(self._previous)}


def in_order(names: List[str]) -> List[str]:
    """The entries of an incremental table in the order in which they were logged."""

    def place(name: str) -> Tuple[int, int]:
        match = _ENTRY.match(name)
        if match is None:
            return 0, 0
        # W&B's client calls the first increment None.
        return 0 if match["number"] == "None" else int(match["number"]), int(match["time"])

    return sorted(names, key=place)
