"""Everything that a run's log holds reaches the server, in the form that W&B servers keep."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from logged_runs import Clock, Fold, check_same, end, finished_run, log_rows, new_folder, start_log
from w_b_server import WBServer

from wandb_storage import (
    ConfigChange,
    Console,
    Labels,
    Log,
    MetricDefinition,
    RowFlag,
    RunStart,
    Stream,
    SummaryChange,
    SystemMetrics,
)
from wandb_uploader import status, stop_requested, upload
from wandb_uploader._destination import Destination
from wandb_uploader._home import Home
from wandb_uploader._run_upload import RunUpload


def test_a_finished_run_arrives_whole(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url, name="a name", tags=["t1"], notes="n", group="g", job_type="j", host="h")
    log.append(ConfigChange(json='{"lr": 0.1, "nested": {"a": [1, null]}}', time=1001.0))
    log.append(MetricDefinition(name="loss", summary=["min", "last"]))
    log_rows(log, 20)
    log.append_row({"odd": float("nan"), "inf": float("-inf"), "text": "ü\n"}, 20, 1020.0, RowFlag.COMMIT)
    log.append(SystemMetrics(json='{"cpu": 1.5}', time=1021.0))
    log.append(Console(time=1022.0, stream=Stream.STDOUT, text="hello\n"))
    log.append(Console(time=1022.5, stream=Stream.STDERR, text="oh no\n"))
    log.append(SummaryChange(json='{"mine": [1, 2]}', time=1023.0))
    end(log, code=3)
    result = upload(folder, server.url)
    assert (result.done, result.parked, result.rows) == (True, "", 21)
    assert result.url == f"{server.url}/me/p/runs/r1"
    run = server.runs["r1"]
    check_same(run, folder)
    assert run.exit_code == 3
    assert run.rows("output.log") == [
        "1970-01-01T00:17:02.000000 hello", "ERROR 1970-01-01T00:17:02.500000 oh no",
    ]  # fmt: skip
    assert run.summary["loss"] == {"min": 0.05, "last": 0.05}
    assert run.config["lr"] == {"value": 0.1}
    assert run.config["_wandb"]["value"]["m"] == [{"1": "loss", "6": [3], "7": [1, 5]}]
    assert set(run.config["_wandb"]["value"]["t"]) >= {"3", "4", "5", "12", "13"}
    labels = {key: run.labels[key] for key in ("displayName", "tags", "notes", "groupName", "jobType", "host")}
    assert labels == {
        "displayName": "a name", "tags": ["t1"], "notes": "n", "groupName": "g", "jobType": "j", "host": "h"
    }  # fmt: skip


def test_complete_comes_after_everything_else(server: WBServer, wandb_dir: Path) -> None:
    upload(finished_run(wandb_dir, server.url), server.url)
    last = json.loads(server.requests[-1].body)
    assert last["complete"] is True
    assert last["exitcode"] == 0
    assert last["uploaded"] == ["config.yaml", "wandb-summary.json"]
    assert set(server.runs["r1"].files) == set(last["uploaded"])


def test_a_long_run_goes_in_bounded_batches(server: WBServer, wandb_dir: Path) -> None:
    folder = finished_run(wandb_dir, server.url, rows=12_000)
    upload(folder, server.url)
    check_same(server.runs["r1"], folder)
    bodies = [json.loads(request.body)["files"] for request in server.of("file_stream")]
    sizes = [len(body["wandb-history.jsonl"]["content"]) for body in bodies if "wandb-history.jsonl" in body]
    assert sizes == [5000, 5000, 2000]


def test_large_rows_fill_a_batch_by_their_bytes(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    for step in range(9):
        log.append_row({"text": "x" * 1_000_000}, step, 1000.0, RowFlag.COMMIT)
    end(log)
    upload(folder, server.url)
    check_same(server.runs["r1"], folder)
    assert max(len(request.body) for request in server.of("file_stream")) < 6_500_000, "five rows and a summary of one"


def test_an_uploaded_run_is_not_sent_again(server: WBServer, wandb_dir: Path) -> None:
    folder = finished_run(wandb_dir, server.url)
    upload(folder, server.url)
    count = len(server.requests)
    assert upload(folder, server.url).done
    assert len(server.requests) == count


def test_a_run_that_goes_on_in_its_folder_goes_on_at_the_server(server: WBServer, wandb_dir: Path) -> None:
    folder = finished_run(wandb_dir, server.url, rows=10)
    upload(folder, server.url)
    log = Log.open(folder)
    log.append(RunStart(run_id="r1", project="p", time=5000.0, resumed=True, first_step=10))
    log.append(ConfigChange(json='{"late": 1}'))
    log_rows(log, 5, first=10)
    end(log, code=1)
    assert upload(folder, server.url).rows == 15
    run = server.runs["r1"]
    check_same(run, folder)
    assert (run.exit_code, run.completions) == (1, 2)
    assert run.config["late"] == {"value": 1}


def test_what_is_not_committed_is_not_sent(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log_rows(log, 5)
    log.flush()
    upload(folder, server.url)
    assert len(server.runs["r1"].rows()) == 5
    assert server.runs["r1"].exit_code is None, "its writer lives"
    log_rows(log, 5, first=5)
    end(log)
    upload(folder, server.url)
    check_same(server.runs["r1"], folder)


def test_a_line_that_is_rewritten_is_sent_again(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    for percent in range(3):
        log.append(Console(time=1000.0, stream=Stream.STDERR, text=f"\r{percent} %"))
        log.append(Console(time=1000.0, stream=Stream.STDOUT, text=f"line {percent}\n"))
        log.flush()
        upload(folder, server.url)
    log.append(Console(time=1000.0, stream=Stream.STDERR, text="\r3 %\n"))
    end(log)
    upload(folder, server.url)
    check_same(server.runs["r1"], folder)
    for request in server.of("file_stream"):
        assert list(json.loads(request.body)["files"]).count("output.log") <= 1
    assert server.runs["r1"].files["output.log"] == b"3 %\nline 0\nline 1\nline 2\n"


def test_labels_follow_their_changes(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url, tags=["a"])
    log.flush()
    upload(folder, server.url)
    log.append(Labels(name="later", tags=[], tags_changed=True))
    end(log)
    upload(folder, server.url)
    assert server.runs["r1"].labels["displayName"] == "later"
    assert server.runs["r1"].labels["tags"] == []


def test_tags_that_the_run_never_had_are_left_alone(server: WBServer, wandb_dir: Path) -> None:
    upload(finished_run(wandb_dir, server.url), server.url)
    (upsert,) = server.of("UpsertBucket")
    assert json.loads(upsert.body)["variables"]["tags"] is None


def test_a_request_to_stop_reaches_the_run(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    with start_log(folder, server.url) as log:
        log_rows(log, 1)
        log.flush()
        assert not stop_requested(folder, server.url)
        server.reply = {"stopped": True}
        upload(folder, server.url)
    assert stop_requested(folder, server.url)
    assert not stop_requested(folder, server.url, since=time.time() + 1)
    assert [one.stopped for one in status(wandb_dir)] == [True]
    server.reply = {}
    log = Log.open(folder)
    log.append(RunStart(run_id="r1", project="p", time=5000.0, resumed=True, first_step=1))
    end(log)
    upload(folder, server.url)
    assert not stop_requested(folder, server.url), "it was the session before that was to stop"


@pytest.mark.parametrize(("limits", "interval"), [({}, 15.0), ({"transmit_seconds": 2}, 2.0)])
def test_a_living_run_is_sent_at_the_servers_cadence(
    server: WBServer, wandb_dir: Path, clock: Clock, limits: object, interval: float
) -> None:
    server.reply = {"limits": limits}
    folder = new_folder(wandb_dir)
    with start_log(folder, server.url) as log:
        upload_of = RunUpload(Home(wandb_dir, server.url), folder, clock)
        upload_of.home.create()
        destination = Destination(server.url)
        sent_at = []
        for step in range(12):
            log_rows(log, 1, first=step)
            log.flush()
            before = len(server.of("file_stream"))
            upload_of.advance(destination)
            if len(server.of("file_stream")) > before:
                sent_at.append(clock.now - 1000.0)
            clock.now += interval / 4
        upload_of.close()
        destination.close()
    assert sent_at == [0.0, interval, 2 * interval]


def test_a_quiet_run_gives_signs_of_life(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = new_folder(wandb_dir)
    with start_log(folder, server.url) as log:
        log_rows(log, 1)
        log.flush()
        upload_of = RunUpload(Home(wandb_dir, server.url), folder, clock)
        upload_of.home.create()
        destination = Destination(server.url)
        while clock.now < 1100.0:
            upload_of.advance(destination)
            clock.now += 1.0
        upload_of.close()
        destination.close()
    assert [request.body for request in server.of("file_stream")][1:] == [b"{}"] * 3


def test_offline_runs_go_where_they_are_sent(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir, prefix="offline-run")
    log = start_log(folder, "http://127.0.0.1:1")
    log_rows(log, 3)
    end(log)
    assert upload(folder, server.url).done
    check_same(server.runs["r1"], folder)


def test_a_log_without_a_start_has_nothing_to_upload(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    Log.create(folder, "r1").close()
    assert upload(folder, server.url).done
    assert not server.requests


def test_progress_tells_how_far_the_run_has_come(server: WBServer, wandb_dir: Path) -> None:
    folder = finished_run(wandb_dir, server.url, rows=6000)
    seen = []
    upload(folder, server.url, progress=lambda one: seen.append((one.rows_acked, one.done)))
    assert list(dict.fromkeys(seen)) == [(5000, False), (6000, False), (6000, True)]
    (one,) = status(wandb_dir, server.url)
    assert one.done
    assert one.sequence_acked == sum(1 for _ in Fold(folder).rows) + 3  # the start, a shape, the exit


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="there is no /proc to count descriptors in")
def test_a_living_run_that_waits_holds_few_descriptors(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    logs = [start_log(new_folder(wandb_dir, str(number)), server.url, str(number)) for number in range(10)]
    for log in logs:
        log_rows(log, 5)
        log.flush()
    before = len(os.listdir("/proc/self/fd"))
    destination = Destination(server.url)
    uploads = [RunUpload(Home(wandb_dir, server.url), log.folder, clock) for log in logs]
    uploads[0].home.create()
    for _ in range(3):
        for each in uploads:
            each.advance(destination)
        clock.now += 20.0
    held = len(os.listdir("/proc/self/fd")) - before
    for each in uploads:
        each.close()
    destination.close()
    for log in logs:
        log.close()
    assert len(server.runs) == 10
    assert held <= 10 + 2, "the lock of each run, and both ends of one connection"
