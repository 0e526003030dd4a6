"""What can go wrong with a log, as exceptions.

    LogError
    ├── LogNotFound        there is no log at that place
    ├── ForeignFile        the file is not a log, or belongs to another run
    ├── NewerFormat        a later version of this package wrote it
    ├── LogDamaged         bytes in the middle of a log are not what was written
    ├── LogInUse           another process holds the writer's lock
    ├── LogElsewhere       the log is on another machine, or out of reach, until its run ends
    ├── LogClosed          the log was closed before the call
    └── LogUnavailable     the disk or LMDB refuses; what to do is in the message
    UnstorableValue        (ValueError) the caller's data can't be stored

Every message says what happened, to which file, at which position, and what to do about it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Optional, Union


class LogError(Exception):
    """A log can't be used as asked."""

    def __init__(self, message: str, path: Optional[Union[str, Path]] = None, position: Optional[int] = None) -> None:
        where = "" if path is None else f"{path}: " if position is None else f"{path} at {position}: "
        super().__init__(where + message)
        self.message = message
        self.path = None if path is None else Path(path)
        self.position = position


class LogNotFound(LogError):
    """There is no log at that place."""


class ForeignFile(LogError):
    """The file is not a log, or is the log of another run."""


class NewerFormat(LogError):
    """A later version of this package wrote the log."""


class LogDamaged(LogError):
    """Bytes in the middle of the log are not what was written; everything before them is readable."""


class LogInUse(LogError):
    """Another process holds the writer's lock."""


class LogElsewhere(LogError):
    """The log is on a disk of the machine that writes it, until the run ends: it can't be reached from here."""


class LogClosed(LogError):
    """The log was closed before the call."""


class LogUnavailable(LogError):
    """The disk or LMDB refuses the operation."""


class UnstorableValue(ValueError):
    """The caller's data can't be stored: too large, or of a type that the log has no form for."""
