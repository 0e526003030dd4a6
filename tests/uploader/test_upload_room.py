"""The disk budget of a wandb directory: what every server has goes, oldest first, and the run is still a run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import List

import pytest
from logged_runs import as_text, cursor_of, end, log_rows, new_folder, start_log
from w_b_server import WBServer

from wandb_storage import Log, Reader, RowFlag, RunStart, RunState, beginning, disk_use
from wandb_uploader import keep_budget, make_room, parse_size, read_budget, upload
from wandb_uploader._destination import Destination
from wandb_uploader._home import FileLock, Home
from wandb_uploader._service import Service


def run_of(wandb_dir: Path, url: str, run_id: str = "r1", prefix: str = "run", rows: int = 300) -> Path:
    """A finished run whose log doesn't compress: larger than what is left where a log has been."""
    folder = new_folder(wandb_dir, run_id, prefix)
    log = start_log(folder, url, run_id)
    for step in range(rows):
        log.append_row({"noise": os.urandom(300).hex(), "step": step}, step, 1000.0 + step, RowFlag.COMMIT)
    end(log)
    return folder


def fold(folder: Path) -> RunState:
    with Reader(folder) as reader:
        before, state = beginning(reader)
        for entry in reader.entries(before + 1):
            state.apply(entry.record)
    return state


def first(folder: Path) -> int:
    with Reader(folder) as reader:
        return reader.first_sequence


def serve(wandb_dir: Path, server: WBServer) -> None:
    Service(Home(wandb_dir, server.url), Destination(server.url), idle_seconds=0.1).run()


def test_the_uploader_makes_room(server: WBServer, wandb_dir: Path) -> None:
    folders = [run_of(wandb_dir, server.url, name) for name in ("a", "b", "c")]
    states = [fold(folder).snapshot() for folder in folders]
    serve(wandb_dir, server)
    assert [first(folder) for folder in folders] == [1, 1, 1], "without a budget nothing goes"
    keep_budget(wandb_dir, sum(disk_use(folder).total for folder in folders) - 1)
    serve(wandb_dir, server)
    assert [first(folder) for folder in folders] == [303, 1, 1], "the oldest, and no more than it takes"
    assert [fold(folder).snapshot() for folder in folders] == states
    assert all(server.runs[name].completions == 1 for name in ("a", "b", "c")), "nothing is sent again"


def test_room_is_made_when_a_run_is_done(server: WBServer, wandb_dir: Path) -> None:
    keep_budget(wandb_dir, 0)
    folder = run_of(wandb_dir, server.url)
    serve(wandb_dir, server)
    assert first(folder) == 303
    assert len(server.runs["r1"].rows()) == 300


def resume(folder: Path, step: int, rows: int) -> None:
    with Log.open(folder) as log:
        log.append(RunStart(run_id="r1", project="p", time=5000.0, resumed=True, first_step=step))
        log_rows(log, rows, step)
        end(log)


@pytest.mark.parametrize("cursor", ["kept", "lost"])
def test_a_run_whose_rows_went_is_resumed_where_it_was(server: WBServer, wandb_dir: Path, cursor: str) -> None:
    """The server's lines go on behind those that only it has, even where nobody knows any more how many it got."""
    folder = run_of(wandb_dir, server.url)
    upload(folder, server.url)
    before = server.runs["r1"].rows()
    assert make_room(wandb_dir, 0).removed
    state = fold(folder)
    assert state.step == 300
    if cursor == "lost":
        shutil.rmtree(wandb_dir / ".uploader")
    resume(folder, state.step, 5)
    result = upload(folder, server.url)
    assert (result.done, result.parked) == (True, "")
    after = server.runs["r1"]
    assert as_text(after.rows()[:300]) == as_text(before)
    assert [row["step"] for row in after.rows()[300:]] == [300, 301, 302, 303, 304]
    assert after.conflicts == 0
    assert after.summary["step"] == 304


@pytest.mark.parametrize("lost", [0, 3])
def test_a_lost_cursor_after_some_parts_went(server: WBServer, wandb_dir: Path, lost: int) -> None:
    """The rows that are left are found among the server's, behind those that were removed."""
    folder = run_of(wandb_dir, server.url, rows=300)
    resume(folder, 300, 20)
    upload(folder, server.url)
    assert len(make_room(wandb_dir, disk_use(folder).total - 1).removed) == 1
    shutil.rmtree(wandb_dir / ".uploader")
    if lost:
        resume(folder, 320, lost)
    assert upload(folder, server.url).done
    run = server.runs["r1"]
    assert [row["step"] for row in run.rows()] == list(range(320 + lost))
    assert run.conflicts == 0


