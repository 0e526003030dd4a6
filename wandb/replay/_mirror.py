"""A server's run as it goes on: a log that a thread of this process adds to, until the run has ended."""

from __future__ import annotations

import tempfile
import threading
import time
from typing import Callable, Optional

from wandb_storage import LogError

from ._ended import Ended
from ._fetch import ServerPath, find_at_server, new_folder, said_of
from ._server_copy import ServerCopy, goes_on

# Between two questions: uploaders send what is new every few seconds.
_ASK_SECONDS = 2.0
_EVERYTHING_SECONDS = 15.0
# A question that waits for a server that is gone isn't waited for.
_LEAVE_SECONDS = 1.0


class Mirror:
    """A log in `folder` that follows a server's run. A context manager: what it wrote goes with it. `origin` is where
    the run is, `trouble` why it isn't followed any more.

    Raises what `fetch` raises; `progress` is told the steps that have been read, and how many there are.
    """

    def __init__(self, where: ServerPath, progress: Callable[[int, int], object] = max) -> None:
        self._run = find_at_server(where)
        self._place = tempfile.TemporaryDirectory(prefix="wandb-replay-")
        self.folder = new_folder(self._run, self._place)
        self.origin = str(self._run.url)
        self.trouble: Optional[Exception] = None
        self._copy = ServerCopy(self._run, self.folder)
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._work, name="wandb-mirror", daemon=True)
        try:
            self._copy.bring(progress)
        except BaseException:
            self._close()
            raise
        self._thread.start()

    def said(self) -> Optional[Ended]:
        """What the log can't tell of the run's end; None where it can."""
        if self.trouble is not None:
            return Ended("unknown", f"it can't be followed any more: {self.trouble}")
        return said_of(self._run) if self._thread.is_alive() else None

    def _work(self) -> None:
        from ..errors import Error

        asked = time.monotonic()
        try:
            while goes_on(self._run) and not self._leave.wait(_ASK_SECONDS):
                self._run.load_full_data(force=True)
                now = time.monotonic()
                due = not goes_on(self._run) or now - asked >= _EVERYTHING_SECONDS
                self._copy.bring(everything=due)
                asked = now if due else asked
            self._copy.end()
        except (Error, LogError) as error:
            self.trouble = error
        finally:
            self._copy.close()

    def __enter__(self) -> Mirror:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.set()
        self._thread.join(_LEAVE_SECONDS)
        self._close()

    def _close(self) -> None:
        self._copy.close()
        self._place.cleanup()
