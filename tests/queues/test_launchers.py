"""Jobs that run through SLURM or in Kubernetes. Neither runs here: programs of their names stand in for `srun` and
`kubectl`, note what they were called with, and do what those would do."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest
from gates import Gate
from waiting_jobs import WaitingJobs

from wandb.errors import UsageError
from wandb.superagent import Job
from wandb.superagent._launchers import KubernetesLauncher, launcher_of, merged
from wandb.superagent._push import describe_job

# Takes the options of srun apart, and runs the rest.
SRUN = """
import json, os, sys
words = sys.argv[1:]
begins = next(number for number, word in enumerate(words) if not word.startswith("-"))
json.dump(words[:begins], open(os.environ["STAND_IN"] + "/srun.json", "w"))
os.execvp(words[begins], words[begins:])
"""
# A cluster of one machine: a Job's container is a process, started when its logs are asked for.
KUBECTL = """
import json, os, signal, subprocess, sys
place = os.environ["STAND_IN"]
words = [word for word in sys.argv[1:] if not word.startswith("--namespace=")]
with open(place + "/calls", "a") as calls: calls.write(" ".join(sys.argv[1:]) + "\\n")
if words[0] == "create":
    json.dump(json.load(sys.stdin), open(place + "/job.json", "w"))
elif words[0] == "get":
    state = {"running": {}}
    if os.path.exists(place + "/code"):
        state = {"terminated": {"exitCode": int(open(place + "/code").read())}}
    if os.path.exists(place + "/waiting"):
        state = {"waiting": {"reason": "ErrImagePull", "message": "there is no such image"}}
    status = {"phase": "Running", "containerStatuses": [{"state": state}]}
    print(json.dumps({"items": [{"metadata": {"name": "pod-1"}, "status": status}]}))
elif words[0] == "logs":
    container = json.load(open(place + "/job.json"))["spec"]["template"]["spec"]["containers"][0]
    environment = {entry["name"]: entry.get("value", "a secret") for entry in container["env"]}
    environment["PATH"] = os.environ["PATH"]
    done = subprocess.run(container["command"], env=environment, cwd=place)
    with open(place + "/.code", "w") as file: file.write(str(done.returncode))
    os.rename(place + "/.code", place + "/code")
"""


@pytest.fixture
def stand_ins(own_place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the programs, which is also where they note what they were called with."""
    folder = own_place / "stand-ins"
    folder.mkdir()
    for name, script in (("srun", SRUN), ("kubectl", KUBECTL)):
        (folder / name).write_text(f"#!{sys.executable}\n{script}")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("STAND_IN", str(folder))
    return folder


def test_slurm_is_told_what_a_job_needs(jobs: WaitingJobs, stand_ins: Path) -> None:
    limits = {"memory": 3 << 30, "seconds": 90}
    item = jobs.push_script("import os; print(os.getcwd())", name="train", gpus=2, limits=limits)
    failing = jobs.push_script("raise SystemExit(5)")
    jobs.run_all(launcher=launcher_of("slurm", options=["--partition=gpu", "--account=me"]), count=1)
    assert json.loads((stand_ins / "srun.json").read_text()) == [
        "--ntasks=1", "--job-name=wandb-train", f"--chdir={jobs.place}", "--export=ALL", "--kill-on-bad-exit=1",
        "--quit-on-interrupt", "--unbuffered", "--gpus=2", "--mem=3072M", "--time=2", "--partition=gpu", "--account=me",
    ]  # fmt: skip
    assert jobs.item(item)["state"] == "FINISHED"
    assert jobs.output().splitlines()[-1] == str(jobs.place)
    jobs.run_all(launcher=launcher_of("slurm"))
    assert (jobs.item(failing)["state"], jobs.item(failing)["exitCode"]) == ("FAILED", 5)


def push_image(jobs: WaitingJobs, script: str, **spec: Any) -> str:
    """As `wandb queue push --image` does it."""
    from wandb.sdk.wandb_settings import merged as settings

    described = describe_job(
        ["python3", "-c", script], settings(), folder=jobs.place, image="train:1", entity=jobs.live.user,
        project=jobs.project, **spec,
    )  # fmt: skip
    return jobs.server.push("q", described.spec)


