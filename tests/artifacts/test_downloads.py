"""Bytes on their way from a server: in ranges, from addresses that grow old, to where the entries say, nowhere else.

Whatever breaks on the way, the next download goes on where this one was, and no wrong byte ever arrives.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any, Callable, List, Tuple

import pytest
from live_server import LiveServer
from made_artifacts import LARGE, contents, made
from namespace import in_a_namespace
from stores import WebServer

import wandb
from wandb.apis._client import Client
from wandb.errors import CommError
from wandb.sdk.artifacts import _ranges
from wandb.sdk.artifacts.artifact_manifest import ArtifactManifest
from wandb.sdk.artifacts.exceptions import ArtifactError


class Source:
    """Bytes that are fetched in ranges, and which ranges were asked for."""

    def __init__(self, content: bytes, keeps_to_ranges: bool = True) -> None:
        self.content, self.keeps_to_ranges = content, keeps_to_ranges
        self.asked: List[Tuple[int, int]] = []
        self.broken_from = len(content) + 1

    def fetch(self, start: int, stop: int, write: Callable[[bytes], object]) -> bool:
        self.asked.append((start, stop))
        for offset in range(start, stop, 1000):
            if offset >= self.broken_from:
                raise CommError("broken off")
            write(self.content[offset : min(offset + 1000, stop)])
        return self.keeps_to_ranges


@pytest.fixture
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ranges, "_RANGE_BYTES", 10_000)


@pytest.mark.parametrize("size", [0, 1, 9_999, 10_000, 10_001, 123_456])
def test_ranges_add_up_to_the_file_and_its_hash(small_ranges: None, tmp_path: Path, size: int) -> None:
    source, found = Source(os.urandom(size)), hashlib.md5()
    with (tmp_path / "x").open("w+b") as file:
        _ranges.fetch_ranges(source.fetch, size, file.fileno(), found, 3)
    assert (tmp_path / "x").read_bytes() == source.content
    assert found.digest() == hashlib.md5(source.content).digest()
    assert len(source.asked) == -(-size // 10_000)


def test_a_server_without_ranges_is_asked_for_the_rest_at_once(small_ranges: None, tmp_path: Path) -> None:
    source, found = Source(os.urandom(50_000), keeps_to_ranges=False), hashlib.md5()
    with (tmp_path / "x").open("w+b") as file:
        _ranges.fetch_ranges(source.fetch, 50_000, file.fileno(), found, 3)
    assert (tmp_path / "x").read_bytes() == source.content
    assert found.digest() == hashlib.md5(source.content).digest()
    assert source.asked == [(0, 10_000), (10_000, 50_000)]


def test_a_stream_that_breaks_off_ends_all(small_ranges: None, tmp_path: Path) -> None:
    source = Source(os.urandom(1_000_000))
    source.broken_from = 55_000
    with (tmp_path / "x").open("w+b") as file, pytest.raises(CommError, match="broken off"):
        _ranges.fetch_ranges(source.fetch, 1_000_000, file.fileno(), hashlib.md5(), 2)
    assert len(source.asked) < 20


def test_a_stream_that_is_short_is_an_error(small_ranges: None, tmp_path: Path) -> None:
    def short(start: int, stop: int, write: Callable[[bytes], object]) -> bool:
        write(b"x" * (stop - start - 1))
        return True

    with (tmp_path / "x").open("w+b") as file, pytest.raises(CommError, match="has sent 9999 of 10000 bytes"):
        _ranges.fetch_ranges(short, 50_000, file.fileno(), hashlib.md5(), 2)


# --- with a server ----------------------------------------------------------------------------------------------------


def test_a_large_file_comes_in_ranges_and_stays_in_the_cache(
    server: LiveServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("wandb.sdk.artifacts._download.RANGED_BYTES_MIN", len(LARGE))
    monkeypatch.setattr(_ranges, "_RANGE_BYTES", 300_000)
    with wandb.init() as run:
        logged = run.log_artifact(made(files={"large.bin": LARGE + b"tail"})).wait(60)
        ranges: List[Tuple[int, Any]] = []
        fetch_range = Client.fetch_range

        def counted(self: Client, url: str, name: str, write: Any, start: int, stop: Any) -> bool:
            ranges.append((start, stop))
            return fetch_range(self, url, name, write, start, stop)

        monkeypatch.setattr(Client, "fetch_range", counted)
        for folder in ("first", "second"):
            assert contents(logged.download(folder)) == {"large.bin": LARGE + b"tail"}
    size = len(LARGE) + 4
    assert sorted(one for one in ranges if one[1]) == [
        (start, min(start + 300_000, size)) for start in range(0, size, 300_000)
    ]


def test_an_address_that_has_grown_old_is_asked_for_again(server: LiveServer) -> None:
    with wandb.init() as run:
        logged = run.log_artifact(made(files={"a": b"content"})).wait(60)
    entry = logged.get_entry("a")
    entry._url = f"{server.url}/no/such/address"
    assert Path(entry.download()).read_bytes() == b"content"
    entry = logged.get_entry("a")
    entry._url = f"{server.url}/no/such/address"
    wandb.Api().artifact(f"{run.project}/ds:v0").delete(delete_aliases=True)
    with pytest.raises(CommError):
        entry.download("elsewhere", skip_cache=True)


def test_a_file_that_was_begun_is_gone_on_with(small_ranges: None, tmp_path: Path) -> None:
    source, found = Source(os.urandom(55_000)), hashlib.md5()
    told: List[int] = []
    with (tmp_path / "x").open("w+b") as file:
        file.write(source.content[:30_000])
        file.flush()
        _ranges.fetch_ranges(source.fetch, 55_000, file.fileno(), found, 3, 30_000, told.append)
    assert (tmp_path / "x").read_bytes() == source.content
    assert found.digest() == hashlib.md5(source.content).digest()
    assert sorted(source.asked) == [(30_000, 40_000), (40_000, 50_000), (50_000, 55_000)]
    assert told == [40_000, 50_000, 55_000]


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path: Path) -> None:
    with wandb.init(mode="offline") as run:
        version = run.log_artifact(made())
        (tmp_path / "taken").write_text("x")
        for root in ("taken", "taken/below"):
            with pytest.raises(NotADirectoryError, match=f"{root} can't be a folder"):
                version.download(root)


def test_files_come_several_at_a_time(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"f/{number}": str(number).encode() for number in range(8)}
    with wandb.init() as run:
        logged = run.log_artifact(made(files={**files, "other": b"x"})).wait(60)
        several, fetch_range, names = threading.Barrier(4, timeout=60), Client.fetch_range, []

        def together(self: Client, url: str, name: str, write: Any, start: int, stop: Any) -> bool:
            names.append(name)
            several.wait()  # each waits for three more
            return fetch_range(self, url, name, write, start, stop)

        logged.manifest  # noqa: B018  # is fetched alone
        monkeypatch.setattr(Client, "fetch_range", together)
        assert contents(logged.download("here", path_prefix="f/")) == files
    assert sorted(names) == sorted(files)


def test_bytes_that_were_damaged_on_the_way_are_fetched_again(server: LiveServer, web: WebServer) -> None:
    files = {"small": b"right", "large": LARGE}
    with wandb.init() as run:
        logged = run.log_artifact(made(files=files)).wait(60)
    for name, content in files.items():
        entry = logged.get_entry(name)
        entry._url = f"{web.url}/{name}"
        web.pages[f"/{name}"] = (content[:-1] + b"?", None)
        assert Path(entry.download()).read_bytes() == content
        assert web.served[f"/{name}"] == 1


def test_nobody_waits_for_the_rest_when_one_file_fails(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor when the user has interrupted it."""
    with wandb.init() as run:
        logged = run.log_artifact(made(files={"a": b"small", "large": LARGE})).wait(60)
        begun, ended = threading.Event(), threading.Event()

        def endless(self: Client, url: str, name: str, write: Any, start: int, stop: Any) -> bool:
            if name == "a":
                begun.wait(60)
                raise CommError("it is refused")
            begun.set()
            try:
                while not ended.wait(0.001):
                    write(b"")
            except CancelledError:
                ended.set()
                raise
            return True

        logged.manifest  # noqa: B018  # is fetched alone
        monkeypatch.setattr(Client, "fetch_range", endless)
        with pytest.raises(CommError, match="it is refused"):
            logged.download()
    assert ended.is_set()


