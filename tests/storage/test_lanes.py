"""Lanes: what child processes log to a run's log comes into it, each record once and in order, whatever dies when."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterable, Iterator, List, Tuple

import children
import pytest

import wandb_storage._lanes
from wandb_storage import (
    Alert,
    ConfigChange,
    Console,
    Entry,
    Exit,
    FromLane,
    Log,
    LogDamaged,
    LogInUse,
    LogUnavailable,
    Reader,
    Row,
    RunStart,
    RunState,
    Shape,
    WriterLost,
    create_lane,
    disk_use,
    living_lanes,
    recover,
    retain,
    salvage,
    verify,
)
from wandb_storage._folder import lane_paths
from wandb_storage._retention import Acknowledged
from wandb_storage._segment import Segment, SegmentFile

SECONDS_MAX = 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def _frequent_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parent that does nothing looks at its lanes once a second: here more often."""
    monkeypatch.setattr("wandb_storage._committer._LANES_SECONDS", 0.05)


def append(log: Log, writer: str, *numbers: int) -> None:
    for number in numbers:
        log.append_row({"writer": writer, "number": number} if number % 3 else {"number": number}, number, 1.0, 2)
        log.append(Console(text=f"{writer} {number}"))


def texts(folder: Path) -> Dict[str, List[int]]:
    """The numbers that each writer has in the log, in their order."""
    found: Dict[str, List[int]] = {}
    with Reader(folder) as reader:
        for entry in reader.entries():
            record = entry.record.record if isinstance(entry.record, FromLane) else entry.record
            if isinstance(record, Console):
                writer, number = record.text.split()
                found.setdefault(writer, []).append(int(number))
    return found


def forked(work: Callable[[], object]) -> int:
    """Run something in a child that ends without any clean-up."""
    child = os.fork()
    if not child:
        code = 1
        with contextlib.suppress(BaseException):
            work()
            code = 0
        os._exit(code)
    return child


def ended_well(child: int) -> bool:
    return os.waitpid(child, 0)[1] == 0


