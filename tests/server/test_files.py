"""Run files: signed URLs, uploads, downloads, names."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit, urlunsplit

import pytest
import requests
from live_server import LiveServer

from wandb.server._limits import DOWNLOAD_URL_SECONDS, UPLOAD_URL_SECONDS

CREATE = """
mutation CreateRunFiles($run: String!, $files: [String!]!) {
  createRunFiles(input: {projectName: "demo", runName: $run, files: $files}) {
    runID uploadHeaders files { name uploadUrl }
  }
}
"""
FILES = """
query RunFiles($names: [String] = [], $after: String, $first: Int = 50, $pattern: String, $upload: Boolean = false) {
  project(name: "demo") { run(name: "r1") { fileCount
    files(names: $names, after: $after, first: $first, pattern: $pattern) {
      edges { node { name url(upload: $upload) directUrl sizeBytes mimetype md5 } cursor }
      pageInfo { endCursor hasNextPage }
    } } }
}
"""


def upload_urls(server: LiveServer, *names: str) -> list[str]:
    server.upsert()
    answer = server.execute(CREATE, run="r1", files=list(names))["createRunFiles"]
    assert [file["name"] for file in answer["files"]] == list(names)
    return [file["uploadUrl"] for file in answer["files"]]


def put(url: str, data: bytes) -> requests.Response:
    """Upload as clients do: without a key."""
    return requests.put(url, data=data, timeout=30)


def listed(server: LiveServer, **variables: object) -> list[dict[str, str]]:
    run = server.execute(FILES, **variables)["project"]["run"]
    return [edge["node"] for edge in run["files"]["edges"]]


def test_an_uploaded_file_comes_back_unchanged(server: LiveServer) -> None:
    data = bytes(range(256)) * 5000
    (url,) = upload_urls(server, "media/images/ä b#1.bin")
    assert put(url, data).status_code == 200
    (file,) = listed(server)
    assert (file["name"], file["sizeBytes"]) == ("media/images/ä b#1.bin", str(len(data)))
    assert file["md5"] == base64.b64encode(hashlib.md5(data).digest()).decode()
    assert requests.get(file["directUrl"], timeout=30).content == data
    assert server.get(urlsplit(file["url"])._replace(scheme="", netloc="").geturl()).content == data
    assert server.get(f"/files/{server.user}/demo/r1/media/images/%C3%A4%20b%231.bin").content == data


def test_uploading_again_replaces_the_bytes(server: LiveServer) -> None:
    (url,) = upload_urls(server, "a.txt")
    put(url, b"first")
    put(url, b"")
    (file,) = listed(server)
    assert file["sizeBytes"] == "0"
    assert requests.get(file["directUrl"], timeout=30).content == b""


@pytest.mark.parametrize("size", [1000, 3_000_000])
def test_a_part_of_a_file_is_to_be_had_and_its_length_alone(server: LiveServer, size: int) -> None:
    data = os.urandom(size)
    (url,) = upload_urls(server, "a.bin")
    put(url, data)
    (file,) = listed(server)
    part = requests.get(file["directUrl"], headers={"Range": "bytes=10-99"}, timeout=30)
    assert (part.status_code, part.content) == (206, data[10:100])
    head = requests.head(file["directUrl"], timeout=30)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, str(size), b"")


def test_a_changed_url_is_not_valid(server: LiveServer) -> None:
    (url,) = upload_urls(server, "a.txt")
    parts = urlsplit(url)
    later = parts.query.replace("expires=1", "expires=2")
    for changed in (
        parts._replace(path=parts.path.replace("a.txt", "b.txt")),
        parts._replace(path=parts.path.replace("/1/", "/2/")),
        parts._replace(query=later),
        parts._replace(query=parts.query[:-1] + ("0" if parts.query[-1] != "0" else "1")),
        parts._replace(query=parts.query + "é"),
        parts._replace(query=""),
        parts._replace(query=urlencode({"expires": "x", "signature": "x"})),
    ):
        answer = put(urlunsplit(changed), b"evil")
        assert answer.status_code == 403
        assert "signature" in answer.json()["error"]
    assert requests.get(url, timeout=30).status_code == 403
    assert listed(server) == []


def test_urls_expire(server: LiveServer) -> None:
    (url,) = upload_urls(server, "a.txt")
    server.clock.advance(UPLOAD_URL_SECONDS - 1)
    assert put(url, b"in time").status_code == 200
    (file,) = listed(server)
    server.clock.advance(max(DOWNLOAD_URL_SECONDS, 1) + 1)
    for answer in (put(url, b"late"), requests.get(file["directUrl"], timeout=30)):
        assert answer.status_code == 403
        assert "expired" in answer.json()["error"]


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/etc/passwd", "a//b", "C:\\x", "C:/x", "a\\..\\b", "", ".", "a/./b", "x\x00y"]
)
def test_names_that_climb_get_no_url_and_cost_no_other_file(server: LiveServer, name: str) -> None:
    bad, good = upload_urls(server, name, "fine.txt")
    assert not bad
    assert put(good, b"ok").status_code == 200


def test_no_client_name_becomes_a_path(server: LiveServer) -> None:
    urls = upload_urls(server, "a.txt", "deep/er/b.txt")
    for url in urls:
        put(url, b"x")
    stored = [path for path in (server.data / "files").rglob("*") if path.is_file()]
    assert {len(path.name) for path in stored} == {64}
    assert {path.parent.name for path in stored} == {"1"}


def test_paths_that_climb_out_of_downloads_find_nothing(server: LiveServer) -> None:
    server.upsert()
    for path in ("..%2f..%2fsecret", "%2e%2e/%2e%2e/secret", "....//secret"):
        assert server.get(f"/files/{server.user}/demo/r1/{path}").status_code == 404
    assert server.get("/static/..%2f_auth.py").status_code == 404


def test_names_and_patterns_narrow_the_list(server: LiveServer) -> None:
    for url in upload_urls(server, "a.txt", "b.txt", "media/c.png"):
        put(url, b"x")
    assert [file["name"] for file in listed(server, names=["b.txt"])] == ["b.txt"]
    assert [file["name"] for file in listed(server, pattern="media/%")] == ["media/c.png"]
    page = server.execute(FILES, first=2)["project"]["run"]
    assert page["fileCount"] == 3
    assert page["files"]["pageInfo"]["hasNextPage"] is True
    rest = listed(server, first=2, after=page["files"]["pageInfo"]["endCursor"])
    assert [file["name"] for file in rest] == ["media/c.png"]


def test_the_upload_url_of_a_listed_name_can_be_used(server: LiveServer) -> None:
    server.upsert()
    (file,) = listed(server, names=["new.txt"], upload=True)
    assert put(file["url"], b"new").status_code == 200
    assert [found["name"] for found in listed(server)] == ["new.txt"]


def test_pages_made_by_users_are_downloads_and_images_are_shown(server: LiveServer) -> None:
    for url in upload_urls(server, "page.html", "image.svg", "image.png"):
        put(url, b"<script>alert(1)</script>")
    kinds = {}
    for file in listed(server):
        answer = requests.get(file["directUrl"], timeout=30)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        kinds[file["name"]] = answer.headers["Content-Disposition"].partition(";")[0]
    assert kinds == {"page.html": "attachment", "image.svg": "attachment", "image.png": "inline"}


def test_an_upload_for_a_deleted_run_is_refused(server: LiveServer) -> None:
    (url,) = upload_urls(server, "a.txt")
    put(url, b"x")
    run = server.upsert()["bucket"]
    server.execute("mutation D($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }", id=run["id"])
    assert put(url, b"x").status_code == 404
    assert [path for path in (server.data / "files").rglob("*") if path.is_file()] == []


@pytest.fixture
def small(tmp_path: Path) -> Iterator[LiveServer]:
    with LiveServer(tmp_path / "small", file_bytes_max=1000) as running:
        yield running


def test_files_beyond_the_limit_are_refused_and_leave_nothing(small: LiveServer) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 100

    (url,) = upload_urls(small, "big.bin")
    assert put(url, b"x" * 1001).status_code == 413
    # Without a length in front, the limit is found while the bytes come in.
    assert requests.put(url, data=endless(), timeout=30).status_code == 413
    assert [path for path in (small.data / "files").rglob("*") if path.is_file()] == []
    assert put(url, b"x" * 1000).status_code == 200


def test_uploads_cut_off_by_a_crash_are_discarded_when_they_are_old(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data"):
        pass
    old, new = (tmp_path / "data" / "files" / "incoming" / name for name in ("old", "new"))
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    with LiveServer(tmp_path / "data"):
        assert not old.exists()
        assert new.exists()