DOWNLOADS = """
import os, signal, sys, threading
import wandb
from wandb.apis._client import Client
from wandb.sdk.artifacts import _download, _ranges
path, folder, dies_after = sys.argv[1], sys.argv[2], int(sys.argv[3])
_download.RANGED_BYTES_MIN, _ranges._RANGE_BYTES = 1 << 20, 100_000
fetch_range, lock, ranges = Client.fetch_range, threading.Lock(), 0
def counted(self, url, name, write, start, stop):
    global ranges
    if stop is not None:
        with lock:
            ranges += 1
            if ranges == dies_after:
                os.kill(os.getpid(), signal.SIGKILL)
    return fetch_range(self, url, name, write, start, stop)
Client.fetch_range = counted
wandb.Api().artifact(path).download(folder)
print(ranges)
"""
RANGES = -(-len(LARGE) // 100_000)


def downloading(name: str, folder: str, dies_after: int = 0) -> subprocess.Popen[str]:
    """A process that downloads a version to a folder, in small ranges, and tells how many it has fetched."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    path = f"{os.environ['WANDB_PROJECT']}/{name}"
    command = [sys.executable, "-c", DOWNLOADS, path, folder, str(dies_after)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def ranges_of(process: subprocess.Popen[str]) -> int:
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return int(said)


def in_cache() -> List[Path]:
    return [path for path in (Path(os.environ["XDG_CACHE_HOME"]) / "wandb").rglob("tmp/*") if path.is_file()]


def test_a_download_that_was_killed_goes_on_where_it_was(server: LiveServer) -> None:
    with wandb.init() as run:
        run.log_artifact(made(files={"large": LARGE})).wait(60)
    with downloading("ds:v0", "here", dies_after=RANGES - 2) as killed:
        assert killed.wait(60) == -signal.SIGKILL
    assert contents("here") == {}
    (begun,) = in_cache()
    with downloading("ds:v0", "here") as second:
        assert ranges_of(second) < RANGES - 2
    assert contents("here") == {"large": LARGE}
    assert not begun.exists()


def test_what_a_power_loss_has_taken_of_it_is_fetched_again(server: LiveServer) -> None:
    with wandb.init() as run:
        run.log_artifact(made(files={"large": LARGE})).wait(60)
    with downloading("ds:v0", "here", dies_after=RANGES - 2) as killed:
        assert killed.wait(60) == -signal.SIGKILL
    with in_cache()[0].open("r+b") as begun:
        begun.write(bytes(4096))
    with downloading("ds:v0", "here") as second:
        assert ranges_of(second) > RANGES
    assert contents("here") == {"large": LARGE}
    assert in_cache() == []


def test_of_several_processes_one_fetches_a_large_file(server: LiveServer) -> None:
    """As the ranks of a training do, each for itself; the first dies over it."""
    with wandb.init() as run:
        run.log_artifact(made(files={"large": LARGE})).wait(60)
    processes = [downloading("ds:v0", "0", dies_after=5), *(downloading("ds:v0", str(rank)) for rank in (1, 2))]
    assert processes[0].wait(60) in (-signal.SIGKILL, 0)  # 0 where the others had it before
    processes[0].communicate()
    # What died had fetched at most a few, and not yet noted some of those.
    assert RANGES - 5 <= sum(ranges_of(process) for process in processes[1:]) <= RANGES
    assert contents("1") == contents("2") == {"large": LARGE}


def test_a_full_disk_is_an_error_that_leaves_nothing_half(server: LiveServer, tmp_path: Path) -> None:
    with wandb.init() as run:
        run.log_artifact(made(files={"a": b"small", "large": LARGE})).wait(60)
    script = """
import errno, os, subprocess, sys
import wandb
folder, path = sys.argv[1], sys.argv[2]
def mount(options):
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], check=True)
mount("size=1m")
os.environ["WANDB_CACHE_DIR"] = folder + "/cache"
version = wandb.Api().artifact(path)
try:
    version.download(folder + "/here")
