"""Forks, spawns and every way for a process to end: no deadlock, no record twice, no record lost."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import List

import children
import pytest

from wandb_storage import Log, LogInUse, Reader, Row, WriterLost, recover

_PROLOGUE = """
import os, signal, subprocess, sys, threading, time
from pathlib import Path
from wandb_storage import FromLane, Log, LogClosed, LogError, LogInUse, LogUnavailable, Reader, Row
from wandb_storage import create_lane, recover
signal.alarm(50)  # a deadlock ends the test
folder = Path(sys.argv[1])
def append(log, step):
    log.append_row({"value": step * 0.5}, step, 1.0, 2)
def refusal(call):
    try:
        call()
    except LogError as error:
        return f"{type(error).__name__}: {error}"
    return "nothing was refused"
def in_child(work):
    child = os.fork()
    if not child:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child
def ended_well(child):
    return os.waitpid(child, 0)[1] == 0
"""


def steps(folder: Path) -> List[int]:
    with Reader(folder) as reader:
        return [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]


def test_two_dozen_workers_are_forked_while_the_parent_logs(tmp_path: Path) -> None:
    """Each finds the log closed to it, may close it, writes a lane and ends, most without closing that; four threads of
    the parent log on at full speed, and nothing is lost."""
    script = """
log = Log.create(folder, "r")
done, counts = threading.Event(), [0] * 4
def log_on(thread):
    while not done.is_set():
        log.append_row({"thread": thread, "number": counts[thread]}, counts[thread], 1.0, 2)
        counts[thread] += 1
threads = [threading.Thread(target=log_on, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
def work():
    assert refusal(lambda: append(log, 0)).startswith("LogClosed: "), "append"
    assert "a child writes a lane of its own" in refusal(lambda: append(log, 0))
    assert refusal(log.flush).startswith("LogClosed: "), "flush"
    log.close()
    lane = create_lane(folder, "r")
    for number in range(100):
        lane.append_row({"thread": os.getpid(), "number": number}, number, 1.0, 2)
    if os.getpid() % 3 == 0:
        lane.close()
workers = [in_child(work) for _ in range(24)]
print(sum(ended_well(worker) for worker in workers))
done.set()
for thread in threads:
    thread.join()
log.close()
recover(folder)
found = {}
with Reader(folder) as reader:
    for entry in reader.entries():
        record = entry.record.record if isinstance(entry.record, FromLane) else entry.record
        if isinstance(record, Row):
            found.setdefault(record.values["thread"], []).append(record.values["number"])
print([found.pop(thread) for thread in range(4)] == [list(range(count)) for count in counts], min(counts) > 0)
print(sorted(found) == sorted(workers), all(numbers == list(range(100)) for numbers in found.values()))
print(list(folder.glob("*lane*")))
"""
    assert children.output(_PROLOGUE + script, tmp_path) == ["24", "True True", "True True", "[]"]


def test_forked_children_and_their_children_write_logs_of_their_own(tmp_path: Path) -> None:
    """Whatever the parent's threads were in the middle of: locks and LMDB's handles are new in a child."""
    script = """
log = Log.create(folder, "r")
done = threading.Event()
def log_on():
    step = 0
    while not done.is_set():
        append(log, step)
        step += 1
thread = threading.Thread(target=log_on)
thread.start()
def own(name, inner=None):
    place = folder / name
    place.mkdir()
    with Log.create(place, "own") as mine:
        for step in range(100):
            append(mine, step)
        mine.flush()
        if inner is not None:
            assert ended_well(in_child(inner))
        append(mine, 100)
    with Reader(place) as reader:
        assert [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)] == list(range(101))
workers = [in_child(lambda: own(f"child-{n}", lambda: own(f"grandchild-{n}"))) for n in range(8)]
print(sum(ended_well(worker) for worker in workers))
done.set()
thread.join()
log.close()
"""
    assert children.output(_PROLOGUE + script, tmp_path) == ["8"]
    found = steps(tmp_path)
    assert found == list(range(len(found)))


@pytest.mark.parametrize("generations", [1, 2])
def test_a_parent_that_dies_first_leaves_a_log_that_is_nobodys(tmp_path: Path, generations: int) -> None:
    """A child or grandchild goes on running: it doesn't hold the writer's lock, so the log is recovered at once."""
    script = """
log = Log.create(folder, "r")
for step in range(1000):
    append(log, step)
def stay():
    print(os.getpid(), flush=True)
    signal.pause()
in_child(stay if sys.argv[2] == "1" else lambda: ended_well(in_child(stay)))
signal.pause()
"""
    with children.start(_PROLOGUE + script, tmp_path, generations) as parent:
        assert parent.stdout is not None
        descendant = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        try:
            os.kill(descendant, 0)
            lost = recover(tmp_path).writer_lost
            os.kill(descendant, 0)
        finally:
            os.kill(descendant, signal.SIGKILL)
    assert lost is not None
    assert lost.pid == parent.pid
    assert steps(tmp_path) == list(range(1000))


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_a_child_that_opens_its_parents_log_is_refused(tmp_path: Path, how: str) -> None:
    """With host and pid of the parent, whether it was forked or started anew; the parent is not disturbed."""
    script = """
attempt = "print(refusal(lambda: Log.open(folder)), flush=True)"
log = Log.create(folder, "r")
append(log, 0)
if sys.argv[2] == "fork":
    assert ended_well(in_child(lambda: exec(attempt)))
else:
    subprocess.run([sys.executable, "-c", sys.argv[3] + attempt, str(folder)], check=True)
append(log, 1)
log.close()
"""
    with children.start(_PROLOGUE + script, tmp_path, how, _PROLOGUE) as parent:
        assert parent.stdout is not None
        told = parent.stdout.read().decode()
    assert parent.returncode == 0
    assert told.startswith(
        f"LogInUse: {tmp_path}/run-r.owner: process {parent.pid} on {os.uname().nodename} is writing"
    )
    assert steps(tmp_path) == [0, 1]


def test_a_child_of_a_reader_recovers_and_writes_the_log(tmp_path: Path) -> None:
    """The parent had the log open for reading when it forked, which LMDB does not like to be reminded of."""
    script = """
written = in_child(lambda: [append(Log.create(folder, "r"), 0), os._exit(0)])
assert ended_well(written)
reader = Reader(folder)
assert len(list(reader.entries())) == 2
def work():
    with Log.open(folder) as log:
        append(log, 1)
assert ended_well(in_child(work))
print([entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)])
"""
    assert children.output(_PROLOGUE + script, tmp_path) == ["[0, 1]"]


_ENDS = {
    "os._exit": "os._exit(3)",
    "daemon threads": "sys.exit(3)",
    "an exception": "raise SystemExit(3)",
    "sys.exit in a thread": "one = threading.Thread(target=sys.exit); one.start(); one.join(); sys.exit(3)",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM)",
    "abort": "os.abort()",
}


@pytest.mark.parametrize("end", _ENDS)
def test_a_process_that_ends_while_its_threads_log_loses_nothing(tmp_path: Path, end: str) -> None:
    """Four daemon threads log at full speed until the process is no more; it ends, and what was counted is there."""
    script = f"""
