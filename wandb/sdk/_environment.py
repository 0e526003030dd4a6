"""What a run records about where it runs: the content of `wandb-metadata.json`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Optional

if TYPE_CHECKING:
    from .wandb_settings import Settings

# Git answers from its own files in milliseconds; a repository on a network drive that hangs must not hold up a run.
_GIT_SECONDS = 1.0


def program_path() -> str:
    """The script that runs, as the user would name it; empty in an interactive session."""
    main = sys.modules.get("__main__")
    path = getattr(main, "__file__", None)
    return str(path) if path else ""


def describe_environment(program: str, settings: Settings) -> Dict[str, Any]:
    """The machine, the interpreter, the program and its arguments, the code's revision: what settings leave of it."""
    if settings.x_disable_meta:
        return {}
    import platform  # slow to import, as subprocess below

    described: Dict[str, Any] = {
        "os": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "startedAt": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "host": settings.host or os.uname().nodename,
        "executable": settings.x_executable or sys.executable,
        "cpu_count": os.cpu_count(),
        "root": os.getcwd(),
        "args": [_redacted(argument) for argument in sys.argv[1:]],
    }
    if program:
        described["program"] = program
    for name in ("docker", "email", "username"):
        if getattr(settings, name):
            described[name] = getattr(settings, name)
    git = None if settings.disable_git else _git(Path(program).parent if program else Path.cwd(), settings)
    if git:
        described["git"] = git
    return described


_SECRET_WORDS = ("key", "token", "secret", "password", "passwd", "credential")


def _redacted(argument: str) -> str:
    """An argument without the secret that its name promises."""
    name, separator, _ = argument.partition("=")
    if separator and any(word in name.lower() for word in _SECRET_WORDS):
        return f"{name}=…"
    return argument


def _git(folder: Path, settings: Settings) -> Optional[Dict[str, str]]:
    commit, remote = settings.git_commit, settings.git_remote_url
    if commit is None and not any(
        (parent / ".git").exists() for parent in (folder.absolute(), *folder.absolute().parents)
    ):
        return None  # no process for those who have no repository
    commit = commit or _ask_git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    remote = remote or _ask_git(folder, "config", "--get", f"remote.{settings.git_remote}.url")
    return {"commit": commit, **({"remote": _without_password(remote)} if remote else {})}


def _ask_git(folder: Path, *arguments: str) -> Optional[str]:
    import subprocess

    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder, capture_output=True, text=True, timeout=_GIT_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    return f"{scheme}://{host}" if separator and at and credentials else url
