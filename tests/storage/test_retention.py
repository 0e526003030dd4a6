"""The disk budget: what is acknowledged and finished goes, oldest first, and nothing else ever does."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Callable, Dict, List

import children
import pytest

from wandb_storage import (
    Acknowledged,
    Console,
    Log,
    LogDamaged,
    Reader,
    Row,
    RunState,
    beginning,
    disk_use,
    retain,
    segments,
    verify,
)

EVERYTHING = 1 << 62


def write(folder: Path, sessions: int = 4, rows: int = 50) -> Path:
    """A closed log with a segment a session, all with rows of one shape."""
    folder.mkdir()
    for session in range(sessions):
        with Log.open(folder) if session else Log.create(folder, "r") as log:
            for step in range(rows):
                log.append_row({"loss": 0.5, "text": os.urandom(200).hex()}, session * rows + step, 1.0, 2)
                log.append_row({"accuracy": 0.5}, session * rows + step, 1.0, 2)
    return folder


def told(sequence: int, finished: bool = True) -> Callable[[Path], Acknowledged]:
    return lambda folder: Acknowledged(sequence, finished)


def names(folder: Path) -> List[str]:
    return sorted(path.name for path in folder.glob("*.wandb"))


def steps(folder: Path) -> List[int]:
    with Reader(folder) as reader:
        return [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]


def test_disk_use_tells_the_log_from_the_files(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", sessions=1)
    (folder / "files").mkdir()
    (folder / "files" / "model.bin").write_bytes(os.urandom(50_000))
    use = disk_use(folder)
    assert use.files >= 50_000
    assert use.log >= (folder / "run-r.wandb").stat().st_size
    assert use.total == use.log + use.files


def test_within_the_budget_nothing_goes(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    before = names(folder)
    report = retain([folder], disk_use(folder).total, told(EVERYTHING))
    assert (report.removed, report.within_budget, names(folder)) == ([], True, before)


def test_the_oldest_go_first_and_no_more_than_needed(tmp_path: Path) -> None:
    """Over runs by their age, in a run by its segments."""
    folders = [write(tmp_path / name) for name in ("b", "a")]
    use = sum(disk_use(folder).total for folder in folders)
    report = retain(folders, use - 1, told(EVERYTHING))
    assert [one.path for one in report.removed] == [folders[0] / "run-r.wandb"]
    assert report.within_budget
    assert "finished, and acknowledged" in report.removed[0].reason
    assert report.after_bytes == sum(disk_use(folder).total for folder in folders)


def test_rows_are_read_without_the_segments_before(tmp_path: Path) -> None:
    """A reader begins at what is there, says so, and finds the shapes."""
    folder = write(tmp_path / "run")
    before = steps(folder)
    report = retain([folder], disk_use(folder).total - 1, told(EVERYTHING))
    with Reader(folder) as reader:
        assert reader.first_sequence == report.removed[-1].last_sequence + 1 > 1
        assert reader.read(1)[0].sequence == reader.first_sequence
    assert steps(folder) == before[100:]
    assert verify(folder).severity == 0


@pytest.mark.parametrize("acknowledged", [0, 1, 101, 102, 202, 203, 403, 404])
def test_what_nobody_acknowledged_stays(tmp_path: Path, acknowledged: int) -> None:
    folder = write(tmp_path / "run")
    assert verify(folder).last_sequence == 404
    retain([folder], 0, told(acknowledged))
    with Reader(folder) as reader:
        assert reader.first_sequence <= acknowledged + 1
        assert reader.first_sequence == acknowledged // 101 * 101 + 1, "and what is acknowledged went"
    assert verify(folder).severity == 0


def test_an_unfinished_run_stays(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    report = retain([folder], 0, told(EVERYTHING, finished=False))
    assert (report.removed, report.within_budget) == ([], False)
    assert report.kept == {folder: "the run is not finished"}


def test_the_log_of_a_living_writer_stays(tmp_path: Path) -> None:
    """Whatever is said about it."""
    folder = write(tmp_path / "run")
    with Log.open(folder) as log:
        log.append(Console(text="hi"))
        report = retain([folder], 0, told(EVERYTHING))
        assert report.kept == {folder: "somebody writes it"}
    assert len(names(folder)) == 5


def test_a_log_that_nobody_recovered_stays(tmp_path: Path) -> None:
    """Its tail holds records of which nobody can have heard."""
    children.killed_after(tmp_path, "create", 0, 2000)
    report = retain([tmp_path], 0, told(EVERYTHING))
    assert report.kept == {tmp_path: "nobody closed the log; recover it first"}
    assert len(steps(tmp_path)) >= 2000


def test_segments_that_need_the_one_before_go_with_it(tmp_path: Path) -> None:
    """A commit that fails is done over in a fresh segment, whose rows name shapes of the old one."""
    script = """
import resource, signal, sys
from pathlib import Path
from wandb_storage import Log, LogUnavailable
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
log = Log.create(Path(sys.argv[1]), "r")
log.append_row({"loss": 0.5}, 0, 1.0, 2)
log.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
log.append_row({"loss": 0.5}, 1, 1.0, 2)
try:
    log.flush()
except LogUnavailable:
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.close()
with Log.open(Path(sys.argv[1])) as log:
    log.append_row({"loss": 0.5}, 2, 1.0, 2)