import mmap
counts = memoryview(mmap.mmap(os.open(folder / "counts", os.O_RDWR), 32)).cast("Q")
log = Log.create(folder, "r")
def log_on(thread):
    number = 0
    while True:
        log.append_row({{"thread": thread, "number": number}}, number, 1.0, 2)
        number += 1
        counts[thread] = number
for number in range(4):
    threading.Thread(target=log_on, args=(number,), daemon=True).start()
while min(counts) < 1000:
    time.sleep(0.001)
{_ENDS[end]}
"""
    (tmp_path / "counts").write_bytes(bytes(32))
    with children.start(_PROLOGUE + script, tmp_path) as child:
        child.wait(timeout=50)
    assert child.returncode in (3, -signal.SIGTERM, -signal.SIGABRT)
    counts = memoryview((tmp_path / "counts").read_bytes()).cast("Q")
    recovered = recover(tmp_path)
    assert recovered.writer_lost is not None
    found: List[List[int]] = [[], [], [], []]
    with Reader(tmp_path) as reader:
        for entry in reader.entries():
            if isinstance(entry.record, Row):
                found[entry.record.values["thread"]].append(entry.record.values["number"])
    for thread, numbers in enumerate(found):
        assert numbers == list(range(len(numbers)))
        assert counts[thread] <= len(numbers) <= counts[thread] + 1


def test_closing_in_atexit_and_finalizers_ends(tmp_path: Path) -> None:
    """At the interpreter's shutdown the committer has stopped: whoever closes then neither hangs nor loses records."""
    script = """
import atexit
class Late:
    def __del__(self):
        append(late, 0)
        late.close()
(folder / "a").mkdir()
(folder / "b").mkdir()
early, late, kept = Log.create(folder / "a", "a"), Log.create(folder / "b", "b"), Late()
sys.modules["kept for the very end"] = kept
append(early, 0)
atexit.register(early.close)
atexit.register(append, early, 1)
"""
    children.output(_PROLOGUE + script, tmp_path)
    assert recover(tmp_path / "a").writer_lost is None
    assert steps(tmp_path / "a") == [0, 1]
    recover(tmp_path / "b")
    assert steps(tmp_path / "b") in ([0], [])


def test_a_writer_that_died_at_another_boot_with_the_same_pid_is_told_apart(tmp_path: Path) -> None:
    """Pids come again: in another container, after a reboot. The lock says that nobody lives, the boot says why."""
    script = """
log = Log.create(folder, "r")
append(log, 0)
owner = folder / "run-r.owner"
fields = owner.read_text().replace(open("/proc/sys/kernel/random/boot_id").read().strip(), "another boot")
owner.write_text(fields)
os._exit(0)
"""
    children.output(_PROLOGUE + script, tmp_path)
    lost = recover(tmp_path).writer_lost
    assert isinstance(lost, WriterLost)
    assert lost.cause == "rebooted"
    assert steps(tmp_path) == [0]


def test_process_that_opens_its_own_log_again_is_refused(tmp_path: Path) -> None:
    """Within one process, too, the second is refused."""
    with Log.create(tmp_path, "r") as log:
        log.append_row({"value": 1.0}, 0, 1.0, 2)
        with pytest.raises(LogInUse, match=f"process {os.getpid()} on "):
            Log.open(tmp_path)
        log.append_row({"value": 1.0}, 1, 1.0, 2)
    assert steps(tmp_path) == [0, 1]
