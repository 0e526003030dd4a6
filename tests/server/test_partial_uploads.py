"""Large run files whose uploads break off are gone on with where they stopped, and arrive whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from live_server import LiveServer

from wandb.server._limits import UPLOAD_URL_SECONDS
from wandb.server._partial import PartialUploads, parse_content_range
from wandb_storage import Exit, FileSaved, Log, RunStart
from wandb_uploader import upload
from wandb_uploader._body import upload_id

MIB = 1 << 20
CONTENT = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(10 * MIB // 32))


CREATE = """
mutation CreateRunFiles($files: [String!]!) {
  createRunFiles(input: {projectName: "demo", runName: "r1", files: $files}) { files { uploadUrl } }
}
"""
FILES = """{ project(name: "demo") { run(name: "r1") { files(first: 50) { edges { node { sizeBytes md5 } } } } } }"""


def new_url(server: LiveServer, name: str) -> str:
    server.upsert()
    return str(server.execute(CREATE, files=[name])["createRunFiles"]["files"][0]["uploadUrl"])


def listed(server: LiveServer) -> list[dict[str, str]]:
    return [edge["node"] for edge in server.execute(FILES)["project"]["run"]["files"]["edges"]]


def put(url: str, data: bytes, content_range: str, identity: str = "one") -> requests.Response:
    headers = {"Content-Range": f"bytes {content_range}", "X-WANDB-Upload-ID": identity}
    return requests.put(url, data=data, headers=headers, timeout=30, allow_redirects=False)


def break_off(url: str, content: bytes, start: int, stop: int, identity: str = "one") -> None:
    """Send a part of the bytes that were announced, and hang up."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.putrequest("PUT", f"{parts.path}?{parts.query}")
    connection.putheader("Content-Length", str(len(content) - start))
    connection.putheader("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
    connection.putheader("X-WANDB-Upload-ID", identity)
    connection.endheaders(content[start:stop])
    connection.close()


def arrived(url: str, size: int, identity: str = "one") -> int:
    answer = put(url, b"", f"*/{size}", identity)
    assert answer.status_code == 308
    return int(answer.headers["Range"].rpartition("-")[2]) + 1 if "Range" in answer.headers else 0


def wait_for(url: str, size: int, count: int, identity: str = "one") -> None:
    deadline = time.monotonic() + 20
    while (here := arrived(url, size, identity)) != count:
        assert time.monotonic() < deadline, f"{here} of {count} bytes have arrived"
        time.sleep(0.01)


def content_of(server: LiveServer, name: str) -> bytes:
    return server.get(f"/files/{server.user}/demo/r1/{name}").content


def test_what_arrived_before_the_connection_broke_stays(server: LiveServer) -> None:
    url = new_url(server, "model.bin")
    size = len(CONTENT)
    assert arrived(url, size) == 0
    break_off(url, CONTENT, 0, 3 * MIB + 7)
    wait_for(url, size, 3 * MIB + 7)
    assert listed(server) == []
    break_off(url, CONTENT, 3 * MIB + 7, 5 * MIB)
    wait_for(url, size, 5 * MIB)
    answer = put(url, CONTENT[5 * MIB :], f"{5 * MIB}-{size - 1}/{size}")
    assert answer.status_code == 200
    assert content_of(server, "model.bin") == CONTENT
    (file,) = listed(server)
    assert (file["sizeBytes"], f'"{file["md5"]}"') == (str(size), answer.headers["ETag"])
    assert arrived(url, size) == 0, "nothing is left behind"


def test_another_file_of_the_same_name_begins_anew(server: LiveServer) -> None:
    url = new_url(server, "model.bin")
    break_off(url, CONTENT, 0, MIB)
    wait_for(url, len(CONTENT), MIB)
    assert arrived(url, len(CONTENT), "another") == 0
    assert arrived(url, len(CONTENT) + 1) == 0


def test_bytes_that_dont_follow_are_answered_with_what_is_here(server: LiveServer) -> None:
    url = new_url(server, "a")
    assert put(url, b"ab", "0-5/6").status_code == 400
    answer = put(url, b"def", "3-5/6")
    assert (answer.status_code, answer.headers["Range"]) == (308, "bytes=0-1")
    assert put(url, b"cdef", "2-5/6").status_code == 200
    assert content_of(server, "a") == b"abcdef"


def test_a_body_that_is_shorter_than_it_says_is_no_file(server: LiveServer) -> None:
    url = new_url(server, "a")
    assert put(url, b"abc", "0-5/6").status_code == 400
    assert listed(server) == []
    assert arrived(url, 6) == 3
    assert put(url, b"def, and more than that", "3-5/6").status_code == 200
    assert content_of(server, "a") == b"abcdef"


@pytest.mark.parametrize("text", ["0-5/7", "5-1/6", "a-b/c", "*/", "0-1", "-1-5/6", f"0-5/{'6' * 40}"])
def test_ranges_that_make_no_sense_are_refused(server: LiveServer, text: str) -> None:
    assert parse_content_range(f"bytes {text}") is None
    url = new_url(server, "a")
    assert put(url, b"abcdef", text).status_code == 400


def test_a_file_above_the_bound_is_refused_before_it_comes(server: LiveServer) -> None:
    url = new_url(server, "a")
    assert put(url, b"", f"*/{10**15}").status_code == 413


def test_the_uploader_goes_on_with_what_is_here(server: LiveServer, tmp_path: Path) -> None:
    url = new_url(server, "model.bin")
    folder = tmp_path / "offline-run-20260102_030405-r1"
    (folder / "files").mkdir(parents=True)
    with Log.create(folder, "r1") as log:
        log.append(RunStart(run_id="r1", project="demo", time=1000.0, settings="{}"))
        log.append(FileSaved(path="model.bin", policy="end", time=1000.0))
        log.append(Exit(code=0, time=1001.0))
    path = folder / "files" / "model.bin"
    path.write_bytes(CONTENT)
    with path.open("rb") as file:
        identity = upload_id(file, "model.bin")
    break_off(url, CONTENT, 0, 4 * MIB, identity)
    wait_for(url, len(CONTENT), 4 * MIB, identity)
    environment = {"WANDB_API_KEY": server.key, "NETRC": str(tmp_path / "none")}
    assert upload(folder, server.url, environment=environment).parked_files == {}
    assert content_of(server, "model.bin") == CONTENT
    assert arrived(url, len(CONTENT), identity) == 0


def test_what_nobody_comes_back_for_is_removed(tmp_path: Path) -> None:
    uploads = PartialUploads(tmp_path / "partial")
    old, new = uploads.path("1/a", "one", 5), uploads.path("1/b", "one", 5)
    for path in (old, new):
        path.write_bytes(b"abc")
    os.utime(old, (0, time.time() - UPLOAD_URL_SECONDS - 1))
    uploads.discard_abandoned()
    assert [uploads.arrived(path, 5) for path in (old, new)] == [0, 3]
