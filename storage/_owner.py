"""The one writer of a log: who it is, and whether it lives.

The writer holds the owner file (a `LockFile`) from before it touches anything until it has closed the log. The file's
content says who held it last: that is the evidence when a log is found that nobody closed. Where somebody closed it,
the content says behind which record: LMDB falls back to an earlier state where its newest page is damaged, without a
word, and this is how that is noticed.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import NamedTuple, Optional

from ._errors import LogInUse
from ._lock_file import LockFile, read_held

# A reader that asks whether the writer lives holds the lock for an instant; a starting writer waits that long.
_ACQUIRE_TRIES = 50
_ACQUIRE_PAUSE_SECONDS = 0.002


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
        self._file = LockFile(path)
        try:
            self.previous = Writer.parse(self._file.read())
            if not self._file.acquire(_ACQUIRE_TRIES, _ACQUIRE_PAUSE_SECONDS):
                holder = self.previous or "another process"
                raise LogInUse(f"{holder} is writing this log; wait for it to end, or use another run id", path)
            # Whoever held it until now may have written itself in while we waited.
            raw = self._file.read()
            self.previous, self.closed = Writer.parse(raw), Closed.parse(raw)
        except BaseException:
            self._file.release()
            raise

    def sign(self) -> None:
        """Write this process into the file."""
        self.previous = Writer.current()
        self._write(Closed())

    def close_log(self, closed: Closed) -> None:
        """Write into the file, durably, that the log is closed; the seal must be durable."""
        self._write(closed)
        self._file.sync()

    def _write(self, closed: Closed) -> None:
        fields = dataclasses.asdict(self.previous or Writer())
        if closed.segment:
            fields["closed"] = closed._asdict()
        self._file.write(json.dumps(fields).encode())
        self.closed = closed

    @property
    def released(self) -> bool:
        return self._file.released

    def release(self) -> None:
        self._file.release()


def closed_behind(path: Path) -> int:
    """The last record of a log that was closed, as its owner file has it; 0 where that doesn't say."""
    try:
        return Closed.parse(path.read_bytes()).last_sequence
    except OSError:
        return 0


def living_writer(path: Path) -> Optional[Writer]:
    """The process that holds the owner file's lock, or None where nobody does."""
    raw = read_held(path)
    return None if raw is None else Writer.parse(raw) or Writer()
