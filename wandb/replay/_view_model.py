"""What the full-screen view shows, collected in a thread while the view is drawn."""

from __future__ import annotations

import collections
import contextlib
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Deque, Dict, Optional, Sequence

from wandb_storage import Columns, ConsoleLine, LogError

from ._curves import Curves, times_of
from ._follow import LOOK_SECONDS, Follower
from ._history import HistoryRow
from ._replay import Replay
from ._scan import Listeners
from ._series import Series, numbers_of

if TYPE_CHECKING:
    from ._mirror import Mirror

# Twice the dots of the widest terminal, so that joining pairs never shows.
BUCKETS = 1024
CONSOLE_LINES = 10_000


class Model:
    """A run, read in a thread of its own; hold `lock` while looking at what it has collected."""

    def __init__(self, folder: Path, mirror: Optional[Mirror] = None, origin: str = "") -> None:
        """`origin`: where the run is really, if the log is a copy."""
        self.folder, self._origin = folder, origin
        self.lock = threading.Lock()
        self.curves = Curves(BUCKETS)
        self.console: Deque[ConsoleLine] = collections.deque(maxlen=CONSOLE_LINES)
        self.version = 0  # grows with each change
        self.reading = True  # what was there when the view was opened
        self.trouble: Optional[LogError] = None
        listeners = Listeners(self._take_columns, self._take_console, self._take_system)
        self.follower = Follower(folder, listeners, mirror)
        self._leave = threading.Event()
        self._thread = threading.Thread(target=self._work, name="wandb-view", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let the thread go; it ends with the batch that it is at."""
        self._leave.set()
        self._thread.join()
        self.follower.close()

    @property
    def replay(self) -> Replay:
        """The run as it is known so far."""
        return Replay.of(self.folder, self.follower.found, self.follower.ended, self._origin)

    def _work(self) -> None:
        try:
            while self.follower.look() and not self._leave.is_set():
                self.reading = False
                self._leave.wait(LOOK_SECONDS)
        except _Left:
            pass
        except LogError as error:
            self.trouble = error
        self.reading = False
        self.version += 1

    # --- what comes in ------------------------------------------------------------------------------------------------

    def _take_columns(self, batch: Columns) -> None:
        if self._leave.is_set():
            raise _Left
        times = times_of(batch)
        for key in batch.columns:
            with self.lock:  # of each metric anew: the view never waits for a whole batch
                self.curves.take_column(batch, key, times)
        self.version += 1

    def _take_system(self, rows: Sequence[HistoryRow]) -> None:
        with self.lock:
            self.curves.take_system(rows)
        self.version += 1

    def _take_console(self, lines: Sequence[ConsoleLine]) -> None:
        with self.lock:
            for line in lines:
                # A line that is still on the program's screen is among the last ones.
                reach = range(1, min(len(self.console), _OPEN_MAX) + 1)
                place = next((at for at in reach if self.console[-at].number == line.number), None)
                if place is not None:
                    self.console[-place] = line
                elif not self.console or line.number > self.console[-1].number:
                    self.console.append(line)
        self.version += 1

    # --- details ------------------------------------------------------------------------------------------------------

    def details(
        self, keys: Sequence[str], first_step: int, last_step: int, is_wanted: Callable[[], bool]
    ) -> Dict[str, Series]:
        """Metrics between two steps as exactly as a plot can show them, read from the log in one pass, which ends when
        they aren't wanted any more. Raises LogError."""
        series = {key: Series(BUCKETS) for key in keys}

        def look_up(rows: int) -> None:
            if not is_wanted():
                raise _Left

        with contextlib.suppress(_Left):
            for batch in self.replay.history(keys, from_step=first_step, to_step=last_step).columns(look_up):
                steps: Any = batch.columns["_step"].values
                for key in batch.columns.keys() & series.keys():
                    series[key].extend(*numbers_of(batch.columns[key], steps))
        return series


class _Left(Exception):
    """The view has gone to another run, or another part of it, in the middle of a reading."""


# A program draws on at most so many lines of its terminal.
_OPEN_MAX = 64
