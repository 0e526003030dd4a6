"""What state a run is shown in."""

from __future__ import annotations

import pytest
from live_server import LiveServer

from wandb.server._limits import HEARTBEAT_SILENCE_SECONDS_MAX


def state(server: LiveServer) -> str:
    return str(server.run("state")["state"])


@pytest.mark.parametrize(("exit_code", "expected"), [(0, "finished"), (1, "failed"), (255, "failed")])
def test_the_exit_code_decides_how_a_run_ended(server: LiveServer, exit_code: int, expected: str) -> None:
    server.upsert()
    assert state(server) == "running"
    server.stream({"complete": True, "exitcode": exit_code})
    assert state(server) == expected
    assert f"exit code {exit_code}" in server.run_api()["ending"]


def test_a_silent_run_has_crashed_until_it_is_heard_again(server: LiveServer) -> None:
    server.upsert()
    server.stream({})
    server.clock.advance(HEARTBEAT_SILENCE_SECONDS_MAX)
    assert state(server) == "running"
    server.clock.advance(1)
    assert state(server) == "crashed"
    assert "no sign of life since" in server.run_api()["ending"]
    server.stream({})
    assert state(server) == "running"


def test_a_finished_run_does_not_crash_later(server: LiveServer) -> None:
    server.upsert()
    server.stream({"complete": True, "exitcode": 0})
    server.clock.advance(10 * HEARTBEAT_SILENCE_SECONDS_MAX)
    assert state(server) == "finished"


def test_a_preempting_run_that_falls_silent_was_preempted(server: LiveServer) -> None:
    server.upsert()
    server.stream({"preempting": True})
    assert state(server) == "preempting"
    server.stream({})
    assert state(server) == "preempting"
    server.clock.advance(HEARTBEAT_SILENCE_SECONDS_MAX + 1)
    assert state(server) == "preempted"
    server.stream({})
    assert state(server) == "running"


@pytest.mark.parametrize(("exit_code", "expected"), [(0, "finished"), (143, "preempted")])
def test_a_preempting_run_that_ends_was_preempted_unless_it_ends_well(
    server: LiveServer, exit_code: int, expected: str
) -> None:
    server.upsert()
    server.stream({"preempting": True})
    server.stream({"complete": True, "exitcode": exit_code})
    assert state(server) == expected
    server.stream({})
    server.stream({"complete": True, "exitcode": 1})
    assert state(server) == "failed"


def test_changing_a_finished_run_does_not_start_it_again(server: LiveServer) -> None:
    run = server.upsert()["bucket"]
    server.stream({"complete": True, "exitcode": 0})
    server.upsert(name="r1", id=run["id"], notes="read later")
    assert state(server) == "finished"


def test_only_known_states_can_be_set(server: LiveServer) -> None:
    assert server.upsert(state="pending")["bucket"]["state"] == "pending"
    query = 'mutation { upsertBucket(input: {name: "r1", modelName: "demo", state: "odd"}) { inserted } }'
    assert "'odd'" in server.post("/graphql", {"query": query}).json()["errors"][0]["message"]
