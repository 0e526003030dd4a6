"""`wandb queue` and `wandb superagent`, as they are typed."""

from __future__ import annotations

import json
from typing import Any, List, Optional

import pytest
from click.testing import CliRunner, Result
from waiting_jobs import WaitingJobs

from wandb.cli import main


def wandb(*arguments: str, code: Optional[int] = 0) -> Result:
    done = CliRunner().invoke(main, list(arguments))
    assert code is None or done.exit_code == code, done.output
    return done


def listed(jobs: WaitingJobs, queue: str = "q") -> Any:
    return json.loads(wandb("queue", "ls", f"{jobs.project}/{queue}", "--json").stdout)["jobs"]


def test_a_job_is_pushed_run_and_seen(jobs: WaitingJobs) -> None:
    (jobs.place / "say.py").write_text("import sys; print('says', sys.argv[1:])")
    queue = f"{jobs.project}/q"
    done = wandb("queue", "push", queue, "-c", "lr=0.1", "-c", "layers=3", "--", "python", "say.py", "--x", "${args}")
    assert "the folder" in done.stdout
    assert f"wandb queue ls {queue}" in done.output
    (before,) = listed(jobs)
    assert before["state"] == "PENDING"
    assert json.loads(json.dumps(before["runSpec"]))["overrides"]["run_config"] == {"lr": 0.1, "layers": 3}
    assert "waiting" in wandb("queue", "ls", queue).stdout
    served = wandb("superagent", jobs.project, "--drain", "--slots", "2")
    assert "has ended" in served.output
    assert jobs.output().splitlines()[-1] == "says ['--x', '--lr=0.1', '--layers=3']"
    table = wandb("queue", "ls", queue).stdout
    assert "finished" in table
    assert "python say.py --x" in table


def test_everything_that_can_be_said_of_a_job_stands_in_it(jobs: WaitingJobs) -> None:
    (jobs.place / "requirements.txt").write_text("numpy\n")
    pushed = wandb(
        "queue", "push", f"{jobs.project}/q", "-p", "digits", "--name", "first", "--priority", "0", "--env", "A=1",
        "--requirements", "requirements.txt", "--gpus", "2", "--memory", "16GB", "--time", "12h", "--retries", "3",
        "--here", "--json", "python", "train.py",
    )  # fmt: skip
    told = json.loads(pushed.stdout)
    assert told["spec"] == {
        "entity": jobs.live.user, "project": "digits", "name": "first", "environment": {"A": "1"},
        "requirements": "numpy\n", "gpus": 2, "retries": 3, "limits": {"memory": 16_000_000_000, "seconds": 43_200.0},
        "directory": str(jobs.place), "resource": "local-process", "overrides": {"entry_point": ["python", "train.py"]},
    }  # fmt: skip
    assert listed(jobs)[0]["priority"] == 0


def test_queues_are_made_listed_and_removed(jobs: WaitingJobs) -> None:
    made = wandb("queue", "create", f"{jobs.project}/nightly", "--private")
    assert f"Made the queue nightly in {jobs.live.user}/{jobs.project}" in made.stdout
    jobs.push("python", queue="nightly")
    jobs.push("python", queue="nightly")
    found = json.loads(wandb("queue", "ls", "-p", jobs.project, "--json").stdout)["queues"]
    assert [(queue["name"], queue["access"], queue["counts"]["PENDING"]) for queue in found] == [
        ("q", "PROJECT", 0), ("nightly", "USER", 2),
    ]  # fmt: skip
    assert "nightly" in wandb("queue", "ls", "-p", jobs.project).stdout
    number = json.loads(wandb("queue", "push", f"{jobs.project}/nightly", "--json", "--", "python").stdout)["number"]
    nightly = f"{jobs.project}/nightly"
    assert "Removed 1 of 3 jobs" in wandb("queue", "rm", nightly, number).stdout
    assert "has no job" in wandb("queue", "rm", nightly, number, code=1).output
    assert "2 jobs of nightly wait or run; --force removes it" in wandb("queue", "rm", nightly, code=1).output
    wandb("queue", "rm", nightly, "--force")
    assert [queue["name"] for queue in jobs.server.queues()] == ["q"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["queue", "push", "q"], 2, "what is to run? Give a command behind `--`, or --job"),
        (["queue", "push", "a/b/c/d", "--", "python"], 2, "one is called NAME, PROJECT/NAME or ENTITY/PROJECT/NAME"),
        (["queue", "push", "q", "-c", "lr", "--", "python"], 2, "--config takes KEY=VALUE, not 'lr'"),
        (["queue", "push", "q", "--memory", "lots", "--", "python"], 2, "--memory"),
        (["queue", "ls", "no-project/no-queue"], None, "there is no queue 'no-queue' in"),
        (["superagent", "--gpus", "0,,1"], 1, "--gpus is auto, none, or numbers such as 0,1: not '0,,1'"),
        (["superagent", "--via", "slurm"], 1, "needs the program srun"),
    ],
)
def test_what_is_wrong_is_said_with_the_remedy(
    jobs: WaitingJobs, monkeypatch: pytest.MonkeyPatch, arguments: List[str], code: Optional[int], message: str
) -> None:
    monkeypatch.setenv("PATH", "")
    assert message in wandb(*arguments, code=code).output


def test_gpus_are_found_by_what_the_environment_shows(jobs: WaitingJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    jobs.push_script("import os; print('sees', os.environ['CUDA_VISIBLE_DEVICES'])")
    served = wandb("superagent", jobs.project, "--gpus", "auto", "--drain")
    assert "2 jobs at a time" in served.output
    assert jobs.output().splitlines()[-1] == "sees 4"
