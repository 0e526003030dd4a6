"""Power loss: the log's own recovery on the files that a reordering disk could have left, at every point of its life.

A workload runs under a shim (`iolog.c`) that writes down each write, truncate, sync, rename and unlink, and each
promise that the log has kept so far. From any beginning of that record, states of the disk are made in which everything
that was not yet synced is there or not, each on its own: pages, parts of pages, names in the folder. Then the log is
recovered and read there, in a child process. What `flush`, `close` or `recover` had promised must be there, and each
row whose append had returned in a session with `durability="power"`; what is there must be a beginning of what was
written. In half of the lives the power goes for good between two sessions: then the recovery whose writes are written
down, and cut off at every point, is one after a power loss.

The record and the states stand on a filesystem in memory where there is one: which writes reached the disk is decided
here, not by a disk. What each thread did when is up to the machine, so a life of the same seed is not the same to the
byte: a state that is wrong is kept, and can be tried again.

    python tests/crash/power_loss.py --states 100000 --seed 1 --jobs 2
    python tests/crash/power_loss.py --again KEPT_STATE
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

from spread import Outcome, cores, scratch_folder, spread

from wandb_storage import Log, LogNotFound, Reader, Row, recover

OPEN, WRITE, TRUNCATE, SYNC, RENAME, UNLINK, MARK, POWER_LOSS = range(1, 9)
_EVENT = struct.Struct("<BBHIiIQ")
PAGE, SECTOR = 4096, 512
KEEP = (0.0, 0.1, 0.5, 0.9, 1.0)
STATE_SECONDS_MAX = 20
LIFE_STATES = 500

# Sessions and recoveries, each in a process forked from this one, with small segments, so that everything happens
# within a second and a state is small. The phases come on stdin.
WORKLOAD = """
import os, random, sys
from pathlib import Path
import wandb_storage._segment_writer, wandb_storage._log
from wandb_storage import Log, Reader, Row, recover
wandb_storage._segment_writer.SEGMENT_FILL_BYTES = 2_500
wandb_storage._log.COMMIT_BYTES = 1_000
folder, seed = Path(sys.argv[1]), int(sys.argv[2])
def mark(what, step):
    os.write(marks, f"{what} {step}".encode())
def count():
    with Reader(folder) as reader:
        return sum(isinstance(entry.record, Row) for entry in reader.entries())