def reasons(wandb_dir: Path) -> List[str]:
    report = make_room(wandb_dir, 0)
    assert not report.removed
    return list(report.kept.values())


def test_what_is_on_its_way_stays(server: WBServer, wandb_dir: Path) -> None:
    run_of(wandb_dir, server.url)
    assert reasons(wandb_dir) == [f"{server.url} has nothing of it yet"]


def test_an_offline_run_that_nobody_uploaded_stays(wandb_dir: Path) -> None:
    run_of(wandb_dir, "", prefix="offline-run")
    assert reasons(wandb_dir) == ["no server has anything of it yet"]


def test_an_offline_run_goes_when_it_was_uploaded_anywhere(server: WBServer, wandb_dir: Path) -> None:
    folder = run_of(wandb_dir, "http://elsewhere.example", prefix="offline-run")
    upload(folder, server.url)
    assert make_room(wandb_dir, 0).removed


def test_another_server_than_the_run_s_own_is_not_enough(server: WBServer, wandb_dir: Path) -> None:
    folder = run_of(wandb_dir, "http://elsewhere.example")
    folder = folder.rename(folder.with_name(f"offline-{folder.name}"))
    upload(folder, server.url)
    cursor = cursor_of(wandb_dir)
    cursor.rename(cursor.with_name(cursor.name.replace("offline-", "")))
    folder.rename(folder.with_name(folder.name.replace("offline-", "")))
    assert reasons(wandb_dir) == ["http://elsewhere.example has nothing of it yet"]


def test_every_server_that_was_met_must_have_it(server: WBServer, wandb_dir: Path) -> None:
    folder = run_of(wandb_dir, server.url, prefix="offline-run")
    upload(folder, server.url)
    with WBServer() as other:
        cursor = cursor_of(wandb_dir)
        home = Home(wandb_dir, other.url)
        home.create()
        text = cursor.read_text().replace(server.url, other.url).replace('"done": true', '"done": false')
        home.cursor_path(folder.name).write_text(text)
        assert reasons(wandb_dir) == [f"{other.url} hasn't all of it"]


def test_a_damaged_cursor_is_no_licence(server: WBServer, wandb_dir: Path) -> None:
    upload(run_of(wandb_dir, server.url, prefix="offline-run"), server.url)
    cursor_of(wandb_dir).write_text("{")
    for _ in range(2):
        assert reasons(wandb_dir) == ["what a server has of it isn't known: its cursor was damaged"]


def test_a_run_that_is_being_uploaded_stays(server: WBServer, wandb_dir: Path) -> None:
    folder = run_of(wandb_dir, server.url)
    upload(folder, server.url)
    lock = FileLock(Home(wandb_dir, server.url).run_lock_path(folder.name))
    lock.acquire()
    try:
        assert reasons(wandb_dir) == ["it is being uploaded"]
    finally:
        lock.release()
    assert make_room(wandb_dir, 0).removed


def test_a_run_that_somebody_goes_on_with_stays(server: WBServer, wandb_dir: Path) -> None:
    folder = run_of(wandb_dir, server.url)
    upload(folder, server.url)
    with Log.open(folder):
        assert reasons(wandb_dir) == ["somebody writes it"]


# --- what a person writes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20GB", 20 * 10**9), ("500MiB", 500 << 20), ("1000000000", 10**9), ("1.5 tb", 1_500_000_000_000), ("0", 0),
        (" 3 KB ", 3000), ("12345678901234567", 12345678901234567),
    ],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("20G", "did you mean 20GB"), ("20 gigabytes", "did you mean 20GB"), ("5m", "did you mean 5MB"),
        ("7xyz", "looks like 20GB, 500MiB"), ("lots", "looks like 20GB"), ("-5GB", "looks like"), ("", "looks like"),
    ],
)  # fmt: skip
def test_what_is_no_size_is_told_with_the_nearest_form(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_size(text)


def test_the_budget_belongs_to_the_directory(wandb_dir: Path) -> None:
    assert read_budget(wandb_dir) is None
    for budget in (5, 7, None, None):
        keep_budget(wandb_dir, budget)
        assert read_budget(wandb_dir) == budget
