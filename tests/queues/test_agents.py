"""Agents: which jobs they take, what signals mean to them, and what is left when something dies."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import List

import pytest
from chaos_proxy import ChaosProxy
from gates import Gate
from waiting_jobs import QUICK, WaitingJobs

from wandb.errors import UsageError
from wandb.server._limits import QUEUE_LEASE_SECONDS
from wandb.superagent import Superagent, run_agent
from wandb.superagent._agent import connect
from wandb.superagent._job_folder import JobFolder

WAITS = """
import os, signal, sys
def end(number, frame):
    print("was asked to end", flush=True)
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
with open("begun", "w") as gate: gate.write(f"{os.getpid()}\\n")
open("go").readline()
print("went on to its end", flush=True)
"""


@pytest.fixture
def gates(own_place: Path) -> List[Gate]:
    """A job of WAITS opens the first when it has begun, and ends when the second is opened."""
    return [Gate(own_place / "begun"), Gate(own_place / "go")]


def test_urgent_jobs_come_first_and_then_the_oldest(jobs: WaitingJobs) -> None:
    for name, priority in (("low", 3), ("usual", None), ("urgent", 0), ("later", None)):
        jobs.push_script(f"open('order', 'a').write('{name} ')", priority=priority)
    jobs.run_all()
    assert (jobs.place / "order").read_text().split() == ["urgent", "usual", "later", "low"]


def test_queues_are_served_in_the_order_in_which_they_are_named(jobs: WaitingJobs) -> None:
    jobs.server.create("other")
    for queue in ("q", "other"):
        for _ in range(2):
            jobs.push_script(f"open('order', 'a').write('{queue} ')", queue=queue)
    jobs.run_all(["other", "q"], count=3)
    assert (jobs.place / "order").read_text().split() == ["other", "other", "q"]
    assert jobs.states("q") == ["FINISHED", "PENDING"]
    with pytest.raises(UsageError, match=r"no queue 'nightly' in .*: make it with `wandb queue create nightly`"):
        jobs.run_all(["nightly"])


def test_so_many_jobs_run_at_a_time_as_there_are_slots(jobs: WaitingJobs) -> None:
    """Each waits until the other one is there."""
    (one, other) = (Gate(jobs.place / "one"), Gate(jobs.place / "other"))
    jobs.push_script(f"print(file=open({str(one.path)!r}, 'w')); open({str(other.path)!r}).readline()")
    jobs.push_script(f"open({str(one.path)!r}).readline(); print(file=open({str(other.path)!r}, 'w'))")
    jobs.run_all(slots=2)
    assert jobs.states() == ["FINISHED"] * 2


def test_jobs_see_the_gpus_that_they_asked_for_and_nobody_else_has_them(jobs: WaitingJobs) -> None:
    script = "import os; print('sees', os.environ['CUDA_VISIBLE_DEVICES'], os.environ['HIP_VISIBLE_DEVICES'])"
    barrier = [Gate(jobs.place / "one"), Gate(jobs.place / "other")]
    one, other = (str(gate.path) for gate in barrier)
    together = [
        f"print(file=open({one!r}, 'w')); open({other!r}).readline()",
        f"open({one!r}).readline(); print(file=open({other!r}, 'w'))",
    ]
    for number, wait in enumerate(together):
        jobs.push_script(f"{script}; {wait}", gpus=number + 1)
    jobs.push_script(script, gpus=0)
    jobs.push_script(script)  # one is usual
    too_large = jobs.push_script(script, gpus=4)
    jobs.run_all(gpus=["3", "5", "6"])
    said = [jobs.output(number).splitlines()[-1] for number in range(4)]
    assert said == ["sees 3 3", "sees 5,6 5,6", "sees  ", "sees 3 3"]
    assert jobs.item(too_large)["state"] == "PENDING"  # for a larger machine


def test_an_agent_that_is_told_to_end_gives_its_jobs_back(jobs: WaitingJobs, gates: List[Gate]) -> None:
    item = jobs.push_script(WAITS)
    with jobs.start_agent(stderr=subprocess.DEVNULL) as agent:
        gates[0].wait()
        agent.send_signal(signal.SIGTERM)
        assert agent.wait() == 128 + signal.SIGTERM
    assert jobs.output().splitlines()[-1] == "was asked to end"
    found = jobs.item(item)
    assert (found["state"], found["message"]) == ("PENDING", "its agent was told to end")


def test_ctrl_c_waits_for_jobs_and_the_second_one_ends_them(jobs: WaitingJobs, gates: List[Gate]) -> None:
    first = jobs.push_script(WAITS)
    with jobs.start_agent(stderr=subprocess.PIPE) as agent:
        gates[0].wait()
        agent.send_signal(signal.SIGINT)
        assert agent.stderr is not None
        while "Ctrl-C once more" not in agent.stderr.readline():
            pass
        jobs.push_script("open('taken', 'w')")
        gates[1].open()
        assert agent.wait() == 128 + signal.SIGINT
    assert jobs.item(first)["state"] == "FINISHED"
    assert jobs.states().count("PENDING") == 1
    second = jobs.push_script(WAITS, priority=0)
    with jobs.start_agent(stderr=subprocess.PIPE) as agent:
        gates[0].wait()
        agent.send_signal(signal.SIGINT)
        assert agent.stderr is not None
        while "Ctrl-C once more" not in agent.stderr.readline():
            pass
        agent.send_signal(signal.SIGINT)
        assert agent.wait() == 128 + signal.SIGINT
    assert jobs.item(second)["state"] == "PENDING"


def test_the_jobs_of_a_killed_agent_go_on_and_the_next_one_tells_of_them(jobs: WaitingJobs, gates: List[Gate]) -> None:
    item = jobs.push_script(WAITS)
    with jobs.start_agent(stderr=subprocess.DEVNULL) as agent:
        gates[0].wait()
        agent.kill()
    with jobs.start_agent(stderr=subprocess.PIPE) as agent:
        assert agent.stderr is not None
        while "goes on" not in agent.stderr.readline():
            pass
        gates[1].open()
        while "has ended" not in agent.stderr.readline():
            pass
        agent.send_signal(signal.SIGINT)
        assert agent.wait() == 128 + signal.SIGINT
    assert jobs.output().splitlines()[-1] == "went on to its end"
    assert jobs.happened(item) == ["pushed", "popped", "started", "finished"]


def test_the_job_of_a_dead_machine_is_handed_out_once_more(jobs: WaitingJobs, tmp_path: Path) -> None:
    """A machine of which nobody hears any more, and two others."""
    item = jobs.push_script("pass")
    server = jobs.server
    ids = [queue["id"] for queue in server.queues()]
    dead = server.register(ids, "dead", {}, "")
    popped = server.pop("q", dead, 0)
    assert popped is not None
    assert server.acknowledge(dead, popped.item, "r1")
    assert jobs.run_all() == 0
    assert jobs.states() == ["CLAIMED"]
    jobs.live.clock.advance(QUEUE_LEASE_SECONDS + 1)
    for _ in range(2):
        assert jobs.run_all() == 0
    assert jobs.happened(item) == [
        "pushed", "popped", "started", "popped again: its agent is silent", "started", "finished",
    ]  # fmt: skip
    assert len(jobs.folders) == 1
    assert server.keep(dead, [item]) == {item}
    assert server.finish(dead, item, 1, "") == ""


def test_an_agent_ends_a_job_that_was_taken_from_it(jobs: WaitingJobs, gates: List[Gate]) -> None:
    item = jobs.push_script(WAITS)
    with jobs.start_agent(stderr=subprocess.PIPE) as agent:
        gates[0].wait()
        jobs.server.remove("q", item)
        assert agent.stderr is not None
        while "is no longer this agent's; it was ended here" not in agent.stderr.readline():
            pass
        agent.send_signal(signal.SIGTERM)
        agent.communicate()
    assert jobs.output().splitlines()[-1] == "was asked to end"


KEEPS = """
import sys, time
from pathlib import Path
from wandb.superagent._job_folder import JobFolder
from wandb.superagent._keeper import Keeper
Keeper(JobFolder(Path(sys.argv[1])), clock=lambda: time.monotonic() * 10_000, look_seconds=0.01).run()
"""


def test_a_job_whose_agent_is_gone_ends_before_another_machine_gets_it(jobs: WaitingJobs) -> None:
    """Time passes ten thousand times as fast for its keeper."""
    folder = jobs.place / "jobs" / "1"
    folder.mkdir(parents=True)
    record = {"item": "i", "launch_agent": "a", "queue": "q", "title": "t", "words": ["sleep", "1000"], "folder": "/"}
    (folder / "job.json").write_text(json.dumps(record))
    subprocess.run([sys.executable, "-c", KEEPS, str(folder)], check=True)
    ending = JobFolder(folder).ending
    assert ending is not None
    assert (ending.exit_code, ending.reason) == (128 + signal.SIGTERM, "its agent died, and no other came")


def test_a_job_whose_keeper_was_killed_is_ended_and_given_to_another(jobs: WaitingJobs, gates: List[Gate]) -> None:
    item = jobs.push_script(WAITS)
    with jobs.start_agent(stderr=subprocess.PIPE) as agent:
        job = int(gates[0].wait())
        os.kill(int(subprocess.check_output(["ps", "-o", "ppid=", "-p", str(job)])), signal.SIGKILL)
        assert agent.stderr is not None
        while "was given back: its keeper was killed" not in agent.stderr.readline():
            pass
        gates[0].wait()  # it has it again
        agent.send_signal(signal.SIGTERM)
        agent.communicate()
    assert jobs.happened(item)[:4] == ["pushed", "popped", "started", "given back"]
    left = Path(f"/proc/{job}/status")
    assert not left.exists() or "zombie" in left.read_text()


def test_a_job_goes_on_while_its_server_is_away_and_its_end_is_told_later(
    jobs: WaitingJobs, gates: List[Gate], monkeypatch: pytest.MonkeyPatch
) -> None:
    item = jobs.push_script(WAITS)
    way = ChaosProxy(jobs.live.url, random.Random(1), luck=1.0)
    monkeypatch.setenv("WANDB_BASE_URL", way.url)
    with jobs.start_agent(stderr=subprocess.PIPE) as agent:
        gates[0].wait()
        way.luck = 0.0
        assert agent.stderr is not None
        while "the server can't be asked" not in agent.stderr.readline():
            pass
        gates[1].open()
        way.luck = 1.0
        while "has ended" not in agent.stderr.readline():
            pass
        agent.send_signal(signal.SIGTERM)
        agent.communicate()
    way.close()
    assert jobs.happened(item) == ["pushed", "popped", "started", "finished"]


def test_what_was_half_written_when_the_machine_went_down_keeps_no_agent_from_working(jobs: WaitingJobs) -> None:
    jobs.push_script("pass")
    agent = Superagent(jobs.server, drain=True, **QUICK)
    broken = agent._folder.path / "jobs" / "77"
    broken.mkdir(parents=True)
    (broken / "owner").write_text("somebody")
    (broken / "job.json").write_bytes(b"")
    assert agent.run() == 0
    assert jobs.states() == ["FINISHED"]
    assert not (broken / "owner").exists()


def test_a_project_without_queues_gets_one(jobs: WaitingJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """As callers of the first release name it."""
    project = f"{jobs.project}-empty"
    assert run_agent([f"{jobs.live.user}/{project}"], drain=True, **QUICK) == 0
    assert [queue["name"] for queue in connect(None, project).queues()] == ["default"]
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(UsageError, match=r"there is no API key for .*: run `wandb login`"):
        run_agent(project)
