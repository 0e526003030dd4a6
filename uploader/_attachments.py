"""The files and artifacts of one run, on their way beside its rows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Callable, List, Optional, Sequence

from wandb_storage import RunState

from ._cursor import Cursor
from ._destination import Destination
from ._errors import TransientError
from ._files import ConsoleText, run_files
from ._retry import Attempts
from ._send_artifacts import ArtifactSender
from ._send_files import FileSender
from ._watch import LiveFiles
from ._writer import writer_of

# A worker waits so long for a file before it looks after another run.
FILE_WAIT_SECONDS = 0.2


class Attachments:
    """Not safe between threads. `save` keeps the cursor that is given with each call."""

    def __init__(self, folder: Path, clock: Callable[[], float], save: Callable[[], None], release: bool) -> None:
        """release: whether artifacts' files that the server has may leave the run's folder for the cache."""
        self._folder, self._clock, self._save, self._release = folder, clock, save, release
        self.moved = True  # whether the last `advance_end` did more than wait
        self._files: Optional[FileSender] = None
        self._artifacts: Optional[ArtifactSender] = None
        self._console: Optional[ConsoleText] = None  # while the files of an ended run are sent
        self._live = LiveFiles(folder)
        self._attempts = Attempts()
        self._due = clock()

    def close(self) -> None:
        """Forget what is not under way; what is under way ends by itself. It can go on with the next call."""
        if self._files is not None:
            self._files.close()
            self._files = None
        if self._artifacts is not None:
            self._artifacts.close()
            self._artifacts = None
        if self._console is not None:
            self._console.close()
            self._console = None

    def go_on(self) -> None:
        """There are more records: where the end of a session was under way, another has begun, whose end is to come."""
        if self._console is not None:
            self.close()

    @property
    def arrived(self) -> List[str]:
        """The paths of files that have arrived since the caller last cleared the list."""
        return self._files.uploaded if self._files is not None else []

    def advance_live(self, destination: Destination, cursor: Cursor, state: RunState) -> bool:
        """Those of a living run; whether artifacts are on their way. Trouble with them doesn't hold up its rows."""
        now = self._clock()
        if now < self._due or cursor.bucket is None:
            return False
        sources = [one for one in self._live.due(state.files, cursor, now) if writer_of(state.start).wants(one.path)]
        if self._files is None and sources:
            self._files = FileSender(destination, cursor, self._save)
        try:
            if self._files is not None:
                self._files.add(sources, park_missing=False)
                self._files.advance(0.0)
            busy = self._advance_artifacts(destination, cursor)
            self._attempts.succeeded()
            return busy
        except TransientError as error:
            self._due = now + self._attempts.failed(error, time.time())
            return False

    def advance_end(self, destination: Destination, cursor: Cursor, state: RunState) -> bool:
        """Those of a run that has ended; whether all are at the server, or parked."""
        if self._console is None:
            self._files = self._files or FileSender(destination, cursor, self._save)
            self._console = ConsoleText(self._folder)
            self._files.add(run_files(self._folder, cursor, state, self._console))
        assert self._files is not None
        before = self._files.left
        self._files.advance(FILE_WAIT_SECONDS if before else 0.0)
        moved = self._advance_artifacts(destination, cursor)
        self.moved = moved or self._files.left != before
        return not (self._files.left or _artifacts_left(cursor))

    def _advance_artifacts(self, destination: Destination, cursor: Cursor) -> bool:
        """Those of the acknowledged records; whether something has moved."""
        if not _artifacts_left(cursor):
            return False
        if self._artifacts is None:
            self._artifacts = ArtifactSender(destination, self._folder, cursor, self._save, self._release)
        return self._artifacts.advance(_logged_artifacts(cursor), FILE_WAIT_SECONDS)


def _artifacts_left(cursor: Cursor) -> bool:
    return bool(cursor.artifacts_again) or cursor.artifacts < len(_logged_artifacts(cursor))


def _logged_artifacts(cursor: Cursor) -> Sequence[Any]:
    return (cursor.state or {}).get("artifacts") or ()
