"""Runs to replay: written by this process, or by a child that counts on a pipe what it has logged."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import signal
import socket
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

import pytest

from wandb_storage import ConfigChange, Exit, Log, Record, RowFlag, RunStart, boot_id

COMMIT = int(RowFlag.COMMIT)
START_TIME = 1_700_000_000.0

# Logs a row, then says so, for ever or until row `stop`; then waits to be killed. A row counts when it is on the pipe.
_WRITER = """
import os, socket, sys, time
from pathlib import Path
from wandb_storage import Log, RunStart, boot_id
folder, run_id, stop = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
log = Log.create(folder, run_id)
log.append(RunStart(run_id=run_id, time=time.time(), host=sys.argv[4], pid=os.getpid(), boot_id=boot_id()))
for row in range(stop):
    log.append_row({"loss": 1.0 / (row + 1), "count": row}, row, time.time(), 2)
    os.write(1, b"%d\\n" % (row + 1))
    if row % 50 == 0:
        log.flush()
os.write(1, b"done\\n")
time.sleep(600)
"""


def run_folder(
    directory: Path, run_id: str = "abc12345", stamp: str = "20260105_120000", offline: bool = False
) -> Path:
    """An empty folder for a run."""
    folder = directory / f"{'offline-' if offline else ''}run-{stamp}-{run_id}"
    folder.mkdir(parents=True)
    return folder


def start(run_id: str = "abc12345", **fields: Any) -> RunStart:
    return RunStart(run_id=run_id, time=START_TIME, host=socket.gethostname(), pid=4711, boot_id=boot_id(), **fields)


def write_run(
    folder: Path,
    rows: Sequence[Mapping[str, Any]],
    *records: Record,
    config: Optional[Mapping[str, Any]] = None,
    run_id: str = "abc12345",
    **fields: Any,
) -> Path:
    """A closed log: start, config, a row a second, then the records."""
    with Log.create(folder, run_id) as log:
        log.append(start(run_id, **fields))
        if config is not None:
            log.append(ConfigChange(json=json.dumps(config), time=START_TIME))
        for step, row in enumerate(rows):
            log.append_row(dict(row), step, START_TIME + step, COMMIT)
        for record in records:
            log.append(record)
    return folder


class Writer:
    """A child that logs."""

    def __init__(self, folder: Path, run_id: str, stop: int) -> None:
        self.counted = 0
        arguments = [str(folder), run_id, str(stop), socket.gethostname()]
        self._process = subprocess.Popen([sys.executable, "-c", _WRITER, *arguments], stdout=subprocess.PIPE)

    @property
    def pid(self) -> int:
        return self._process.pid

    def read_count(self, wanted: int) -> int:
        """Wait until the child has logged that many rows; how many it has counted."""
        assert self._process.stdout is not None
        while self.counted < wanted:
            line = self._process.stdout.readline()
            assert line.endswith(b"\n"), f"the writer ended after {self.counted} rows"
            self.counted = int(line)
        return self.counted

    def kill(self) -> int:
        """SIGKILL; return how many rows the child had counted."""
        assert self._process.stdout is not None
        if self._process.stdout.closed:
            return self.counted
        self._process.send_signal(signal.SIGKILL)
        with self._process.stdout as pipe:
            rest = pipe.read().decode().split("\n")
        self._process.wait()
        numbers = [int(line) for line in rest[:-1] if line.isdigit()]
        self.counted = max([self.counted, *numbers])
        return self.counted


@contextlib.contextmanager
def writer(folder: Path, run_id: str = "abc12345", stop: int = 1_000_000) -> Iterator[Writer]:
    child = Writer(folder, run_id, stop)
    try:
        yield child
    finally:
        child.kill()


def write_damaged(folder: Path) -> Path:
    """A log of 300 rows in which a byte was flipped between rows 99 and 200; return the damaged file."""
    with Log.create(folder, "abc12345") as log:
        log.append(start())
        for step in range(300):
            log.append_row({"a": step}, step, START_TIME + step, COMMIT)
            if step % 100 == 99:
                log.flush()  # a block of its own
        log.append(Exit(code=0))
    path = folder / "run-abc12345.wandb"
    raw = bytearray(path.read_bytes())
    # A block's header ends with the number of its first record, and zstd's magic number begins its data. LMDB copies
    # pages when it writes, so a block may stand in several places.
    places: Dict[int, List[int]] = {}
    for place in range(8, len(raw)):
        if raw.startswith(b"\x28\xb5\x2f\xfd", place):
            places.setdefault(int.from_bytes(raw[place - 8 : place], "little"), []).append(place)
    for place in places[sorted(places)[1]]:
        raw[place + 40] ^= 0xFF
    path.write_bytes(raw)
    return path


def content(folder: Path) -> Mapping[str, bytes]:
    """All files of a folder: what must not change."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


class Outcome:
    """What a command left: exit code, stdout and stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def json(self) -> Any:
        def refuse(token: str) -> None:
            raise AssertionError(f"{token} is no JSON")

        return json.loads(self.out, parse_constant=refuse)


def wandb_command(capsys: pytest.CaptureFixture[str], *arguments: object) -> Outcome:
    """Run the `wandb` command in this process."""
    from wandb.cli import main

    code = 0
    try:
        main([str(argument) for argument in arguments], prog_name="wandb")
    except SystemExit as exit:
        code = int(exit.code or 0)
    captured = capsys.readouterr()
    return Outcome(code, captured.out, captured.err)


def in_terminal(folder: Path, columns: int, *arguments: str, **environment: str) -> str:
    """What `wandb replay` writes to a terminal of that width."""
    return in_terminal_of(columns, ["-m", "wandb", "replay", str(folder), *arguments], **environment)


def in_terminal_of(columns: int, arguments: Sequence[str], **environment: str) -> str:
    """What Python with these arguments writes to a terminal of that width."""
    master, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    known = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    with subprocess.Popen(
        [sys.executable, *arguments], stdin=terminal, stdout=terminal, stderr=terminal,
        env={**known, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **environment},
    ) as process:  # fmt: skip
        os.close(terminal)
        written = b""
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # the last one to hold the terminal has let go
                break
            if not part:
                break
            written += part
        os.close(master)
    assert process.returncode == 0, written
    return written.decode().replace("\r\n", "\n")
