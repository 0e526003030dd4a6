"""Where a job's code comes from: a commit of a git repository and what was changed since, a folder of this machine, or
a job of W&B Launch, which is an artifact.

A repository is fetched once into `~/.cache/wandb/repositories`, and each job gets a working tree of its own from there.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, NamedTuple, Optional, Tuple

from wandb_storage import LockFile
from wandb_uploader import cache_folder

from ..errors import Error
from ._spec import GitSource, Job, JobError
from ._steps import Steps

if TYPE_CHECKING:
    from ..apis._client import Client

# Nobody is there to be asked, and an address can't make git start a program.
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "https:http:ssh:git:file", "LC_ALL": "C"}
_LOCK_TRIES, _LOCK_PAUSE_SECONDS = 36_000, 0.1
_ADDRESS = "wandb-artifact://"
_BY_ID = f"{_ADDRESS}_id/"
_FROZEN, _FILE = "requirements.frozen.txt", "wandb-job.json"


class Code(NamedTuple):
    """A job whose code is here."""

    folder: Path
    job: Job  # with what the code itself says of command and requirements


def bring(job: Job, work: Path, client: Client, steps: Steps) -> Code:
    """Put a job's code where it can run. `work`: a folder for it, which isn't there yet. Raises JobError, OSError."""
    if job.artifact:
        job = _of_artifact(job, work, client, steps)
    if job.git is not None:
        _check_out(job.git, work, steps)
    folder = Path(job.directory) if job.directory else work
    if job.directory and not folder.is_dir():
        raise JobError(f"this machine has no folder {job.directory}: push the job from a git repository")
    folder.mkdir(mode=0o700, exist_ok=True)
    inside = (folder / job.folder).resolve()
    if not inside.is_dir() or folder.resolve() not in (inside, *inside.parents):
        raise JobError(f"the code has no folder {job.folder!r}, in which the command is to run")
    return Code(inside, job)


# --- repositories -----------------------------------------------------------------------------------------------------


def _check_out(source: GitSource, work: Path, steps: Steps) -> None:
    root = cache_folder(os.environ) / "repositories"
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    name = hashlib.sha256(source.repo.encode()).hexdigest()[:24]
    lock = LockFile(root / f"{name}.lock")
    try:
        if not lock.acquire(_LOCK_TRIES, _LOCK_PAUSE_SECONDS):
            raise JobError(f"another job has been fetching {source.repo} for an hour")
        commit = _fetch(source, root / f"{name}.git", steps)
        _git(steps, work.parent, "clone", "--quiet", "--shared", "--no-checkout", str(root / f"{name}.git"), str(work))
    finally:
        lock.release()
    _git(steps, work, "remote", "set-url", "origin", source.repo)
    _git(steps, work, "checkout", "--quiet", "--detach", commit)
    if (work / ".gitmodules").is_file():
        _git(steps, work, "submodule", "--quiet", "update", "--init", "--recursive")
    if source.patch.strip():
        words = ["git", "apply", "--whitespace=nowarn", "-"]
        steps.run(words, work, _QUIET, source.patch.encode("utf-8", "surrogateescape"))


def _fetch(source: GitSource, mirror: Path, steps: Steps) -> str:
    """Have the commit in the mirror; it is returned."""
    if not (mirror / "HEAD").exists():
        _git(steps, mirror.parent, "init", "--quiet", "--bare", str(mirror))
        _git(steps, mirror, "remote", "add", "--mirror=fetch", "origin", source.repo)
    wanted = source.version or "HEAD"
    is_commit = source.version is not None and len(source.version) >= 40
    commit = _resolve(mirror, wanted, steps) if is_commit else None
    if commit is None:
        _git(steps, mirror, "fetch", "--quiet", "--prune", "origin")
        if source.version is None:  # the branch that the repository itself calls its first
            _git(steps, mirror, "fetch", "--quiet", "origin", "HEAD")
            wanted = "FETCH_HEAD"
        commit = _resolve(mirror, wanted, steps)
    if commit is None and is_commit:
        # Of a pull request, say: no branch leads there, but most servers give it out.
        _git(steps, mirror, "fetch", "--quiet", "origin", wanted)
        commit = _resolve(mirror, wanted, steps)
    if commit is None:
        raise JobError(f"{source.repo} has no {wanted}: was it pushed there?")
    return commit


def _resolve(mirror: Path, wanted: str, steps: Steps) -> Optional[str]:
    return steps.ask(["git", "rev-parse", "--verify", "--quiet", f"{wanted}^{{commit}}"], mirror)


def _git(steps: Steps, folder: Path, *words: str) -> None:
    steps.run(["git", *words], folder, _QUIET)


# --- jobs of W&B Launch -----------------------------------------------------------------------------------------------


def _of_artifact(job: Job, work: Path, client: Client, steps: Steps) -> Job:
    """What an artifact of the type `job` says: the job's own words come first."""
    from ..sdk.artifacts._names import ArtifactPath
    from ..sdk.artifacts.artifact import Artifact

    aside = work.with_name("job")
    steps.say(f"job: {job.artifact}")
    try:
        path = ArtifactPath.parse(job.artifact)
        path = path._replace(entity=path.entity or job.entity, project=path.project or job.project)
        found = Artifact._find(client, path)
        found.download(str(aside))
        about, requirements = _read_job(aside)
        source = _object(about.get("source"))
        kind = about.get("source_type")
        if kind == "artifact":
            _download_code(str(source.get("artifact") or ""), work, client)
    except (Error, ValueError) as error:
        raise JobError(f"the job {job.artifact} can't be had: {error}") from None
    git = None
    if kind == "repo":
        patch = aside / "diff.patch"
        text = patch.read_text(encoding="utf-8", errors="surrogateescape") if patch.is_file() else ""
        place = _object(source.get("git"))
        git = GitSource(str(place.get("remote") or ""), str(place.get("commit") or "") or None, text)
    image = str(source.get("image") or "")
    command = job.command or tuple(map(str, source.get("entrypoint") or ()))
    return job._replace(
        git=git, command=command, requirements=job.requirements or requirements, image=job.image or image,
    )  # fmt: skip


def _read_job(folder: Path) -> Tuple[Dict[str, Any], str]:
    try:
        about = _object(json.loads((folder / _FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise JobError(f"its {_FILE} can't be read: {error}") from None
    frozen = folder / _FROZEN
    return about, frozen.read_text(encoding="utf-8") if frozen.is_file() else ""


def _download_code(address: str, work: Path, client: Client) -> None:
    from ..sdk.artifacts import _remote
    from ..sdk.artifacts._names import ArtifactPath
    from ..sdk.artifacts.artifact import Artifact

    if address.startswith(_BY_ID):
        artifact = Artifact._of_version(_remote.find_by_id(client, address[len(_BY_ID) :]), client)
    else:
        artifact = Artifact._find(client, ArtifactPath.parse(address))
    artifact.download(str(work))


def _object(value: Any) -> Dict[str, Any]:
    return value if isinstance(value, dict) else {}
