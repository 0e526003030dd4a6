"""A run as it goes on: what is new in its log since the last look, without a lock that its writer would wait for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional

from wandb_storage import LogDamaged, LogError, Reader

from ._ended import Ended, explain
from ._scan import NOBODY, Listeners, Pass, Scan, Until

if TYPE_CHECKING:
    from ._mirror import Mirror

# Between two looks at a log: a row is seen within a second, and looking costs next to nothing.
LOOK_SECONDS = 0.5


class Follower:
    """Looks at a log again and again. Each `look` hands what is new to the listeners.

    `mirror`: what writes the log, where it is that of a server's run.

    Raises LogNotFound, ForeignFile, NewerFormat or LogDamaged where the log can't be read at all.
    """

    def __init__(self, folder: Path, listeners: Listeners = NOBODY, mirror: Optional[Mirror] = None) -> None:
        self.folder = folder
        self._mirror = mirror
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
        return self._ended or self._said() or self._explain()

    def _said(self) -> Optional[Ended]:
        return self._mirror.said() if self._mirror is not None else None

    def _explain(self) -> Ended:
        return explain(self.folder, self.run_id, self.found, Until())

    def look(self) -> bool:
        """Read what is new; whether more may come."""
        if self._ended is not None:
            return False
        said = self._said()  # first: what it was said of is read below
        try:
            self._pass.run()
        except LogDamaged:
            raise
        except LogError:
            # A log that was on a local disk has come home, or a run that was resumed goes on in other files.
            self._reopen()
            self._pass.run()
        ended = said or self._explain()
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
