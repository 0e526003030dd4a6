"""Power loss: the log's own recovery on the files that a reordering disk could have left, at every point of its life.

A workload runs under a shim (`iolog.c`) that writes down each write, truncate, sync, rename and unlink, and each
promise that the log has kept so far. From any beginning of that record, states of the disk are made in which everything
that was not yet synced is there or not, each on its own: pages, parts of pages, names in the folder. Then the log is
recovered and read there. What `flush`, `close` or `recover` had promised must be there, and each row whose append had
returned in a session with `durability="power"`; what is there must be a beginning of what was written.

    python -m tests.crash.power_loss --states 100000 --seed 1
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Counter, Dict, Iterator, List, Optional, Tuple

from wandb_storage import Log, LogNotFound, Reader, Row, recover

OPEN, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MARK = range(1, 8)
_EVENT = struct.Struct("<BBHIiIQ")
PAGE, SECTOR = 4096, 512
KEEP = (0.0, 0.1, 0.5, 0.9, 1.0)
STATE_SECONDS_MAX = 20

# Two sessions and a recovery between them, with small segments, so that everything happens within a second.
WORKLOAD = """
import os, random, sys
from pathlib import Path
import wandb_storage._segment_writer, wandb_storage._log
from wandb_storage import Log, Reader, Row, recover
wandb_storage._segment_writer.SEGMENT_FILL_BYTES = 12_000
wandb_storage._log.COMMIT_BYTES = 8_000
folder, phase, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
rng = random.Random(seed * 31 + len(phase))
marks = os.open(folder / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def mark(what, step):
    os.write(marks, f"{what} {step}".encode())
def count():
    with Reader(folder) as reader:
        return sum(isinstance(entry.record, Row) for entry in reader.entries())
if phase == "recover":
    recover(folder)
    mark("durable", count())
    sys.exit()
step = 0 if phase == "create" else count()
mark("begun", step)
durability = "power" if phase == ("again" if seed % 2 else "create") else "process"
log = Log.create(folder, "r", durability=durability) if phase == "create" else Log.open(folder, durability=durability)
mark("durable", step)
for _ in range(rng.randrange(3, 7)):
    for _ in range(rng.randrange(1, 60)):
        mark("begun", step + 1)
        log.append_row({"value": step * 0.5, f"key {rng.randrange(3)}": rng.random()}, step, 1.0, 2)
        step += 1
        if durability == "power":
            mark("durable", step)
    if rng.random() < 0.7:
        log.flush()
        mark("durable", step)
if phase == "close":
    log.close()
    mark("durable", step)
os._exit(0)
"""
PHASES = ("create", "recover", "again", "recover", "close", "close")


@dataclasses.dataclass
class Event:
    op: int
    synchronous: bool
    pid: int
    fd: int
    path: str
    data: bytes
    offset: int


def parse(raw: bytes) -> Iterator[Event]:
    at = 0
    while at < len(raw):
        op, synchronous, path_bytes, pid, fd, data_bytes, offset = _EVENT.unpack_from(raw, at)
        at += _EVENT.size
        path = raw[at : at + path_bytes].decode()
        data = raw[at + path_bytes : at + path_bytes + data_bytes]
        at += path_bytes + data_bytes
        yield Event(op, bool(synchronous), pid, fd, path, data, offset)


def compile_shim(folder: Path) -> Path:
    """Raises OSError or CalledProcessError where there is no compiler."""
    shim = folder / "iolog.so"
    source = Path(__file__).with_name("iolog.c")
    subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", shim, source, "-ldl"], check=True, capture_output=True)
    return shim


def record(scratch: Path, shim: Path, seed: int) -> List[Event]:
    """What a whole life of a log does to its files."""
    folder, events = scratch / f"life-{seed}" / "log", scratch / f"events-{seed}"
    folder.mkdir(parents=True)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    environment.update(LD_PRELOAD=str(shim), IOLOG=str(events), IOLOG_DIR=str(folder))
    for phase in PHASES:
        subprocess.run([sys.executable, "-c", WORKLOAD, folder, phase, str(seed)], env=environment, check=True)
    found = list(parse(events.read_bytes()))
    shutil.rmtree(folder.parent)
    prefix = f"{folder}/"
    for event in found:
        event.path = "" if event.path == str(folder) else event.path.replace(prefix, "", 1)
        if event.op == RENAME:
            event.data = event.data.replace(prefix.encode(), b"", 1)
    return found


class File:
    """A file's durable bytes, and what was done to it since its last sync."""

    def __init__(self) -> None:
        self.durable = bytearray()
        self.waiting: List[Tuple[int, Optional[bytes]]] = []  # (offset, bytes), or (size, None) for a truncate

    def sync(self) -> None:
        for offset, data in self.waiting:
            _apply(self.durable, offset, data)
        self.waiting.clear()

    def state(self, rng: random.Random) -> bytes:
        """What a disk may hold that wrote some of it."""
        content, keep = bytearray(self.durable), rng.choice(KEEP)
        for offset, data in self.waiting:
            if data is None:
                if rng.random() < keep:
                    _apply(content, offset, None)
                continue
            for start, piece in _pieces(offset, data, PAGE):
                if rng.random() < keep:
                    _apply(content, start, piece)
                elif rng.random() < 0.1:  # torn: some of the page's sectors
                    for sector, part in _pieces(start, piece, SECTOR):
                        if rng.random() < 0.5:
                            _apply(content, sector, part)
        return bytes(content)


def _pieces(offset: int, data: bytes, size: int) -> Iterator[Tuple[int, bytes]]:
    while data:
        room = size - offset % size
        yield offset, data[:room]
        offset, data = offset + room, data[room:]


def _apply(content: bytearray, offset: int, data: Optional[bytes]) -> None:
    if data is None:
        del content[offset:]
        content.extend(bytes(max(0, offset - len(content))))
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data


class Disk:
    """The folder as the processes saw it, as the disk has it, and the promises made so far."""

    def __init__(self) -> None:
        self.names: Dict[str, File] = {}
        self.durable_names: Dict[str, File] = {}
        self.waiting_names: List[Tuple[str, Optional[File]]] = []
        self.open: Dict[Tuple[int, int], Optional[File]] = {}  # None: the folder itself
        self.durable: Optional[int] = None  # rows that were promised; None before the log's creation returned
        self.begun = 0  # rows whose append had begun

    def apply(self, event: Event) -> None:
        key = (event.pid, event.fd)
        if event.op == OPEN:
            if event.path and event.path not in self.names:
                self._name(event.path, File())
            self.open[key] = self.names[event.path] if event.path else None
        elif event.op == WRITE:
            file = self._file(key)
            file.waiting.append((event.offset, event.data))
            if event.synchronous:  # O_DSYNC makes this write durable, and nothing else
                _apply(file.durable, event.offset, event.data)
        elif event.op == TRUNCATE:
            self._file(key).waiting.append((event.offset, None))
        elif event.op == SYNC:
            self._sync(key)
        elif event.op == RENAME:
            self._name(event.data.decode(), self.names[event.path])
            self._name(event.path, None)
        elif event.op == UNLINK:
            self._name(event.path, None)
        elif event.op == MARK:
            what, _, count = event.data.decode().partition(" ")
            if what == "begun":
                self.begun = int(count)
            else:
                self.durable = int(count)

    def _file(self, key: Tuple[int, int]) -> File:
        file = self.open[key]
        assert file is not None
        return file

    def _sync(self, key: Tuple[int, int]) -> None:
        file = self.open[key]
        if file is not None:
            file.sync()
            return
        for name, target in self.waiting_names:
            _link(self.durable_names, name, target)
        self.waiting_names.clear()

    def _name(self, name: str, file: Optional[File]) -> None:
        _link(self.names, name, file)
        self.waiting_names.append((name, file))

    def state(self, rng: random.Random) -> Dict[str, bytes]:
        names, keep = dict(self.durable_names), rng.choice(KEEP)
        for name, file in self.waiting_names:
            if rng.random() < keep:
                _link(names, name, file)
        contents = {file: file.state(rng) for file in set(names.values())}
        return {name: contents[file] for name, file in names.items()}


def _link(names: Dict[str, File], name: str, file: Optional[File]) -> None:
    if file is None:
        names.pop(name, None)
    else:
        names[name] = file


def rows(folder: Path) -> List[int]:
    with Reader(folder) as reader:
        found = [entry.record for entry in reader.entries() if isinstance(entry.record, Row)]
    assert all(row.values["value"] == row.step * 0.5 and len(row.values) == 2 for row in found), "a value is another"
    return [row.step for row in found]


def check(folder: Path, durable: Optional[int], begun: int) -> None:
    """Everything that was promised, and nothing that was not written; then the log must be as good as new."""
    try:
        before = rows(folder)
        recover(folder)
    except LogNotFound:
        assert durable is None, "a log that had been created is not there"
        return
    after = rows(folder)
    assert after == list(range(len(after))), f"not a beginning of what was written: {after}"
    assert (durable or 0) <= len(after) <= begun, f"{len(after)} rows; {durable} were durable, {begun} begun"
    assert before == after, f"{len(before)} rows before the recovery, {len(after)} after it"
    assert recover(folder).writer_lost is None, "a recovery was not finished"
    with Log.open(folder) as log:
        log.append_row({"value": len(after) * 0.5, "new": 1.0}, len(after), 1.0, 2)
    assert rows(folder) == list(range(len(after) + 1)), "a session after the recovery"


def checked(folder: Path, contents: Dict[str, bytes], durable: Optional[int], begun: int) -> str:
    """`check` in a child process: what is wrong, empty for nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    answer, tell = os.pipe()
    child = os.fork()
    if not child:
        signal.alarm(STATE_SECONDS_MAX)
        try:
            check(folder, durable, begun)
        except BaseException:
            os.write(tell, traceback.format_exc()[-3000:].encode())
        finally:
            os._exit(0)
    os.close(tell)
    with os.fdopen(answer, "rb") as told:
        wrong = told.read().decode()
    _, status = os.waitpid(child, 0)
    return wrong or (f"ended by signal {status}" if status else "")


def campaign(states: int, seed: int, scratch: Path, keep_failures: Optional[Path] = None) -> Tuple[Counter[str], str]:
    """What was tried, how often; and the first thing that was wrong."""
    shim = compile_shim(scratch)
    tried: Counter[str] = collections.Counter()
    life = 0
    while tried["states"] < states:
        events = record(scratch, shim, seed + life)
        tried["lives"] += 1
        share = max(1, min(states - tried["states"], 2500))
        rng = random.Random(seed + life)
        points = collections.Counter(rng.randrange(len(events) + 1) for _ in range(share))
        disk = Disk()
        for done, event in enumerate([*events, None]):
            for _ in range(points[done]):
                contents = disk.state(rng)
                wrong = checked(scratch / "state", contents, disk.durable, disk.begun)
                tried["states"] += 1
                if wrong:
                    tried["wrong"] += 1
                    where = f"seed {seed + life}, event {done} of {len(events)}"
                    if keep_failures is not None:
                        target = keep_failures / f"{seed + life}-{done}-{tried['wrong']}"
                        target.mkdir(parents=True)
                        for name, content in contents.items():
                            (target / name).write_bytes(content)
                        (target / "wrong").write_text(json.dumps([disk.durable, disk.begun]) + "\n" + wrong)
                    else:
                        return tried, f"{where}: {wrong}"
            if event is not None:
                disk.apply(event)
        life += 1
    return tried, ""


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """In memory where there is such a place: the states are many and nobody needs them to last."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--states", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", type=Path, help="go on after a failure, and keep the states here")
    arguments = parser.parse_args()
    start = time.monotonic()
    with scratch_folder() as scratch:
        tried, wrong = campaign(arguments.states, arguments.seed, scratch, arguments.keep)
    print(
        f"power loss: {tried['states']} states of {tried['lives']} logs, seed {arguments.seed}, "
        f"{time.monotonic() - start:.0f} s: {tried['wrong']} wrong"
    )
    if wrong:
        print(wrong)
    return 1 if tried["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
