"""`verify` finds every damage and goes on behind it; `salvage` saves every intact record, and no other."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path
from typing import Any, Dict, List, Tuple

import children
import pytest

import wandb_storage._format
from wandb_storage import (
    Console,
    ForeignFile,
    Gap,
    Log,
    LogDamaged,
    LogError,
    LogInUse,
    LogNotFound,
    LogUnavailable,
    NewerFormat,
    Reader,
    Row,
    WriterLost,
    recover,
    salvage,
    verify,
)
from wandb_storage._segment import Identity, create_segment

PAGE = 4096


def rows(folder: Path) -> Dict[int, Tuple[int, Any]]:
    """Each row by its number."""
    with Reader(folder) as reader:
        return {
            entry.sequence: (entry.record.step, entry.record.values)
            for entry in reader.entries()
            if isinstance(entry.record, Row)
        }


def write(folder: Path, count: int, start: int = 0) -> None:
    """Rows, in many blocks of which some stand on pages of their own."""
    rng = random.Random(start)
    folder.mkdir(exist_ok=True)
    with Log.open(folder) if (folder / "run-r.wandb").exists() else Log.create(folder, "r") as log:
        for step in range(start, start + count):
            log.append_row({"loss": step * 0.5, "text": rng.randbytes(rng.choice([3, 40, 2000])).hex()}, step, 1.0, 2)
            if step % 5 == 0:
                log.flush()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed log of 400 rows in two segments."""
    folder = tmp_path_factory.mktemp("written") / "log"
    write(folder, 200)
    write(folder, 200, start=200)
    return folder


@pytest.fixture
def log(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "log"))


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log whose writer was killed."""
    folder = tmp_path_factory.mktemp("killed")
    children.killed_after(folder, "create", 0, 40_000)
    return folder


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """A log whose writer was killed with some of its records committed, and the others in one tail."""
    script = """
import os, sys
from pathlib import Path
import wandb_storage._committer
from wandb_storage import Log
wandb_storage._committer.COMMIT_SECONDS = 3600
log = Log.create(Path(sys.argv[1]), "r")
for step in range(200):
    log.append_row({"value": step * 0.5}, step, 1.0, 2)
    if step == 50:
        log.flush()
