"""What child processes log to a run reaches the server with it, also when they outlive the process that started it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from logged_runs import Clock, Fold, check_same, end, finished_run, log_rows, new_folder, start_log, wait_until
from w_b_server import WBServer

from wandb_storage import RowFlag, create_lane
from wandb_uploader import upload
from wandb_uploader._destination import Destination
from wandb_uploader._home import Home
from wandb_uploader._run_upload import LANES_SECONDS, RunUpload
from wandb_uploader._service import Service


def test_rows_of_children_arrive_in_the_order_that_is_stored(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    log_rows(log, 5)
    with create_lane(folder, "r1") as lane:
        log_rows(lane, 5)
    wait_until(lambda: not list(folder.glob("lane-*")))
    log_rows(log, 5, first=5)
    end(log)
    upload(folder, server.url)
    check_same(server.runs["r1"], folder)
    assert [row["_step"] for row in server.runs["r1"].rows()] == [*range(10), *range(5, 10)]


def test_a_run_is_over_when_its_last_child_is(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    """Meanwhile what the child commits arrives, at a slower pace; nothing is called a crash."""
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    lane = create_lane(folder, "r1")
    log_rows(log, 3)
    end(log)
    home = Home(wandb_dir, server.url)
    home.create()
    run = RunUpload(home, folder, clock)
    destination = Destination(home.base_url)
    for part in range(1, 4):
        log_rows(lane, 4, first=4 * part)
        lane.flush()
        waits = [run.advance(destination)]
        while waits[-1] != LANES_SECONDS:
            assert waits[-1] is not None
            clock.sleep(waits[-1])
            waits.append(run.advance(destination))
        assert run.alive
        assert len(server.runs["r1"].rows()) == 3 + 4 * part
        assert server.runs["r1"].completions == 0
        clock.sleep(LANES_SECONDS)
    segments = len(list(folder.glob("*.wandb")))
    clock.sleep(LANES_SECONDS)
    assert run.advance(destination) == LANES_SECONDS
    assert len(list(folder.glob("*.wandb"))) == segments, "nothing new, no segment"
    lane.close()
    clock.sleep(LANES_SECONDS)
    while run.advance(destination) is not None:
        clock.sleep(1.0)
    run.close()
    check_same(server.runs["r1"], folder)
    assert (server.runs["r1"].completions, server.runs["r1"].exit_code) == (1, 0)
    assert Fold(folder).state.crashes == 0


def test_a_child_that_comes_late_is_not_forgotten(server: WBServer, wandb_dir: Path, clock: Clock) -> None:
    """The run was done; a process that was forked before begins to log to it, and is killed."""
    folder = finished_run(wandb_dir, server.url, rows=3)
    home = Home(wandb_dir, server.url)
    Service(home, Destination(home.base_url), idle_seconds=0.1).run()
    assert server.runs["r1"].completions == 1
    child = os.fork()
    if not child:
        log_rows(create_lane(folder, "r1"), 5)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    Service(home, Destination(home.base_url), idle_seconds=0.1).run()
    check_same(server.runs["r1"], folder)
    assert len(server.runs["r1"].rows()) == 8
    assert (server.runs["r1"].completions, server.runs["r1"].exit_code) == (2, 0)


def test_upload_without_following_leaves_living_children_alone(server: WBServer, wandb_dir: Path) -> None:
    folder = new_folder(wandb_dir)
    log = start_log(folder, server.url)
    with create_lane(folder, "r1") as lane:
        end(log)
        lane.append_row({"a": 1}, 0, 1000.0, RowFlag.COMMIT)
        lane.flush()
        result = upload(folder, server.url)
        assert (result.done, result.rows) == (False, 1)
    assert upload(folder, server.url).done
    check_same(server.runs["r1"], folder)
