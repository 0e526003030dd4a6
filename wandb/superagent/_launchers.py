"""Where a job's command runs: as a process of this machine, through SLURM, or as a Kubernetes Job.

A launcher turns a command line into another one, which waits for the job, passes on what it prints, ends it when it is
asked to, and has its exit code: what the keeper runs is that. So limits, signals, logs and leases are the same
everywhere.
"""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence

from ..errors import UsageError
from ._keeper import python_command
from ._spec import Job, JobError

KINDS = ("process", "slurm", "kubernetes")


class Launcher:
    """Runs jobs as processes of this machine."""

    runs_here = True  # so that packages are installed here, and memory is looked at
    has_gpus = False  # which it gives to jobs itself

    def check(self, job: Job) -> Job:
        """The job, as it can be run so. Raises JobError."""
        if job.image and not (job.git or job.directory or job.command):
            raise JobError(
                f"it runs in the container image {job.image}: `wandb superagent --via kubernetes` runs those"
            )
        return job

    def words(
        self, job: Job, words: Sequence[str], folder: Path, environment: Mapping[str, str], job_folder: Path
    ) -> List[str]:
        """The command line that the keeper runs."""
        return list(words)


class SlurmLauncher(Launcher):
    """Runs jobs by `srun`, which waits in SLURM's own queue: the folder must be one that the nodes share.

    >>> launcher = SlurmLauncher(["--partition=gpu"])
    >>> words = launcher.words(Job(gpus=2), ["python", "train.py"], Path("/shared/code"), {}, Path("/job"))
    >>> words[:4], words[-3:]
    (['srun', '--ntasks=1', '--job-name=wandb-job', '--chdir=/shared/code'], ['--partition=gpu', 'python', 'train.py'])
    """

    has_gpus = True

    def __init__(self, options: Sequence[str] = ()) -> None:
        """options: of srun, for every job."""
        self._options = list(options)

    def words(
        self, job: Job, words: Sequence[str], folder: Path, environment: Mapping[str, str], job_folder: Path
    ) -> List[str]:
        asked = ["srun", "--ntasks=1", f"--job-name=wandb-{job.name or 'job'}", f"--chdir={folder}", "--export=ALL"]
        # The step ends with the agent's wish, and its exit code is that of srun.
        asked += ["--kill-on-bad-exit=1", "--quit-on-interrupt", "--unbuffered"]
        if job.gpus:
            asked.append(f"--gpus={job.gpus}")
        if job.memory_bytes_max:
            asked.append(f"--mem={math.ceil(job.memory_bytes_max / 2**20)}M")
        if job.seconds_max:
            asked.append(f"--time={math.ceil(job.seconds_max / 60)}")
        return [*asked, *self._options, *words]


class KubernetesLauncher(Launcher):
    """Runs jobs as Kubernetes Jobs, by `kubectl`: in the job's image, or in the one that is given for all.

    Their code is what the image holds. The API key comes from the secret `wandb`, under the name `api-key`.
    """

    runs_here, has_gpus = False, True

    def __init__(self, image: str = "", options: Sequence[str] = (), template: Mapping[str, Any] = {}) -> None:
        """options: of kubectl, for every call: `--namespace=…`. template: of a Job, with what every job is to have:
        node selectors, tolerations, volumes."""
        self._image, self._options, self._template = image, list(options), template

    def check(self, job: Job) -> Job:
        image = job.image or self._image
        if not image:
            raise JobError("job, image: is missing, and the agent has no --image for jobs that name none")
        if job.directory or job.git:
            raise JobError("a job of Kubernetes brings no code along: its image holds it. Push it with --image")
        return job._replace(image=image)

    def words(
        self, job: Job, words: Sequence[str], folder: Path, environment: Mapping[str, str], job_folder: Path
    ) -> List[str]:
        shown = {name: value for name, value in environment.items() if _goes_along(name, job)}
        manifest = merged(self._template, kubernetes_job(job, words, shown, environment["WANDB_RUN_ID"]))
        path = job_folder / "kubernetes.json"
        path.write_text(json.dumps(manifest), encoding="utf-8")
        path.chmod(0o600)
        return [*python_command("_kubernetes"), str(path), *self._options]


def _goes_along(name: str, job: Job) -> bool:
    """Whether a variable means something in a container: the run's own, and what the job says."""
    if name in job.environment:
        return True
    return name.startswith("WANDB_") and name not in ("WANDB_API_KEY", "WANDB_DIR", "WANDB_CACHE_DIR")


def kubernetes_job(job: Job, words: Sequence[str], environment: Mapping[str, str], run_id: str) -> Dict[str, Any]:
    """The manifest of a Job with one pod that isn't tried again: the queue does that."""
    limits: Dict[str, str] = {}
    if job.gpus:
        limits["nvidia.com/gpu"] = str(job.gpus)
    if job.memory_bytes_max:
        limits["memory"] = str(job.memory_bytes_max)
    key = {"name": "WANDB_API_KEY", "valueFrom": {"secretKeyRef": {"name": "wandb", "key": "api-key"}}}
    container: Dict[str, Any] = {
        "name": "job", "image": job.image,
        "env": [key, *({"name": name, "value": value} for name, value in sorted(environment.items()))],
        "resources": {"limits": limits},
    }  # fmt: skip
    if words:  # behind the image's own command, where the job has none
        container["command" if job.command else "args"] = list(words)
    pod: Dict[str, Any] = {"restartPolicy": "Never", "containers": [container]}
    spec: Dict[str, Any] = {"backoffLimit": 0, "ttlSecondsAfterFinished": 3600, "template": {"spec": pod}}
    if job.seconds_max:
        spec["activeDeadlineSeconds"] = math.ceil(job.seconds_max)
    name = f"wandb-{run_id.lower()}"
    labels = {"app.kubernetes.io/managed-by": "wandb-superagent", "wandb-run": run_id}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "labels": labels}, "spec": spec}


def merged(template: Any, ours: Any) -> Any:
    """A manifest in which what we say stands in the place of what the template says, and both where they say other
    things. Of lists the items are merged one by one."""
    if isinstance(template, Mapping) and isinstance(ours, Mapping):
        both = {key: merged(template[key], ours[key]) for key in template if key in ours}
        return {**template, **ours, **both}
    if isinstance(template, list) and isinstance(ours, list):
        shorter = min(len(template), len(ours))
        pairs = [merged(one, other) for one, other in zip(template, ours)]
        return [*pairs, *template[shorter:], *ours[shorter:]]
    return ours


def launcher_of(kind: str, image: str = "", options: Sequence[str] = (), template: Optional[Path] = None) -> Launcher:
    """What `--via` means. Raises UsageError where this machine can't do it."""
    program = {"slurm": "srun", "kubernetes": "kubectl"}.get(kind)
    if program is not None and shutil.which(program) is None:
        raise UsageError(f"--via {kind} needs the program {program}, which this machine hasn't on its PATH")
    if kind == "slurm":
        return SlurmLauncher(options)
    if kind == "kubernetes":
        return KubernetesLauncher(image, options, _read(template) if template is not None else {})
    return Launcher()


def _read(template: Path) -> Dict[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(template.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"the template {template} can't be read: {error}") from None
    if not isinstance(found, dict):
        raise UsageError(f"the template {template} is no manifest of a Job")
    return found
