"""What the jobs ask of a client."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, Dict, Iterable, List, Protocol

Row = Dict[str, float]
LogCall = Callable[[Row], object]

# A key of ordinary length: clients that repeat the keys in each row pay for it.
KEY_PREFIX = "train/"


class Client(Protocol):
    """One client. A job opens one run at a time, each in a folder of its own."""

    def open(self, folder: Path) -> LogCall:
        """Start a run that keeps its files in `folder`; what is returned logs one row."""
        ...

    def close(self) -> None:
        """Finish the run."""
        ...

    def count(self, folder: Path) -> int:
        """How many rows the client itself reads from what is in `folder`."""
        ...

    def log_files(self, folder: Path) -> Iterable[Path]:
        """The files that hold the rows."""
        ...


def metric_names(scalars: int) -> List[str]:
    return [f"{KEY_PREFIX}m{index:02d}" for index in range(scalars)]
