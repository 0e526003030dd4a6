"""The superagent on a server whose queues know pop and acknowledge alone, as those of W&B's own service."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Iterator, List

import pytest
from click.testing import CliRunner
from gates import Gate
from live_server import LiveServer
from waiting_jobs import QUICK, WaitingJobs

from wandb.cli import main
from wandb.server._app import _merged_resolvers
from wandb.server._graphql import GraphQLExecutor
from wandb.superagent import Superagent

WAITS = """
with open("begun", "w") as gate: print(file=gate)
open("go").readline()
"""
# What the schema of a server with leases has more, a type a line.
LEASES = {
    "Mutation": ("keepRunQueueItems", "finishRunQueueItem", "returnRunQueueItem"),
    "PopFromRunQueueInput": ("gpusMax",),
    "PopFromRunQueuePayload": ("handed", "runToResume"),
    "AckRunQueueItemInput": ("launchAgentId",),
    "RunQueueItem": ("stage", "gpus", "handed", "exitCode", "events", "launchAgent"),
}


def without_leases(server: LiveServer) -> LiveServer:
    """The same, with a schema that has none of it: who asks for it is refused."""
    executor = GraphQLExecutor(_merged_resolvers())
    types = executor.schema.type_map
    for name, fields in LEASES.items():
        for field in fields:
            del types[name].fields[field]  # type: ignore[attr-defined]
    features = types["ServerInfo"].fields["features"]  # type: ignore[attr-defined]
    features.resolve = lambda *_: [{"name": "LARGE_FILENAMES", "isEnabled": True}]
    server.app.state.executor = executor
    return server


@pytest.fixture(scope="module")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("plain")) as running:
        yield without_leases(running)


@pytest.fixture
def jobs(
    plain_server: LiveServer, own_place: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> WaitingJobs:
    monkeypatch.setenv("WANDB_BASE_URL", plain_server.url)
    monkeypatch.setenv("WANDB_API_KEY", plain_server.key)
    found = WaitingJobs(plain_server, request.node.name.replace("_", "-"), own_place)
    assert not found.server.has_leases
    return found


def test_jobs_are_taken_run_and_failures_told(jobs: WaitingJobs) -> None:
    fails, runs = jobs.push_script("raise SystemExit('the disk is full')"), jobs.push_script("print('well done')")
    assert jobs.run_all() == 0
    assert jobs.output(1).splitlines()[-1] == "well done"
    assert jobs.item(fails)["state"] == "FAILED"
    assert "the disk is full" in jobs.item(fails)["message"]
    # What becomes of one that has begun is said by its run.
    assert jobs.item(runs)["state"] == "CLAIMED"
    assert jobs.item(runs)["associatedRunId"]
    listed = CliRunner().invoke(main, ["queue", "ls", f"{jobs.project}/q"])
    assert listed.exit_code == 0, listed.output
    assert "the disk is full" in listed.output


def test_a_job_that_cannot_run_here_fails_since_no_other_agent_would_get_it(
    jobs: WaitingJobs, capsys: pytest.CaptureFixture[str]
) -> None:
    large = jobs.push_script("pass", gpus=2)
    elsewhere = jobs.push_script("pass", directory="/on/another/machine")
    assert jobs.run_all(gpus=["0"]) == 0
    assert [jobs.item(item)["state"] for item in (large, elsewhere)] == ["FAILED", "FAILED"]
    assert jobs.item(large)["message"] == "it asks for 2 GPUs, and its agent has 1"
    assert "can't be taken: it asks for 2 GPUs" in capsys.readouterr().err


def test_an_agent_that_is_told_to_end_says_that_its_job_is_not_handed_out_again(
    jobs: WaitingJobs, own_place: Path
) -> None:
    gates = [Gate(own_place / "begun"), Gate(own_place / "go")]
    item = jobs.push_script(WAITS)
    with jobs.start_agent(stderr=subprocess.PIPE) as agent:
        gates[0].wait()
        agent.send_signal(signal.SIGTERM)
        _, said = agent.communicate()
        assert agent.returncode == 128 + signal.SIGTERM
    assert "this server gives it to nobody else: push it once more" in said
    assert (jobs.item(item)["state"], jobs.item(item)["message"]) == ("FAILED", "its agent was told to end")


def test_the_next_agent_of_a_folder_goes_on_with_the_jobs_of_a_killed_one(jobs: WaitingJobs, own_place: Path) -> None:
    gates = [Gate(own_place / "begun"), Gate(own_place / "go")]
    item = jobs.push_script(WAITS + "raise SystemExit(3)")
    with jobs.start_agent(stderr=subprocess.DEVNULL) as agent:
        gates[0].wait()
        agent.kill()
    later = Superagent(jobs.server, drain=True, **QUICK)
    gates[1].open()
    assert later.run() == 0
    found: List[str] = [jobs.item(item)["state"], jobs.item(item)["message"]]
    assert found[0] == "FAILED"
    assert "3" in found[1]
