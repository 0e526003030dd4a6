"""The repository of the code, asked through the git program: which commit, from where, and what was changed since.

External diff tools, text converters and file monitors that a repository's configuration names are not run, nobody is
asked at the terminal, and git takes no lock that the user's own commands could meet. Filters between the working tree
and the repository (LFS) are, as by any command of git: without them everything would differ.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple

from ._environment import without_credentials
from .wandb_settings import Settings

# Git answers from its own files in milliseconds; a repository on a network drive that hangs must not hold up a run.
_SECONDS = 5.0
# A patch is there to be read and applied; what is larger is data that somebody has committed.
PATCH_BYTES_MAX = 10 << 20
_FILE_MARK = b"\ndiff --git "
_QUIET = {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
_OPTIONS = ("-c", "core.fsmonitor=false", "-c", "core.quotePath=false")


class Repository(NamedTuple):
    """What is known of the code's repository. `root` is None where only settings tell of one."""

    root: Optional[Path]
    commit: Optional[str]
    branch: Optional[str]
    remote: Optional[str]

    def described(self) -> Dict[str, str]:
        """For `wandb-metadata.json`."""
        known = {"remote": self.remote, "commit": self.commit, "branch": self.branch}
        return {name: value for name, value in known.items() if value}


def find_repository(folder: Path, settings: Settings) -> Optional[Repository]:
    """The repository that a folder belongs to, or None where there is none or settings don't want it."""
    if settings.disable_git:
        return None
    folder = Path(settings.git_root) if settings.git_root else folder.absolute()
    root, commit, branch = _checked_out(folder)
    remote = settings.git_remote_url
    if remote is None and root is not None:
        remote = _ask(root, "config", "--get", f"remote.{settings.git_remote}.url")
    commit = settings.git_commit or commit
    if root is None and commit is None:
        return None
    return Repository(root, commit, branch, without_credentials(remote) if remote else None)


def _checked_out(folder: Path) -> Tuple[Optional[Path], Optional[str], Optional[str]]:
    """The root, the commit and the branch."""
    if not any((parent / ".git").exists() for parent in (folder, *folder.parents)):
        return None, None, None  # no process for those who have no repository
    said = (_ask(folder, "rev-parse", "--show-toplevel", "HEAD", "--abbrev-ref", "HEAD") or "").split("\n")
    if len(said) != 3:  # nothing is committed yet, or git refuses
        return None, None, None
    root, commit, branch = said
    return Path(root), commit, branch if branch != "HEAD" else None


def _how(folder: Path, *arguments: str) -> Dict[str, Any]:
    """How a process of git is started, without a fork, which stops the threads of OpenBLAS in their work: this thread
    runs beside a program that may be in the middle of a product of matrices, and would wait for it for ever. Python
    before 3.10 forks unless the program's path is known, and no folder is entered and no descriptor closed for it.
    """
    program = shutil.which("git")
    if program is None:
        raise FileNotFoundError("git")
    return {
        "args": [program, "-C", str(folder), *_OPTIONS, *arguments], "env": {**os.environ, **_QUIET},
        "stdin": subprocess.DEVNULL, "close_fds": False,
    }  # fmt: skip


def _ask(folder: Path, *arguments: str) -> Optional[str]:
    try:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            **_how(folder, *arguments), capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


class Patch(NamedTuple):
    """What the working tree has that the commit doesn't: files that git follows. `whole`: nothing was left out."""

    content: bytes
    whole: bool


def read_patch(root: Path) -> Optional[Patch]:
    """The changes, as far as they fit; None where git doesn't say."""
    arguments = ("diff", "--no-ext-diff", "--no-textconv", "--no-color", "--submodule=short", "HEAD")
    try:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            **_how(root, *arguments), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return None
    assert process.stdout is not None
    with process:
        timeout = threading.Timer(_SECONDS, process.kill)
        timeout.daemon = True
        timeout.start()
        try:
            content = process.stdout.read(PATCH_BYTES_MAX + 1)
            if len(content) > PATCH_BYTES_MAX:
                process.kill()
                return Patch(_whole_files(content[:PATCH_BYTES_MAX]), False)
            return Patch(content, True) if process.wait() == 0 else None
        finally:
            timeout.cancel()


def _whole_files(content: bytes) -> bytes:
    """The part of a cut patch that can be applied."""
    return content[: content.rfind(_FILE_MARK) + 1]
