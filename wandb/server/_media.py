"""Where a run logged media: for each key the kind of media and the rows that hold some.

A row that holds media says ``"_type"``, so that other rows need not be parsed. Blocks know which kinds of values their
rows have, and those without media need not even be read.
"""

from __future__ import annotations

import json
import threading
from array import array
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from .._row_keys import flattened
from ._blocks import PLAIN_KINDS, QuietBlocks
from ._limits import MEDIA_INDEXES_MAX, MEDIA_KEYS_MAX
from ._lines import HISTORY, iterate_lines
from ._store import Run


@dataclass
class MediaKey:
    """One key: what it is, and the lines and steps of the rows that have it."""

    kind: str
    lines: array[int] = field(default_factory=lambda: array("q"))
    steps: array[int] = field(default_factory=lambda: array("q"))


class MediaIndex:
    """The media of one run."""

    def __init__(self, rewrites: int) -> None:
        self.keys: dict[str, MediaKey] = {}
        self.next_line = 0
        self.rewrites = rewrites
        self.lock = threading.Lock()

    def catch_up(self, connection: Connection, run: Run, quiet: QuietBlocks, lines_max: int) -> None:
        """Read what was added since the last time, at most so many lines."""
        end = min(run.history_count, self.next_line + lines_max)
        while self.next_line < end:
            after = quiet.end_without_media(self.next_line)
            if after is not None:
                self.next_line = after
                continue
            stop = min(end, quiet.next_without_media(self.next_line, end))
            for line, step, content in iterate_lines(connection, run.id, HISTORY, self.next_line, stop):
                if step is not None and '"_type"' in content:
                    self._add(line, step, json.loads(content))
            self.next_line = stop

    def _add(self, line: int, step: int, row: dict[str, Any]) -> None:
        for key, value in flattened(row):
            if not isinstance(value, dict) or not is_media(value.get("_type")):
                continue
            if key not in self.keys and len(self.keys) >= MEDIA_KEYS_MAX:
                continue
            known = self.keys.setdefault(key, MediaKey(value["_type"]))
            known.kind = value["_type"]
            known.lines.append(line)
            known.steps.append(step)


def is_media(kind: Any) -> bool:
    return isinstance(kind, str) and kind not in PLAIN_KINDS


class MediaCache:
    """The media of the runs that somebody looks at, the longest unused ones forgotten."""

    def __init__(self) -> None:
        self._indexes: OrderedDict[int, MediaIndex] = OrderedDict()
        self._lock = threading.Lock()

    def index(self, run: Run) -> MediaIndex:
        with self._lock:
            index = self._indexes.get(run.id)
            if index is None or index.rewrites != run.rewrites:
                index = self._indexes[run.id] = MediaIndex(run.rewrites)
            self._indexes.move_to_end(run.id)
            while len(self._indexes) > MEDIA_INDEXES_MAX:
                self._indexes.popitem(last=False)
        return index


def value_at(row: dict[str, Any], key: str) -> Any:
    """The media under a dotted key of a row."""
    for name, value in flattened(row):
        if name == key and isinstance(value, dict):
            return value
    return None
