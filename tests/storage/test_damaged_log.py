"""Files that are not what was written: a precise error, and everything before the damage."""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Any, List, Optional, Tuple

import children
import pytest

from wandb_storage import (
    Console,
    ForeignFile,
    Log,
    LogDamaged,
    LogError,
    LogNotFound,
    NewerFormat,
    Reader,
    Row,
    WriterLost,
    recover,
)
from wandb_storage._format import TAIL_HEADER_BYTES, block, seal_frame, tail_header
from wandb_storage._segment import Identity, create_segment


def steps(folder: Path) -> List[int]:
    with Reader(folder) as reader:
        return [entry.record.step for entry in reader.entries() if isinstance(entry.record, Row)]


def until_damage(folder: Path) -> Tuple[List[Any], Optional[LogError]]:
    """What is read, and the error that ends it."""
    found: List[Any] = []
    try:
        with Reader(folder) as reader:
            for entry in reader.entries():
                found.append(entry)
    except LogError as error:
        return found, error
    return found, None


@pytest.fixture(scope="module")
def dead(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log whose writer was killed, with 2,000 rows or more, and frames in its tail."""
    folder = tmp_path_factory.mktemp("dead")
    children.killed_after(folder, "create", 0, 40_000)
    assert max(path.stat().st_size for path in folder.glob("*.tail-*")) > 1000
    return folder


@pytest.fixture
def log(dead: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(dead, tmp_path / "log"))


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    folder = tmp_path / "closed"
    folder.mkdir()
    rng = random.Random(1)
    with Log.create(folder, "r") as log:
        for number in range(60):
            log.append(Console(time=number, text=rng.randbytes(1500).hex()))
            log.flush()
    return folder


def tail_of(folder: Path) -> Path:
    """The tail with the newest frames."""
    return max(folder.glob("*.tail-*"), key=lambda path: path.read_bytes()[28:36][::-1] if path.stat().st_size else b"")


def test_a_torn_end_is_cut_and_counted(log: Path) -> None:
    """The last frame's append had not returned: it is no error, and not a record."""
    before = steps(log)
    tail = tail_of(log)
    tail.write_bytes(tail.read_bytes()[:-5])
    assert steps(log) == before[:-1]
    lost = recover(log).writer_lost
    assert lost is not None
    assert 0 < lost.torn_bytes < 1000
    assert steps(log) == before[:-1]
    assert (log / f"{tail.name}.damaged").exists(), "what could not be read is kept aside"


def test_zeros_behind_the_end_are_no_records(log: Path) -> None:
    """A crash may leave a file longer than what was written to it."""
    before = steps(log)
    with tail_of(log).open("ab") as tail:
        tail.write(bytes(10_000))
    with Reader(log) as reader:
        assert [e.record.step for e in reader.entries() if isinstance(e.record, Row)] == before
        assert reader.torn_bytes == 10_000
    recover(log)
    assert steps(log) == before


def test_a_tail_of_zeros_is_an_empty_one(log: Path) -> None:
    """The disk kept the length and lost the content: what was committed is what there is."""
    for path in log.glob("*.tail-*"):
        path.write_bytes(bytes(path.stat().st_size))
    committed = steps(log)
    assert committed == list(range(len(committed)))
    recover(log)
    assert steps(log) == committed


def test_a_missing_tail_is_an_empty_one(log: Path) -> None:
    """So is one whose creation the disk forgot."""
    for path in log.glob("*.tail-*"):
        path.unlink()
    committed = steps(log)
    assert committed == list(range(len(committed)))
    assert recover(log).writer_lost is not None


def test_a_hole_between_tails_ends_the_log_and_is_counted(log: Path) -> None:
    """Power loss takes a suffix, never something in the middle: frames behind a hole are lost, and told."""
    committed = steps(log)
    for path in log.glob("*.tail-*"):
        path.unlink()
    committed = steps(log)
    with Reader(log) as reader:
        last, identity = list(reader.entries())[-1].sequence, reader.identity
    frame = bytearray(16) + b"\x04\x00\x00\x00\x00\x00\x00\x00"
    seal_frame(frame, 8, last + 11)
    (log / "run-r.tail-1").write_bytes(tail_header(bytes.fromhex(identity.log_uuid), last + 11) + frame)
    assert steps(log) == committed
    lost = recover(log).writer_lost
    assert lost is not None
    assert lost.lost_records == 11
    assert steps(log) == committed


@pytest.mark.parametrize("action", [recover, Log.open, steps])
def test_the_tail_of_another_log_is_refused(log: Path, action: Any) -> None:
    """A copied file from another run is not read as this one's, nor removed."""
    path = log / "run-r.tail-0"
    path.write_bytes(tail_header(b"x" * 16, 1))
    with pytest.raises(ForeignFile, match=r"run-r\.tail-0: the tail of another log than run r's; move it away"):
        action(log)
    assert path.exists()


def test_a_tail_that_is_something_else_is_refused(log: Path) -> None:
    """A text file under the tail's name is nobody's frames."""
    (log / "run-r.tail-0").write_bytes(b"notes of mine, which are longer than a header is")
    with pytest.raises(ForeignFile, match=r"run-r\.tail-0 at 0: not the tail of a log"):
        recover(log)


def test_a_tail_of_a_later_version_is_refused(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to do."""
    with Reader(log) as reader:
        log_uuid = bytes.fromhex(reader.identity.log_uuid)
    with monkeypatch.context() as patch:
        patch.setattr("wandb_storage._format.FORMAT_VERSION", 2)
        (log / "run-r.tail-0").write_bytes(tail_header(log_uuid, 1))
    with pytest.raises(NewerFormat, match="written in format 2; upgrade wandb"):
        recover(log)


def test_a_segment_of_a_later_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a single record is guessed at."""
    with monkeypatch.context() as patch:
        patch.setattr("wandb_storage._segment.FORMAT_VERSION", 7)
        create_segment(tmp_path / "run-r.wandb", Identity("r", "0" * 32, 1, 1, 0.0))
    with pytest.raises(NewerFormat, match=r"run-r\.wandb: written in format 7, and this version reads up to 1"):
        Reader(tmp_path)


@pytest.mark.parametrize("content", [b"", b"x" * 100, b"x" * 100_000, bytes(8192)])
def test_a_segment_that_is_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    """Empty, short, text or zeros: named, never opened by LMDB."""
    (tmp_path / "run-r.wandb").write_bytes(content)
    for action in (Reader, recover, Log.open):
        with pytest.raises(ForeignFile, match=r"run-r\.wandb"):
            action(tmp_path)


def test_a_segment_of_another_run_is_refused(closed: Path) -> None:
    """A file that was copied over this run's."""
    (closed / "run-r.wandb").rename(closed / "run-s.wandb")
    with pytest.raises(ForeignFile, match="segment 1 of run r, not what its name says; move it away"):
        Reader(closed)


def test_a_directory_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    """With its name."""
    (tmp_path / "run-r.wandb").mkdir()
    with pytest.raises(ForeignFile, match="a directory stands where a log's file should be"):
        Reader(tmp_path)


def test_a_loop_of_links_is_an_error_of_the_system(tmp_path: Path) -> None:
    """And mapped to the package's own."""
    (tmp_path / "run-r.wandb").symlink_to(tmp_path / "run-r.wandb")
    with pytest.raises(LogError, match="symbolic links"):
        Reader(tmp_path)


def test_a_folder_without_a_log_is_named(tmp_path: Path) -> None:
    """LogNotFound, for a folder that is missing, a file, or empty."""
    (tmp_path / "file").write_bytes(b"")
    for folder in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(LogNotFound):
            Reader(folder)


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6, 0.8])
def test_a_truncated_segment_is_read_up_to_the_cut(closed: Path, share: float) -> None:
    """The rest is an error with file and position."""
    path = closed / "run-r.wandb"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    found, error = until_damage(closed)
    assert [entry.record.time for entry in found] == list(range(len(found)))
    assert error is not None
    assert error.path == path
    assert error.position is not None
    assert "cut off" in str(error) or "not an LMDB page" in str(error)


