"""A file that one process at a time holds with `flock`, however it ends, and that says who.

The kernel lets go of the lock with the process. The file is never removed, since a lock on a removed file protects
nothing. Who only asks whether somebody holds it holds it for an instant himself, so taking it is tried for a while.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Callable, Optional

_CONTENT_BYTES_MAX = 4096


class LockFile:
    """The file, open. It is held after `acquire`, until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        """Raises OSError where the file can't be had."""
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @property
    def released(self) -> bool:
        return self._fd < 0

    def fileno(self) -> int:
        """The descriptor: a process that inherits it holds the lock too."""
        return self._fd

    @property
    def stands(self) -> bool:
        """Whether the path still leads to this file: somebody may have removed or moved the folder."""
        try:
            found = os.stat(self.path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True  # who can't look must not conclude anything
        return os.path.samestat(found, os.fstat(self._fd))

    def acquire(self, tries: int, pause_seconds: float, sleep: Callable[[float], None] = time.sleep) -> bool:
        """Whether the lock is held now; False where somebody else has it all the while."""
        for attempt in range(tries):
            if attempt:
                sleep(pause_seconds)
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                continue
        return False

    def read(self) -> bytes:
        """What the last holder wrote; empty, or half of it, where somebody has only begun to."""
        return os.pread(self._fd, _CONTENT_BYTES_MAX, 0)

    def write(self, content: bytes) -> None:
        os.pwrite(self._fd, content, 0)
        os.ftruncate(self._fd, len(content))

    def sync(self) -> None:
        os.fsync(self._fd)

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_held(path: Path) -> Optional[bytes]:
    """What the holder of a lock wrote; None where nobody holds it."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return os.pread(fd, _CONTENT_BYTES_MAX, 0)
    finally:
        os.close(fd)