"""
    children.output(script, tmp_path)
    found = segments(tmp_path, "r")
    assert [info.identity.stands_alone for info in found] == [True, False, True]
    assert [info.identity.first_sequence for info in found] == [1, 3, 4]
    report = retain([tmp_path], 0, told(2))
    assert report.removed == [], "the first is acknowledged, but the second needs it"
    assert steps(tmp_path) == [0, 1, 2]
    retain([tmp_path], disk_use(tmp_path).total - 1, told(3))
    assert names(tmp_path) == ["run-r.seg-0003.wandb"]
    assert steps(tmp_path) == [2]


def test_a_full_segment_is_followed_by_one_that_stands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wandb_storage._segment_writer.SEGMENT_FILL_BYTES", 2000)
    folder = tmp_path / "run"
    folder.mkdir()
    with Log.create(folder, "r") as log:
        for step in range(60):
            log.append_row({"loss": 0.5, "text": os.urandom(300).hex()}, step, 1.0, 2)
            log.append_row({"loss": 0.5}, step, 1.0, 2)
            log.flush()
    assert len(names(folder)) > 4
    assert all(info.identity.stands_alone for info in segments(folder, "r"))
    while len(names(folder)) > 1:
        before = steps(folder)
        retain([folder], disk_use(folder).total - 1, told(EVERYTHING))
        after = steps(folder)
        assert after == before[len(before) - len(after) :]
        assert len(after) < len(before)
        assert verify(folder).severity == 0


def test_a_damaged_log_stays_and_the_others_go(tmp_path: Path) -> None:
    broken, sound = write(tmp_path / "broken"), write(tmp_path / "sound")
    (broken / "run-r.seg-0003.wandb").write_bytes(b"not mine")
    report = retain([broken, sound, tmp_path], 0, told(EVERYTHING))
    assert len(names(broken)) == 4
    assert names(sound) == ["run-r.seg-0005.wandb"], "which is empty, and keeps the place"
    reasons: Dict[Path, str] = report.kept
    assert "too few for a log" in reasons[broken]
    assert "holds no log" in reasons[tmp_path]


# --- what stays of a run ----------------------------------------------------------------------------------------------


def fold(folder: Path) -> RunState:
    with Reader(folder) as reader:
        before, state = beginning(reader)
        for entry in reader.entries(before + 1):
            state.apply(entry.record)
    return state


@pytest.mark.parametrize("acknowledged", [101, 203, 404])
def test_the_sum_of_what_went_stays(tmp_path: Path, acknowledged: int) -> None:
    folder = write(tmp_path / "run")
    whole = fold(folder)
    assert retain([folder], 0, told(acknowledged)).removed
    assert fold(folder).snapshot() == whole.snapshot()


def test_a_log_whose_records_all_went_goes_on(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    whole = fold(folder)
    retain([folder], 0, told(EVERYTHING))
    assert steps(folder) == []
    with Log.open(folder) as log:
        assert (log.recovered and log.recovered.writer_lost) is None
        assert log.append_row({"loss": 0.25}, whole.step, 2.0, 2) == 406, "behind the shape of its keys"
    assert steps(folder) == [whole.step]
    state = fold(folder)
    assert (state.rows, state.summary["loss"]) == (whole.rows + 1, 0.25)
    retain([folder], 0, told(EVERYTHING))
    assert steps(folder) == [whole.step], "what is left is smaller than what would take its place"


def test_a_small_log_is_not_worth_it(tmp_path: Path) -> None:
    folder = write(tmp_path / "run", sessions=1, rows=1)
    report = retain([folder], 0, told(EVERYTHING))
    assert report.kept == {folder: "it is too small to gain anything"}
    assert steps(folder) == [0, 0]


def test_a_plan_removes_nothing(tmp_path: Path) -> None:
    folder = write(tmp_path / "run")
    before = sorted(path.name for path in folder.iterdir())
    plan = retain([folder], 0, told(203), remove=False)
    assert sorted(path.name for path in folder.iterdir()) == before
    assert plan.removed == retain([folder], 0, told(203)).removed


class Crash(BaseException):
    """Stands for the end of the process: nothing behind it runs."""


def test_a_crash_at_any_step_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each write, sync, rename and removal."""
    template = write(tmp_path / "template")
    whole = fold(template)
    for count in range(1, 100):
        folder = tmp_path / f"run-{count}"
        shutil.copytree(template, folder)
        left = count

        def step(call: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*arguments: Any, **options: Any) -> Any:
                nonlocal left
                left -= 1
                if not left:
                    raise Crash
                return call(*arguments, **options)

            return counted

        with monkeypatch.context() as patch:
            for name in ("open", "fsync", "rename", "replace", "unlink"):
                patch.setattr(os, name, step(getattr(os, name)))
            try:
                retain([folder], 0, told(EVERYTHING))
                crashed = False
            except Crash:
                crashed = True
        assert fold(folder).snapshot() == whole.snapshot()
        assert verify(folder).severity == 0
        retain([folder], 0, told(EVERYTHING))
        assert fold(folder).snapshot() == whole.snapshot()
        assert steps(folder) == []
        if not crashed:
            assert count > 20
            return
    pytest.fail("it has more steps than are tried")


@pytest.mark.parametrize("content", [b"", b"{}\n{}", b"not a checkpoint", b'{"format": 1}\n' + b"[" * 100_000])
def test_a_damaged_checkpoint_is_told(tmp_path: Path, content: bytes) -> None:
    folder = write(tmp_path / "run")
    retain([folder], 0, told(203))
    (folder / "run-r.checkpoint").write_bytes(content)
    with pytest.raises(LogDamaged, match=r"run-r\.checkpoint: the checkpoint is not what was written"):
        fold(folder)
    (damage,) = verify(folder).damages
    assert damage.path == folder / "run-r.checkpoint"
    report = retain([folder], 0, told(EVERYTHING))
    assert not report.removed
    assert "checkpoint" in report.kept[folder]
