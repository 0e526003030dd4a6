"""The lock on a data directory: one server at a time, for as long as its process lives."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class DataLockedError(RuntimeError):
    """Another server uses the directory."""


class DataLock:
    """An exclusive lock on a file in the directory. The system lets go of it when the process ends, however it ends."""

    def __init__(self, data: Path) -> None:
        self._path = data / "lock"
        self._handle: int | None = None

    def acquire(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(handle, 32).decode("ascii", "replace").strip()
            os.close(handle)
            raise DataLockedError(
                f"another server (process {holder or 'unknown'}) uses {self._path.parent}; "
                "stop it, or choose another directory with --data"
            ) from None
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self._handle = handle

    def release(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