def test_flipped_bits_are_found_or_do_not_matter(closed: Path) -> None:
    """One bit anywhere: all records, or an error behind a beginning of them; never another record."""
    path = closed / "run-r.wandb"
    raw = path.read_bytes()
    with Reader(closed) as reader:
        whole = list(reader.entries())
    rng = random.Random(7)
    damaged = 0
    for _ in range(250):
        changed = bytearray(raw)
        changed[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
        found, error = until_damage(closed)
        assert found == (whole if error is None else whole[: len(found)])
        assert error is None or error.path is not None
        damaged += error is not None
    assert damaged > 50


def test_flipped_bits_in_a_tail_end_it_there(log: Path) -> None:
    """Every bit of a frame is covered by its checksum, or by its number."""
    before = steps(log)
    tail = tail_of(log)
    raw = tail.read_bytes()
    rng = random.Random(3)
    for _ in range(60):
        changed = bytearray(raw)
        changed[rng.randrange(TAIL_HEADER_BYTES, len(raw))] ^= 1 << rng.randrange(8)
        tail.write_bytes(changed)
        found = steps(log)
        assert found == before[: len(found)]
        assert len(found) < len(before)


def test_a_damaged_last_segment_is_not_handed_to_lmdb(log: Path) -> None:
    """Recovery reads it without mapping it, and starts another one where it may not be written."""
    before = steps(log)
    path = log / "run-r.wandb"
    raw = bytearray(path.read_bytes())
    middle = raw.find(b"\x28\xb5\x2f\xfd")  # the first block's zstd frame
    raw[middle + 40] ^= 1
    path.write_bytes(raw)
    recovered = recover(log)
    assert (log / "run-r.seg-0002.wandb").exists()
    found, error = until_damage(log)
    assert error is not None
    assert error.path == path
    assert found == []
    with Reader(log) as reader:
        (last,) = reader.entries(recovered.last_sequence)
    assert isinstance(last.record, WriterLost)
    assert last.record.last_sequence == len(before) + 1, "the rows and their shape"


def test_a_block_that_claims_to_be_huge_takes_no_memory() -> None:
    """zstd's own header may promise a terabyte; the block's header bounds it."""
    import zstandard

    from wandb_storage._blocks import unpack_block
    from wandb_storage._segment import parse_stored

    compressed = bytearray(zstandard.ZstdCompressor(write_content_size=True).compress(b"x" * 70_000))
    parameters = zstandard.get_frame_parameters(bytes(compressed))
    assert parameters.content_size == 70_000
    # A descriptor with an eight-byte content size, in the place of the four-byte one.
    hostile = bytes(compressed[:4]) + bytes([0xE0]) + (1 << 40).to_bytes(8, "little") + bytes(compressed[9:])
    value = block(hostile, 1, 70_000, 1)
    with pytest.raises(LogDamaged, match="holds 1099511627776 bytes, not 70000"):
        unpack_block(parse_stored(b"\x01" + (1).to_bytes(8, "big"), value, Path("x"), 0))


def test_recovery_that_dies_anywhere_is_finished_by_the_next(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At each of its steps in turn: the next recovery finds every record, and reports one lost writer."""
    expected = steps(log)
    for step in ("SegmentWriter.put", "_remove_tails", "check"):
        folder = log.with_name(f"log-{step}")
        shutil.copytree(log, folder)
        with monkeypatch.context() as patch:

            def die(*_: Any, **__: Any) -> None:
                raise MemoryError

            patch.setattr(f"wandb_storage._recovery.{step}", die)
            with pytest.raises(MemoryError):
                recover(folder)
        recover(folder)
        assert steps(folder) == expected
        with Reader(folder) as reader:
            assert sum(isinstance(entry.record, WriterLost) for entry in reader.entries()) == 1
        with Log.open(folder) as reopened:
            assert reopened.recovered is not None
            assert reopened.recovered.writer_lost is None
