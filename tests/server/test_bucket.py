"""Files in a bucket: what holds in a folder holds there, and what breaks off leaves nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket import Buckets, running_buckets
from live_server import LiveServer
from test_artifacts import *  # noqa: F403 - collected here again, with the fixtures below

from wandb.server._limits import OBJECT_PART_BYTES
from wandb.server._objects import BucketError, BucketStore


@pytest.fixture(scope="module")
def buckets() -> Iterator[Buckets]:
    with running_buckets() as running:
        yield running


@pytest.fixture
def files_url(buckets: Buckets) -> str:
    return buckets.new_bucket()


@pytest.fixture
def server(files_url: str, tmp_path: Path) -> Iterator[LiveServer]:
    with LiveServer(tmp_path / "data", files_url=files_url) as running:
        yield running


def test_the_files_of_a_deleted_run_are_gone(server: LiveServer, buckets: Buckets, files_url: str) -> None:
    run = server.upsert()["bucket"]
    server.upsert(name="r2")
    for number in range(3):
        assert server.session.put(put_url(server, f"{number}.txt"), data=b"text", timeout=60).status_code == 200
    server.execute("mutation D($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }", id=run["id"])
    assert buckets.keys(files_url) == []


def put_url(server: LiveServer, name: str) -> str:
    query = """mutation F($files: [String!]!) { createRunFiles(input: {
        projectName: "demo", runName: "r1", files: $files}) { files { uploadUrl } } }"""
    return str(server.execute(query, files=[name])["createRunFiles"]["files"][0]["uploadUrl"])


def test_a_large_file_comes_back_whole_and_in_ranges(server: LiveServer, buckets: Buckets, files_url: str) -> None:
    server.upsert()
    content = bytes(range(256)) * (2 * OBJECT_PART_BYTES // 256) + b"end"
    assert server.session.put(put_url(server, "large.bin"), data=content, timeout=60).status_code == 200
    path = f"/files/{server.user}/demo/r1/large.bin"
    whole = server.get(path)
    assert hashlib.sha256(whole.content).digest() == hashlib.sha256(content).digest()
    for asked, expected in (("5-9", content[5:10]), (f"{len(content) - 3}-", b"end"), ("-4", content[-4:])):
        part = server.get(path, headers={"Range": f"bytes={asked}"})
        assert (part.status_code, part.content) == (206, expected)
        assert part.headers["Content-Range"].endswith(f"/{len(content)}")
    assert server.get(path, headers={"Range": f"bytes={len(content)}-"}).status_code == 416
    assert len(buckets.keys(files_url)) == 1


def test_a_file_that_is_too_large_leaves_nothing(buckets: Buckets, tmp_path: Path) -> None:
    url = buckets.new_bucket()
    with LiveServer(tmp_path / "data", files_url=url, file_bytes_max=2 * OBJECT_PART_BYTES) as server:
        server.upsert()

        def pieces() -> Iterator[bytes]:
            for _ in range(3):
                yield b"x" * OBJECT_PART_BYTES

        assert server.session.put(put_url(server, "a.bin"), data=pieces(), timeout=60).status_code == 413
    assert buckets.keys(url) == []


@pytest.mark.parametrize("url", ["s3://there-is-no-such-bucket", "ftp://host/folder"])
def test_a_bucket_that_cannot_be_used_is_named(buckets: Buckets, url: str) -> None:
    with pytest.raises(BucketError, match=url.partition("//")[2]):
        BucketStore(url)