def killed_lane(folder: Path, writer: str, *numbers: int) -> None:
    """A lane of a process that is no more, and hadn't committed all of it."""

    def work() -> None:
        lane = create_lane(folder, "r")
        append(lane, writer, *numbers[: len(numbers) // 2])
        lane.flush()
        append(lane, writer, *numbers[len(numbers) // 2 :])

    assert ended_well(forked(work))


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline, "this should have come about"
        time.sleep(0.01)


# --- a living log -----------------------------------------------------------------------------------------------------


def test_lanes_are_merged_while_the_parent_does_nothing(folder: Path) -> None:
    """It waits for its children, say: what they log comes into its log, and their folders go."""
    with Log.create(folder, "r") as log:
        append(log, "main", 0)
        killed_lane(folder, "one", 0, 1, 2, 3)
        with create_lane(folder, "r") as lane:
            append(lane, "two", 0, 1)
        until(lambda: not lane_paths(folder))
        append(log, "main", 1)
        assert texts(folder) == {"main": [0, 1], "one": [0, 1, 2, 3], "two": [0, 1]}
    assert texts(folder) == {"main": [0, 1], "one": [0, 1, 2, 3], "two": [0, 1]}
    assert not list(folder.glob("*lane*"))
    assert verify(folder).severity == 0


def test_a_lanes_record_is_what_was_logged_and_says_where(folder: Path) -> None:
    """Types and order of a row's values, and its own numbers in the lane."""
    rows: List[Dict[str, Any]] = [
        {"b": 1, "a": 0.5, "none": None, "flag": True}, {"a": float("inf")}, {}, {"text": "é\ud800", "big": 2**70},
    ]  # fmt: skip
    with Log.create(folder, "r"), create_lane(folder, "r") as lane:
        for step, row in enumerate(rows):
            lane.append_row(row, step, step * 0.5, step % 4)
        lane.append(Alert(title="t", level="INFO"))
        uuid = lane.identity.log_uuid
    recover(folder)
    with Reader(folder) as reader:
        found = [entry.record for entry in reader.entries() if isinstance(entry.record, FromLane)]
    assert {one.lane.to_bytes(8, "little").hex() for one in found} == {uuid[:16]}
    assert [one.sequence for one in found] == [2, 4, 5, 6, 7]  # 1 and 3 are shapes
    for step, row in enumerate(rows):
        record = found[step].record
        assert isinstance(record, Row)
        assert repr(record.values) == repr(row)
        assert (record.step, record.time, record.flags) == (step, step * 0.5, step % 4)
    assert found[-1].record == Alert(title="t", level="INFO")


def test_what_waits_in_a_lanes_tail_is_left_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power loss may take it back, and the log must not hold what the lane does not."""
    monkeypatch.setattr("wandb_storage._committer.COMMIT_SECONDS", 1000)
    log = Log.create(folder, "r")
    lane = create_lane(folder, "r")
    append(lane, "lane", 0)
    lane.flush()
    append(lane, "lane", 1)
    log.flush()
    log.close()
    assert (texts(folder), living_lanes(folder)) == ({"lane": [0, 1]}, 1)
    with Reader(folder) as reader:
        merged = [entry.record for entry in reader.entries(tail=False) if isinstance(entry.record, FromLane)]
    assert [type(one.record) for one in merged] == [Row, Console]
    lane.close()


def test_a_child_outlives_its_parent(folder: Path) -> None:
    """The log is closed; each recovery takes over what the child has committed, and the last one all of it."""
    log = Log.create(folder, "r")
    append(log, "main", 0)
    lane = create_lane(folder, "r")
    log.append(Exit(code=0))
    log.close()
    for number in range(3):
        append(lane, "lane", number)
        lane.flush()
        assert recover(folder).writer_lost is None
        assert texts(folder) == {"main": [0], "lane": list(range(number + 1))}
        assert living_lanes(folder) == 1
    segments_before = sorted(folder.glob("*.wandb"))
    before = recover(folder)
    assert recover(folder) == before
    assert sorted(folder.glob("*.wandb")) == segments_before, "nothing to merge makes no segment"
    lane.close()
    assert living_lanes(folder) == 0
    assert recover(folder).last_sequence == before.last_sequence
    assert not lane_paths(folder)
    with Log.open(folder) as log:
        append(log, "main", 1)
    assert texts(folder) == {"main": [0, 1], "lane": [0, 1, 2]}
    state = RunState()
    with Reader(folder) as reader:
        for entry in reader.entries():
            state.apply(entry.record)
    assert (state.status, state.crashes) == ("finished", 0)


def test_a_session_goes_on_with_the_lanes_of_the_one_before(folder: Path) -> None:
    """The first session's child lives on; what was merged then doesn't come twice."""
    log = Log.create(folder, "r")
    lane = create_lane(folder, "r")
    append(lane, "lane", 0, 1)
    lane.flush()
    log.close()
    with Log.open(folder) as log:
        append(log, "main", 0)
        append(lane, "lane", 2)
        lane.close()
        until(lambda: not lane_paths(folder))
    assert texts(folder) == {"main": [0], "lane": [0, 1, 2]}


def test_rows_of_lanes_find_their_shapes_in_every_segment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments stand on their own, those that a living writer begins and those of a recovery."""
    monkeypatch.setattr("wandb_storage._segment_writer.SEGMENT_FILL_BYTES", 3000)
    monkeypatch.setattr("wandb_storage._merge.SEGMENT_FILL_BYTES", 3000)
    monkeypatch.setattr("wandb_storage._merge.COMMIT_BYTES", 2000)
    log = Log.create(folder, "r")
    for part in range(2):
        with create_lane(folder, "r") as lane:
            append(lane, "lane", *range(part * 20, part * 20 + 20))
        append(log, "main", *range(part * 20, part * 20 + 20))
        until(lambda: not lane_paths(folder))
        log.flush()
    lane = create_lane(folder, "r")
    log.close()
    append(lane, "late", *range(200))
    lane.close()
    recover(folder)
    names = sorted(folder.glob("*.wandb"), key=lambda path: (len(path.name), path.name))
    assert len(names) > 4
    assert verify(folder).severity == 0
    assert texts(folder) == {"main": list(range(40)), "lane": list(range(40)), "late": list(range(200))}
    for stale in names[:-2]:
        stale.unlink()
    left = texts(folder)["late"]
    assert left == list(range(200))[-len(left) :]


def test_too_many_lanes_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb_storage._lanes, "LANES_MAX", 2)
    with Log.create(folder, "r"):
        first, second = create_lane(folder, "r"), create_lane(folder, "r")
        with pytest.raises(LogUnavailable, match="2 processes log to this run already"):
            create_lane(folder, "r")
        first.close()
        second.close()
        until(lambda: not lane_paths(folder))
        create_lane(folder, "r").close()


def test_a_log_without_lanes_loads_nothing_for_them(folder: Path) -> None:
    script = """
import sys
from pathlib import Path
from wandb_storage import Log
with Log.create(Path(sys.argv[1]), "r") as log:
    log.append_row({"a": 1.0}, 0, 1.0, 2)
    log.flush()
print([name for name in sys.modules if name.startswith(("wandb_storage._lanes", "wandb_storage._merge"))])
"""
    assert children.output(script, folder) == ["[]"]


# --- crashes ----------------------------------------------------------------------------------------------------------


class _Countdown:
    """Ends the process before the nth call of one of the functions that change anything on disk."""

    def __init__(self, calls: int) -> None:
        self.left = calls

    def wrap(self, owner: Any, name: str) -> None:
        real = getattr(owner, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                os._exit(9)
            return real(*arguments, **options)

        setattr(owner, name, counted)


def _dies_at(step: int, work: Callable[[], object]) -> bool:
    """Do something in a child that dies before its step of this number; whether it died."""

    def child() -> None:
        countdown = _Countdown(step)
        for name in ("rename", "replace", "unlink", "rmdir", "fsync", "ftruncate"):
            countdown.wrap(os, name)
        countdown.wrap(Segment, "put")
        countdown.wrap(wandb_storage._lanes.Lane, "write_note")
        countdown.wrap(shutil, "rmtree")
        work()

    status = os.waitpid(forked(child), 0)[1]
    assert os.WIFEXITED(status)
    assert os.WEXITSTATUS(status) in (0, 9)
    return os.WEXITSTATUS(status) == 9


def _dead_run(folder: Path) -> Dict[str, List[int]]:
    """A killed parent, two killed children and one that closed its lane; some of it is merged."""

    def parent() -> None:
        log = Log.create(folder, "r")
        append(log, "main", 0, 1)
        with create_lane(folder, "r") as lane:
            append(lane, "closed", 0, 1, 2)
        killed_lane(folder, "one", *range(6))
        until(lambda: not lane_paths(folder))
        killed_lane(folder, "two", *range(6))
        with create_lane(folder, "r") as lane:
            append(lane, "three", 0, 1, 2)
        append(log, "main", 2)

    assert ended_well(forked(parent))
    return {"main": [0, 1, 2], "closed": [0, 1, 2], "one": list(range(6)), "two": list(range(6)), "three": [0, 1, 2]}


def test_a_recovery_that_dies_at_any_step_leaves_everything_once(folder: Path, tmp_path: Path) -> None:
    """Before the next recovery, for a reader, and after it."""
    expected = _dead_run(folder)
    assert texts(folder) == expected, "a killed run is read without writing anything"
    for step in range(1000):
        copy = tmp_path / f"copy-{step}"
        shutil.copytree(folder, copy)
        died = _dies_at(step, lambda copy=copy: recover(copy))  # type: ignore[misc]
        assert texts(copy) == expected, f"step {step}"
        recover(copy)
        assert texts(copy) == expected, f"step {step}"
        assert not list(copy.glob("*lane*")), f"step {step}"
        assert verify(copy).severity == 0
        shutil.rmtree(copy)
        if not died:
            break
    assert step > 15  # how many there are depends on how Python itself removes a tree


def test_a_parent_that_dies_at_any_step_of_a_merge_leaves_everything_once(folder: Path, tmp_path: Path) -> None:
    """The same for a living writer, which appends what lanes hold to its tail."""

    def work(place: Path) -> None:
        log = Log.open(place)
        append(log, "again", 0)
        log.close()

    expected = _dead_run(folder)
    for step in range(1000):
        copy = tmp_path / f"copy-{step}"
        shutil.copytree(folder, copy)
        died = _dies_at(step, lambda copy=copy: work(copy))  # type: ignore[misc]
        for _ in range(2):
            found = texts(copy)
            assert found.pop("again", [0]) == [0]
            assert found == expected, f"step {step}"
            recover(copy)
        assert not list(copy.glob("*lane*")), f"step {step}"
        shutil.rmtree(copy)
        if not died:
            break
    assert step > 20


def test_parent_and_children_are_killed_at_any_instant(folder: Path) -> None:
    """All at full speed, and the parent in the middle of merging: what had been appended is there once."""
    script = """
import mmap, os, sys
from pathlib import Path
from wandb_storage import Console, Log, create_lane
folder = Path(sys.argv[1])
counts = memoryview(mmap.mmap(os.open(folder / "counts", os.O_RDWR), 32)).cast("Q")
log = Log.create(folder, "r")
def append_for_ever(log, writer):
    while True:
        log.append(Console(text=f"{writer} {counts[writer]}"))
        counts[writer] += 1
for writer in (1, 2, 3):
    if not os.fork():
        append_for_ever(create_lane(folder, "r"), writer)
os.write(1, b"!")
append_for_ever(log, 0)
"""
    for round_number in range(2):
        place = folder / f"round-{round_number}"
        place.mkdir()
        (place / "counts").write_bytes(bytes(32))
        with children.start(script, place, start_new_session=True) as parent:
            assert parent.stdout is not None
            parent.stdout.read(1)
            time.sleep(0.1 + 0.4 * round_number)  # an instant, nothing is waited for
            os.killpg(parent.pid, signal.SIGKILL)
        counts = memoryview((place / "counts").read_bytes()).cast("Q")
        until(lambda place=place: not living_lanes(place))  # type: ignore[misc]
        for _ in range(2):
            found = texts(place)
            for writer in range(4):
                numbers = found.get(str(writer), [])
                assert numbers == list(range(len(numbers)))
                assert counts[writer] <= len(numbers) <= counts[writer] + 1
            recover(place)
        assert not lane_paths(place)


@pytest.mark.parametrize("note", ["missing", "damaged", "of another log"])
def test_the_records_say_what_is_merged_where_the_note_does_not(folder: Path, note: str) -> None:
    log = Log.create(folder, "r")
    lane = create_lane(folder, "r")
    append(lane, "lane", 0, 1)
    lane.flush()
    log.close()
    recover(folder)
    path = lane.folder / "run-r.imported"
    raw = path.read_bytes()
    changed = {"missing": b"", "damaged": raw[:16] + bytes(8) + raw[24:], "of another log": bytes(len(raw))}[note]
    path.write_bytes(changed)
    append(lane, "lane", 2)
    lane.close()
    recover(folder)
    assert texts(folder) == {"lane": [0, 1, 2]}


def test_folders_whose_makers_died_at_once_are_removed(folder: Path) -> None:
    Log.create(folder, "r").close()
    (folder / "lane-1").mkdir()
    (folder / "lane-2").mkdir()
    (folder / "lane-2" / "run-r.owner").touch()
    (folder / ".lane-7.gone").mkdir()
    assert verify(folder).severity == 0
    recover(folder)
    assert not list(folder.glob("*lane*"))


# --- what can be wrong ------------------------------------------------------------------------------------------------


def _damaged(folder: Path) -> Path:
    """A closed log with a lane of many blocks, one of which in its middle is damaged."""
    log = Log.create(folder, "r")
    append(log, "main", 0)
    lane = create_lane(folder, "r")
    log.close()
    append(lane, "lane", 0)
    lane.flush()
    for number in range(1, 20):
        append(lane, "lane", number)
        lane.flush()
    lane.close()
    path = lane.folder / "run-r.wandb"
    with SegmentFile(path) as segment:
        position = segment.read(30, 1)[0].position
    assert position is not None
    raw = bytearray(path.read_bytes())
    raw[position + 30] ^= 0xFF
    path.write_bytes(raw)
    return lane.folder


def test_a_damaged_lane_is_kept_and_named_and_the_log_stays_readable(folder: Path, tmp_path: Path) -> None:
    lane = _damaged(folder)
    with Reader(folder) as reader, pytest.raises(LogDamaged):
        list(reader.entries())
    report = verify(folder)
    assert report.severity == 2
    assert str(lane) in str(report.first_damage)
    salvaged = salvage(folder, tmp_path / "salvaged")
    assert salvaged.records > 20
    recover(folder)
    recover(folder)
    found = texts(folder)
    assert found["main"] == [0]
    assert found["lane"] == list(range(len(found["lane"])))
    assert len(found["lane"]) > 5
    assert [path.name for path in verify(folder).leftovers] == ["lane-1.damaged"]
    with Log.open(folder) as log:
        append(log, "main", 1)
    assert texts(folder)["main"] == [0, 1]


def test_a_full_disk_while_merging_leaves_everything_where_it_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recovery says so; the next one goes on."""
    log = Log.create(folder, "r")
    lane = create_lane(folder, "r")
    log.close()
    append(lane, "lane", *range(10))
    lane.close()
    real = Segment.put

    def refuse(self: Segment, *arguments: Any, **options: Any) -> None:
        raise LogUnavailable("no space left on the device", self.path)

    monkeypatch.setattr(Segment, "put", refuse)
    with pytest.raises(LogUnavailable, match="no space"):
        recover(folder)
    assert not list(folder.glob(".*.new*"))
    assert texts(folder) == {"lane": list(range(10))}
    monkeypatch.setattr(Segment, "put", real)
    recover(folder)
    assert texts(folder) == {"lane": list(range(10))}
    assert not lane_paths(folder)


def test_lanes_wait_while_the_log_is_refused(folder: Path) -> None:
    """A tail that the disk refuses takes nothing from lanes: there it is safe."""
    log = Log.create(folder, "r")
    append(log, "main", 0)
    log.flush()
    log._active.refusing = True
    append(log, "main", 1)
    with create_lane(folder, "r") as lane:
        append(lane, "lane", 0)
    assert log._bring_lanes(1.0) is False
    assert len(log._active.memory) == 2
    log.flush()
    until(lambda: not lane_paths(folder))
    log.close()
    assert (texts(folder), log.lost) == ({"main": [0, 1], "lane": [0]}, 0)


def test_a_disk_that_has_room_again_is_noticed_by_a_log_that_does_nothing(folder: Path) -> None:
    """Its tail was begun when there was none."""
    with Log.create(folder, "r") as log:
        log._active.refusing = True
        with create_lane(folder, "r") as lane:
            append(lane, "lane", 0, 1, 2)
        until(lambda: not lane_paths(folder))
    assert (texts(folder), log.lost) == ({"lane": [0, 1, 2]}, 0)


def test_a_recovery_ends_while_a_child_logs_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At full speed, as fast as lanes are merged or faster."""
    monkeypatch.setattr("wandb_storage._merge._LIVING_SECONDS", 0.2)
    log = Log.create(folder, "r")
    lane = create_lane(folder, "r")
    log.close()
    done = threading.Event()

    def log_on() -> None:
        number = 0
        while not done.is_set():
            append(lane, "lane", number)
            number += 1

    thread = threading.Thread(target=log_on)
    thread.start()
    try:
        recover(folder)
        recover(folder)
    finally:
        done.set()
        thread.join()
    lane.close()
    before = texts(folder)
    recover(folder)
    assert texts(folder) == before == {"lane": list(range(len(before["lane"])))}


# --- whoever looks at a log -------------------------------------------------------------------------------------------


@pytest.fixture
def waiting(folder: Path) -> Iterator[Path]:
    """A closed log for which something waits in a lane that nobody closed."""
    log = Log.create(folder, "r")
    append(log, "main", 0, 1)
    lane = create_lane(folder, "r")
    log.close()
    append(lane, "lane", 0, 1, 2)
    lane.flush()
    yield folder
    lane.close()


def test_verify_says_what_waits(waiting: Path) -> None:
    report = verify(waiting)
    assert (report.severity, report.lanes, report.lane_records, report.rows) == (1, 1, 6, 2)
    recover(waiting)
    report = verify(waiting)
    assert (report.severity, report.lanes, report.lane_records, report.rows) == (0, 1, 0, 5)


def test_a_reader_from_any_record_on_sees_what_waits_as_it_will_be(waiting: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(waiting, tmp_path / "copy")
    (copy / "lane-1" / "run-r.owner").write_bytes(b"")
    recover(copy)
    with Reader(waiting) as before, Reader(copy) as after:
        waits, merged = list(before.entries()), list(after.entries())
        assert _plain(waits) == _plain(merged[: len(waits)])
        assert len(waits) > len(before.read(1))
        for start in range(1, len(waits) + 3):
            assert _plain(before.entries(start)) == _plain(waits[start - 1 :])
            assert _plain(before.entries(start, start + 2)) == _plain(waits[start - 1 : start + 1])


def _plain(entries: Iterable[Entry]) -> List[Tuple[Any, ...]]:
    found = []
    for entry in entries:
        record = entry.record.record if isinstance(entry.record, FromLane) else entry.record
        content = record.values if isinstance(record, Row) else record
        found.append((entry.sequence, entry.kind, content))
    return found


def test_salvage_takes_over_what_waits(waiting: Path, tmp_path: Path) -> None:
    report = salvage(waiting, tmp_path / "out")
    assert texts(tmp_path / "out") == {"main": [0, 1], "lane": [0, 1, 2]}
    assert report.rows == 5
    assert verify(tmp_path / "out").severity == 0


def test_nothing_is_removed_while_lanes_wait(waiting: Path) -> None:
    report = retain([waiting], 0, lambda folder: Acknowledged(1 << 40, True))
    assert report.kept == {waiting: "lanes wait to be merged; recover it first"}
    assert disk_use(waiting).files == 0, "a lane is the log's own"


def test_two_mergers_exclude_each_other(folder: Path) -> None:
    with Log.create(folder, "r"), create_lane(folder, "r"), pytest.raises(LogInUse):
        recover(folder)


# --- the fold ---------------------------------------------------------------------------------------------------------


def _row(step: int, flags: int, **values: Any) -> Row:
    return Row(step=step, time=1.0, flags=flags, values=values)


def _fold(*records: Any) -> Tuple[RunState, List[Dict[str, Any]]]:
    """Fold records; (lane, record) comes from a lane."""
    state = RunState()
    rows: List[Dict[str, Any]] = []
    for one in records:
        record = FromLane(lane=one[0], record=one[1]) if isinstance(one, tuple) else one
        rows += state.apply(record).rows
        state = RunState.restore(state.snapshot())
    rows += state.complete_row()
    return state, [{key: value for key, value in row.items() if key in ("_step", "a", "b", "c")} for row in rows]


def test_rows_of_lanes_never_disturb_the_runs_own() -> None:
    """A row under construction stays apart, and the run's steps are those that it would have had alone."""
    state, rows = _fold(
        RunStart(time=0.0), _row(0, 2, a=0), _row(1, 0, a=1), (7, _row(1, 2, b=1)), (8, _row(1, 0, c=1)),
        (7, _row(2, 2, b=2)), _row(1, 2, b=0), (8, _row(1, 2, b=3)), _row(2, 2, a=2), (7, _row(3, 2, b=4)),
    )  # fmt: skip
    assert rows == [
        {"a": 0, "_step": 0}, {"b": 1, "_step": 2}, {"b": 2, "_step": 4}, {"a": 1, "b": 0, "_step": 1},
        {"c": 1, "b": 3, "_step": 3}, {"a": 2, "_step": 2}, {"b": 4, "_step": 5},
    ]  # fmt: skip
    assert state.late_rows == 0


def test_a_lanes_explicit_steps_are_kept() -> None:
    """Calls that name the same step add up to one row, as the run's own do."""
    _, rows = _fold(
        RunStart(time=0.0), _row(50, 2, a=0), (7, _row(5, 1, a=1)), (7, _row(5, 1, b=1)), (7, _row(6, 3, a=2)),
        (7, _row(3, 1, a=3)), _row(51, 2, a=4),
    )  # fmt: skip
    assert rows == [
        {"a": 0, "_step": 50}, {"a": 1, "b": 1, "_step": 5}, {"a": 2, "_step": 6}, {"a": 4, "_step": 51},
        {"a": 3, "_step": 3},
    ]  # fmt: skip


def test_a_lane_doesnt_end_the_run() -> None:
    """Its writer's death completes its row and tells what was lost; what it logs after the run's end counts."""
    state, rows = _fold(
        RunStart(time=0.0), (7, _row(0, 0, a=1)), (7, WriterLost(lost_records=3)), Exit(code=0, time=5.0),
        (8, _row(0, 2, a=2)), (8, ConfigChange(json='{"x": 1}')), (8, Exit(code=1)),
    )  # fmt: skip
    assert (state.status, state.crashes, state.lost_records, state.config) == ("finished", 0, 3, {"x": 1})
    assert rows == [{"a": 1, "_step": 0}, {"a": 2, "_step": 1}]


def test_shapes_are_not_merged_as_such(folder: Path) -> None:
    """Lanes with the same keys share one shape of the log."""
    with Log.create(folder, "r") as log:
        log.append_row({"loss": 0.5}, 0, 1.0, 2)
        for _ in range(3):
            with create_lane(folder, "r") as lane:
                lane.append_row({"loss": 0.25}, 0, 1.0, 2)
    recover(folder)
    with Reader(folder) as reader:
        kinds = [type(entry.record) for entry in reader.entries()]
    assert kinds == [Shape, Row, FromLane, FromLane, FromLane]