os._exit(0)
"""
    folder = tmp_path / "waiting"
    folder.mkdir()
    children.output(script, folder)
    return folder


@pytest.fixture
def dead(killed: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(killed, tmp_path / "dead"))


def zero(path: Path, page: int) -> None:
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(bytes(PAGE))


def pages_of(path: Path, flag: int) -> List[int]:
    """The pages of a kind: 1 branch, 2 leaf, 4 overflow."""
    raw = path.read_bytes()
    return [
        page
        for page in range(2, len(raw) // PAGE)
        if int.from_bytes(raw[page * PAGE : page * PAGE + 8], "little") == page and raw[page * PAGE + 10] & 0xF == flag
    ]


# --- what is told -----------------------------------------------------------------------------------------------------


def test_an_intact_log_is_counted(log: Path) -> None:
    """What a reader finds, and that every checksum was looked at."""
    report = verify(log)
    assert (report.severity, report.closed, report.writer) == (0, True, None)
    with Reader(log) as reader:
        entries = list(reader.entries())
    assert report.records == len(entries) == report.last_sequence
    assert report.rows == len(rows(log)) == 400
    assert [one.number for one in report.segments] == [1, 2]
    assert report.segments[1].first_sequence == report.segments[0].records + 1
    assert report.checksums == report.records + report.blocks
    assert report.bytes == sum(path.stat().st_size for path in log.glob("*.wandb"))
    assert (report.gaps, report.damages, report.torn_bytes, report.tail_records) == ([], [], 0, 0)


def test_verifying_writes_nothing(dead: Path) -> None:
    before = {path.name: path.read_bytes() for path in dead.iterdir()}
    verify(dead)
    assert {path.name: path.read_bytes() for path in dead.iterdir()} == before


def test_an_unrecovered_log_is_intact_with_something_left_to_do(dead: Path) -> None:
    report = verify(dead)
    assert (report.severity, report.closed) == (1, False)
    assert report.tail_records > 0
    assert report.rows == len(rows(dead))
    recover(dead)
    after = verify(dead)
    assert (after.severity, after.records) == (0, report.records + 1)


def test_a_torn_end_is_no_damage(waiting: Path) -> None:
    """An append that had not returned, in the only tail that holds anything."""
    tail = max(waiting.glob("*.tail-?"), key=lambda path: path.stat().st_size)
    whole = verify(waiting)
    tail.write_bytes(tail.read_bytes()[:-5])
    report = verify(waiting)
    assert (report.severity, report.records) == (1, whole.records - 1)
    assert 0 < report.torn_bytes < 200


def test_a_flip_in_the_middle_of_a_tail_is_damage_and_costs_one_record(waiting: Path, tmp_path: Path) -> None:
    """A reader has to stop there; with intact records behind it, it is not a torn end."""
    tail = max(waiting.glob("*.tail-?"), key=lambda path: path.stat().st_size)
    whole = verify(waiting)
    raw = bytearray(tail.read_bytes())
    raw[len(raw) // 2] ^= 1
    tail.write_bytes(raw)
    report = verify(waiting)
    assert (report.severity, report.missing, report.records) == (2, 1, whole.records - 1)
    assert report.first_damage is not None
    assert report.first_damage.path == tail
    assert 0 <= len(raw) // 2 - (report.first_damage.position or 0) < 200
    saved = salvage(waiting, tmp_path / "out")
    assert (saved.records, saved.missing) == (report.records, 1)
    assert len(rows(tmp_path / "out")) == whole.rows - 1


def test_a_flip_in_the_header_of_a_tail_is_damage(waiting: Path) -> None:
    """A reader takes such a tail for one that was being started; its records say that it was not."""
    whole = verify(waiting)
    tail = max(waiting.glob("*.tail-?"), key=lambda path: path.stat().st_size)
    raw = bytearray(tail.read_bytes())
    raw[30] ^= 1
    tail.write_bytes(raw)
    report = verify(waiting)
    assert (report.severity, report.records) == (2, whole.records)


def test_a_living_log_is_read_beside_its_writer(tmp_path: Path) -> None:
    with Log.create(tmp_path, "r") as log:
        for step in range(100):
            log.append_row({"loss": 0.5}, step, 1.0, 2)
        log.flush()
        log.append_row({"loss": 0.5}, 100, 1.0, 2)
        report = verify(tmp_path)
        assert (report.severity, report.rows, report.closed) == (0, 101, False)
        assert report.writer is not None
        with pytest.raises(LogInUse, match="is writing this log"):
            salvage(tmp_path, tmp_path / "out")


def test_a_forked_child_can_verify_the_log_of_its_parent(tmp_path: Path) -> None:
    """LMDB refuses it the file that the parent has open; plain reads do."""
    with Log.create(tmp_path, "r") as log:
        log.append(Console(text="hi"))
        log.flush()
        log.append(Console(text="ho"))
        child = os.fork()
        if not child:
            report = verify(tmp_path)
            os._exit(0 if (report.severity, report.records) == (0, 2) else 1)
        assert os.waitpid(child, 0)[1] == 0


def test_a_removed_segment_in_the_middle_is_a_gap(log: Path) -> None:
    write(log, 50, start=400)
    second = verify(log).segments[1]
    second.path.unlink()
    report = verify(log)
    first = second.first_sequence or 0
    assert (report.severity, report.gaps) == (2, [Gap(first, first + second.records - 1)])


def test_a_removed_first_segment_is_retention(log: Path) -> None:
    """Its rows' shapes are in the next segment again, since it was begun by another writer."""
    (log / "run-r.wandb").unlink()
    report = verify(log)
    assert (report.severity, report.rows) == (0, 200)
    assert report.first_sequence == report.segments[0].first_sequence != 1


def test_blocks_that_the_seal_knows_and_nobody_finds_are_a_gap(log: Path) -> None:
    """The last leaf is gone: what stood in it is missing, though nothing follows it."""
    path = log / "run-r.seg-0002.wandb"
    whole = verify(log)
    with path.open("r+b") as file:
        raw = bytearray(file.read())
        for magic in _positions(raw):
            if magic > len(raw) // 2:
                raw[magic - 20] ^= 1  # the checksum of every block in the file's second half
                raw[magic] ^= 1
        file.seek(0)
        file.write(raw)
    report = verify(log)
    assert report.severity == 2
    assert report.records + report.missing == whole.records


