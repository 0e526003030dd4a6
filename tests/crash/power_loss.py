"""Power loss: the log's own recovery on the files that a reordering disk could have left, at every point of its life.

A workload runs under a shim (`iolog.c`) that writes down each write, truncate, sync, rename and unlink, each folder
that is made or removed, and each promise that the log has kept so far. From any beginning of that record, states of the
disk are made (`disk.py`) in which everything that was not yet synced is there or not, each on its own: pages, parts of
pages, names in folders. Then the log is recovered and read there, in a child process. What `flush`, `close` or
`recover` had promised must be there, and each row whose append had returned in a session with `durability="power"`,
with the media that it names; what is there must be a beginning of what was written, of the log's own writer as of each
lane. In half of the lives the
power goes for good between two sessions: then the recovery whose writes are written down, and cut off at every point,
is one after a power loss.

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
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Counter, Dict, Iterable, List, Optional

from disk import MKDIR, POWER_LOSS, RENAME, Contents, Disk, Event, parse, read_files, write_files
from spread import Outcome, cores, scratch_folder, spread

from wandb_storage import FromLane, Log, LogNotFound, Reader, Row, recover

STATE_SECONDS_MAX = 20
LIFE_STATES = 500

# Sessions and recoveries, each in a process forked from this one, with small segments, so that everything happens
# within a second and a state is small. The phases come on stdin. Writers are "main" and the lanes by their numbers.
WORKLOAD = """
import os, random, sys
from pathlib import Path
import wandb_storage._segment_writer, wandb_storage._log, wandb_storage._merge
from wandb.data_types._content import Content
from wandb.sdk._run_media import RunMedia
from wandb_storage import FromLane, Log, Reader, Row, create_lane, recover
wandb_storage._segment_writer.SEGMENT_FILL_BYTES = wandb_storage._merge.SEGMENT_FILL_BYTES = 2_500
wandb_storage._log.COMMIT_BYTES = wandb_storage._merge.COMMIT_BYTES = 1_000
folder, seed = Path(sys.argv[1]), int(sys.argv[2])
def open_marks():
    return os.open(folder / "marks", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def mark(what, writer, step):
    os.write(marks, f"{what} {writer} {step}".encode())
def counts():
    found = {"main": 0}
    with Reader(folder) as reader:
        for entry in reader.entries():
            record = entry.record.record if isinstance(entry.record, FromLane) else entry.record
            if isinstance(record, Row):
                writer = str(record.values.get("lane", "main"))
                found[writer] = found.get(writer, 0) + 1
    return found
def name_of(content):
    return f"media/images/{content.sha256[:20]}.png"
kept = []  # files that rows name which are not yet durable
def durable_now(writer, step):
    mark("durable", writer, step)
    while kept:
        mark("durable", kept.pop(), 1)
def append(log, writer, rng, step, durability, row, most):
    media = RunMedia(folder / "files", log.append, log.sync_first)
    for _ in range(rng.randrange(1, most)):
        mark("begun", writer, step + 1)
        row.pop("file", None)
        if rng.random() < 0.15:
            row["file"] = media.keep(Content.of_bytes(rng.randbytes(rng.randrange(1, 6_000)), ".png"), name_of)
            kept.append(row["file"])
        log.append_row({"value": step * 0.5, f"key {rng.randrange(3)}": rng.random(), **row}, step, 1.0, 2)
        step += 1
        if durability == "power":
            durable_now(writer, step)
    if rng.random() < 0.7:
        log.flush()
        durable_now(writer, step)
    return step
def start_lane(lane, rng, durability):
    global marks
    child = os.fork()
    if child:
        return child
    try:
        marks = open_marks()
        log, step = create_lane(folder, "r", durability=durability), 0
        mark("durable", lane, 0)
        for _ in range(rng.randrange(1, 4)):
            step = append(log, lane, rng, step, durability, {"lane": lane}, 8)
        if rng.random() < 0.5:
            log.close()
            durable_now(lane, step)
        os._exit(0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    os._exit(1)
def live(phase, rng, number):
    if phase == "recover":
        recover(folder)
        for writer, count in counts().items():
            mark("durable", writer, count)
        return
    step = 0 if phase == "create" else counts()["main"]
    mark("begun", "main", step)
    durability = "power" if phase == ("again", "create")[seed // 2 % 2] else "process"
    if phase == "create":
        log = Log.create(folder, "r", durability=durability)
    else:
        log = Log.open(folder, durability=durability)
    mark("durable", "main", step)
    children = []
    if phase == "lanes":
        children = [start_lane(10 * number + lane, random.Random(rng.random()), durability) for lane in (1, 2)]
    for _ in range(rng.randrange(3, 6)):
        step = append(log, "main", rng, step, durability, {}, 12)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    if children and rng.random() < 0.8:  # what they logged is taken over behind a commit, and then the lanes go
        for _ in range(4):
            step = append(log, "main", rng, step, durability, {}, 4)
            log.flush()
            mark("durable", "main", step)
    if phase == "close" or children and rng.random() < 0.5:
        log.close()
        durable_now("main", step)
for number, line in enumerate(sys.stdin):
    child = os.fork()
    if not child:
        try:
            marks = open_marks()
            live(line.strip(), random.Random(seed * 31 + number), number)
            os._exit(0)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        os._exit(1)
    print(os.waitpid(child, 0)[1], flush=True)
"""
LIVES = (
    ("create", "recover", "again", "recover", "close"),
    ("create", "close", "again", "recover"),
    ("create", "lanes", "recover", "close"),
    ("create", "lanes", "again", "recover", "lanes", "recover"),
)
# Of each writer, the values of its rows in the order in which they stand there.
Rows = Dict[str, List[float]]


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
            events += parse(content, folder)
    return events


def _lose_power(folder: Path, events: List[Event], rng: random.Random) -> Event:
    """Leave in the folder what a disk may hold after these events."""
    disk = Disk()
    for event in events:
        disk.apply(event)
    files = disk.state(rng)
    write_files(folder, files)
    return Event(POWER_LOSS, False, 0, -1, "", b"", 0, files)


def rows(folder: Path, start: int = 1) -> Rows:
    found: Rows = {"main": []}
    with Reader(folder) as reader:
        for entry in reader.entries(start):
            record = entry.record.record if isinstance(entry.record, FromLane) else entry.record
            if isinstance(record, Row):
                writer = str(record.values.get("lane", "main"))
                assert isinstance(entry.record, FromLane) == (writer != "main"), f"a row of {writer} in another's place"
                others = {"value", "lane", "file"}
                assert len(set(record.values) - others) == 1, f"a row has other keys: {list(record.values)}"
                found.setdefault(writer, []).append(record.values["value"])
    return found


def check_media(folder: Path, promised: Iterable[str]) -> None:
    """The files that durable rows name are there, whole."""
    for name in promised:
        path = folder / "files" / name
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert digest[:20] == path.stem, f"{path} is not what was kept"


def check(folder: Path, durable: Dict[str, int], begun: Dict[str, int]) -> None:
    """Everything that was promised, and nothing that was not written; then the log must be as good as new."""
    try:
        before = rows(folder)
        recover(folder)
    except LogNotFound:
        assert "main" not in durable, "a log that had been created is not there"
        return
    after = rows(folder)
    check_media(folder, [name for name in durable if "/" in name])
    for writer in {*after, *(name for name in durable if "/" not in name)}:
        values = after.get(writer, [])
        assert values == [step * 0.5 for step in range(len(values))], f"{writer}: not what was written: {values}"
        assert durable.get(writer, 0) <= len(values) <= begun.get(writer, 0), (
            f"{writer}: {len(values)} rows; {durable.get(writer)} were durable, {begun.get(writer)} begun"
        )
    assert before == after, f"{before} before the recovery, {after} after it"
    last, lost = recover(folder)
    assert lost is None, "a recovery was not finished"
    step = len(after["main"])
    with Log.open(folder) as log:
        log.append_row({"value": step * 0.5, "new": 1.0}, step, 1.0, 2)
    assert rows(folder, last + 1) == {"main": [step * 0.5]}, "a session after the recovery"


class Checker:
    """`check` in a child process, which tries one state after the other. One that ends or hangs is a finding, and
    another takes its place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._child = 0

    def wrong(self, contents: Contents, durable: Dict[str, int], begun: Dict[str, int]) -> str:
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
        tried["lanes"] += sum(event.op == MKDIR for event in events)
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


def _keep(keep: Optional[Path], name: str, contents: Contents, disk: Disk, wrong: str) -> Path:
    folder = (keep or Path(tempfile.mkdtemp(prefix="power-loss-"))) / name
    write_files(folder / "files", contents)
    (folder / "promised.json").write_text(json.dumps({"durable": disk.durable, "begun": disk.begun}))
    (folder / "wrong.txt").write_text(wrong)
    return folder


def try_again(kept: Path, scratch: Path) -> str:
    """What is wrong with a state that was kept."""
    contents = read_files(kept / "files")
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
        f"power loss: {tried['states']:,} states of {tried['logs']} logs, {tried['segments']} segments, "
        f"{tried['lanes']} lanes ({tried['power losses in a life']} recovered after a power loss while they were "
        f"recorded), seed {arguments.seed}, {time.monotonic() - start:.0f} s: "
        f"{'WRONG: ' + wrong if wrong else '0 lost, reordered, made up, crashed or hung'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
