"""The cache of artifacts' files: shared between versions and processes, and never much larger than it may be."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from live_server import LiveServer
from made_artifacts import LARGE, contents, made

import wandb
from wandb.sdk.artifacts.artifact_file_cache import get_artifact_file_cache
from wandb_storage import ObjectCache, encoded, new_hash


def digest_of(content: bytes) -> str:
    found = new_hash()
    found.update(content)
    return encoded(found)


def put(cache: ObjectCache, content: bytes) -> Path:
    path = cache.path_of(digest_of(content))
    with cache.new_file(path, len(content)) as file:
        file.write(content)
    return path


def held(cache: ObjectCache) -> int:
    return sum(path.stat().st_size for path in (cache.folder / "obj").rglob("*") if path.is_file())


def test_files_stand_where_other_clients_look_for_them(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "c")
    assert put(cache, b"hello") == tmp_path / "c" / "obj" / "md5" / "5d" / "41402abc4b2a76b9719d911017c592"
    with cache.open(cache.path_of(digest_of(b"hello")), 5) or pytest.fail("it is not there") as file:
        assert file.read() == b"hello"
    assert cache.open(cache.path_of(digest_of(b"hello")), 6) is None, "of another size it is not the file"
    assert cache.open(cache.path_of(digest_of(b"absent")), None) is None
    assert (tmp_path / "c").stat().st_mode & 0o777 == 0o700


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "c")
    path = cache.path_of(digest_of(b"x"))
    with pytest.raises(ZeroDivisionError), cache.new_file(path, 1) as file:
        file.write(str(1 / 0).encode())
    assert [one for one in (tmp_path / "c").rglob("*") if one.is_file()] == []


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "c")
    paths = [put(cache, bytes([number]) * 1000) for number in range(4)]
    for number, path in enumerate(paths):
        os.utime(path, (1000.0 + number, 1000.0))
    cache.open(paths[0], 1000).close()  # type: ignore[union-attr]
    use = cache.cleanup(2500)
    assert (use.before, use.reclaimed) == (4000, 2000)
    assert [path.exists() for path in paths] == [True, False, False, True]


def test_the_limit_holds_while_files_come_in(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "c", 20_000)
    for number in range(100):
        put(cache, number.to_bytes(2, "big") * 500)
        assert held(cache) <= 21_000
    with pytest.raises(OSError, match="more than the cache may hold"):
        put(cache, b"x" * 20_001)


def test_a_file_that_is_read_stays_with_its_reader(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "c")
    file = cache.open(put(cache, b"hello"), 5)
    assert file is not None
    with file:
        cache.cleanup(0)
        assert file.read() == b"hello"
    assert held(cache) == 0


FILLS = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[1]]
from test_artifact_cache import put
from wandb_storage import ObjectCache
cache = ObjectCache(Path(sys.argv[2]), 50_000)
for number in range(120):
    content = (number % 120).to_bytes(2, "big") * 500
    path = put(cache, content)
    file = cache.open(path, len(content))
    if file is not None:
        with file:
            assert file.read() == content
"""


def test_processes_share_it_without_a_lock(tmp_path: Path) -> None:
    """Each adds, reads and cleans at the same time; none ever reads anything but what belongs there."""
    arguments = [sys.executable, "-c", FILLS, str(Path(__file__).parent), str(tmp_path / "c")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    processes = [subprocess.Popen(arguments, env=environment) for _ in range(3)]
    assert [process.wait(60) for process in processes] == [0, 0, 0]
    assert held(ObjectCache(tmp_path / "c")) <= 60_000


def test_leftovers_of_a_killed_process_go_when_they_are_old_or_when_asked(tmp_path: Path) -> None:
    cache = ObjectCache(tmp_path / "c")
    put(cache, b"x")
    for name, age in (("old", 10.0), ("young", 1e10)):
        (cache.folder / "tmp" / name).write_bytes(b"half")
        os.utime(cache.folder / "tmp" / name, (age, age))
    assert cache.cleanup(1000).temporary == 4
    assert [path.name for path in (cache.folder / "tmp").iterdir()] == ["young"]
    cache.cleanup(1000, remove_temporary=True)
    assert list((cache.folder / "tmp").iterdir()) == []


def test_versions_share_what_they_have_in_common(server: LiveServer) -> None:
    with wandb.init() as run:
        first = run.log_artifact(made(files={"large": LARGE, "a": b"1"})).wait(60)
        second = run.log_artifact(made(files={"moved/large": LARGE, "a": b"2"})).wait(60)
    first.download()
    cache = get_artifact_file_cache()
    assert held(cache) == len(LARGE) + 1
    second.download()
    assert held(cache) == len(LARGE) + 2
    assert contents("artifacts/ds:v1") == {"moved/large": LARGE, "a": b"2"}
    cache.cleanup(0)
    second.download("uncached", skip_cache=True)
    assert held(cache) == 0


def test_who_edits_a_downloaded_file_changes_neither_the_cache_nor_others(server: LiveServer) -> None:
    with wandb.init() as run:
        version = run.log_artifact(made(files={"large": LARGE})).wait(60)
    for folder in ("one", "two"):
        version.download(folder)
    with open("one/large", "r+b") as file:
        file.write(b"edited")
    version.download("three")
    assert contents("two") == contents("three") == {"large": LARGE}


def test_a_cache_that_cant_be_written_is_done_without(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with wandb.init() as run:
        version = run.log_artifact(made(files={"large": LARGE, "a": b"1"})).wait(60)
    monkeypatch.setenv("WANDB_CACHE_DIR", "/proc/nothing")
    assert contents(version.download()) == {"large": LARGE, "a": b"1"}
    monkeypatch.setenv("WANDB_CACHE_LIMIT", "plenty")
    with pytest.raises(wandb.UsageError, match="WANDB_CACHE_LIMIT"):
        version.download("other")
