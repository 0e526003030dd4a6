"""Programs that are run for a job before it begins: git and pip. What they print goes into the job's output."""

from __future__ import annotations

import contextlib
import os
import shlex
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import IO, Iterator, Mapping, Optional, Sequence

from .._processes import Processes
from ..sdk._environment import redacted
from ._job_folder import SAID
from ._spec import JobError

_LOOK_SECONDS = 0.1
_LINES_TOLD = 5
_STEP = "step"


def shown(words: Sequence[str]) -> str:
    """A command line without its secrets, as one could type it."""
    return shlex.join(redacted(words))


class Cancelled(JobError):
    """The agent is to end, or the job is another's by now."""


class Steps:
    """One after the other, from one thread; `cancel` comes from another one."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        self._cancelled.set()

    def say(self, text: str) -> None:
        """A line of the agent's own among what the programs print."""
        with open(self._output, "ab", opener=_private) as file:
            file.write(f"{SAID}{text}\n".encode())

    def run(
        self, words: Sequence[str], folder: Path, environment: Optional[Mapping[str, str]] = None,
        given: Optional[bytes] = None,
    ) -> None:  # fmt: skip
        """Run a program to its end. Raises JobError with the last that it said, Cancelled."""
        if self._cancelled.is_set():
            raise Cancelled("it was cancelled while it was prepared")
        self.say("$ " + shown(words))
        begins = self._output.stat().st_size
        processes = Processes(own_group=True, kill_delay=0.0)
        with open(self._output, "ab", opener=_private) as output, _input(given) as stdin:
            try:
                processes.start(
                    _STEP, words, {**os.environ, **(environment or {})}, cwd=folder, stdin=stdin, stdout=output,
                    stderr=subprocess.STDOUT,
                )  # fmt: skip
            except OSError as error:
                raise JobError(f"{words[0]} can't be run: {error.strerror}") from None
            while True:
                code = processes.ended().get(_STEP)
                if code is not None:
                    break
                if self._cancelled.wait(_LOOK_SECONDS):
                    processes.stop(_STEP)
        if self._cancelled.is_set():
            raise Cancelled("it was cancelled while it was prepared")
        if code:
            raise JobError(f"`{shown(words[:4])} …` failed with exit code {code}:\n{self._said(begins)}")

    def ask(self, words: Sequence[str], folder: Path) -> Optional[str]:
        """What a program prints; None where it fails."""
        done = subprocess.run(words, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else None

    def _said(self, begins: int) -> str:
        with self._output.open("rb") as file:
            file.seek(max(begins, self._output.stat().st_size - 4000))
            lines = file.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-_LINES_TOLD:])


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


@contextlib.contextmanager
def _input(given: Optional[bytes]) -> Iterator[IO[bytes]]:
    """What a program reads from its standard input: some bytes, or nothing."""
    with tempfile.TemporaryFile() as file:
        file.write(given or b"")
        file.seek(0)
        yield file
