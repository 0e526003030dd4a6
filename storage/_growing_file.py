"""A file of known size that comes in from its beginning on; what has arrived outlives the process that brought it.

While it comes in, eight bytes behind its end say how many at its beginning have arrived: the next process goes on
there. One process at a time writes it, under flock; the others wait, and find the file done or go on with it.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Callable

_COUNT_BYTES = 8
_PAUSE_SECONDS = 0.05


class GrowingFile:
    """Not safe between threads, but for writes to its descriptor."""

    def __init__(self, path: Path, size: int, waiting: Callable[[], object]) -> None:
        """waiting: called now and then while another process has it; what it raises ends that. Raises OSError."""
        self._path, self._size = path, size
        while True:
            self.descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                self._lock(waiting)
                if self._stands():
                    break
            except BaseException:
                self.close()
                raise
            self.close()  # its writer has just finished it, or given it up

    def _lock(self, waiting: Callable[[], object]) -> None:
        while True:
            try:
                fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                waiting()
                time.sleep(_PAUSE_SECONDS)

    def _stands(self) -> bool:
        try:
            return os.path.samestat(os.stat(self._path), os.fstat(self.descriptor))
        except FileNotFoundError:
            return False

    @property
    def arrived(self) -> int:
        """Bytes at the beginning that are there. A power loss may have taken some of them: only a digest tells."""
        if os.fstat(self.descriptor).st_size != self._size + _COUNT_BYTES:
            return 0
        count = int.from_bytes(os.pread(self.descriptor, _COUNT_BYTES, self._size), "little")
        return count if count <= self._size else 0

    def note(self, count: int) -> None:
        """So many bytes at the beginning have been written."""
        os.pwrite(self.descriptor, count.to_bytes(_COUNT_BYTES, "little"), self._size)

    def finish(self, target: Path) -> None:
        """All of it is there: it is `target` from now on, and read only."""
        os.ftruncate(self.descriptor, self._size)
        os.fchmod(self.descriptor, 0o444)
        os.replace(self._path, target)

    def remove(self) -> None:
        """Nobody shall go on with it."""
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let others have it."""
        os.close(self.descriptor)