def _positions(raw: bytearray) -> List[int]:
    found, at = [], raw.find(b"\x28\xb5\x2f\xfd")
    while at >= 0:
        found.append(at)
        at = raw.find(b"\x28\xb5\x2f\xfd", at + 1)
    return found


def test_what_is_no_log_is_said_to_be_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LogNotFound):
        verify(tmp_path)
    (tmp_path / "run-r.wandb").write_bytes(b"notes of mine" * 1000)
    with pytest.raises(ForeignFile, match="not a log"):
        verify(tmp_path)
    with pytest.raises(ForeignFile, match="not a log"):
        salvage(tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    (tmp_path / "run-r.wandb").unlink()
    with monkeypatch.context() as patch:
        patch.setattr("wandb_storage._segment.FORMAT_VERSION", 7)
        create_segment(tmp_path / "run-r.wandb", Identity("r", "0" * 32, 1, 1, 0.0))
    with pytest.raises(NewerFormat):
        verify(tmp_path)


def test_the_segment_of_another_log_is_damage_and_not_read(log: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    write(other, 20)
    write(other, 20, start=20)
    shutil.copy(other / "run-r.seg-0002.wandb", log / "run-r.seg-0002.wandb")
    report = verify(log)
    assert (report.severity, report.rows) == (2, 200)
    assert report.first_damage is not None
    assert "another log" in report.first_damage.message


def test_a_record_with_a_right_checksum_that_is_none_is_damage(tmp_path: Path) -> None:
    """A row whose shape is nowhere: a writer's mistake, which no reader can make good."""
    folder = tmp_path / "log"
    folder.mkdir()
    with Log.create(folder, "r") as log:
        log.append(Console(time=1.0, text="hi"))
        log.append(Row(shape=77, step=0, doubles=[1.0]))
        log.append(Console(time=2.0, text="ho"))
    report = verify(folder)
    assert (report.severity, report.records) == (2, 2)
    assert report.first_damage is not None
    assert report.first_damage.message == "record 2: a row's shape, record 77, is missing"
    assert salvage(folder, tmp_path / "out").missing == 1
    with Reader(tmp_path / "out") as reader:
        assert [entry.kind for entry in reader.entries()] == [8, 0, 8, WriterLost.kind]


def test_progress_comes_to_its_end(log: Path) -> None:
    seen: List[Tuple[int, int]] = []
    verify(log, lambda done, total: seen.append((done, total)))
    assert all(done <= total for done, total in seen)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


# --- what is saved ----------------------------------------------------------------------------------------------------


def test_an_intact_log_is_copied_whole(log: Path, tmp_path: Path) -> None:
    saved = salvage(log, tmp_path / "out")
    assert (saved.missing, saved.rows) == (0, 400)
    assert rows(tmp_path / "out") == rows(log)
    assert verify(tmp_path / "out").severity == 0
    with Reader(log) as old, Reader(tmp_path / "out") as new:
        assert [entry.record for entry in new.entries()] == [entry.record for entry in old.entries()]
        assert new.identity.log_uuid != old.identity.log_uuid


def test_an_unclosed_log_is_saved_with_its_tail_and_how_it_ended(dead: Path, tmp_path: Path) -> None:
    before = rows(dead)
    salvage(dead, tmp_path / "out")
    assert rows(tmp_path / "out") == before
    with Reader(tmp_path / "out") as reader:
        lost = list(reader.entries())[-1].record
    assert isinstance(lost, WriterLost)
    assert lost.pid > 0
    assert "ended without closing the log" in lost.evidence


@pytest.mark.parametrize("pages", [[0], [0, 1]])
def test_without_its_meta_pages_a_log_is_saved_whole(log: Path, tmp_path: Path, pages: List[int]) -> None:
    """LMDB's way into the file is gone, and the identity with it; the blocks are found by their checksums."""
    before = rows(log)
    for path in log.glob("*.wandb"):
        for page in pages:
            zero(path, page)
    saved = salvage(log, tmp_path / "out")
    assert (saved.missing, rows(tmp_path / "out")) == (0, before)


def test_without_branches_and_leaves_only_what_stood_in_them_is_lost(log: Path, tmp_path: Path) -> None:
    """Large blocks have pages of their own."""
    before = rows(log)
    path = log / "run-r.wandb"
    for page in pages_of(path, 1) + pages_of(path, 2):
        zero(path, page)
    report = verify(log)
    assert report.severity == 2
    saved = salvage(log, tmp_path / "out")
    after = rows(tmp_path / "out")
    assert saved.records == report.records
    assert saved.missing + saved.records >= len(before)
    assert after.items() <= before.items()
    assert 250 < len(after) < 400


def test_half_a_file_is_half_a_log(log: Path, tmp_path: Path) -> None:
    before = rows(log)
    path = log / "run-r.wandb"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    salvage(log, tmp_path / "out")
    after = rows(tmp_path / "out")
    assert after.items() <= before.items()
    assert len(after) > 250, "the second segment is whole"


def test_a_flip_inside_a_block_leaves_its_other_records(tmp_path: Path) -> None:
    """Each frame has a checksum of its own, and those that are right are right."""
    folder = tmp_path / "log"
    folder.mkdir()
    rng = random.Random(3)
    with Log.create(folder, "r") as log:
        for number in range(100):
            log.append(Console(time=number, text=rng.randbytes(2000).decode("latin-1")))
    path = folder / "run-r.wandb"
    raw = bytearray(path.read_bytes())
    raw[len(raw) * 3 // 4] ^= 1
    path.write_bytes(raw)
    saved = salvage(folder, tmp_path / "out")
    assert 0 < saved.records < 100
    assert saved.records + saved.missing == 100
    with Reader(folder) as reader, pytest.raises(LogDamaged):
        list(reader.entries())


@pytest.mark.parametrize("seed", range(4))
def test_any_flips_leave_a_report_and_a_log_without_a_wrong_record(log: Path, tmp_path: Path, seed: int) -> None:
    """What a reader would call damaged, verify does; what salvage saves was written, and can be read."""
    before = rows(log)
    rng = random.Random(seed)
    path = log / "run-r.wandb"
    pristine = path.read_bytes()
    for round_number in range(12):
        raw = bytearray(pristine)
        for _ in range(rng.choice([1, 3, 30])):
            raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        path.write_bytes(raw)
        try:
            readable = rows(log)
        except LogError:
            readable = {}
        report = verify(log)
        assert report.severity == (0 if readable == before else 2)
        out = tmp_path / f"out-{round_number}"
        saved = salvage(log, out)
        after = rows(out)
        assert after.items() <= before.items()
        assert len(after) == saved.rows == report.rows
        assert verify(out).severity == 0


def test_a_segment_full_of_small_blocks_rolls_over(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new log has segments of its own."""
    monkeypatch.setattr("wandb_storage._segment_writer.SEGMENT_FILL_BYTES", 1 << 16)
    monkeypatch.setattr("wandb_storage._salvage.COMMIT_BYTES", 1 << 13)
    salvage(log, tmp_path / "out")
    assert len(list((tmp_path / "out").glob("*.wandb"))) > 2
    assert rows(tmp_path / "out") == rows(log)


def test_nothing_is_written_over(log: Path, tmp_path: Path) -> None:
    with pytest.raises(LogUnavailable, match="is there already; name a new folder"):
        salvage(log, log)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(LogUnavailable, match="is there already"):
        salvage(log, tmp_path / "file")
    (tmp_path / "empty").mkdir()
    assert salvage(log, tmp_path / "empty").rows == 400
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "log"]


def test_an_absurd_number_is_not_bridged(tmp_path: Path) -> None:
    """A checksum can be right and its number out of the world: no salvage writes empty records for hours."""
    folder = tmp_path / "log"
    write(folder, 3)
    create_segment(folder / "run-r.seg-0002.wandb", Identity("r", verify(folder).log_uuid, 2, 1 << 60, 0.0))
    tail = wandb_storage._format.tail_header(bytes.fromhex(verify(folder).log_uuid), 1 << 60)
    frame = bytearray(16) + b"\x04\x00\x00\x00\x00\x00\x00\x00"
    wandb_storage._format.seal_frame(frame, 99, 1 << 60)
    (folder / "run-r.tail-0").write_bytes(tail + frame)
    report = verify(folder)
    assert (report.severity, report.missing > 1 << 59) == (2, True)
    with pytest.raises(LogDamaged, match="can be bridged"):
        salvage(folder, tmp_path / "out")
