"""Meeting a run at the server without a cursor: lost ones, other people's runs, runs from other machines."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from logged_runs import as_text, check_same, cursor_of, end, finished_run, log_rows, new_folder, start_log
from w_b_server import Fault, WBServer

from wandb_storage import Console, Log, RunStart, SystemMetrics
from wandb_uploader import upload


@pytest.mark.parametrize("how", ["lost", "damaged", "from another version"])
def test_a_cursor_that_is_gone_is_rebuilt(server: WBServer, wandb_dir: Path, how: str) -> None:
    folder = finished_run(wandb_dir, server.url, rows=20)
    upload(folder, server.url)
    if how == "lost":
        shutil.rmtree(wandb_dir / ".uploader")
    elif how == "damaged":
        cursor_of(wandb_dir).write_text('{"version": 1, "next":')
    else:
        cursor = json.loads(cursor_of(wandb_dir).read_text())
        cursor["state"] = {"a field": "of another version"}
        cursor_of(wandb_dir).write_text(json.dumps(cursor))
    log = Log.open(folder)
    log.append(RunStart(run_id="r1", project="p", time=5000.0, first_step=20))
    log_rows(log, 5, first=20)
    end(log)
    assert upload(folder, server.url).done
    check_same(server.runs["r1"], folder)


def test_somebody_elses_run_is_not_overwritten(server: WBServer, wandb_dir: Path, tmp_path: Path) -> None:
    upload(finished_run(tmp_path / "theirs", server.url, rows=20, time=5.0), server.url)
    theirs = as_text([server.runs["r1"].rows(), server.runs["r1"].config])
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    for step in range(30):
        log.append_row({"loss": 0.5}, step, 9000.0 + step, 2)
    end(log)
    result = upload(folder, server.url)
    assert "already has a run r1 with 20 rows" in result.parked
    assert as_text([server.runs["r1"].rows(), server.runs["r1"].config]) == theirs


def resume_elsewhere(other: Path, server: WBServer) -> Path:
    folder = new_folder(other)
    log = start_log(folder, server.url, resumed=True, first_step=20, time=5000.0)
    log.append(Console(time=5000.0, text="here\n"))
    for step in range(20, 30):
        log.append_row({"loss": 0.5}, step, 5000.0 + step, 2)
    end(log)
    return folder


def test_a_run_from_another_machine_goes_on_behind_its_rows(server: WBServer, wandb_dir: Path, tmp_path: Path) -> None:
    first = new_folder(tmp_path / "elsewhere")
    log = start_log(first, server.url)
    log_rows(log, 20)
    log.append(Console(time=1000.0, text="there\n"))
    end(log)
    upload(first, server.url)
    server.runs["r1"].config["old"] = {"value": 7}
    folder = resume_elsewhere(wandb_dir, server)
    assert upload(folder, server.url).done
    run = server.runs["r1"]
    assert [row["_step"] for row in run.rows()] == list(range(30))
    assert [line.split(" ", 1)[1] for line in run.rows("output.log")] == ["there", "here"]
    assert run.config["old"] == {"value": 7}
    assert run.summary["step"] == 19, "what this session didn't log is kept"
    assert run.summary["loss"] == 0.5
    assert run.conflicts == 0


def test_its_cursor_is_rebuilt_too(server: WBServer, wandb_dir: Path, tmp_path: Path) -> None:
    upload(finished_run(tmp_path / "elsewhere", server.url, rows=20), server.url)
    folder = resume_elsewhere(wandb_dir, server)
    upload(folder, server.url)
    shutil.rmtree(wandb_dir / ".uploader")
    upload(folder, server.url)
    run = server.runs["r1"]
    assert [row["_step"] for row in run.rows()] == list(range(30))
    assert run.conflicts == 0


def test_another_log_in_the_same_folder_has_no_use_for_the_old_cursor(server: WBServer, wandb_dir: Path) -> None:
    folder = finished_run(wandb_dir, server.url)
    upload(folder, server.url)
    server.runs.clear()
    shutil.rmtree(folder)
    folder = finished_run(wandb_dir, server.url, rows=5)
    upload(folder, server.url)
    check_same(server.runs["r1"], folder)
    assert json.loads(cursor_of(wandb_dir).read_text())["rows"] == 5


def test_rows_that_the_server_has_are_not_sent_again(server: WBServer, wandb_dir: Path, tmp_path: Path) -> None:
    """A folder that comes from another machine, which had brought a part of it to the server."""
    folder = new_folder(tmp_path / "there")
    log = start_log(folder, server.url)
    log_rows(log, 300)
    log.append(SystemMetrics(time=1300.0, json='{"cpu": 1}'))
    log.flush()
    upload(folder, server.url)
    log_rows(log, 50, first=300)
    end(log)
    copied = wandb_dir / folder.name
    shutil.copytree(folder, copied)
    server.requests.clear()
    assert upload(copied, server.url).rows == 350
    check_same(server.runs["r1"], copied)
    sent = [json.loads(request.body)["files"] for request in server.of("file_stream")]
    history = [body["wandb-history.jsonl"] for body in sent if "wandb-history.jsonl" in body]
    assert [(chunk["offset"], len(chunk["content"])) for chunk in history] == [(300, 50)]
    assert not any("wandb-events.jsonl" in body for body in sent)


@pytest.mark.parametrize("shown", [True, False])
def test_the_console_of_a_continued_run_keeps_its_place(
    server: WBServer, wandb_dir: Path, tmp_path: Path, shown: bool
) -> None:
    first = new_folder(tmp_path / "elsewhere")
    log = start_log(first, server.url)
    log_rows(log, 20)
    log.append(Console(time=1000.0, text="there\n"))
    end(log)
    upload(first, server.url)
    folder = resume_elsewhere(wandb_dir, server)
    upload(folder, server.url)
    shutil.rmtree(wandb_dir / ".uploader")
    if not shown:  # a server that doesn't show its console: then lines may appear twice, and none is lost
        server.faults = [Fault(status=404, only="RunConsoleLogTail")]
    upload(folder, server.url)
    lines = [line.split(" ", 1)[1] for line in server.runs["r1"].rows("output.log")]
    assert lines == (["there", "here"] if shown else ["there", "here", "here"])
    assert server.runs["r1"].summary["step"] == 19, "what was logged elsewhere stays"
