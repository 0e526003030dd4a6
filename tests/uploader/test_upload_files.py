"""A run's files: all of them, none from elsewhere, and one that can't be had doesn't hold up the run."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Dict

import pytest
from logged_runs import cursor_of, end, log_rows, new_folder, start_log
from w_b_server import Fault, WBServer

from wandb_storage import Console, FileSaved, Log, RunStart
from wandb_uploader import status, upload


def run_with(wandb_dir: Path, server: WBServer, *paths: str, **start: str) -> Path:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url, **start)
    log_rows(log, 1)
    for path in paths:
        log.append(FileSaved(path=path, policy="end", time=1000.0))
    end(log)
    return folder


def saved(server: WBServer) -> Dict[str, bytes]:
    generated = ("config.yaml", "wandb-summary.json", "output.log", "wandb-metadata.json")
    return {path: content for path, content in server.runs["r1"].files.items() if path not in generated}


def test_files_of_all_names_and_sizes_arrive(server: WBServer, wandb_dir: Path) -> None:
    contents = {
        "empty": b"",
        "with space.txt": b"a",
        "deep/er/ünï — 文.bin": bytes(range(256)) * 5000,
        "media/a+b&c=%20.png": b"png",
    }
    folder = run_with(wandb_dir, server, *contents)
    for path, content in contents.items():
        (folder / "files" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "files" / path).write_bytes(content)
    assert upload(folder, server.url).parked_files == {}
    assert saved(server) == contents
    assert set(contents) <= set(server.runs["r1"].uploaded)
    for request in server.of("/storage/"):
        assert "Authorization" not in request.headers, "the URL carries its own credential"
        assert request.headers["Content-Length"] == str(len(request.body))
        assert request.headers["X-Upload"] == "yes"


def test_standard_files_are_made_from_the_log(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url, environment='{"python": "CPython 3.9.1"}')
    log.append(Console(time=1000.0, text="one\ntwo\rTWO\nthree"))
    log_rows(log, 1)
    end(log)
    (folder / "files" / "requirements.txt").write_text("a==1\n")
    upload(folder, server.url)
    files = server.runs["r1"].files
    assert files["output.log"] == b"one\nTWO\nthree\n"
    assert files["wandb-metadata.json"] == b'{"python": "CPython 3.9.1"}'
    assert json.loads(files["wandb-summary.json"])["loss"] == 1.0
    assert files["requirements.txt"] == b"a==1\n"
    assert b'python_version: "3.9.1"' in files["config.yaml"]


def test_a_name_that_leaves_the_folder_is_refused(server: WBServer, wandb_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("private")
    names = ["link", "linked/secret", "../run-r1.wandb", "/etc/hostname", "missing", "pipe", "folder", "run-x.wandb"]
    folder = run_with(wandb_dir, server, *names)
    files = folder / "files"
    (files / "link").symlink_to(tmp_path / "secret")
    (files / "linked").symlink_to(tmp_path, target_is_directory=True)
    (files / "folder").mkdir()
    (files / "run-x.wandb").write_text("")
    os.mkfifo(files / "pipe")
    result = upload(folder, server.url)
    assert result.done
    assert saved(server) == {}
    assert set(result.parked_files) == set(names)
    assert "link" in result.parked_files["link"]
    assert status(wandb_dir)[0].parked_files == result.parked_files


def test_a_link_within_the_folder_is_followed(server: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, server, "alias")
    (folder / "files" / "real").write_text("content")
    (folder / "files" / "alias").symlink_to("real")
    upload(folder, server.url)
    assert saved(server) == {"alias": b"content"}


@pytest.mark.parametrize("code", [400, 403, 413])
def test_a_refused_file_is_parked_alone(server: WBServer, wandb_dir: Path, code: int) -> None:
    folder = run_with(wandb_dir, server, "a.txt")
    (folder / "files" / "a.txt").write_text("a")
    server.fault = lambda request: Fault(status=code) if len(request.body) == 1 else None
    result = upload(folder, server.url)
    assert result.done
    assert str(code) in result.parked_files["a.txt"]
    assert "a.txt" not in server.runs["r1"].uploaded
    server.fault = lambda request: None
    assert upload(folder, server.url, retry_parked=True).parked_files == {}
    assert saved(server) == {"a.txt": b"a"}


def test_files_that_the_server_has_are_not_sent_again_by_whoever_lost_its_cursor(
    server: WBServer, wandb_dir: Path
) -> None:
    folder = run_with(wandb_dir, server, "same", "other", "new")
    (folder / "files" / "same").write_text("same")
    (folder / "files" / "other").write_text("before")
    upload(folder, server.url)
    cursor_of(wandb_dir).unlink()
    (folder / "files" / "other").write_text("after")
    (folder / "files" / "new").write_text("new")
    count = len(server.of("/storage/"))
    result = upload(folder, server.url)
    assert result.parked_files == {}
    assert saved(server) == {"same": b"same", "other": b"after", "new": b"new"}
    sent = [request.body for request in server.of("/storage/")[count:]]
    assert sorted(sent) == [b"after", b"new"]
    assert {"same", "other", "new"} <= set(server.runs["r1"].uploaded)


def test_what_has_not_changed_is_not_uploaded_again(server: WBServer, wandb_dir: Path) -> None:
    folder = run_with(wandb_dir, server, "same", "other")
    (folder / "files" / "same").write_text("same")
    (folder / "files" / "other").write_text("before")
    upload(folder, server.url)
    count = len(server.of("/storage/"))
    log = Log.open(folder)
    log.append(RunStart(run_id="r1", project="p", time=1001.0, resumed=True, first_step=1))
    end(log)
    (folder / "files" / "other").write_text("after")
    upload(folder, server.url)
    assert saved(server) == {"same": b"same", "other": b"after"}
    assert len(server.of("/storage/")) - count <= 3, "the file that changed, and what is made from the log"
