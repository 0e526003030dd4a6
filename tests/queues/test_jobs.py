"""What a job of a queue gets: its code, its packages, its config, its limits; and what is told of how it ended."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path
from typing import Any, Dict

import pytest
from waiting_jobs import WaitingJobs

from wandb.errors import UsageError
from wandb.sdk.wandb_settings import merged
from wandb.superagent import JobError, parse_job
from wandb.superagent._environments import remove_unused
from wandb.superagent._push import describe_job

TRAIN = """
import wandb
with wandb.init(config={"lr": 1.0, "epochs": 3}, settings={"x_disable_stats": True, "disable_git": True}) as run:
    run.log({"loss": run.config.lr * 10})
"""


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=tester", "-c", "user.email=tester@example.com"]
    return subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()  # fmt: skip


def test_a_job_runs_with_its_config_and_its_run_is_on_the_server(jobs: WaitingJobs) -> None:
    (jobs.place / "train.py").write_text(TRAIN)
    spec: Dict[str, Any] = {"name": "first", "environment": {"COLOUR": "red"}}
    item = jobs.push("python", "train.py", overrides={"run_config": {"lr": 0.5}}, **spec)
    assert jobs.run_all() == 0
    found = jobs.item(item)
    assert (found["state"], found["exitCode"]) == ("FINISHED", 0)
    assert jobs.happened(item) == ["pushed", "popped", "started", "finished"]
    run = jobs.live.run(
        "displayName state config historyLineCount summaryMetrics", found["associatedRunId"], jobs.project
    )
    config = {key: entry["value"] for key, entry in json.loads(run["config"]).items() if key != "_wandb"}
    assert config == {"lr": 0.5, "epochs": 3}
    assert (run["displayName"], run["state"], run["historyLineCount"]) == ("first", "finished", 1)
    assert json.loads(run["summaryMetrics"])["loss"] == 5


def test_without_a_command_the_folders_train_py_finds_its_config_in_a_file(jobs: WaitingJobs) -> None:
    """As in the first release of this project."""
    (jobs.place / "train.py").write_text("import json; print(json.load(open('config.json'))['lr'])")
    jobs.push(overrides={"entry_point": None, "run_config": {"lr": 0.25}})
    jobs.run_all()
    assert jobs.output().splitlines()[-1] == "0.25"


def test_macros_stand_for_the_config_and_for_variables(jobs: WaitingJobs) -> None:
    words = ["${interpreter}", "-c", "import sys; print(sys.argv[1:])", "${args}", "${envvar:COLOUR}"]
    jobs.push(*words, overrides={"run_config": {"lr": 0.1, "fast": True}}, environment={"COLOUR": "red"})
    jobs.run_all()
    assert jobs.output().splitlines()[-1] == "['--lr=0.1', '--fast=True', 'red']"


def test_a_job_runs_at_its_commit_with_what_was_changed_since(jobs: WaitingJobs) -> None:
    origin, mine = jobs.place / "origin.git", jobs.place / "mine"
    git(jobs.place, "init", "--quiet", "--bare", "-b", "main", str(origin))
    git(jobs.place, "clone", "--quiet", str(origin), str(mine))
    inside = mine / "project"
    inside.mkdir()
    (inside / "say.py").write_text("print('committed')\n")
    (inside / "other.py").write_text("text = 'as it was'\n")
    git(mine, "add", ".")
    git(mine, "commit", "--quiet", "-m", "first")
    git(mine, "push", "--quiet", "origin", "HEAD:main")
    commit = git(mine, "rev-parse", "HEAD")
    (inside / "say.py").write_text("from other import text; print('changed since,', text)\n")
    described = describe_job(["python", "say.py"], merged(), folder=inside, entity=jobs.live.user, project=jobs.project)
    assert described.spec["git"]["version"] == commit
    assert described.warnings == []
    git(mine, "checkout", "--quiet", "--", ".")
    (inside / "other.py").write_text("text = 'of a later commit'\n")
    git(mine, "commit", "--quiet", "-am", "later")
    git(mine, "push", "--quiet", "origin", "HEAD:main")
    item = jobs.server.push("q", described.spec)
    jobs.run_all()
    assert jobs.item(item)["state"] == "FINISHED", jobs.output()
    assert jobs.output().splitlines()[-1] == "changed since, as it was"
    assert not (jobs.folders[0] / "work").exists()  # nobody needs it any more


def test_what_cannot_go_along_is_said_when_the_job_is_pushed(jobs: WaitingJobs) -> None:
    origin, mine = jobs.place / "origin.git", jobs.place / "mine"
    git(jobs.place, "init", "--quiet", "--bare", str(origin))
    git(jobs.place, "clone", "--quiet", str(origin), str(mine))
    (mine / "weights.bin").write_bytes(bytes(range(256)))
    git(mine, "add", ".")
    git(mine, "commit", "--quiet", "-m", "only here")
    (mine / "new.py").write_text("")
    warnings = describe_job(["python", "new.py"], merged(), folder=mine).warnings
    assert "is on no branch of the remote: `git push` it" in warnings[0]
    assert warnings[1] == "git doesn't know new.py, and the job won't have them: `git add` what it needs"
    (mine / "weights.bin").write_bytes(bytes(range(255, -1, -1)))
    with pytest.raises(UsageError, match="no text, and can't go along as a patch: commit it first"):
        describe_job(["python", "new.py"], merged(), folder=mine)


def write_wheel(folder: Path, name: str, text: str) -> None:
    """A package with one module, as an index would have it."""
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
        about = f"{name}-1.0.dist-info"
        wheel.writestr(f"{name}.py", f"text = {text!r}\n")
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")


def test_jobs_with_the_same_requirements_share_an_environment(
    jobs: WaitingJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(jobs.place, "wanted_by_the_job", "installed for it")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(jobs.place))
    script = "import sys, wandb, wanted_by_the_job; print(sys.prefix, wanted_by_the_job.text, wandb.__file__)"
    requirements = "# what it needs\nwanted_by_the_job==1.0\nwandb>=0.20  # the agent's own\n"
    for _ in range(2):
        jobs.push("python", "-c", script, requirements=requirements)
    jobs.run_all()
    said = [jobs.output(number).splitlines()[-1] for number in (0, 1)]
    assert said[0] == said[1]
    assert "installed for it" in said[0]
    assert [("-m venv" in jobs.output(number)) for number in (0, 1)] == [True, False]
    (environment,) = (path.parent for path in (jobs.place / "cache").glob("environments/*/complete"))
    assert said[0].startswith(str(environment))
    assert remove_unused() == []
    assert environment in remove_unused(now=environment.stat().st_mtime + 40 * 86400)


def test_limits_end_a_job_and_say_so(jobs: WaitingJobs) -> None:
    waits = "import time; print('begins', flush=True); time.sleep(1000)"
    long = jobs.push_script(waits, limits={"seconds": 0.5})
    grows = jobs.push_script(f"held = bytearray(300 << 20); {waits}", limits={"memory": 200 << 20})
    jobs.run_all(slots=2)
    assert jobs.item(long)["message"] == "it ran for longer than its limit of 0.5 seconds\nbegins"
    assert "its limit is 200 MiB" in jobs.item(grows)["message"]
    assert [jobs.item(item)["exitCode"] for item in (long, grows)] == [128 + 15, 128 + 9]


def test_what_a_job_leaves_behind_ends_with_it(jobs: WaitingJobs) -> None:
    jobs.push_script("import subprocess; print(subprocess.Popen(['sleep', '1000']).pid)")
    jobs.run_all()
    left = Path("/proc") / jobs.output().splitlines()[-1] / "status"
    assert not left.exists() or "zombie" in left.read_text()


def test_a_failed_job_is_tried_again_and_each_attempt_is_a_run_of_its_own(jobs: WaitingJobs) -> None:
    item = jobs.push_script(
        "import os, sys\nwith open('ids', 'a+') as file: file.write(os.environ['WANDB_RUN_ID'] + ' ')\n"
        "sys.exit(3 if len(open('ids').read().split()) == 1 else 0)",
        retries=1,
    )
    jobs.run_all()
    assert jobs.happened(item) == [
        "pushed", "popped", "started", "failed, is tried again", "popped", "started", "finished",
    ]  # fmt: skip
    assert len(set((jobs.place / "ids").read_text().split())) == 2
    assert [folder.name.endswith("-2") for folder in jobs.folders] == [False, True]


def test_the_last_words_of_a_failed_job_are_told(jobs: WaitingJobs) -> None:
    item = jobs.push_script("print('before', flush=True); raise ValueError('the data is not there')")
    missing = jobs.push("no-such-program-anywhere")
    jobs.run_all()
    assert jobs.item(item)["message"].endswith("ValueError: the data is not there")
    assert (jobs.item(missing)["exitCode"], jobs.item(missing)["state"]) == (127, "FAILED")
    assert "no-such-program-anywhere" in jobs.item(missing)["message"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"limits": {"memory": "4 cows"}}, "job, limits.memory: must be a whole number, not '4 cows'"),
        ({"overrides": {"entry_point": "python"}}, "job, overrides.entry_point: must be a list of texts, not 'python'"),
        ({"git": {"repo": "ext::sh -c evil"}}, "job, git.repo: is no address of a repository: 'ext::sh -c evil'"),
        ({"git": {"repo": "-uevil"}}, "job, git.repo: is no address of a repository: '-uevil'"),
        ({"git": {"repo": "r", "version": "--x"}}, "job, git.version: is no commit and no branch: '--x'"),
        ({"environment": {"A=B": "c"}}, "job, environment.A=B: is no name of a variable"),
        ({"directory": "/a", "job": "j:v0"}, "job: has more than one of git, directory and job"),
        (["python"], "job: must be an object, not ['python']"),
    ],
)  # fmt: skip
def test_an_error_names_the_place_in_the_job(spec: Any, message: str) -> None:
    with pytest.raises(JobError) as caught:
        parse_job(spec)
    assert str(caught.value).startswith(message)


def test_a_job_that_cannot_be_run_fails_with_the_reason(jobs: WaitingJobs) -> None:
    wrong = jobs.push("python", gpus=-1)
    outside = jobs.push("python", overrides={"working_dir": "../.."})
    elsewhere = jobs.push("python", directory="/no/such/folder")
    unknown = jobs.push("python", git={"repo": str(jobs.place / "no-repository"), "version": "main"})
    jobs.run_all()
    assert jobs.item(wrong)["message"] == "job, gpus: must be a whole number, not -1"
    assert "the code has no folder '../..'" in jobs.item(outside)["message"]
    assert "this machine has no folder /no/such/folder" in jobs.item(elsewhere)["message"]
    assert "does not appear to be a git repository" in jobs.item(unknown)["message"]
    assert jobs.states() == ["FAILED"] * 4


def test_no_secret_of_the_agent_stands_in_its_folder(jobs: WaitingJobs) -> None:
    jobs.push_script("import os; assert os.environ['WANDB_API_KEY']", environment={"TOKEN": "hunter2"})
    assert jobs.run_all() == 0
    files = [path for path in (jobs.place / "wandb").rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if jobs.live.key in path.read_text() or "hunter2" in path.read_text()]
    assert not [path for path in (jobs.place / "wandb" / "superagent").rglob("*") if path.stat().st_mode & 0o077]
