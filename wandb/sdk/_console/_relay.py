"""The process of `_redirect`: passes on what a program prints, and writes it into a lane of the run's log.

It ends when nobody can print any more: neither the program nor a child that has its descriptors.
"""

from __future__ import annotations

import codecs
import contextlib
import fcntl
import os
import selectors
import signal
import sys
import termios
import time
from pathlib import Path
from typing import Any, Optional

from wandb_storage import Log, LogError, Record, Stream, create_lane

from ._buffer import ConsoleBuffer
from ._capture import FLUSH_SECONDS

_CHUNK = 1 << 16
# After a lane could not be made, so long nothing is tried.
_RETRY_SECONDS = 1.0


class _Source:
    """One stream: where it comes from and goes to."""

    def __init__(self, stream: Stream, reader: int, target: int) -> None:
        self.stream, self.reader, self.target = stream, reader, target
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._is_terminal = os.isatty(reader)
        self._size = b""

    def read(self) -> Optional[str]:
        """What was printed, passed on already; None at the end."""
        try:
            data = os.read(self.reader, _CHUNK)
        except OSError:  # of a pseudo terminal that nobody has open
            data = b""
        rest = memoryview(data)
        with contextlib.suppress(OSError):  # a terminal that was closed: the log still wants it
            while rest:
                rest = rest[os.write(self.target, rest) :]
        return self._decoder.decode(data, final=not data) if data else None

    def follow_size(self) -> None:
        """Let the pseudo terminal be as large as the real one."""
        if not self._is_terminal:
            return
        with contextlib.suppress(OSError):
            size = fcntl.ioctl(self.target, termios.TIOCGWINSZ, bytes(8))
            if size != self._size:
                self._size = size
                fcntl.ioctl(self.reader, termios.TIOCSWINSZ, size)


class _Lane:
    """The lane, which begins with the first thing that is printed."""

    def __init__(self, folder: Path, run_id: str, durability: str) -> None:
        self._folder, self._run_id, self._durability = folder, run_id, durability
        self._log: Optional[Log] = None
        self._retry_at = 0.0

    def append(self, record: Record) -> None:
        if self._log is None and time.monotonic() >= self._retry_at:
            try:
                self._log = create_lane(self._folder, self._run_id, durability=self._durability)
            except LogError:
                self._retry_at = time.monotonic() + _RETRY_SECONDS
        if self._log is not None:
            self._log.append(record)

    def close(self) -> None:
        if self._log is not None:
            with contextlib.suppress(LogError):
                self._log.close()


def main() -> None:
    """Arguments: the run's folder and id, `durability`, two descriptors to read from and two to pass on to."""
    # Whoever ends the program by a signal to all of its processes still wants to read what it says then.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    folder, run_id, durability, *descriptors = sys.argv[1:]
    out, err, out_target, err_target = map(int, descriptors)
    sources = [_Source(Stream.STDOUT, out, out_target), _Source(Stream.STDERR, err, err_target)]
    lane = _Lane(Path(folder), run_id, durability)
    buffer = ConsoleBuffer(lane.append, Path(folder) / "files" / "output.log")
    relay(sources, buffer)
    buffer.flush()
    buffer.close()
    lane.close()


def relay(sources: list[_Source], buffer: ConsoleBuffer) -> None:
    """Read until all streams have ended."""
    flush_at = time.monotonic() + FLUSH_SECONDS
    with selectors.DefaultSelector() as selector:
        for source in sources:
            selector.register(source.reader, selectors.EVENT_READ, source)
        while selector.get_map():
            for key, _ in selector.select(max(0.0, flush_at - time.monotonic())):
                _advance(selector, key.data, buffer)
            if time.monotonic() >= flush_at:
                buffer.flush()
                for source in sources:
                    source.follow_size()
                flush_at = time.monotonic() + FLUSH_SECONDS


def _advance(selector: Any, source: _Source, buffer: ConsoleBuffer) -> None:
    text = source.read()
    if text is None:
        selector.unregister(source.reader)
    elif text:
        with contextlib.suppress(Exception):  # the terminal comes first
            buffer.take(source.stream, text)