def test_a_job_of_kubernetes_is_made_watched_and_removed(jobs: WaitingJobs, stand_ins: Path) -> None:
    script = "import os; print('in', os.environ['WANDB_PROJECT'], os.environ['WANDB_CONFIG'], os.environ['COLOUR'])"
    item = push_image(
        jobs, script, gpus=1, limits={"memory": 1 << 30, "seconds": 60}, config={"lr": 1}, environment={"COLOUR": "red"}
    )
    template = jobs.place / "template.yaml"
    template.write_text("spec: {template: {spec: {nodeSelector: {gpu: a100}, containers: [{volumeMounts: [x]}]}}}")
    launcher = launcher_of("kubernetes", options=["--namespace=ml"], template=template)
    jobs.run_all(launcher=launcher)
    found = jobs.item(item)
    assert found["state"] == "FINISHED", jobs.output()
    assert jobs.output().splitlines()[-1] == f'in {jobs.project} {{"lr": 1}} red'
    manifest = json.loads((stand_ins / "job.json").read_text())
    assert manifest["metadata"]["name"] == f"wandb-{found['associatedRunId']}"
    spec = manifest["spec"]
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (0, 60)
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert (pod["restartPolicy"], pod["nodeSelector"]) == ("Never", {"gpu": "a100"})
    assert (container["image"], container["volumeMounts"]) == ("train:1", ["x"])
    assert container["resources"]["limits"] == {"nvidia.com/gpu": "1", "memory": str(1 << 30)}
    key = {"name": "WANDB_API_KEY", "valueFrom": {"secretKeyRef": {"name": "wandb", "key": "api-key"}}}
    assert container["env"][0] == key
    assert jobs.live.key not in json.dumps(manifest)
    calls = (stand_ins / "calls").read_text().splitlines()
    assert calls[0] == "--namespace=ml create -f -"
    assert calls[-1] == f"--namespace=ml delete job {manifest['metadata']['name']} --wait=false --ignore-not-found"


def test_a_job_of_kubernetes_that_fails_or_cannot_begin_says_so(jobs: WaitingJobs, stand_ins: Path) -> None:
    failing = push_image(jobs, "raise SystemExit(9)")
    jobs.run_all(launcher=launcher_of("kubernetes"))
    assert jobs.item(failing)["exitCode"] == 9
    (stand_ins / "code").unlink()
    (stand_ins / "waiting").touch()
    hopeless = push_image(jobs, "pass")
    jobs.run_all(launcher=launcher_of("kubernetes"))
    assert "ErrImagePull: there is no such image" in jobs.item(hopeless)["message"]


def test_a_job_of_kubernetes_is_removed_when_its_agent_is_told_to_end(jobs: WaitingJobs, stand_ins: Path) -> None:
    gate = Gate(stand_ins / "begun")
    item = push_image(jobs, "print(file=open('begun', 'w')); import time; time.sleep(1000)")
    command = [sys.executable, "-m", "wandb", "superagent", jobs.project, "--via", "kubernetes"]
    with subprocess.Popen(command, cwd=jobs.place, stderr=subprocess.DEVNULL) as agent:
        gate.wait()
        agent.send_signal(signal.SIGTERM)
        assert agent.wait() == 128 + signal.SIGTERM
    assert jobs.item(item)["state"] == "PENDING"
    assert "delete job" in (stand_ins / "calls").read_text().splitlines()[-1]


def test_what_a_cluster_cannot_run_is_said(jobs: WaitingJobs, stand_ins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = jobs.push("python", directory=str(jobs.place))
    image = push_image(jobs, "pass")
    jobs.run_all(launcher=KubernetesLauncher("train:1"), count=1)
    assert "a job of Kubernetes brings no code along" in jobs.item(code)["message"]
    jobs.server.remove("q", image)
    image = jobs.server.push("q", {"image": "train:1", "overrides": {}})
    jobs.run_all()
    assert "`wandb superagent --via kubernetes` runs those" in jobs.item(image)["message"]
    monkeypatch.setenv("PATH", str(jobs.place))
    with pytest.raises(UsageError, match="needs the program srun, which this machine hasn't on its PATH"):
        launcher_of("slurm")


def test_a_template_and_a_job_say_what_they_say_together() -> None:
    template: Dict[str, Any] = {"a": {"b": 1, "c": [{"d": 2}, {"e": 3}]}, "f": 4}
    ours: Dict[str, Any] = {"a": {"b": 5, "c": [{"g": 6}]}}
    expected: List[Any] = [{"d": 2, "g": 6}, {"e": 3}]
    assert merged(template, ours) == {"a": {"b": 5, "c": expected}, "f": 4}
    assert Job().title == "job"
