"""A machine that has no more of something: room, file descriptors, address space, or the right to write.

Each test starves a child process while it logs, and then feeds it again. `append` never raises, one warning is given,
and nothing is lost once the machine has what was missing. Nor does `append` wait for it: the file that
`WANDB_TEST_SLOWEST` names gets the milliseconds of each child's slowest one, and the campaign tells the slowest of all.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import List

import children
from namespace import in_a_namespace

from wandb_storage import Reader, Row

# How long the full filesystem stays full; the long form takes ten minutes.
FULL_SECONDS = os.environ.get("WANDB_TEST_FULL_SECONDS", "1.5")

_PROLOGUE = """
import atexit, os, random, resource, subprocess, sys, time
from pathlib import Path
import wandb_storage._segment_writer
from wandb_storage import Log, LogError, LogUnavailable, Reader, Row, recover
folder = Path(sys.argv[1])
rng = random.Random(1)
warnings, slowest = [], 0.0
def append(log, start, stop):
    global slowest
    for step in range(start, stop):
        before = time.perf_counter()
        log.append_row({f"key {key}": rng.random() for key in range(50)}, step, 1.0, 2)
        slowest = max(slowest, time.perf_counter() - before)
@atexit.register
def tell_the_slowest_append():
    if "WANDB_TEST_SLOWEST" in os.environ:
        with open(os.environ["WANDB_TEST_SLOWEST"], "a") as file:
            file.write(f"{slowest * 1000:.3f}\\n")
def refused(call):
    try:
        call()
    except LogUnavailable as error:
        return str(error)
    return ""
def limit(kind, size):
    resource.setrlimit(kind, (size, resource.getrlimit(kind)[1]))
def steps():
    with Reader(folder) as reader:
        return [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]
"""

_ROLL = "wandb_storage._segment_writer.SEGMENT_FILL_BYTES = 50_000\n"


def steps(folder: Path) -> List[int]:
    with Reader(folder) as reader:
        return [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]


def test_a_full_filesystem_takes_everything_when_there_is_room_again(tmp_path: Path) -> None:
    """Full for a while, and then not: append went on, flush said why it could not, and every row is there."""
    script = """
# Room in the end for what ten minutes bring.
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=65m", "tmpfs", str(folder)], check=True)
filler = folder / "filler"
filler.write_bytes(bytes(64 << 20))
log = Log.create(folder, "r", warn=warnings.append)
step = 0
while log.trouble is None or not any(tail and tail.refusing for tail in (log._active, log._standby)):
    append(log, step, step + 50)
    step += 50
    time.sleep(0.005)
print(refused(log.flush))
deadline = time.monotonic() + float(sys.argv[2])
while time.monotonic() < deadline:
    append(log, step, step + 1)
    step += 1
    time.sleep(0.01)
print(len(warnings), log.lost, log.trouble is not None)
filler.unlink()
log.flush()
append(log, step, step + 100)
log.close()
print(len(warnings), log.lost, log.trouble is not None, steps() == list(range(step + 100)))
"""
    why, during, after = in_a_namespace(_PROLOGUE + script, tmp_path, FULL_SECONDS)
    assert "No space left on device" in why or "Input/output error" in why
    assert during == "1 0 True"
    assert after == "1 0 False True"


def test_a_log_that_has_no_room_at_all_leaves_nothing_behind(tmp_path: Path) -> None:
    """Creation on a full filesystem is refused; when there is room, the same folder takes the same run."""
    script = """
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=True)
filler = folder / "filler"
with filler.open("wb", buffering=0) as file:
    try:
        while file.write(bytes(4096)):
            pass
    except OSError:
        pass
print(refused(lambda: Log.create(folder, "r")))
filler.unlink()
with Log.create(folder, "r") as log:
    append(log, 0, 10)
print(steps() == list(range(10)))
"""
    why, there = in_a_namespace(_PROLOGUE + script, tmp_path)
    assert why.startswith(str(tmp_path))
    assert there == "True"


def test_a_read_only_filesystem_is_read_and_not_written(tmp_path: Path) -> None:
    """A log whose writer died there is read as it is; whoever wants to write it is told why that can't be."""
    script = """
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], check=True)
if os.fork() == 0:
    log = Log.create(folder, "r")
    append(log, 0, 1000)
    log.flush()
    append(log, 1000, 1100)
    os._exit(0)
os.wait()
(folder / "empty").mkdir()
subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
for call in (lambda: Log.create(folder / "empty", "r"), lambda: Log.open(folder), lambda: recover(folder)):
    print(refused(call))
print(steps() == list(range(1100)))
"""
    *why, there = in_a_namespace(_PROLOGUE + script, tmp_path)
    assert len(why) == 3
    assert all("Read-only file system" in line for line in why)
    assert there == "True"


