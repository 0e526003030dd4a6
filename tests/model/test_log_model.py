"""A log and a plain list, in lock-step: whatever is done in whatever order, the log holds what the list holds.

The writer lives in a process of its own, which is driven over a pipe and killed; what it acknowledged is in the list.
The readers live here, beside the writer and after it.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import tempfile
import traceback
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import hypothesis
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import wandb_storage._committer
import wandb_storage._segment_writer
from wandb_storage import (
    Console,
    Entry,
    FromLane,
    Log,
    LogInUse,
    Reader,
    Record,
    Row,
    Shape,
    SummaryChange,
    WriterLost,
    create_lane,
    recover,
)

EXAMPLES = int(os.environ.get("WANDB_TEST_MODEL_EXAMPLES", "200"))
ANSWER_SECONDS_MAX = 30

values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
rows = st.dictionaries(st.sampled_from("abcdefgh"), values, max_size=4)


# --- the writer's side ------------------------------------------------------------------------------------------------


def _write_as_told(told: Connection, folder: Path, create: bool) -> None:
    """In the writer: one answer for each command, until it is killed or closes."""
    # Merged is when the model says so, or in a recovery: otherwise nobody could say which number comes next.
    merge = Log._bring_lanes
    vars(wandb_storage._committer).update(_LANES_SECONDS=None)
    setattr(Log, "_bring_lanes", lambda log, seconds: False)  # noqa: B010 - of a method
    log = Log.create(folder, "r") if create else Log.open(folder)
    lanes: Dict[str, Log] = {}
    told.send(log.recovered)
    while True:
        command, arguments = told.recv()
        answer: Any
        if command == "open lane":
            lane = create_lane(folder, "r")
            answer = lane.identity.log_uuid
            lanes[answer] = lane
        elif command == "merge":
            assert not merge(log, 1000.0)
            log.flush()
            merge(log, 0.0)
            answer = None
        elif command in ("append to lane", "flush lane", "close lane"):
            answer = getattr(lanes[arguments[0]], command.split()[0])(*arguments[1:])
        elif command == "roll":
            vars(wandb_storage._segment_writer).update(SEGMENT_FILL_BYTES=-1)  # full, whatever is in it
            log.flush()
            answer = None
        else:
            answer = getattr(log, command)(*arguments)
            vars(wandb_storage._segment_writer).update(SEGMENT_FILL_BYTES=192 << 20)
        told.send((answer, log.sequence, log.committed))


def _nursery(asked: Connection) -> None:
    """A process that was forked before anything was read, and forks the writers: they inherit no open log."""
    writer, pipe = 0, asked
    while True:
        try:
            command, arguments = asked.recv()
        except EOFError:
            os._exit(0)
        if command == "start":
            pipe, theirs = multiprocessing.Pipe()
            writer = os.fork()
            if not writer:
                try:
                    _write_as_told(theirs, *arguments)
                except BaseException:
                    os.write(2, traceback.format_exc().encode())
                finally:
                    os._exit(1)
            theirs.close()
            asked.send(pipe.recv())
        elif command == "kill":
            os.kill(writer, signal.SIGKILL)
            os.waitpid(writer, 0)
            pipe.close()
            asked.send(None)
        else:
            pipe.send((command, arguments))
            asked.send(pipe.recv())


# --- the model --------------------------------------------------------------------------------------------------------


class LogModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.scratch = Path(tempfile.mkdtemp(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        self.folder = self.scratch / "log"
        self.folder.mkdir()
        self.records: Dict[int, Any] = {}  # by sequence: everything that was appended, but for shapes
        self.lanes: Dict[str, List[Record]] = {}  # by id: what was appended to each
        self.open_lanes: List[str] = []
        self.last = 0  # sequence
        self.committed = 0
        self.state = "open"  # or "dead", "closed"
        self.cursor: Optional[Reader] = None
        self.position = 1
        self.refused = False
        self.asked, theirs = multiprocessing.Pipe()
        self.nursery = os.fork()
        if not self.nursery:
            self.asked.close()
            _nursery(theirs)
        theirs.close()

    def teardown(self) -> None:
        if self.cursor is not None:
            self.cursor.close()
        if self.state == "open":
            self._ask("kill")
        self.asked.close()
        os.waitpid(self.nursery, 0)
        shutil.rmtree(self.scratch)

    def _ask(self, command: str, *arguments: Any) -> Any:
        self.asked.send((command, arguments))
        assert self.asked.poll(ANSWER_SECONDS_MAX), f"{command} hangs"
        return self.asked.recv()

    def _tell(self, command: str, *arguments: Any) -> Any:
        answer, last, committed = self._ask(command, *arguments)
        assert last >= self.last
        assert self.committed <= committed <= last
        self.last, self.committed = last, committed
        return answer

    def _found(self, recovered: Any) -> None:
        """A writer that was killed is reported once, behind everything that it wrote. Behind that stands what waited in
        lanes."""
        if self.state == "dead":
            assert recovered.writer_lost.last_sequence == self.last
            self.records[self.last + 1] = recovered.writer_lost
            assert recovered.last_sequence > self.last
        else:
            assert recovered.writer_lost is None
            assert recovered.last_sequence >= self.last
        self.last = self.committed = recovered.last_sequence
        with Reader(self.folder) as reader:
            self._are_lanes(list(reader.entries()), complete=True)

    # --- the writer's life --------------------------------------------------------------------------------------------

    @initialize()
    def create(self) -> None:
        assert self._ask("start", self.folder, True) is None

    @precondition(lambda self: self.state != "open")
    @rule()
    def reopen(self) -> None:
        self._found(self._ask("start", self.folder, False))
        self.state = "open"

    @precondition(lambda self: self.state == "open")
    @rule()
    def crash(self) -> None:
        self._ask("kill")
        self.state = "dead"
        self.open_lanes = []

    @precondition(lambda self: self.state == "open")
    @rule()
    def close(self) -> None:
        self._tell("close")
        assert self.committed == self.last
        self._ask("kill")
        self.state = "closed"
        self.open_lanes = []

    @precondition(lambda self: self.state != "open")
    @rule()
    def recover(self) -> None:
        self._found(recover(self.folder))
        self.state = "closed"
        assert recover(self.folder) == (self.last, None)

    # Being refused takes a tenth of a second of waiting, so once in a life is enough.
    @precondition(lambda self: self.state == "open" and not self.refused and self.last > 20)
    @rule()
    def a_second_writer_is_refused(self) -> None:
        self.refused = True
        try:
            Log.open(self.folder).close()
            raise AssertionError("two writers")
        except LogInUse:
            pass

    # --- writing ------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.state == "open")
    @rule(row=rows, step=st.integers(0, 100), again=st.integers(1, 20))
    def append_row(self, row: Dict[str, Any], step: int, again: int) -> None:
        for _ in range(again):
            sequence = self._tell("append_row", row, step, 1.0, 2)
            self.records[sequence] = row, step
            assert sequence == self.last

    @precondition(lambda self: self.state == "open")
    @rule(record=st.builds(Console, text=st.text(max_size=50)) | st.builds(SummaryChange, json=st.just('{"a":1}')))
    def append(self, record: Any) -> None:
        sequence = self._tell("append", record)
        self.records[sequence] = record

    @precondition(lambda self: self.state == "open")
    @rule()
    def flush(self) -> None:
        self._tell("flush")
        assert self.committed == self.last

    @precondition(lambda self: self.state == "open")
    @rule(row=rows)
    def roll_a_segment(self, row: Dict[str, Any]) -> None:
        self.append_row(row, 1, 1)
        self._tell("roll")
        assert self.committed == self.last

    # --- lanes --------------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.state == "open" and len(self.lanes) < 4)
    @rule()
    def open_a_lane(self) -> None:
        lane = self._tell("open lane")
        self.lanes[lane] = []
        self.open_lanes.append(lane)

    @precondition(lambda self: self.open_lanes)
    @rule(which=st.integers(0, 3), text=st.text(max_size=20), again=st.integers(1, 20), flush=st.booleans())
    def append_to_a_lane(self, which: int, text: str, again: int, flush: bool) -> None:
        lane = self.open_lanes[which % len(self.open_lanes)]
        for _ in range(again):
            self.lanes[lane].append(Console(text=text))
            assert self._tell("append to lane", lane, self.lanes[lane][-1]) == len(self.lanes[lane])
        if flush:
            self._tell("flush lane", lane)

    @precondition(lambda self: self.open_lanes)
    @rule(which=st.integers(0, 3))
    def close_a_lane(self, which: int) -> None:
        self._tell("close lane", self.open_lanes.pop(which % len(self.open_lanes)))

    @precondition(lambda self: self.state == "open" and self.lanes)
    @rule()
    def merge(self) -> None:
        self._tell("merge")
        assert self.committed == self.last
        with Reader(self.folder) as reader:
            self._are_lanes(list(reader.entries()), complete=not self.open_lanes)

    def _are_lanes(self, entries: List[Entry], complete: bool) -> None:
        """Each record of each lane once and in order, as far as lanes are merged or wait; and how its writer ended."""
        found: Dict[int, List[FromLane]] = {}
        for entry in entries:
            if isinstance(entry.record, FromLane):
                found.setdefault(entry.record.lane, []).append(entry.record)
        for uuid, expected in self.lanes.items():
            mine = found.pop(int.from_bytes(bytes.fromhex(uuid)[:8], "little"), [])
            assert [one.sequence for one in mine] == list(range(1, len(mine) + 1))
            records = [one.record for one in mine if not isinstance(one.record, WriterLost)]
            assert records == expected[: len(records)]
            assert len(records) == len(expected) or not complete
        assert not found

    # --- reading ------------------------------------------------------------------------------------------------------

    def _is(self, entry: Entry) -> None:
        if isinstance(entry.record, FromLane):
            assert entry.sequence not in self.records
            return
        if isinstance(entry.record, Shape):
            assert entry.sequence not in self.records
            return
        expected = self.records[entry.sequence]
        if isinstance(entry.record, Row):
            assert (entry.record.values, entry.record.step) == expected
            assert list(map(type, entry.record.values.values())) == list(map(type, expected[0].values()))
        else:
            assert entry.record == expected

    def _are(self, entries: List[Entry], start: int, stop: int) -> None:
        """All of `start` to `stop` - 1, in order and once."""
        assert [entry.sequence for entry in entries] == list(range(start, stop))
        for entry in entries:
            self._is(entry)

    @rule(places=st.tuples(st.floats(0, 1), st.floats(0, 1)))
    def seek_and_read(self, places: Tuple[float, float]) -> None:
        start, stop = sorted(1 + int(place * self.last) for place in places)
        with Reader(self.folder) as reader:
            self._are(list(reader.entries(start, stop)), start, stop)

    @rule(start=st.integers(1, 30))
    def read_what_is_committed(self, start: int) -> None:
        with Reader(self.folder) as reader:
            found = list(reader.entries(start, tail=False))
        # The committer may have committed since the writer was asked.
        stop = found[-1].sequence + 1 if found else min(start, self.last + 1)
        assert self.committed < stop <= self.last + 1 or start > self.committed
        self._are(found, start, start + len(found))

    @rule()
    def read_on_with_a_cursor(self) -> None:
        """One reader that stays open while everything else happens."""
        if self.cursor is None:
            self.cursor = Reader(self.folder)
        self._are(list(self.cursor.entries(self.position, self.last + 1)), self.position, self.last + 1)
        self.position = self.last + 1

    @rule(place=st.floats(0, 1))
    def put_the_cursor_back(self, place: float) -> None:
        self.position = 1 + int(place * self.last)

    @rule()
    def let_go_of_the_cursor(self) -> None:
        if self.cursor is not None:
            self.cursor.close()
            self.cursor = None

    @invariant()
    def nobody_is_lost_twice(self) -> None:
        lost = [record.last_sequence for record in self.records.values() if isinstance(record, WriterLost)]
        assert len(lost) == len(set(lost))

    @precondition(lambda self: self.state != "open")
    @rule()
    def everything_is_there(self) -> None:
        with Reader(self.folder) as reader:
            entries = list(reader.entries())
        self._are(entries[: self.last], 1, self.last + 1)
        self._are_lanes(entries, complete=True)


def test_a_log_holds_what_a_list_would_hold() -> None:
    """Appends, commits, rolls, reads, crashes, recoveries and reopenings in any order."""
    settings = hypothesis.settings(
        max_examples=EXAMPLES, stateful_step_count=40, deadline=None, database=None, derandomize=EXAMPLES <= 200,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    run_state_machine_as_test(LogModel, settings=settings)
