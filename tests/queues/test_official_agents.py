"""The official client and this one on the same queues."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from gates import Gate
from live_server import LiveServer
from peer import Peer, peer_python
from waiting_jobs import WaitingJobs

pytestmark = pytest.mark.peer

RELEASE = "0.31.0"
# What the official launch agent asks its server, in its order.
AGENT = """
import json, sys
from wandb.sdk.launch.api import LaunchApi
entity, project = sys.argv[1:]
api = LaunchApi()
agent = api.create_launch_agent(entity, project, ["q"], {"max_jobs": 1}, "0.31.0")["launchAgentId"]
api.update_launch_agent_status(agent, "POLLING")
taken = []
while (item := api.pop_from_run_queue("q", entity, project, agent_id=agent)) is not None:
    (word,) = item["runSpec"]["overrides"]["entry_point"]
    taken.append(word)
    api.ack_run_queue_item(item["runQueueItemId"], f"official{len(taken)}")
    if word == "warns":
        api.update_run_queue_item_warning(item["runQueueItemId"], "the disk is nearly full", "run")
    if word == "fails":
        api.fail_run_queue_item(item["runQueueItemId"], "it was to fail", "run")
api.update_launch_agent_status(agent, "KILLED")
known = api.get_launch_agent(agent)
assert known["stopPolling"] is False
json.dump({"taken": taken, "status": known["agentStatus"]}, open("result.json", "w"))
"""
JOB_AND_LAUNCH = """
import sys
from wandb.cli.cli import cli
entity = sys.argv[1]
cli(["job", "create", "code", "-p", "demo", "-n", "train", "-E", "python train.py", "-r", "3.11", "code"],
    standalone_mode=False)
cli(["launch", "--job", f"{entity}/demo/train:latest", "-q", "q", "-p", "demo", "-e", entity,
     "--resource", "local-process", "-c", '{"overrides": {"run_config": {"lr": 0.5}}}'], standalone_mode=False)
"""
TRAIN = "import os; print(os.environ['WANDB_CONFIG'], file=open(os.environ['PLACE'], 'w'))"


@pytest.fixture
def peer(server: LiveServer, own_place: Path) -> Peer:
    return Peer(RELEASE, server, own_place / "peer")


def test_an_official_agent_asks_for_what_was_pushed_here(jobs: WaitingJobs, peer: Peer) -> None:
    low, first, fails = jobs.push("low", priority=3), jobs.push("warns", priority=0), jobs.push("fails")
    peer.run(AGENT, jobs.live.user, jobs.project)
    assert peer.result() == {"taken": ["warns", "fails", "low"], "status": "KILLED"}
    assert [jobs.item(item)["state"] for item in (first, fails, low)] == ["CLAIMED", "FAILED", "CLAIMED"]
    assert [jobs.item(item)["message"] for item in (first, fails)] == ["the disk is nearly full", "it was to fail"]
    assert jobs.item(first)["associatedRunId"] == "official1"
    assert jobs.run_all() == 0
    assert jobs.folders == []  # what an official agent has is left to it


def test_the_programs_of_both_push_and_run_each_others_jobs(
    server: LiveServer, peer: Peer, own_place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`wandb job create` and `wandb launch` for this agent; `wandb queue push` for `wandb launch-agent`."""
    jobs = WaitingJobs(server, "model-registry", own_place)
    code = own_place / "peer" / "code"
    code.mkdir()
    (code / "train.py").write_text(TRAIN)
    (code / "requirements.txt").write_text("")
    peer.run(JOB_AND_LAUNCH, server.user)
    monkeypatch.setenv("PLACE", str(own_place / "seen"))
    jobs.run_all(["q"])
    assert jobs.states() == ["FINISHED"], jobs.output()
    assert (own_place / "seen").read_text() == '{"lr": 0.5}\n'
    overrides = {"entry_point": None, "run_config": {"lr": 0.25}}
    item = jobs.push(job=f"{server.user}/demo/train:latest", overrides=overrides, resource="local-process")
    gate = Gate(own_place / "gate")
    command = [str(peer_python(RELEASE).with_name("wandb")), "launch-agent", "-q", "q", "-e", server.user]
    environment = {**os.environ, "PLACE": str(gate.path), "WANDB_ERROR_REPORTING": "false"}
    with (
        (own_place / "agent.log").open("w") as log,
        subprocess.Popen(command, cwd=own_place / "peer", env=environment, stdout=log, stderr=log) as agent,
    ):
        assert gate.wait() == '{"lr": 0.25}'
        agent.kill()  # it would wait for the run, and this job begins none
    found = jobs.item(item)
    assert found["state"] in ("LEASED", "CLAIMED")
    assert found["launchAgent"]["hostname"] == os.uname().nodename
