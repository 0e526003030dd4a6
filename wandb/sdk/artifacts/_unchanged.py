"""Large files that were staged before and haven't changed: the next version takes them without copying or hashing.

A file is told by its device and inode, and is the same as long as its size and its times are. A file that had been
written to a moment before it was looked at may have been written to again within the same tick of the clock: of that
one nothing is remembered.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import NamedTuple, Optional, Tuple

from ._hashing import Hashing

_FILES_MAX = 10_000
# File systems count times in ticks of some milliseconds, and some of whole seconds.
_SETTLED_SECONDS = 2.0

Stamp = Tuple[int, int, int]


class _Known(NamedTuple):
    stamp: Stamp
    hashing: Hashing


class Unchanged:
    """Safe between threads; nothing of it outlives the process."""

    def __init__(self) -> None:
        self._known: OrderedDict[Tuple[int, int], _Known] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._known)

    def note(self, source: str, staged: Path, hashing: Hashing) -> None:
        """A file has been copied, and the copy is being hashed."""
        try:
            status = os.stat(source)
            if os.path.samestat(status, os.stat(staged)):
                return  # a link: whoever changes the file changes it too
        except OSError:
            return
        if time.time() - max(status.st_mtime, status.st_ctime) < _SETTLED_SECONDS:
            return
        with self._lock:
            key = status.st_dev, status.st_ino
            self._known[key] = _Known(_stamp(status), hashing)
            self._known.move_to_end(key)
            while len(self._known) > _FILES_MAX:
                self._known.popitem(last=False)

    def find(self, source: str, algorithm: str) -> Optional[Tuple[Path, int, str]]:
        """(where it is staged, bytes, digest) of a file that is as it was; None where it isn't known."""
        try:
            status = os.stat(source)
        except OSError:
            return None
        with self._lock:
            known = self._known.get((status.st_dev, status.st_ino))
        if known is None or known.stamp != _stamp(status) or known.hashing.algorithm != algorithm:
            return None
        kept_at = known.hashing.kept_at
        return None if kept_at is None else (kept_at, status.st_size, known.hashing.result())


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns
