"""What a server or the network can do to an upload, and what doesn't happen: loss, repetition, silence."""

from __future__ import annotations

import time
from email.utils import formatdate
from pathlib import Path
from typing import List

import pytest
from logged_runs import Clock, check_same, cursor_of, end, finished_run, log_rows, new_folder, start_log
from w_b_server import KEY, Fault, WBServer

from wandb_storage import RowFlag
from wandb_uploader import CredentialsRefused, TransientError, UploadResult, status, upload
from wandb_uploader._destination import Destination
from wandb_uploader._home import Home
from wandb_uploader._run_upload import Parked, RunUpload


def send(folder: Path, server: WBServer, clock: Clock, **options: bool) -> UploadResult:
    return upload(folder, server.url, clock=clock, sleep=clock.sleep, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("only", ["RunResumeStatus", "UpsertBucket", "file_stream", "CreateRunFiles", "storage"])
@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500}, {"status": 502, "body": b"<html>"}, {"status": 408}, {"status": 425}, {"status": 302},
        {"drop_before": True}, {"drop_after": True}, {"status": 200, "body": b"<html>sign in</html>"},
    ],
)  # fmt: skip
def test_what_passes_is_tried_again(
    server: WBServer, wandb_dir: Path, clock: Clock, fault: dict[str, object], only: str
) -> None:
    folder = finished_run(wandb_dir, server.url)
    server.faults = [Fault(only=only, **fault), Fault(only=only, **fault)]  # type: ignore[arg-type]
    assert send(folder, server, clock).done
    assert not server.faults
    check_same(server.runs["r1"], folder)
    waits = [seconds for seconds in clock.sleeps if seconds]
    assert len(waits) in ((1, 2) if only == "storage" else (2,)), "two files may fail at once"
    assert 1 <= waits[0] <= 2
    assert all(2 <= wait <= 3 for wait in waits[1:])


