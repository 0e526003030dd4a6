"""Files that go to the server while their run still lives.

| policy | when                                                                            |
|--------|---------------------------------------------------------------------------------|
| now    | once, as soon as the run has said so                                            |
| live   | the same, and again when its time or size has changed and has come to rest      |
| end    | when the run has ended, as all others do once more unless they are as they were |

A file is looked at by its time and size, which costs one system call; a change is sent when two looks in a row have
seen the same.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Set, Tuple

from ._cursor import Cursor
from ._files import Source, source_of

# How often the files of a living run are looked at, and how often one of them goes out at most.
LOOK_SECONDS = 2.0
LIVE_SECONDS = 10.0

Stamp = Tuple[int, int]


class LiveFiles:
    """What is to be sent of a living run's files. The caller's clock tells the time."""

    def __init__(self, folder: Path) -> None:
        self._root = folder / "files"
        self._looked_at: Optional[float] = None
        self._offered: Set[str] = set()
        self._sent: Dict[str, Tuple[Stamp, float]] = {}  # what was offered last, and when
        self._seen: Dict[str, Optional[Stamp]] = {}  # at the last look

    def due(self, files: Mapping[str, str], cursor: Cursor, now: float) -> List[Source]:
        """Those of the run's `files` (path -> policy) to be sent now; each is offered once."""
        if self._looked_at is not None and now - self._looked_at < LOOK_SECONDS:
            return []
        self._looked_at = now
        found = []
        for path, policy in files.items():
            if policy == "end" or path in cursor.parked_files:
                continue
            if policy == "live":
                if self._has_changed(path, now):
                    found.append(path)
            elif path not in self._offered and path not in cursor.files:
                self._offered.add(path)
                found.append(path)
        return [source_of(self._root, path) for path in found]

    def _has_changed(self, path: str, now: float) -> bool:
        before, stamp = self._seen.get(path), self._stamp(path)
        self._seen[path] = stamp
        if stamp is None:
            return False
        sent = self._sent.get(path)
        if sent is not None and (sent[0] == stamp or stamp != before or now - sent[1] < LIVE_SECONDS):
            return False
        self._sent[path] = (stamp, now)
        return True

    def _stamp(self, path: str) -> Optional[Stamp]:
        try:
            found = os.stat(self._root / path)
        except (OSError, ValueError):
            return None  # not there yet, or gone: its end is looked at when the run has ended
        return found.st_mtime_ns, found.st_size
