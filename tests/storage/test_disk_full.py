"""A disk that refuses: logging goes on, says so once, and nothing is lost when the disk takes it again."""

from __future__ import annotations

from pathlib import Path
from typing import List

import children
import pytest

from wandb_storage import Log, LogUnavailable, Reader, Row


def steps(folder: Path) -> List[int]:
    with Reader(folder) as reader:
        return [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]


_PROLOGUE = """
import random, resource, signal, sys, time
from pathlib import Path
from wandb_storage import Log, LogUnavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
rng = random.Random(1)
warnings = []
log = Log.create(Path(sys.argv[1]), "r", warn=warnings.append)
def append(start, stop):
    slowest = 0
    for step in range(start, stop):
        before = time.perf_counter()
        log.append_row({f"key {key}": rng.random() for key in range(50)}, step, 1.0, 2)
        slowest = max(slowest, time.perf_counter() - before)
    return slowest
def limit(size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
append(0, 100)
log.flush()
limit(60_000)
append(100, 2000)
try:
    log.flush()
except LogUnavailable as error:
    print("refused:", error)
append(2000, 4000)
"""


def test_what_a_full_disk_refuses_is_written_when_there_is_room(tmp_path: Path) -> None:
    """append never raises, one warning, flush says why, and after that every row is there."""
    script = """
print(log.trouble is not None, len(warnings), log.lost)
limit(resource.RLIM_INFINITY)
log.flush()
append(4000, 4100)
log.close()
print(log.trouble, len(warnings), log.lost)
"""
    refused, during, after = children.output(_PROLOGUE + script, tmp_path)
    assert refused.startswith(f"refused: {tmp_path}")
    assert "File too large" in refused or "Input/output error" in refused
    assert during == "True 1 0"
    assert after == "None 1 0"
    assert steps(tmp_path) == list(range(4100))


def test_memory_for_refused_rows_is_bounded_and_what_it_cannot_hold_is_counted(tmp_path: Path) -> None:
    """Beyond the limit the newest rows are lost, counted, and leave no hole in the numbers."""
    script = """
import wandb_storage._log
wandb_storage._log.MEMORY_BYTES_MAX = 1 << 20
append(4000, 6000)
log.append_row({"a new shape": 1.0}, 6000, 1.0, 2)
print(log.lost > 1000, sum(len(one) for one in log._active.memory) <= 1 << 20)
lost = log.lost
limit(resource.RLIM_INFINITY)
log.flush()
append(7000, 7100)
log.append_row({"a new shape": 1.0}, 7100, 1.0, 2)
log.close()
print(lost == log.lost, lost)
"""
    _, bounded, after = children.output(_PROLOGUE + script, tmp_path)
    assert bounded == "True True"
    same, lost = after.split()
    assert same == "True"
    found = steps(tmp_path)
    assert found[-101:] == list(range(7000, 7101))
    assert found[:-101] == list(range(len(found) - 101))
    assert 6001 - (len(found) - 101) <= int(lost) <= 6001 - (len(found) - 101) + 1, "a lost shape counts too"


def test_closing_on_a_full_disk_fails_and_says_so(tmp_path: Path) -> None:
    """close raises, the log stays unsealed, and what is in its files is found by whoever opens it."""
    script = """
try:
    log.close()
except LogUnavailable as error:
    print("unsealed")
log.close()
print(log.lost)
"""
    _, unsealed, lost = children.output(_PROLOGUE + script, tmp_path)
    assert unsealed == "unsealed"
    assert int(lost) > 0
    found = steps(tmp_path)
    assert found == list(range(len(found)))
    assert len(found) >= 100
    with Log.open(tmp_path) as log:
        assert log.recovered is not None
        assert log.recovered.writer_lost is not None
    assert steps(tmp_path) == found


def test_a_folder_that_cannot_be_written_is_an_error_at_the_start(tmp_path: Path) -> None:
    """A log that can't begin says so; there is nothing to lose yet."""
    with pytest.raises(LogUnavailable, match="No such file or directory"):
        Log.create(tmp_path / "missing", "r")


def test_a_folder_that_is_removed_while_logging_hurts_nobody(tmp_path: Path) -> None:
    """append goes on into files that have no name any more; closing does not hang."""
    folder = tmp_path / "log"
    folder.mkdir()
    log = Log.create(folder, "r")
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    for step in range(100):
        log.append_row({"value": 1.0}, step, 1.0, 2)
    log.close()


def test_a_warning_that_raises_does_not_reach_the_caller(tmp_path: Path) -> None:
    """Somebody's strict warning filter must not end a training loop."""

    def warn(message: str) -> None:
        raise RuntimeError(message)

    with Log.create(tmp_path, "r", warn=warn) as log:
        log._active.refusing = False
        fd, log._active.fd = log._active.fd, -1  # EBADF
        log.append_row({"value": 1.0}, 1, 1.0, 2)
        log._active.fd = fd
    assert steps(tmp_path) == [1]
