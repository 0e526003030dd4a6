"""The one writer of a log: who it is, and whether it lives.

The writer holds `flock` on the owner file from before it touches anything until it has closed the log, and the kernel
lets go when the process ends, however it ends. The file's content says who held it last: that is the evidence when a
log is found that nobody closed. Where somebody closed it, the content says behind which record: LMDB falls back to an
earlier state where its newest page is damaged, without a word, and this is how that is noticed. The file is never
removed, since a lock on a removed file protects nothing.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import os
import time
from pathlib import Path
from typing import NamedTuple, Optional

from ._errors import LogInUse

# A reader that asks whether the writer lives holds the lock for an instant; a starting writer waits that long.
_ACQUIRE_TRIES = 50
_ACQUIRE_PAUSE_SECONDS = 0.002
_OWNER_BYTES_MAX = 4096


@dataclasses.dataclass(frozen=True)
class Writer:
    """A process that wrote a log."""

    host: str = ""
    pid: int = 0
    boot_id: str = ""
    process_start: float = 0.0  # clock ticks since boot where the system tells, else 0

    @classmethod
    def current(cls) -> Writer:
        return cls(os.uname().nodename, os.getpid(), boot_id(), _process_start())

    @classmethod
    def parse(cls, raw: bytes) -> Optional[Writer]:
        try:
            fields = json.loads(raw)
            return cls(str(fields["host"]), int(fields["pid"]), str(fields["boot_id"]), float(fields["process_start"]))
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
            return None  # an empty or half-written owner file: nobody is known

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}" if self.pid else "an unknown process"


def boot_id() -> str:
    """What tells one boot of this machine from another; empty where the system doesn't say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _process_start() -> float:
    try:
        # Field 22, counted behind the program's name, which may hold spaces and brackets.
        return float(Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0.0


class Closed(NamedTuple):
    """How a log was closed."""

    segment: int = 0  # the last one
    last_sequence: int = 0

    @classmethod
    def parse(cls, raw: bytes) -> Closed:
        """Nothing where the log isn't closed, or the file doesn't say."""
        try:
            fields = json.loads(raw)["closed"]
            return cls(int(fields["segment"]), int(fields["last_sequence"]))
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
            return cls()


class OwnerLock:
    """The writer's lock, held. `previous` is who held it before, `closed` what he said at the end."""

    def __init__(self, path: Path) -> None:
        """Take the lock. Raises LogInUse where somebody else holds it, OSError where the file can't be had."""
        self.path = path
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self.previous = Writer.parse(os.pread(self._fd, _OWNER_BYTES_MAX, 0))
            self._lock()
            # Whoever held it until now may have written itself in while we waited.
            raw = os.pread(self._fd, _OWNER_BYTES_MAX, 0)
            self.previous, self.closed = Writer.parse(raw), Closed.parse(raw)
        except BaseException:
            os.close(self._fd)
            raise

    def _lock(self) -> None:
        for _ in range(_ACQUIRE_TRIES):
            try:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(_ACQUIRE_PAUSE_SECONDS)
        raise LogInUse(
            f"{self.previous or 'another process'} is writing this log; wait for it to end, or use another run id",
            self.path,
        )

    def sign(self) -> None:
        """Write this process into the file."""
        self.previous = Writer.current()
        self._write(Closed())

    def close_log(self, closed: Closed) -> None:
        """Write into the file, durably, that the log is closed; the seal must be durable."""
        self._write(closed)
        os.fsync(self._fd)

    def _write(self, closed: Closed) -> None:
        fields = dataclasses.asdict(self.previous or Writer())
        if closed.segment:
            fields["closed"] = closed._asdict()
        raw = json.dumps(fields).encode()
        os.pwrite(self._fd, raw, 0)
        os.ftruncate(self._fd, len(raw))
        self.closed = closed

    @property
    def released(self) -> bool:
        return self._fd < 0

    def release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def closed_behind(path: Path) -> int:
    """The last record of a log that was closed, as its owner file has it; 0 where that doesn't say."""
    try:
        return Closed.parse(path.read_bytes()[:_OWNER_BYTES_MAX]).last_sequence
    except OSError:
        return 0


def living_writer(path: Path) -> Optional[Writer]:
    """The process that holds the owner file's lock, or None where nobody does."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return Writer.parse(os.pread(fd, _OWNER_BYTES_MAX, 0)) or Writer()
    finally:
        os.close(fd)