def test_a_conflict_of_two_writers_passes(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    server.faults = [Fault(status=409, only="UpsertBucket")]
    assert send(finished_run(wandb_dir, server.url), server, clock).done


def test_waits_grow_up_to_a_minute(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    server.faults = [Fault(status=503, only="file_stream") for _ in range(12)]
    assert send(finished_run(wandb_dir, server.url), server, clock).done
    waits = [seconds for seconds in clock.sleeps if seconds]
    assert waits[:6] == sorted(waits[:6])
    assert max(waits) <= 60
    assert waits[-1] > 55


def test_waits_grow_for_a_file_too(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = finished_run(wandb_dir, server.url)
    server.fault = lambda request: Fault(status=503) if "/storage/" in request.path else None
    with pytest.raises(TransientError, match="503"):
        upload(folder, server.url, clock=clock, sleep=clock.sleep, give_up_seconds=600)
    assert len(server.of("/storage/")) < 40
    assert max(clock.sleeps) > 55


def test_an_outage_ends_with_everything_at_the_server(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = finished_run(wandb_dir, server.url)
    server.stop()
    clock.on_sleep = lambda: server.start() if len(clock.sleeps) == 50 else None
    assert send(folder, server, clock).done
    check_same(server.runs["r1"], folder)


def test_while_it_waits_the_reason_is_visible(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = finished_run(wandb_dir, server.url)
    server.faults = [Fault(status=503, body=b'{"error": "closed for lunch"}')]
    seen: List[str] = []

    def look() -> None:
        (one,) = status(wandb_dir)
        assert one.retrying_since is not None
        assert one.next_attempt is not None
        assert one.next_attempt > one.retrying_since
        seen.append(one.last_error)

    clock.on_sleep = lambda: look() if not seen else None
    send(folder, server, clock)
    assert "closed for lunch" in seen[0]
    (one,) = status(wandb_dir)
    assert (one.last_error, one.retrying_since) == ("", None)


def test_a_lost_reply_repeats_the_same_bytes(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = finished_run(wandb_dir, server.url)
    server.faults = [Fault(drop_after=True, only="file_stream")]
    send(folder, server, clock)
    first, second = server.of("file_stream")[:2]
    assert first.body == second.body
    check_same(server.runs["r1"], folder)


def test_a_new_process_repeats_the_same_bytes_though_the_log_has_grown(
    server: WBServer, wandb_dir: Path, clock: Clock
) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log_rows(log, 3)
    log.append_row({"loss": 0.5}, 3, 1003.0, 0)  # the row goes on
    log.flush()
    server.faults = [Fault(drop_after=True, only="file_stream")]
    home = Home(wandb_dir, server.url)
    home.create()
    for _ in range(2):  # the second knows only what the first has left on the disk
        upload_of = RunUpload(home, folder, clock)
        destination = Destination(server.url)
        try:
            upload_of.advance(destination)
        except TransientError:
            log.append_row({"more": 1}, 3, 1004.0, RowFlag.COMMIT)
            log_rows(log, 5, first=4)
            log.flush()
        finally:
            upload_of.close()
            destination.close()
    first, second = server.of("file_stream")
    assert first.body == second.body
    end(log)
    send(folder, server, clock)
    check_same(server.runs["r1"], folder)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_obeyed(server: WBServer, wandb_dir: Path, clock: Clock, form: str) -> None:
    value = "37.5" if form == "seconds" else formatdate(time.time() + 40, usegmt=True)
    server.faults = [Fault(status=429, headers={"Retry-After": value}, only="file_stream")]
    assert send(finished_run(wandb_dir, server.url), server, clock).done
    (wait,) = [seconds for seconds in clock.sleeps if seconds]
    assert wait == 37.5 if form == "seconds" else 35 < wait <= 41


def test_a_slip_in_retry_after_does_not_park_a_run_for_years(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    server.faults = [Fault(status=503, headers={"Retry-After": "1e12"})]
    assert send(finished_run(wandb_dir, server.url), server, clock).done
    assert max(clock.sleeps) == 3600


def test_rate_limits_slow_a_backlog_down(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    server.reply_headers = {"RateLimit-Remaining": "4", "RateLimit-Reset": "10"}
    assert send(finished_run(wandb_dir, server.url, rows=11_000), server, clock).done
    assert [seconds for seconds in clock.sleeps if seconds] == [2.5] * 3


def test_a_body_that_is_too_large_is_split(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = finished_run(wandb_dir, server.url, rows=3000)
    server.body_bytes_max = 20_000
    assert send(folder, server, clock).done
    check_same(server.runs["r1"], folder)
    bodies = [len(request.body) for request in server.of("file_stream")]
    assert sum(size > 20_000 for size in bodies) <= 5, "what was learned is used for the next batches"


@pytest.mark.parametrize("code", [404, 409, 410, 501])
def test_what_the_server_refuses_is_parked_with_its_words(
    server: WBServer, wandb_dir: Path, clock: Clock, code: int
) -> None:
    folder = finished_run(wandb_dir, server.url)
    server.faults = [Fault(status=code, body=b'{"error": "not like this"}', only="file_stream")]
    result = send(folder, server, clock)
    assert not result.done
    assert "not like this" in result.parked
    assert [one.parked_reason for one in status(wandb_dir)] == [result.parked]
    count = len(server.requests)
    assert send(folder, server, clock).parked, "it stays parked"
    assert len(server.requests) == count
    assert send(folder, server, clock, retry_parked=True).done
    check_same(server.runs["r1"], folder)


def test_graphql_errors_park_the_run(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    server.faults = [Fault(status=200, body=b'{"errors": [{"message": "no such entity"}]}', only="UpsertBucket")]
    assert "no such entity" in send(finished_run(wandb_dir, server.url), server, clock).parked


@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_key_is_said_once_and_clearly(server: WBServer, wandb_dir: Path, clock: Clock, code: int) -> None:
    server.faults = [Fault(status=code)]
    with pytest.raises(CredentialsRefused, match="WANDB_API_KEY") as raised:
        send(finished_run(wandb_dir, server.url), server, clock)
    assert KEY not in str(raised.value)
    assert send(next(wandb_dir.glob("run-*")), server, clock).done, "nothing is parked by it"


def test_a_refused_key_gives_way_to_the_saved_one(
    server: WBServer, wandb_dir: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "o" * 40)
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login user password {KEY}\n")
    assert send(finished_run(wandb_dir, server.url), server, clock).done


def test_giving_up_keeps_everything(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = finished_run(wandb_dir, server.url)
    server.fault = lambda request: Fault(status=500)
    with pytest.raises(TransientError, match="500"):
        upload(folder, server.url, clock=clock, sleep=clock.sleep, give_up_seconds=100)
    assert 100 <= clock.now - 1000 <= 170
    server.fault = lambda request: None
    assert send(folder, server, clock).done


def test_the_key_is_written_nowhere(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    server.faults = [Fault(status=500), Fault(drop_before=True, only="storage")]
    send(finished_run(wandb_dir, server.url), server, clock)
    for path in (wandb_dir / ".uploader").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert KEY.encode() not in content
            assert b"s3cret" not in content, "nor are signed URLs"


def test_a_damaged_log_is_sent_up_to_the_damage_and_parked(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    for block in range(20):
        log_rows(log, 500, first=block * 500)
        log.flush()
    end(log)
    (path,) = folder.glob("run-*.wandb")
    raw = bytearray(path.read_bytes())
    middle = len(raw) // 2
    raw[middle : middle + 64] = b"\xff" * 64
    path.write_bytes(raw)
    result = send(folder, server, clock)
    assert result.parked
    rows = server.runs["r1"].rows()
    assert 0 < len(rows) < 10_000
    assert [row["step"] for row in rows] == list(range(len(rows)))
    assert cursor_of(wandb_dir).exists()


def test_a_parked_run_raises_in_the_machine(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    folder = finished_run(wandb_dir, server.url)
    server.faults = [Fault(status=404)]
    home = Home(wandb_dir, server.url)
    home.create()
    upload_of = RunUpload(home, folder, clock)
    destination = Destination(server.url)
    with pytest.raises(Parked, match="404"):
        upload_of.advance(destination)
    upload_of.close()
    destination.close()
