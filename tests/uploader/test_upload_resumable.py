"""Large files go on where they stopped, where the server keeps what has arrived; none arrives as a mixture of two."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import List, Optional

import pytest
from logged_runs import end, new_folder, start_log
from w_b_server import Fault, Request, WBServer

from wandb_storage import FileSaved
from wandb_uploader import upload
from wandb_uploader._send_files import CHANGES_MAX

MIB = 1 << 20
CONTENT = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(10 * MIB // 32))


@pytest.fixture
def resumable(server: WBServer) -> WBServer:
    server.features = ["RESUMABLE_RUN_FILES"]
    return server


def run_with(wandb_dir: Path, server: WBServer, content: bytes = CONTENT) -> Path:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log.append(FileSaved(path="model.bin", policy="end", time=1000.0))
    end(log)
    (folder / "files" / "model.bin").write_bytes(content)
    return folder


def cut_once(server: WBServer, after: int) -> None:
    """The connection breaks off when so much of the file has come."""
    broken: List[Request] = []

    def fault(request: Request) -> Optional[Fault]:
        if is_part(request) and not broken:
            broken.append(request)
            return Fault(cut=after)
        return None

    server.fault = fault


def is_part(request: Request) -> bool:
    return request.headers.get("Content-Range", "bytes */").partition("*")[0] != "bytes "


def ranges(server: WBServer) -> List[str]:
    return [request.headers["Content-Range"] for request in server.requests if "Content-Range" in request.headers]


def arrived(server: WBServer) -> bytes:
    return server.runs["r1"].files["model.bin"]


def send(folder: Path, server: WBServer) -> None:
    assert upload(folder, server.url, sleep=lambda seconds: None).parked_files == {}


def test_an_upload_that_breaks_off_goes_on_where_it_stopped(resumable: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, resumable)
    cut_once(resumable, 6 * MIB)
    send(folder, resumable)
    assert arrived(resumable) == CONTENT
    size, reached = len(CONTENT), 6 * MIB
    assert ranges(resumable) == [
        f"bytes */{size}", f"bytes 0-{size - 1}/{size}", f"bytes */{size}", f"bytes {reached}-{size - 1}/{size}",
    ]  # fmt: skip


def test_the_next_process_goes_on_with_it_too(resumable: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, resumable)
    cut_once(resumable, 9 * MIB)
    with pytest.raises(Exception, match="no connection"):
        upload(folder, resumable.url, sleep=lambda seconds: None, give_up_seconds=0.0)
    send(folder, resumable)
    assert arrived(resumable) == CONTENT
    assert ranges(resumable)[-1].startswith(f"bytes {9 * MIB}-")


def test_a_file_that_has_changed_in_between_begins_anew(resumable: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, resumable)
    cut_once(resumable, 6 * MIB)
    with pytest.raises(Exception, match="no connection"):
        upload(folder, resumable.url, sleep=lambda seconds: None, give_up_seconds=0.0)
    (folder / "files" / "model.bin").write_bytes(CONTENT[::-1])
    send(folder, resumable)
    assert arrived(resumable) == CONTENT[::-1]
    assert ranges(resumable)[-1].startswith("bytes 0-")


def test_what_arrived_damaged_is_sent_again(resumable: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, resumable)
    cut_once(resumable, 6 * MIB)
    with pytest.raises(Exception, match="no connection"):
        upload(folder, resumable.url, sleep=lambda seconds: None, give_up_seconds=0.0)
    (part,) = resumable.parts.values()
    part.content[5] ^= 1
    part.md5 = hashlib.md5(part.content, usedforsecurity=False)
    send(folder, resumable)
    assert arrived(resumable) == CONTENT


def test_a_file_of_which_all_has_arrived_but_the_reply(resumable: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, resumable)
    cut_once(resumable, len(CONTENT))
    send(folder, resumable)
    assert arrived(resumable) == CONTENT


def test_a_server_that_takes_files_whole_gets_them_whole(server: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, server)
    server.faults.append(Fault(drop_before=True, only="/storage/r1/bW9kZWwuYmlu"))
    send(folder, server)
    assert arrived(server) == CONTENT
    assert ranges(server) == []


def test_small_files_cost_no_request_more(resumable: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, resumable, b"small")
    send(folder, resumable)
    assert ranges(resumable) == []
    assert not resumable.of("ServerFeaturesQuery")


# --- files that change while they go ----------------------------------------------------------------------------------


def when_it_has_come(server: WBServer, path: Path, change: List[bytes]) -> None:
    """Let the file be another one each time that it has arrived, until there are no more."""

    def fault(request: Request) -> None:
        if request.body[:5] in (b"first", b"later") and change:
            path.write_bytes(change.pop(0))

    server.fault = fault


def test_a_file_that_grew_while_it_went_is_sent_again(server: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, server, b"first")
    when_it_has_come(server, folder / "files" / "model.bin", [b"later, and longer"])
    send(folder, server)
    assert arrived(server) == b"later, and longer"


def test_a_file_that_was_replaced_while_it_went_is_sent_again(server: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, server, b"first")
    other = folder / "other"
    other.write_bytes(b"other")
    path = folder / "files" / "model.bin"
    server.fault = lambda request: os.replace(other, path) if request.body == b"first" else None
    send(folder, server)
    assert arrived(server) == b"other"


def test_a_file_that_changes_all_the_time_doesnt_hold_up_the_end(server: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, server, b"first")
    changes = [b"later" + b"!" * number for number in range(10)]
    when_it_has_come(server, folder / "files" / "model.bin", changes)
    send(folder, server)
    assert arrived(server) == b"later" + b"!" * (CHANGES_MAX - 1)
    assert server.runs["r1"].exit_code == 0


def test_a_file_that_vanishes_while_it_goes_arrives_whole(server: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, server, b"first")
    path = folder / "files" / "model.bin"
    server.fault = lambda request: path.unlink() if request.body == b"first" else None
    send(folder, server)
    assert arrived(server) == b"first"


def test_a_file_that_vanishes_before_its_turn_is_parked(server: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, server, b"first")
    path = folder / "files" / "model.bin"
    server.fault = lambda request: path.unlink(missing_ok=True) if request.operation == "CreateRunFiles" else None
    result = upload(folder, server.url)
    assert result.done
    assert result.parked_files == {"model.bin": "No such file or directory"}
