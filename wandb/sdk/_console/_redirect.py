"""What is written to the descriptors of stdout and stderr, by native code and children too (`console="redirect"`).

    program, its libraries and children ──► descriptors 1 and 2 ──► pipe or pseudo terminal
                                                                          │
                          terminal, as before ◄── a process of its own (_relay) ──► a lane of the run's log

The process passes everything on to where it went before, and writes a lane. It outlives the program: what is in the
pipe when that dies, the message of a segmentation fault say, still reaches the terminal and the log. It doesn't need
the program's interpreter, so native code may print while it holds that. Where the process itself is killed, the
descriptors are given back.

A program that prints to a terminal sees a terminal of the same size.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import termios
import tty
from pathlib import Path
from typing import ClassVar, List, Optional

from ..._terminal import termwarn
from .._jupyter import notebook
from .._periodic import Periodic

_DESCRIPTORS = (1, 2)
_LOOK_SECONDS = 0.5
# The end of a run waits so long for the process to have read everything. Children may go on printing.
_STOP_SECONDS = 2.0
_PIPE_BYTES = 1 << 20
_CHUNK = 1 << 16


class RedirectedConsole:
    """Leads the descriptors through another process between `start` and `stop`. One at a time in a program."""

    _active: ClassVar[Optional[RedirectedConsole]] = None
    _left: ClassVar[List[subprocess.Popen[bytes]]] = []  # processes that children of the program still print to

    def __init__(self, folder: Path, run_id: str, durability: str) -> None:
        self._arguments = [os.fspath(folder), run_id, durability]
        self._saved: List[int] = []
        self._readers: List[int] = []  # ours, so that nobody who prints meets a broken pipe
        self._process: Optional[subprocess.Popen[bytes]] = None
        self._draining = False  # the process was killed, and who prints to it still isn't held up
        self._periodic = Periodic("wandb-console", _LOOK_SECONDS, self._look)

    @classmethod
    def is_possible(cls) -> bool:
        """Whether the descriptors are there, and nobody else leads them elsewhere: a notebook, or another run."""
        if notebook() is not None or cls._active is not None:
            return False
        try:
            return all(os.fstat(descriptor) for descriptor in _DESCRIPTORS)
        except OSError:
            return False

    def start(self) -> None:
        """Begin to capture. Where no process can be started, the console isn't captured, which is said."""
        _flush_streams()
        writers: List[int] = []
        try:
            self._saved = [os.dup(descriptor) for descriptor in _DESCRIPTORS]
            for descriptor in _DESCRIPTORS:
                reader, writer = _channel(descriptor)
                self._readers.append(reader)
                writers.append(writer)
            self._process = subprocess.Popen(
                [*_python_command(), *self._arguments, *map(str, [*self._readers, *self._saved])],
                stdin=subprocess.DEVNULL, pass_fds=[*self._readers, *self._saved], cwd="/", start_new_session=True,
                env=_environment(),
            )  # fmt: skip
            for descriptor, writer in zip(_DESCRIPTORS, writers):
                os.dup2(writer, descriptor)
        except OSError as error:
            termwarn(f"the console is not captured: {error}")
            self._lead_back()
            self._close()
        finally:
            for writer in writers:
                os.close(writer)
        if self._process is not None:
            RedirectedConsole._active = self
            self._periodic.start()

    def stop(self) -> None:
        """Give the descriptors back, and wait until what was printed is in the lane."""
        if self._process is None:
            return
        self._periodic.stop()
        _flush_streams()
        if self._draining:
            _pass_on(self._readers, self._saved)
        else:
            self._lead_back()
        self._close()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._left.append(self._process)  # a child that goes on has the descriptors, and its output is the run's
        self._process = None
        RedirectedConsole._active = None

    def abandon(self) -> None:
        """In a forked child: what it prints is the run's, and the parent ends the capture."""
        self._periodic.abandon()
        self._process = None

    def _look(self) -> bool:
        """Where nobody passes on what is printed: give the descriptors back, and from then on pass on what is still
        printed by whoever was in the middle of it, and by children."""
        process = self._process
        if process is None or process.poll() is None:
            return True
        _pass_on(self._readers, self._saved)
        if not self._draining:
            self._lead_back()
            self._draining = True
            termwarn("what this program prints is not captured any more: the process that did so has ended")
            _pass_on(self._readers, self._saved)
        return True

    def _lead_back(self) -> None:
        for descriptor, saved in zip(_DESCRIPTORS, self._saved):
            os.dup2(saved, descriptor)

    def _close(self) -> None:
        for descriptor in (*self._saved, *self._readers):
            os.close(descriptor)
        self._saved, self._readers = [], []


def _channel(descriptor: int) -> tuple[int, int]:
    """The reading and the writing end of what takes the place of a descriptor. Raises OSError."""
    if not os.isatty(descriptor):
        reader, writer = os.pipe()
        with contextlib.suppress(AttributeError, OSError):
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)  # not every system has it, nor every user so much
        return reader, writer
    reader, writer = os.openpty()
    with contextlib.suppress(termios.error, OSError):
        tty.setraw(writer)  # the terminal behind it does what is to be done with line ends
        fcntl.ioctl(writer, termios.TIOCSWINSZ, fcntl.ioctl(descriptor, termios.TIOCGWINSZ, bytes(8)))
    return reader, writer


def _pass_on(readers: List[int], targets: List[int]) -> None:
    """Write what can be read at the moment, as much as a pipe holds."""
    for reader, target in zip(readers, targets):
        os.set_blocking(reader, False)
        with contextlib.suppress(OSError):
            for _ in range(_PIPE_BYTES // _CHUNK):
                os.write(target, os.read(reader, _CHUNK))


def _flush_streams() -> None:
    """Python's buffers, and those of C's library, belong to where the descriptors lead now."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # closed, or none
            stream.flush()
    with contextlib.suppress(Exception):  # a Python without it
        import ctypes

        ctypes.CDLL(None).fflush(None)


def _python_command() -> List[str]:
    code = "import sys; sys.path[:] = [p for p in sys.path if p]; from wandb.sdk._console import _relay as r; r.main()"
    return [sys.executable, "-c", code]


def _environment() -> dict[str, str]:
    environment = {**os.environ, "WANDB_SILENT": "true"}
    paths = environment.get("PYTHONPATH", "")
    if paths:
        environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in paths.split(os.pathsep) if path)
    return environment
