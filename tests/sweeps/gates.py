"""Where a test and the processes it has started wait for each other."""

from __future__ import annotations

import os
import select
from pathlib import Path

# Whoever waits for longer waits for somebody who is gone.
_SECONDS = 60.0


class Gate:
    """A FIFO by which lines are passed, which the test holds open: nobody waits for anybody to open its other end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        os.mkfifo(path)
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._read = b""

    def wait(self) -> str:
        """The next line that somebody has written."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLIN)
        while b"\n" not in self._read:
            assert poll.poll(_SECONDS * 1000), f"nobody has written to {self.path}"
            self._read += os.read(self._descriptor, 65536)
        line, _, self._read = self._read.partition(b"\n")
        return line.decode()

    def open(self) -> None:
        """Let somebody go on who reads a line here."""
        os.write(self._descriptor, b"go\n")

    def __del__(self) -> None:
        os.close(self._descriptor)
