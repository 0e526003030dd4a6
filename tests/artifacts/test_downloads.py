"""Bytes on their way from a server: in ranges, from addresses that grow old, to where the entries say, nowhere else."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, Callable, List, Tuple

import pytest
from live_server import LiveServer
from made_artifacts import LARGE, contents, made

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
    assert len(source.asked) == max(1, -(-size // 10_000))


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
