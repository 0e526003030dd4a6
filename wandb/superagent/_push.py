"""What `wandb queue push` makes of a command line and the folder that it is given in: the specification of a job."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence

from ..errors import UsageError
from ..sdk._git import Repository, find_repository, read_patch
from ..sdk.wandb_settings import Settings
from ._spec import parse_job

_BINARY = b"\nBinary files "
_SECONDS = 20.0


class Described(NamedTuple):
    """A specification, and what whoever pushes it should know."""

    spec: Dict[str, Any]
    code: str  # where its code comes from, in words for people
    warnings: Sequence[str] = ()


def describe_job(
    command: Sequence[str],
    settings: Settings,
    *,
    folder: Path,
    here: bool = False,
    config: Mapping[str, Any] = {},
    **more: Any,
) -> Described:
    """The job that runs a command line as it would run in a folder: at the commit that is checked out there, with what
    was changed since, or, outside of a repository and with `here`, in that folder of this machine.

    more: further parts of the specification, of which those that say nothing are left out. Raises UsageError, JobError.
    """
    overrides: Dict[str, Any] = {}
    if command:
        overrides["entry_point"] = list(command)
    if config:
        overrides["run_config"] = dict(config)
    spec: Dict[str, Any] = {name: value for name, value in more.items() if value not in (None, "", {}, [])}
    spec["overrides"] = overrides
    spec.setdefault("resource", "local-process")
    if "job" in spec or "image" in spec:
        parse_job(spec)
        return Described(spec, str(spec.get("job") or spec["image"]))
    repository = None if here else find_repository(folder, settings)
    if repository is None or repository.root is None or not repository.remote:
        spec["directory"] = str(folder.absolute())
        parse_job(spec)
        return Described(spec, f"the folder {spec['directory']}, on this machine alone")
    warnings = _add_commit(spec, repository, folder)
    parse_job(spec)
    changed = " with what was changed since" if spec["git"].get("patch") else ""
    return Described(spec, f"{repository.remote} at {str(repository.commit)[:10]}{changed}", warnings)


def _add_commit(spec: Dict[str, Any], repository: Repository, folder: Path) -> List[str]:
    assert repository.root is not None
    spec["git"] = {"repo": repository.remote, "version": repository.commit}
    inside = os.path.relpath(folder.resolve(), repository.root.resolve())
    if inside != ".":
        spec["overrides"]["working_dir"] = inside
    patch = read_patch(repository.root)
    if patch is None or not patch.whole:
        raise UsageError("what was changed since the last commit is too large, or git doesn't say: commit it first")
    if _BINARY in b"\n" + patch.content:
        raise UsageError("a file was changed that is no text, and can't go along as a patch: commit it first")
    if patch.content:
        spec["git"]["patch"] = patch.content.decode("utf-8", "surrogateescape")
    warnings = []
    if not _asked(repository.root, "branch", "--remotes", "--contains", str(repository.commit)):
        warnings.append(f"commit {str(repository.commit)[:10]} is on no branch of the remote: `git push` it")
    new = _asked(repository.root, "ls-files", "--others", "--exclude-standard").splitlines()
    if new:
        some = ", ".join(new[:3]) + (f" and {len(new) - 3} more" if len(new) > 3 else "")
        warnings.append(f"git doesn't know {some}, and the job won't have them: `git add` what it needs")
    return warnings


def _asked(root: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", *words], cwd=root, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def read_requirements(path: Optional[str]) -> str:
    """The text of a requirements.txt; empty for none. Raises UsageError."""
    if path is None:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the requirements {path} can't be read: {error}") from None
