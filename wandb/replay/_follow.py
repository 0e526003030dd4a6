"""A run as it goes on: what is new in its log since the last look, without a lock that its writer would wait for."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

from wandb_storage import LogDamaged, LogError, Reader

from ._ended import Ended, explain
from ._scan import NOBODY, Listeners, Pass, Scan, Until

# Between two looks at a log: a row is seen within a second, and looking costs next to nothing.
LOOK_SECONDS = 0.5


class Follower:
    """Looks at a log again and again. Each `look` hands what is new to the listeners.

    Raises LogNotFound, ForeignFile, NewerFormat or LogDamaged where the log can't be read at all.
    """

    def __init__(self, folder: Path, listeners: Listeners = NOBODY) -> None:
        self.folder = folder
        self._listeners = listeners
        self._reader = Reader(folder)
        self._pass = Pass(self._reader, listeners)
        self._ended: Optional[Ended] = None

    @property
    def found(self) -> Scan:
        """What is known so far."""
        return self._pass.found

    @property
    def run_id(self) -> str:
        return self._reader.run_id

    @property
    def ended(self) -> Ended:
        """How the run ended, or that it hasn't."""
        return self._ended or explain(self.folder, self.run_id, self.found, Until())

    def look(self) -> bool:
        """Read what is new; whether more may come."""
        if self._ended is not None:
            return False
        try:
            self._pass.run()
        except LogDamaged:
            raise
        except LogError:
            # A log that was on a local disk has come home, or a run that was resumed goes on in other files.
            self._reopen()
            self._pass.run()
        ended = explain(self.folder, self.run_id, self.found, Until())
        if ended.state != "running":
            self._pass.finish()
            self._ended = ended
        return self._ended is None

    def _reopen(self) -> None:
        self._reader.close()
        self._reader = Reader(self.folder)
        self._pass = Pass(self._reader, self._listeners, self._pass.found)

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
