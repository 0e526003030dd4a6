"""One thing that the server doesn't take is parked alone, and everything else arrives."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from logged_runs import Clock, Fold, check_same, cursor_of, end, log_rows, new_folder, start_log
from w_b_server import Fault, WBServer

from wandb_storage import Alert, Console, Log, Preempting, RowFlag, RunStart, SystemMetrics
from wandb_uploader import UploadResult, _batch, status, upload
from wandb_uploader._destination import Destination
from wandb_uploader._errors import TransientError
from wandb_uploader._home import Home
from wandb_uploader._run_upload import RunUpload


def send(folder: Path, server: WBServer, clock: Clock, **options: bool) -> UploadResult:
    return upload(folder, server.url, clock=clock, sleep=clock.sleep, **options)  # type: ignore[arg-type]


def run_with_poison(wandb_dir: Path, server: WBServer, rows: int = 500) -> Path:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log_rows(log, rows)
    log.append_row({"text": "poison"}, rows, 2000.0, RowFlag.COMMIT)
    log.append(SystemMetrics(time=2000.0, json='{"name": "poison"}'))
    log.append(Console(time=2000.0, text="poison\n"))
    log_rows(log, rows, first=rows + 1)
    end(log)
    return folder


def test_lines_that_are_refused_are_parked_and_the_others_arrive(
    server: WBServer, wandb_dir: Path, clock: Clock
) -> None:
    folder = run_with_poison(wandb_dir, server)
    server.poison = "poison"
    result = send(folder, server, clock)
    assert (result.done, result.parked, result.rows) == (True, "", 1001)
    names = {"wandb-history.jsonl, line 500", "wandb-events.jsonl, line 0", "output.log, line 0", "wandb-summary.json"}
    assert set(result.parked_items) == names
    assert all("I can not read that" in reason for reason in result.parked_items.values())
    assert status(wandb_dir)[0].parked_items == result.parked_items
    rows = server.runs["r1"].rows()
    assert [row["_step"] for row in rows] == list(range(1001))
    assert rows[500] == {"_step": 500, "_timestamp": 2000.0, "_runtime": 1000.0, "_parked": True}
    assert len(server.of("file_stream")) < 120, "it is halved, not tried line by line"


def test_what_is_parked_goes_to_its_place_when_it_is_asked_for(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = run_with_poison(wandb_dir, server)
    server.poison = "poison"
    send(folder, server, clock)
    count = len(server.requests)
    assert send(folder, server, clock).parked_items
    assert len(server.requests) == count, "nobody has asked for it"
    assert send(folder, server, clock, retry_parked=True).parked_items, "the server has not changed its mind"
    server.poison = ""
    assert send(folder, server, clock, retry_parked=True).parked_items == {}
    server.runs["r1"].conflicts = 0  # what kept the places has been rewritten, as it should be
    check_same(server.runs["r1"], folder)


def test_a_lost_cursor_does_not_hide_what_was_parked(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = run_with_poison(wandb_dir, server, rows=20)
    server.poison = "poison"
    send(folder, server, clock)
    shutil.rmtree(wandb_dir / ".uploader")
    server.poison = ""
    assert send(folder, server, clock).parked_items == {}
    server.runs["r1"].conflicts = 0
    check_same(server.runs["r1"], folder)


def test_where_everything_is_refused_the_run_is_parked(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    for step in range(150):
        log.append_row({"text": f"poison {step}"}, step, 1000.0, RowFlag.COMMIT)
    end(log)
    server.poison = "poison"
    result = send(folder, server, clock)
    assert "more than 100 items were refused" in result.parked
    server.poison = ""
    assert send(folder, server, clock, retry_parked=True).done


def test_a_record_that_is_too_large_is_parked_alone(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log_rows(log, 10)
    log.append_row({"text": "x" * 30_000}, 10, 1010.0, RowFlag.COMMIT)
    log_rows(log, 300, first=11)
    end(log)
    server.body_bytes_max = 20_000
    result = send(folder, server, clock)
    assert (result.done, result.rows) == (True, 311)
    assert "wandb-history.jsonl, line 10" in result.parked_items
    assert len(server.of("file_stream")) < 40, "batches don't stay small"
    server.body_bytes_max = 1 << 20
    assert send(folder, server, clock, retry_parked=True).parked_items == {}
    server.runs["r1"].conflicts = 0
    check_same(server.runs["r1"], folder)


def test_a_line_beyond_the_protocols_bound_is_not_even_tried(
    server: WBServer, wandb_dir: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_batch, "ONE_LINE_BYTES_MAX", 10_000)
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log_rows(log, 3)
    log.append_row({"text": "x" * 30_000}, 3, 1010.0, RowFlag.COMMIT)
    log.append_row({"text": "small again"}, 4, 1011.0, RowFlag.COMMIT)
    end(log)
    result = send(folder, server, clock)
    assert list(result.parked_items) == ["wandb-history.jsonl, line 3"]
    assert [row["_step"] for row in server.runs["r1"].rows()] == [0, 1, 2, 3, 4]
    assert max(len(request.body) for request in server.requests) < 10_000


def test_alerts_arrive_once_and_in_order(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log.append(Alert(title="first", text="a", level="WARN", wait_seconds=0.0, time=1001.0))
    log.append(Alert(title="second", text="b", level="strange", wait_seconds=5.0, time=1002.0))
    end(log)
    server.faults = [
        Fault(drop_after=True, only="NotifyScriptableRunAlert"), Fault(status=500, only="NotifyScriptableRunAlert")
    ]  # fmt: skip
    assert send(folder, server, clock).done
    assert [one["title"] for one in server.alerts] == ["first", "second"]
    assert [one["severity"] for one in server.alerts] == ["WARN", "INFO"]
    assert server.alerts[0]["waitDuration"] == 0, "what the user asked for, as long as nothing is repeated"


def test_an_alert_that_is_refused_is_parked(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log.append(Alert(title="no", time=1001.0))
    end(log)
    server.faults = [Fault(status=200, body=b'{"errors": [{"message": "not here"}]}', only="NotifyScriptableRunAlert")]
    result = send(folder, server, clock)
    assert result.done
    assert "not here" in result.parked_items["alert 1, 'no'"]


def test_alerts_that_the_server_has_are_not_repeated_by_whoever_lost_its_cursor(
    server: WBServer, wandb_dir: Path, clock: Clock
) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log_rows(log, 3)
    log.append(Alert(title="loss", text="high", time=1001.0))
    end(log)
    assert send(folder, server, clock).done
    cursor_of(wandb_dir).unlink()
    log = Log.open(folder)
    log.append(RunStart(run_id="r1", project="p", time=time.time(), resumed=True, first_step=3))
    log_rows(log, 1, first=3)
    log.append(Alert(title="loss", text="higher", time=time.time() + 10.0))
    log.append(Alert(title="loss", text="very high", time=time.time() + 11.0))
    end(log)
    assert send(folder, server, clock).done
    assert [one["text"] for one in server.alerts] == ["high", "higher", "very high"]


def test_an_alert_that_arrived_before_it_was_refused_is_not_repeated(
    server: WBServer, wandb_dir: Path, clock: Clock
) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log.append(Alert(title="once", time=1001.0))
    end(log)
    refusal = Fault(status=200, body=b'{"errors": [{"message": "no"}]}', only="NotifyScriptableRunAlert")
    server.faults = [Fault(drop_after=True, only="NotifyScriptableRunAlert"), refusal]
    assert list(send(folder, server, clock).parked_items) == ["alert 1, 'once'"]
    assert send(folder, server, clock, retry_parked=True).parked_items == {}
    assert [one["title"] for one in server.alerts] == ["once"]


def test_an_alert_that_was_refused_is_tried_again_when_it_is_asked_for(
    server: WBServer, wandb_dir: Path, clock: Clock
) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    for title in ("one", "two", "three"):
        log.append(Alert(title=title, time=1001.0))
    end(log)
    refusal = Fault(status=200, body=b'{"errors": [{"message": "no"}]}', only="NotifyScriptableRunAlert")
    server.faults = [Fault(only="NotifyScriptableRunAlert"), refusal, refusal]
    assert list(send(folder, server, clock).parked_items) == ["alert 2, 'two'", "alert 3, 'three'"]
    server.faults = [Fault(drop_after=True, only="NotifyScriptableRunAlert"), Fault(), refusal]
    assert list(send(folder, server, clock, retry_parked=True).parked_items) == ["alert 3, 'three'"]
    assert send(folder, server, clock, retry_parked=True).parked_items == {}
    assert [one["title"] for one in server.alerts] == ["one", "two", "three"]


def test_word_that_the_machine_goes_away_does_not_wait(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    server.reply = {}  # the server of the cadence of 15 s
    folder = new_folder(wandb_dir)
    with start_log(folder, server.url) as log:
        run = RunUpload(Home(wandb_dir, server.url), folder, clock)
        run.home.create()
        destination = Destination(server.url)
        log_rows(log, 1)
        log.flush()
        run.advance(destination)
        log_rows(log, 1, first=1)
        log.flush()
        clock.now += 1.0
        run.advance(destination)
        assert len(server.runs["r1"].rows()) == 1
        log.append(Preempting(time=1002.0))
        log.flush()
        run.advance(destination)
        assert len(server.runs["r1"].rows()) == 2
        assert b'"preempting":true' in server.requests[-1].body
        run.close()
        destination.close()
    assert len(Fold(folder).rows) == 2


def test_a_failed_retry_of_parked_lines_goes_on_later(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = run_with_poison(wandb_dir, server, rows=5)
    server.poison = "poison"
    send(folder, server, clock)
    server.poison = ""
    server.fault = lambda request: Fault(status=500)
    with pytest.raises(TransientError):
        upload(folder, server.url, clock=clock, sleep=clock.sleep, retry_parked=True, give_up_seconds=0)
    server.fault = lambda request: None
    assert send(folder, server, clock, retry_parked=True).parked_items == {}
