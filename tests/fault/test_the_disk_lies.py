"""A disk that gives back something else than it was given: one test for each lie.

Each gets an error that names the file and says what to do, or a complete recovery. Nothing that is read was not
written, and no lie ends the process, hangs it, or makes it take memory without bound.
"""

from __future__ import annotations

import functools
import json
import shutil
from pathlib import Path
from typing import Any, Callable, List, Tuple, Type

import flips
import pytest

from wandb_storage import (
    Entry,
    ForeignFile,
    Log,
    LogDamaged,
    LogError,
    LogNotFound,
    LogUnavailable,
    NewerFormat,
    Reader,
    WriterLost,
    recover,
    verify,
)
from wandb_storage._format import TAIL_HEADER_BYTES, seal_frame, tail_header
from wandb_storage._segment import Identity, create_segment

FLIPS, SEED = 300, 1


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two logs, one closed and one whose writer died, each of several segments."""
    folder = tmp_path_factory.mktemp("originals")
    for name in ("closed", "dead"):
        flips.write_log(folder / name, name, close=name == "closed")
    return folder


@pytest.fixture
def closed(originals: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals / "closed", tmp_path / "closed"))


@pytest.fixture
def dead(originals: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(originals / "dead", tmp_path / "dead"))


def read(folder: Path) -> List[Entry]:
    """Everything, in a process that may take little memory and time."""
    flips.in_child(lambda: len(flips.until_error(folder)[0]))
    with Reader(folder) as reader:
        return list(reader.entries())


def last_segment(folder: Path) -> Path:
    return max(folder.glob("*.seg-*.wandb"))


def current_tail(folder: Path) -> Path:
    """The one with records that stand nowhere else."""
    return max(folder.glob("*.tail-[01]"), key=lambda path: path.stat().st_size)


def recovered(folder: Path) -> Tuple[List[Entry], WriterLost]:
    """The records after a recovery, and what it says about the writer."""
    lost = recover(folder).writer_lost
    assert lost is not None
    *found, last = read(folder)
    assert last.record == lost
    assert recover(folder).writer_lost is None
    return found, lost


def refused(folder: Path, error: Type[LogError], message: str) -> None:
    """By everybody who wants the log, with the same error."""
    for action in (lambda where: list(Reader(where).entries()), recover, Log.open):
        call: Callable[[Path], Any] = action
        with pytest.raises(error, match=message):
            call(folder)


def test_a_zeroed_tail_is_an_empty_one(dead: Path) -> None:
    """The disk kept the length and lost the content: every committed record is there, and the log goes on."""
    whole = read(dead)
    tail = current_tail(dead)
    tail.write_bytes(bytes(tail.stat().st_size))
    before = read(dead)
    size = tail.stat().st_size
    found, lost = recovered(dead)
    assert found == before == whole[: len(before)]
    assert len(whole) - 40 < len(before) < len(whole)
    assert lost.torn_bytes == size
    assert f"{size} bytes that waited for their commit can't be read" in lost.evidence
    assert tail.with_name(f"{tail.name}.damaged").read_bytes() == bytes(size)


@pytest.mark.parametrize("place", [0, 8, 12, 20, 28, 36])
def test_a_damaged_tail_header_costs_no_record(dead: Path, place: int) -> None:
    """The frames behind it say where they belong, and what is left of the header that they are this log's."""
    whole = read(dead)
    tail = current_tail(dead)
    raw = bytearray(tail.read_bytes())
    raw[place] ^= 0x10
    tail.write_bytes(raw)
    assert read(dead) == whole
    found, lost = recovered(dead)
    assert found == whole
    assert not lost.torn_bytes


def test_frames_behind_a_header_that_proves_nothing_are_kept_aside(dead: Path) -> None:
    """They may be any log's: nobody reads them, nobody deletes them, and the log says that something may be missing."""
    whole = read(dead)
    tail = current_tail(dead)
    raw = bytes(TAIL_HEADER_BYTES) + tail.read_bytes()[TAIL_HEADER_BYTES:]
    tail.write_bytes(raw)
    found, lost = recovered(dead)
    assert found == whole[: len(found)]
    assert len(found) < len(whole)
    assert "how many records they held is not known" in lost.evidence
    assert tail.with_name(f"{tail.name}.damaged").read_bytes() == raw


