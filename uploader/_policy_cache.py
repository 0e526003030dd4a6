"""What servers said of the settings of runs: one small file for each server, entity and project, below `~/.cache`.

Whoever starts a run reads it and waits for nobody; the uploader keeps it fresh. It is readable by its owner only, and
somebody else's file in a shared folder counts for nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence
from urllib.parse import quote

_VERSION = 1
# A policy names a few dozen settings; four of them are far below this.
_BYTES_MAX = 1 << 18
_FOLDER = "policies"


class CachedPolicies(NamedTuple):
    """The last reply of a server."""

    time: float  # of the reply, seconds since the epoch
    known: bool  # the server knows what policies are
    policies: List[Dict[str, Any]]  # each with scope, name and settings


def cached_policies(base_url: str, entity: Optional[str], project: Optional[str]) -> List[Dict[str, Any]]:
    """The policies that hold for a project's runs, as far as a server has told of them. Never asks it."""
    found = read_policies(base_url, entity, project)
    return found.policies if found is not None else []


def read_policies(base_url: str, entity: Optional[str], project: Optional[str]) -> Optional[CachedPolicies]:
    """The last reply, or None. A file that can't be understood is as good as none."""
    try:
        fd = os.open(_path(base_url, entity, project), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    with open(fd, "rb") as file:
        if os.fstat(fd).st_uid != os.getuid():
            return None
        try:
            value = json.loads(file.read(_BYTES_MAX))
            if value["version"] != _VERSION or not isinstance(value["policies"], list):
                return None
            policies = [policy for policy in value["policies"] if isinstance(policy, dict)]
            return CachedPolicies(float(value["time"]), bool(value["known"]), policies)
        except (ValueError, TypeError, KeyError, RecursionError):
            return None


def write_policies(
    base_url: str, entity: Optional[str], project: Optional[str], time: float, known: bool,
    policies: Sequence[Mapping[str, Any]],
) -> None:  # fmt: skip
    """Keep a reply. A place that can't be written is no reason to stop an upload."""
    content = {
        "version": _VERSION, "time": time, "known": known, "base_url": base_url, "entity": entity, "project": project,
        "policies": policies,
    }  # fmt: skip
    raw = json.dumps(content).encode()
    if len(raw) > _BYTES_MAX:
        return
    from ._home import write_atomically  # every run that starts reads, and only the uploader writes

    path = _path(base_url, entity, project)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(path, raw)


def cache_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where what can be had again is kept for all wandb directories of a user."""
    folder = environment.get("WANDB_CACHE_DIR")
    if not folder:
        folder = os.path.join(environment.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "wandb")
    return Path(folder).expanduser()


def _path(base_url: str, entity: Optional[str], project: Optional[str]) -> Path:
    server, *names = (
        quote(part, safe="") for part in (base_url.strip().rstrip("/").lower(), entity or "", project or "")
    )
    return cache_folder() / _FOLDER / server / f"{'%'.join(names)}.json"