def test_a_read_only_folder_is_read_and_recovered_and_takes_no_new_log(tmp_path: Path) -> None:
    """Files may be written there, and none made or removed: as far as that goes, and then an error with the reason."""
    script = """
import shutil, tempfile
# What is loaded on first use is loaded now: the user below may not be able to read Python's own files.
warm = Path(tempfile.mkdtemp())
if os.fork() == 0:
    append(Log.create(warm, "w"), 0, 10)
    os._exit(0)
os.wait()
recover(warm)
with Log.open(warm) as log:
    append(log, 10, 20)
shutil.rmtree(warm)
if os.geteuid() == 0:
    os.seteuid(65534)  # nothing is read-only to root
place = Path(tempfile.mkdtemp())
folder, empty = place / "log", place / "empty"
folder.mkdir()
empty.mkdir(mode=0o500)
try:
    if os.fork() == 0:
        append(Log.create(folder, "r"), 0, 1000)
        os._exit(0)
    os.wait()
    folder.chmod(0o500)
    print(refused(lambda: Log.create(empty, "r")))
    print(steps() == list(range(1000)))
    print(recover(folder).writer_lost is not None, recover(folder).writer_lost is None)
    print(steps() == list(range(1000)))
    print(refused(lambda: Log.open(folder)))
    folder.chmod(0o700)
    with Log.open(folder) as log:
        append(log, 1000, 1100)
    print(steps() == list(range(1100)))
finally:
    folder.chmod(0o700)
    shutil.rmtree(place)
"""
    creating, before, recovering, after, opening, again = children.output(_PROLOGUE + script, tmp_path)
    assert "Permission denied" in creating
    assert "Permission denied" in opening
    assert (before, recovering, after, again) == ("True", "True True", "True", "True")


def test_a_folder_that_is_removed_stops_no_append(tmp_path: Path) -> None:
    """Its segments are full and the next one can't be made: append goes on, one warning, and close says so."""
    script = """
import shutil
log = Log.create(folder, "r", warn=warnings.append)
append(log, 0, 500)
log.flush()
shutil.rmtree(folder)
for part in range(1, 5):
    append(log, part * 500, part * 500 + 500)
    refused(log.flush)
print(len(warnings), log.trouble)
print(refused(log.close))
log.close()
"""
    folder = tmp_path / "log"
    folder.mkdir()
    during, closing = children.output(_PROLOGUE + _ROLL + script, folder)
    assert during.startswith("1 ")
    assert "No such file or directory" in during
    assert "No such file or directory" in closing


def test_a_process_without_file_descriptors_logs_on(tmp_path: Path) -> None:
    """The next segment can't be opened; what waits is written when descriptors are to be had."""
    script = """
log = Log.create(folder, "r", warn=warnings.append)
append(log, 0, 500)
log.flush()
limit(resource.RLIMIT_NOFILE, 3)  # what is open stays open
append(log, 500, 2000)
print(refused(log.flush))
append(log, 2000, 2500)
refused(log.flush)
print(len(warnings), log.lost)
limit(resource.RLIMIT_NOFILE, 256)
log.flush()
append(log, 2500, 2600)
log.close()
print(len(warnings), log.lost, log.trouble)
"""
    why, during, after = children.output(_PROLOGUE + _ROLL + script, tmp_path)
    assert "Too many open files" in why
    assert (during, after) == ("1 0", "1 0 None")
    assert steps(tmp_path) == list(range(2600))


def test_a_process_without_file_descriptors_can_try_again_to_start(tmp_path: Path) -> None:
    """Wherever in the creation of a log the descriptors end: an error, nothing held, and the next try is fine."""
    script = """
(folder / "first").mkdir()
Log.create(folder / "first", "r").close()  # whatever is imported at the first use
taken = max(map(int, os.listdir("/proc/self/fd")))
for spare in range(20):
    limit(resource.RLIMIT_NOFILE, taken + spare)
    if not refused(lambda: Log.create(folder, "r").close()):
        break
    limit(resource.RLIMIT_NOFILE, 256)
    for path in folder.glob("run-r.wandb"):  # created, and its log could not be opened
        path.unlink()
print(3 <= spare < 12, "-".join(sorted(os.listdir("/proc/self/fd"))) == "-".join(map(str, range(taken + 1))))
limit(resource.RLIMIT_NOFILE, 256)
with Log.open(folder) as log:
    append(log, 0, 10)
"""
    (printed,) = children.output(_PROLOGUE + script, tmp_path)
    assert printed == "True True"
    assert steps(tmp_path) == list(range(10))


def test_a_process_without_address_space_logs_on(tmp_path: Path) -> None:
    """LMDB's map of the next segment can't be had; what waits is written when it can."""
    script = """
def address_space():
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
limit(resource.RLIMIT_AS, address_space() + (64 << 20))
print(refused(lambda: Log.create(folder, "r")))
limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
log = Log.create(folder, "r", warn=warnings.append)
append(log, 0, 10)
log.flush()
limit(resource.RLIMIT_AS, address_space() + (64 << 20))
log._committer._segments._bytes = 1 << 20  # full
log._committer._segments._drop_segment()
limit(resource.RLIMIT_AS, address_space() + (64 << 20))
append(log, 10, 2000)
print(refused(log.flush))
print(len(warnings), log.lost)
limit(resource.RLIMIT_AS, resource.RLIM_INFINITY)
log.flush()
log.close()
print(len(warnings), log.lost, log.trouble)
"""
    start, why, during, after = children.output(_PROLOGUE + _ROLL + script, tmp_path)
    assert "Cannot allocate memory" in start
    assert "Cannot allocate memory" in why
    assert (during, after) == ("1 0", "1 0 None")
    assert steps(tmp_path) == list(range(2000))