except OSError as error:
    print(errno.errorcode[error.errno], error.filename == folder + "/here/large")
print([name for name in os.listdir(folder + "/here") if name != "a"])
mount("remount,size=64m")
print(os.path.getsize(version.download(folder + "/here") + "/large"))
version.verify(folder + "/here")
"""
    (tmp_path / "disk").mkdir()
    assert in_a_namespace(script, tmp_path / "disk", f"{run.project}/ds:v0") == ["ENOSPC True", "[]", str(len(LARGE))]


def test_a_disk_without_room_for_the_cache_too_keeps_the_users_file(server: LiveServer, tmp_path: Path) -> None:
    with wandb.init() as run:
        run.log_artifact(made(files={"large": LARGE})).wait(60)
    script = """
import os, subprocess, sys
import wandb, wandb_storage._object_cache as cache
folder, path = sys.argv[1], sys.argv[2]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", folder], check=True)
os.environ["WANDB_CACHE_DIR"], cache._FREE_BYTES_MIN = folder + "/cache", 0
version = wandb.Api().artifact(path)
version.verify(version.download(folder + "/here"))
print([len(names) for _, _, names in os.walk(folder + "/cache/artifacts/obj") if names])
print(oct(os.stat(folder + "/here/large").st_mode & 0o222))
"""
    (tmp_path / "disk").mkdir()
    assert in_a_namespace(script, tmp_path / "disk", f"{run.project}/ds:v0") == ["[]", oct(0o222 & ~umask())]


def umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


# --- manifests that a server sends ------------------------------------------------------------------------------------


def manifest(**entries: Any) -> ArtifactManifest:
    return ArtifactManifest.from_manifest_json({"version": 1, "contents": entries})


@pytest.mark.parametrize("path", ["../up", "/root", "a/../../b", "C:/x", "a\\..\\..\\b", ".", "a\0b"])
def test_an_entry_that_leads_out_of_the_folder_is_refused(path: str) -> None:
    with pytest.raises(ArtifactError, match="no path in an artifact"):
        manifest(**{path: {"digest": "x", "size": 1}})


@pytest.mark.parametrize(
    "fields", [{}, None, [], {"digest": None}, {"digest": "x", "size": "much"}, {"digest": "x", "size": -1},
               {"digest": "x", "extra": 5}, {"digest": "x", "ref": 7}]
)  # fmt: skip
def test_an_entry_that_is_none_is_refused(fields: Any) -> None:
    with pytest.raises(ArtifactError, match="'a' is no entry of a manifest"):
        manifest(a=fields)