def test_a_half_zeroed_tail_ends_where_the_zeros_begin(dead: Path) -> None:
    """And says how many bytes were no records."""
    whole = read(dead)
    tail = current_tail(dead)
    raw = tail.read_bytes()
    tail.write_bytes(raw[: len(raw) // 2] + bytes(len(raw) - len(raw) // 2))
    found, lost = recovered(dead)
    assert found == whole[: len(found)]
    assert len(found) < len(whole)
    assert lost.torn_bytes > 0


@pytest.mark.parametrize("bytes_left", [1, 15, 100, 151])
def test_a_file_cut_inside_its_first_page_is_no_log(closed: Path, bytes_left: int) -> None:
    """LMDB would be killed by the system for mapping it; it is not asked."""
    path = closed / "run-closed.wandb"
    path.write_bytes(path.read_bytes()[:bytes_left])
    refused(closed, ForeignFile, rf"run-closed\.wandb: {bytes_left} bytes are too few for a log")


@pytest.mark.parametrize("page", [0, 1])
def test_a_zeroed_meta_page_leaves_the_other_one(closed: Path, page: int) -> None:
    """All records or a beginning of them, without a guess; LMDB keeps the last two states."""
    whole = read(closed)
    path = last_segment(closed)
    raw = bytearray(path.read_bytes())
    raw[page * 4096 : (page + 1) * 4096] = bytes(4096)
    path.write_bytes(raw)
    found, _ = flips.until_error(closed)
    assert found == whole[: len(found)]
    flips.in_child(lambda: flips.read_what_is_there(closed, whole))


def newest_meta_page(path: Path) -> int:
    raw = path.read_bytes()
    return max((0, 1), key=lambda page: int.from_bytes(raw[page * 4096 + 144 : page * 4096 + 152], "little"))


def take_back(path: Path) -> None:
    """Damage the newest meta page: LMDB goes on with the transaction before, and says nothing."""
    with path.open("r+b") as file:
        file.seek(newest_meta_page(path) * 4096 + 16)
        file.write(bytes(4))


def test_a_closed_log_whose_seal_was_taken_back_is_closed_nevertheless(closed: Path) -> None:
    """The last transaction held the seal alone: every record is there, and nobody is said to have died."""
    whole = read(closed)
    take_back(last_segment(closed))
    assert read(closed) == whole
    assert recover(closed).writer_lost is None
    assert read(closed) == whole
    with Log.open(closed) as log:
        log.append_row({"value": 1.0}, 9999, 1.0, 2)
    assert read(closed)[: len(whole)] == whole


def test_a_closed_log_that_was_taken_back_is_an_error_and_then_a_loss_with_evidence(dead: Path) -> None:
    """The last transaction held records, those that a recovery found: fewer are never read as if they were all."""
    recover(dead)
    whole = read(dead)
    take_back(last_segment(dead))
    found, error = flips.until_error(dead)
    assert found == whole[: len(found)]
    missing = len(whole) - len(found)
    assert missing > 1
    assert isinstance(error, LogDamaged)
    assert f"records {len(found) + 1} to {len(whole)} are missing: the log was closed behind record" in str(error)
    with Reader(dead) as reader, pytest.raises(LogDamaged, match=f"the log was closed behind record {len(whole)}"):
        reader.last_committed()
    report = verify(dead)
    assert report.gaps == [(len(found) + 1, len(whole))]
    again, lost = recovered(dead)
    assert again == found
    assert lost.lost_records == missing
    assert f"{missing} records are missing" in lost.evidence


def test_a_seal_alone_does_not_close_a_log_with_a_tail_that_nobody_can_read(closed: Path) -> None:
    """A writer seals a segment too when it goes on to the next, which the disk may have lost: the owner file tells."""
    whole = read(closed)
    tail, owner = closed / "run-closed.tail-0", closed / "run-closed.owner"
    tail.write_bytes(bytes(1000))
    assert recover(closed).writer_lost is None
    assert tail.with_name(f"{tail.name}.damaged").exists()
    tail.write_bytes(bytes(1000))
    owner.write_text(json.dumps({**json.loads(owner.read_bytes()), "closed": None}))
    found, lost = recovered(closed)
    assert found == whole
    assert "how many records they held is not known" in lost.evidence


def test_a_file_without_both_meta_pages_is_no_log(closed: Path) -> None:
    """The message names the place."""
    path = last_segment(closed)
    path.write_bytes(bytes(8192) + path.read_bytes()[8192:])
    refused(closed, ForeignFile, r"seg-\d+\.wandb at 0: not a log: neither of its first two pages")


def test_flipped_bits_make_no_record_that_was_not_written(tmp_path: Path) -> None:
    """The short form of the campaign: bits, zeros and misplaced sectors anywhere in any of the files."""
    tried, wrong = flips.campaign(FLIPS, SEED, tmp_path)
    assert not wrong
    assert tried["flips"] == FLIPS
    assert tried["an error"] > 10


# Of a meta page: the kind of the database of free pages, the unused pad of the main one, the number of the last page.
@pytest.mark.parametrize("place", [44, 89, 90, 91, 136])
def test_what_lmdb_would_end_the_process_over_is_not_given_to_it(dead: Path, tmp_path: Path, place: int) -> None:
    """Found by the campaign with seed 33: LMDB aborts over one of these, refuses some, and writes over what is in use
    with the last."""
    whole, _ = flips.until_error(dead)
    last = max(dead.glob("run-*.seg-*.wandb"))
    raw = last.read_bytes()
    for bit in range(16):
        changed = bytearray(raw)
        changed[place + (bit // 8) * 4096] ^= 1 << bit % 8  # of either meta page
        folder = Path(shutil.copytree(dead, tmp_path / f"bit-{bit}"))
        (folder / last.name).write_bytes(changed)
        flips.in_child(functools.partial(flips.read_what_is_there, folder, whole))


def test_a_segment_of_another_run_in_its_place_is_refused(closed: Path, dead: Path) -> None:
    """Under the right name: its identity tells, and nothing of it is read."""
    shutil.copy(dead / "run-dead.wandb", closed / "run-closed.wandb")
    refused(closed, ForeignFile, r"run-closed\.wandb: segment 1 of run dead, not what its name says; move it away")


def test_a_segment_of_another_log_of_the_same_run_is_refused(closed: Path, tmp_path: Path) -> None:
    """Somebody logged the same run twice, and mixed the folders."""
    flips.write_log(tmp_path / "twin", "closed", close=True)
    shutil.copy(last_segment(tmp_path / "twin"), last_segment(closed))
    refused(closed, ForeignFile, r"a segment of another log of run closed; move it away")


def test_a_tail_of_another_run_in_its_place_is_refused(closed: Path, dead: Path) -> None:
    """It is neither read as this run's nor removed with this run's."""
    path = closed / "run-closed.tail-0"
    shutil.copy(current_tail(dead), path)
    refused(closed, ForeignFile, r"run-closed\.tail-0: the tail of another log than run closed's; move it away")
    assert path.exists()


def test_a_newer_segment_is_refused_before_a_record_is_guessed_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With both versions, and what to do."""
    with monkeypatch.context() as patch:
        patch.setattr("wandb_storage._segment.FORMAT_VERSION", 7)
        create_segment(tmp_path / "run-r.wandb", Identity("r", "0" * 32, 1, 1, 0.0))
    refused(tmp_path, NewerFormat, r"run-r\.wandb: written in format 7, and this version reads up to \d+; upgrade")


def test_a_newer_tail_is_refused_before_a_record_is_guessed_at(dead: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The committed records could be read, but nobody can tell what the rest means."""
    with Reader(dead) as reader:
        log_uuid = bytes.fromhex(reader.identity.log_uuid)
    with monkeypatch.context() as patch:
        patch.setattr("wandb_storage._format.FORMAT_VERSION", 7)
        current_tail(dead).write_bytes(tail_header(log_uuid, 1))
    refused(dead, NewerFormat, "written in format 7; upgrade wandb")


def test_an_empty_segment_is_no_log(closed: Path) -> None:
    """The first or a later one."""
    last_segment(closed).write_bytes(b"")
    refused(closed, ForeignFile, r"seg-\d+\.wandb: 0 bytes are too few for a log; it was cut off or never written")


def test_an_empty_tail_has_no_records(dead: Path) -> None:
    """As a crash at its creation leaves it."""
    whole = read(dead)
    current_tail(dead).write_bytes(b"")
    found, _ = recovered(dead)
    assert found == whole[: len(found)]


@pytest.mark.parametrize("name", ["run-dead.wandb", "run-dead.seg-0002.wandb"])
def test_a_directory_in_the_place_of_a_segment_is_refused(dead: Path, name: str) -> None:
    """With its name, not as a failure of a read."""
    (dead / name).unlink()
    (dead / name).mkdir()
    refused(dead, ForeignFile, rf"{name}: a directory stands where a log's file should be; move it away")


@pytest.mark.parametrize("name", ["run-dead.tail-0", "run-dead.owner"])
def test_a_directory_in_the_place_of_another_file_is_an_error_with_its_reason(dead: Path, name: str) -> None:
    """Of the package, whoever meets it."""
    (dead / name).unlink()
    (dead / name).mkdir()
    for action in (recover, Log.open):
        call: Callable[[Path], Any] = action
        with pytest.raises(LogError, match="Is a directory"):
            call(dead)


def test_a_tail_that_is_a_directory_is_an_error_for_readers_too(dead: Path) -> None:
    """Not an OSError from the depths."""
    (dead / "run-dead.tail-0").unlink()
    (dead / "run-dead.tail-0").mkdir()
    with pytest.raises(LogError, match="Is a directory"), Reader(dead) as reader:
        list(reader.entries())


@pytest.mark.parametrize("name", ["run-dead.wandb", "run-dead.tail-0", "run-dead.owner"])
def test_a_loop_of_links_is_an_error_with_its_reason(dead: Path, name: str) -> None:
    """The system's own words."""
    (dead / name).unlink()
    (dead / name).symlink_to(dead / name)
    refused(dead, LogUnavailable, "Too many levels of symbolic links")


def test_a_stale_owner_file_holds_nobody_up(dead: Path) -> None:
    """It names a process that lives, of this machine and this boot; but the lock is free, and that is what counts."""
    whole = read(dead)
    owner = dead / "run-dead.owner"
    fields = json.loads(owner.read_bytes())
    owner.write_text(json.dumps({**fields, "pid": 1}))
    with Reader(dead) as reader:
        assert reader.writer() is None
    found, lost = recovered(dead)
    assert found == whole
    assert lost.pid == 1


@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"[1, 2", b'{"host": 1}', b"[" * 5000, b"\xff" * 5000])
def test_an_owner_file_of_nonsense_names_nobody(dead: Path, content: bytes) -> None:
    """The log is recovered; who wrote it is not known."""
    whole = read(dead)
    (dead / "run-dead.owner").write_bytes(content)
    found, lost = recovered(dead)
    assert found == whole
    assert (lost.cause, lost.evidence) == ("unknown", "the log names no writer")


def test_missing_tails_are_empty_ones(dead: Path) -> None:
    """The disk forgot their names: what was committed is there, and the log goes on."""
    whole = read(dead)
    for path in dead.glob("*.tail-*"):
        path.unlink()
    found, _ = recovered(dead)
    assert found == whole[: len(found)]
    assert len(found) > 300


def test_records_of_a_tail_behind_a_gap_are_counted_not_read(dead: Path) -> None:
    """The tail is newer than the log: what is between is lost, and nothing is put in its place."""
    for path in dead.glob("*.tail-*"):
        path.unlink()
    committed = read(dead)
    with Reader(dead) as reader:
        log_uuid = bytes.fromhex(reader.identity.log_uuid)
    frame = bytearray(16) + b"\x04\x00\x00\x00\x00\x00\x00\x00"
    seal_frame(frame, 8, len(committed) + 11)
    (dead / "run-dead.tail-1").write_bytes(tail_header(log_uuid, len(committed) + 11) + frame)
    found, lost = recovered(dead)
    assert found == committed
    assert lost.lost_records == 11
    assert "11 records of its last moments are missing" in lost.evidence
    assert (dead / "run-dead.tail-1.damaged").exists(), "what could not be used is kept aside"


def test_records_of_a_tail_that_the_log_has_are_read_once(dead: Path) -> None:
    """The log is newer than the tail: a commit was done, and the tail not yet emptied."""
    whole = read(dead)
    tail = current_tail(dead)
    raw = tail.read_bytes()
    recover(dead)
    tail.write_bytes(raw)
    *found, last = read(dead)
    assert found == whole
    assert isinstance(last.record, WriterLost)
    assert recover(dead).writer_lost is None
    assert read(dead) == [*found, last]
    assert len(raw) > TAIL_HEADER_BYTES


def test_a_missing_segment_in_the_middle_is_named(closed: Path) -> None:
    """Everything before it is read, and then which records are missing."""
    whole = read(closed)
    (closed / "run-closed.seg-0002.wandb").unlink()
    found, error = flips.until_error(closed)
    assert isinstance(error, LogDamaged)
    assert "are missing" in str(error)
    assert found == whole[: len(found)]


def test_a_missing_last_segment_is_the_end_of_the_log(dead: Path) -> None:
    """What the tail holds behind it is counted, not read."""
    whole = read(dead)
    last_segment(dead).unlink()
    found, lost = recovered(dead)
    assert found == whole[: len(found)]
    assert lost.lost_records > 0


def test_a_folder_without_any_segment_holds_no_log(dead: Path) -> None:
    """Tails and owner alone are not enough to know what the log was."""
    for path in dead.glob("*.wandb"):
        path.unlink()
    refused(dead, LogNotFound, "it holds no log")