def live(phase, rng):
    if phase == "recover":
        recover(folder)
        mark("durable", count())
        return
    step = 0 if phase == "create" else count()
    mark("begun", step)
    durability = "power" if phase == ("again", "create")[seed // 2 % 2] else "process"
    if phase == "create":
        log = Log.create(folder, "r", durability=durability)
    else:
        log = Log.open(folder, durability=durability)
    mark("durable", step)
    for _ in range(rng.randrange(3, 6)):
        for _ in range(rng.randrange(1, 12)):
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
for number, line in enumerate(sys.stdin):
    child = os.fork()
    if not child:
        try:
            marks = os.open(folder / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            live(line.strip(), random.Random(seed * 31 + number))
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        os._exit(1)
    print(os.waitpid(child, 0)[1], flush=True)
"""
LIVES = (("create", "recover", "again", "recover", "close"), ("create", "close", "again", "recover"))


@dataclasses.dataclass
class Event:
    op: int
    synchronous: bool
    pid: int
    fd: int
    path: str
    data: bytes
    offset: int
    files: Dict[str, bytes] = dataclasses.field(default_factory=dict)  # what a power loss has left


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
    folder, raw = scratch / "log", scratch / "events"
    folder.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    environment.update(LD_PRELOAD=str(shim), IOLOG=str(raw), IOLOG_DIR=str(folder))
    rng = random.Random(f"life {seed}")
    events: List[Event] = []
    done = 0
    command = [sys.executable, "-c", WORKLOAD, str(folder), str(seed)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for phase in LIVES[rng.randrange(len(LIVES))]:
            if phase == "recover" and rng.random() < 0.5:
                events.append(_lose_power(folder, events, rng))
            process.stdin.write(f"{phase}\n")
            process.stdin.flush()
            status = process.stdout.readline().strip()
            assert status == "0", f"seed {seed}: {phase} ended with status {status or 'nothing'}"
            with raw.open("rb") as file:
                file.seek(done)
                content = file.read()
            done += len(content)
            events += [_relative(event, folder) for event in parse(content)]
    return events


def _relative(event: Event, folder: Path) -> Event:
    prefix = f"{folder}/"
    event.path = "" if event.path == str(folder) else event.path.replace(prefix, "", 1)
    if event.op == RENAME:
        event.data = event.data.replace(prefix.encode(), b"", 1)
    return event


def _lose_power(folder: Path, events: List[Event], rng: random.Random) -> Event:
    """Leave in the folder what a disk may hold after these events."""
    disk = Disk()
    for event in events:
        disk.apply(event)
    files = disk.state(rng)
    write_files(folder, files)
    return Event(POWER_LOSS, False, 0, -1, "", b"", 0, files)


def write_files(folder: Path, contents: Dict[str, bytes]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)


class File:
    """A file's durable bytes, and what was done to it since its last sync."""

    def __init__(self, durable: bytes = b"") -> None:
        self.durable = bytearray(durable)
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
        elif event.op == POWER_LOSS:
            self.names = {name: File(content) for name, content in event.files.items()}
            self.durable_names, self.waiting_names = dict(self.names), []
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


def rows(folder: Path, start: int = 1) -> List[int]:
    with Reader(folder) as reader:
        found = [entry.record for entry in reader.entries(start) if isinstance(entry.record, Row)]
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
    last, lost = recover(folder)
    assert lost is None, "a recovery was not finished"
    with Log.open(folder) as log:
        log.append_row({"value": len(after) * 0.5, "new": 1.0}, len(after), 1.0, 2)
    assert rows(folder, last + 1) == [len(after)], "a session after the recovery"


class Checker:
    """`check` in a child process, which tries one state after the other. One that ends or hangs is a finding, and
    another takes its place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._child = 0

    def wrong(self, contents: Dict[str, bytes], durable: Optional[int], begun: int) -> str:
        """What is wrong with a state, empty for nothing."""
        write_files(self.folder, contents)
        if not self._child:
            self._start()
        self._ask.write(json.dumps([durable, begun]) + "\n")
        self._ask.flush()
        answer = self._answers.readline()
        return str(json.loads(answer)) if answer else f"ended by signal {self.close()}"

    def _start(self) -> None:
        asked, ask = os.pipe()
        answers, answer = os.pipe()
        self._child = os.fork()
        if not self._child:
            try:
                os.close(ask)
                self._answer(asked, answer)
            finally:
                os._exit(0)
        os.close(asked)
        os.close(answer)
        self._ask, self._answers = os.fdopen(ask, "w"), os.fdopen(answers)

    def _answer(self, asked: int, answer: int) -> None:
        with os.fdopen(asked) as questions:
            for line in questions:
                signal.alarm(STATE_SECONDS_MAX)
                wrong = ""
                try:
                    check(self.folder, *json.loads(line))
                except BaseException:
                    wrong = traceback.format_exc()[-3000:]
                os.write(answer, (json.dumps(wrong) + "\n").encode())

    def close(self) -> int:
        """The status with which the child ended."""
        if not self._child:
            return 0
        child, self._child = self._child, 0
        with contextlib.suppress(BrokenPipeError):
            self._ask.close()
        self._answers.close()
        return os.waitpid(child, 0)[1]


def one_life(scratch: Path, shim: Path, seed: int, states: int, keep: Optional[Path]) -> Outcome:
    """Record a life and try states of it, in any order of the disk's; the first that is wrong is kept."""
    tried: Counter[str] = collections.Counter(logs=1)
    scratch = scratch / f"life-{seed}"
    scratch.mkdir()
    checker = Checker(scratch / "state")
    try:
        events = record(scratch, shim, seed)
        tried["segments"] += sum(event.op == RENAME and event.data.endswith(b".wandb") for event in events)
        tried["power losses in a life"] += sum(event.op == POWER_LOSS for event in events)
        rng = random.Random(seed)
        points = collections.Counter(rng.randrange(len(events) + 1) for _ in range(states))
        disk = Disk()
        for done in range(len(events) + 1):
            for _ in range(points[done]):
                contents = disk.state(rng)
                wrong = checker.wrong(contents, disk.durable, disk.begun)
                tried["states"] += 1
                if wrong:
                    kept = _keep(keep, f"{seed}-{done}", contents, disk, wrong)
                    return tried, f"seed {seed}, event {done} of {len(events)}, kept in {kept}: {wrong}"
            if done < len(events):
                disk.apply(events[done])
    finally:
        checker.close()
        shutil.rmtree(scratch)
    return tried, ""


def _keep(keep: Optional[Path], name: str, contents: Dict[str, bytes], disk: Disk, wrong: str) -> Path:
    folder = (keep or Path(tempfile.mkdtemp(prefix="power-loss-"))) / name
    write_files(folder / "files", contents)
    (folder / "promised.json").write_text(json.dumps({"durable": disk.durable, "begun": disk.begun}))
    (folder / "wrong.txt").write_text(wrong)
    return folder


def try_again(kept: Path, scratch: Path) -> str:
    """What is wrong with a state that was kept."""
    contents = {path.name: path.read_bytes() for path in (kept / "files").iterdir()}
    with contextlib.closing(Checker(scratch / "state")) as checker:
        return checker.wrong(contents, **json.loads((kept / "promised.json").read_text()))


def campaign(
    states: int, seed: int, scratch: Path, jobs: int = 1, keep: Optional[Path] = None, unit: str = ""
) -> Outcome:
    """What was tried, how often; and the first thing that was wrong."""
    shim = compile_shim(scratch)
    lives = [
        (scratch, shim, seed + life, min(LIFE_STATES, states - done), keep)
        for life, done in enumerate(range(0, states, LIFE_STATES))
    ]
    return spread(lives, one_life, jobs, unit)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--states", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--jobs", type=int, default=cores(), help="processes at a time")
    parser.add_argument("--keep", type=Path, help="where to keep a state that is wrong; else in a temporary folder")
    parser.add_argument("--again", type=Path, metavar="KEPT_STATE", help="try only this state")
    arguments = parser.parse_args()
    start = time.monotonic()
    with scratch_folder() as scratch:
        if arguments.again is not None:
            wrong = try_again(arguments.again, scratch)
            print(wrong or "nothing is wrong")
            return 1 if wrong else 0
        tried, wrong = campaign(
            arguments.states, arguments.seed, scratch, arguments.jobs, arguments.keep, unit="states"
        )
    print(
        f"power loss: {tried['states']:,} states of {tried['logs']} logs, {tried['segments']} segments "
        f"({tried['power losses in a life']} recovered after a power loss while they were recorded), seed "
        f"{arguments.seed}, {time.monotonic() - start:.0f} s: "
        f"{'WRONG: ' + wrong if wrong else '0 lost, reordered, made up, crashed or hung'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
