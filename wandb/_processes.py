"""Processes that somebody looks after: started, looked at, asked to end and then made to. Trials of sweeps and jobs of
queues run so."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from typing import Any, Callable, Dict, Mapping, Sequence, Set

# Between asking a process to end and killing it.
KILL_DELAY_SECONDS = 30.0


class Processes:
    """Processes by name. Used by one thread and its signal handlers."""

    def __init__(
        self,
        own_group: bool,
        kill_delay: float = KILL_DELAY_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """own_group: keep the terminal's signals from the processes, and send signals to their children too."""
        self._own_group, self._kill_delay, self._clock = own_group, kill_delay, clock
        self._processes: Dict[str, subprocess.Popen[bytes]] = {}
        self._asked: Dict[str, float] = {}  # when a process was asked to end

    def start(self, name: str, words: Sequence[str], environment: Mapping[str, str], **options: Any) -> int:
        """Start a command line; returns the number of its process. `options` are those of Popen. Raises OSError."""
        process = subprocess.Popen(words, env=environment, start_new_session=self._own_group, **options)
        self._processes[name] = process
        return process.pid

    @property
    def alive(self) -> Set[str]:
        """The names of the processes that go on, as the last `ended` saw it."""
        return set(self._processes)

    def ended(self) -> Mapping[str, int]:
        """The exit codes of those that have ended since the last call, -9 for SIGKILL. Kills those that were asked too
        long ago."""
        now = self._clock()
        found: Dict[str, int] = {}
        for name, process in list(self._processes.items()):
            code = process.poll()
            if code is not None:
                found[name] = code
                del self._processes[name]
                self._asked.pop(name, None)
            elif name in self._asked and now - self._asked[name] >= self._kill_delay:
                self._send(process, signal.SIGKILL)
        return found

    def stop(self, name: str) -> None:
        """Ask a process to end; it is killed if it doesn't."""
        process = self._processes.get(name)
        if process is not None and name not in self._asked:
            self._asked[name] = self._clock()
            self._send(process, signal.SIGTERM)

    def signal_all(self, number: int) -> None:
        """Send a signal to every process."""
        for process in self._processes.values():
            self._send(process, number)

    def _send(self, process: subprocess.Popen[bytes], number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if self._own_group:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
