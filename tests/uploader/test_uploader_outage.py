"""A server that is away: one request at a time finds out when it is back, and everybody can see why nothing moves."""

from __future__ import annotations

import threading
from pathlib import Path

from logged_runs import Clock, check_same, finished_run, wait_until
from w_b_server import Fault, WBServer

from wandb_uploader import TransientError, status
from wandb_uploader._destination import Destination
from wandb_uploader._home import Home
from wandb_uploader._retry import Breaker
from wandb_uploader._service import Service


def test_one_request_decides_for_all(clock: Clock) -> None:
    breaker = Breaker(clock)
    assert breaker.take()
    assert breaker.take(), "closed: everybody may"
    wait = breaker.failed(TransientError("away", unreachable=True), 0.0)
    assert 1 <= wait <= 2
    assert breaker.failed(TransientError("away", unreachable=True), 0.0) < wait + 0.1, "the same outage counts once"
    assert not breaker.take()
    clock.now += wait
    assert breaker.take()
    assert not breaker.take(), "one only"
    assert breaker.wait_seconds() is None
    breaker.put_back()
    assert breaker.take()
    assert 2 <= breaker.failed(TransientError("away", unreachable=True), 0.0) <= 3
    clock.now += 3600
    assert breaker.take()
    breaker.succeeded()
    assert breaker.take()
    assert breaker.take()


def test_a_day_without_a_server_costs_some_requests(clock: Clock) -> None:
    breaker = Breaker(clock)
    asked = 0
    while clock.now < 1000.0 + 86_400:
        if breaker.take():
            asked += 1
            breaker.failed(TransientError("away", unreachable=True), 0.0)
        clock.now += 1.0
    assert asked < 24 * 61


def test_many_runs_wait_together_and_all_go_on(server: WBServer, wandb_dir: Path) -> None:
    folders = {str(number): finished_run(wandb_dir, server.url, run_id=str(number)) for number in range(30)}
    server.fault = lambda request: Fault(drop_before=True)
    service = Service(Home(wandb_dir, server.url), Destination(server.url), idle_seconds=0.1)
    thread = threading.Thread(target=service.run)
    thread.start()
    try:
        wait_until(lambda: len(server.requests) >= 5)
        # Those that were under way when it went away, and one at a time from there on.
        assert len(server.requests) < 10
        wait_until(lambda: all(one.last_error for one in status(wandb_dir) if one.destination))
        server.fault = lambda request: None
        wait_until(lambda: all(name in server.runs and server.runs[name].completions for name in folders))
    finally:
        service.stop()
        thread.join(20)
    for name, folder in folders.items():
        check_same(server.runs[name], folder)
    assert not Home(wandb_dir, server.url).trouble_path.exists()


def test_a_server_that_wants_fewer_requests_is_obeyed_by_all_runs(server: WBServer, wandb_dir: Path) -> None:
    for number in range(10):
        finished_run(wandb_dir, server.url, run_id=str(number))
    server.faults = [Fault(status=429, headers={"Retry-After": "1"}) for _ in range(4)]
    Service(Home(wandb_dir, server.url), Destination(server.url), idle_seconds=0.1).run()
    assert all(server.runs[str(number)].completions for number in range(10))
    assert not server.faults
    refused = [request.time for request in server.requests[:4]]
    assert server.requests[4].time - refused[0] > 0.9
