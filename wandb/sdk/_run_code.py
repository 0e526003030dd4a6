"""The program's source, copied into the run's `files/code/`, without the secrets that it may hold.

Files that are known to hold secrets are left out, whatever the caller includes; a literal that is assigned to a name
like `api_key` is blanked in the copy.
"""

from __future__ import annotations

import fnmatch
import inspect
import os
import re
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List, Optional

from wandb_storage import FileSaved, Record

from .._terminal import termwarn

# A larger file is data, and a tree of more files is not one program's.
_FILE_BYTES_MAX = 1 << 20
_FILES_MAX = 2000

_SECRET_FILES = (
    ".env", ".env.*", "*.env", ".netrc", "_netrc", "*.pem", "*.key", "*.p12", "*.pfx", "id_rsa*", "id_ed25519*",
    "*credential*", "*secret*", ".git-credentials", ".pypirc", ".npmrc",
)  # fmt: skip
_OTHERS_FOLDERS = frozenset(
    {".git", ".hg", ".tox", ".venv", "__pycache__", "env", "node_modules", "site-packages", "venv"}
)
_SECRET_LITERAL = re.compile(
    r"""(?ix) ( \b \w* (?: api_?key | access_?key | token | secret | passw(?:or)?d | credential ) \w* ["']? \]? \s*
    (?: : \s* \w[\w\[\], .]* = | [:=] ) \s* [rbuf]? (["']) ) (?: (?!\2) [^\n\\] | \\. ){6,} \2"""
)

Chooses = Callable[..., bool]


def is_source(path: str) -> bool:
    """What is taken where the caller doesn't say: Python, what it requires and what it runs in."""
    name = os.path.basename(path).lower()
    return name.endswith(".py") or name.startswith("dockerfile") or name in ("requirements.txt", "pyproject.toml")


def is_no_source(path: str) -> bool:
    """What is left out where the caller doesn't say: wandb folders."""
    return any(part in ("wandb", ".wandb") for part in Path(path).parts[:-1])


def copy_code(
    root: Path, files: Path, include: Chooses, exclude: Chooses, append: Callable[[Record], None]
) -> List[str]:
    """Copy the chosen files below `root`; return their paths in `files`."""
    root = Path(os.path.abspath(root))
    saved: List[str] = []
    for source in _chosen(root, include, exclude):
        if len(saved) >= _FILES_MAX:
            termwarn(f"log_code: {root} holds more than {_FILES_MAX:,} files of code; the rest is left out")
            break
        path = _copy(source, source.relative_to(root), files, append)
        if path:
            saved.append(path)
    return saved


def code_path(program: Path, root: Optional[Path]) -> str:
    """The program's path in the repository or below the working folder; its name alone where it is elsewhere."""
    for base in (root, Path.cwd()):
        if base is not None:
            relative = os.path.relpath(program.resolve(), base.resolve())
            if not relative.startswith(os.pardir):
                return Path(relative).as_posix()
    return program.name


def copy_program(program: Path, path: str, files: Path, append: Callable[[Record], None]) -> None:
    """Copy the one script that runs."""
    if program.is_file():
        _copy(program, Path(path), files, append)


def _chosen(root: Path, include: Chooses, exclude: Chooses) -> Iterator[Path]:
    included, excluded = _with_root(include, root), _with_root(exclude, root)
    for folder, folders, names in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if name not in _OTHERS_FOLDERS)
        for name in sorted(names):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, root)
            if os.path.islink(path) or any(fnmatch.fnmatch(name.lower(), secret) for secret in _SECRET_FILES):
                continue
            if included(path) and not excluded(relative if exclude is is_no_source else path):
                yield Path(path)


def _with_root(chooses: Chooses, root: Path) -> Callable[[str], bool]:
    """Callers' functions take a path, or a path and the root."""
    try:
        count = len(inspect.signature(chooses).parameters)
    except (TypeError, ValueError):
        count = 1
    return (lambda path: chooses(path, str(root))) if count > 1 else (lambda path: chooses(path))


def _copy(source: Path, path: Path, files: Path, append: Callable[[Record], None]) -> str:
    try:
        raw = source.read_bytes() if source.stat().st_size <= _FILE_BYTES_MAX else None
    except OSError:
        raw = None
    if raw is None:
        termwarn(f"log_code: {source} is left out: it can't be read, or is larger than {_FILE_BYTES_MAX >> 20} MiB")
        return ""
    target = files / "code" / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(redacted(raw))
    append(FileSaved(path=f"code/{path.as_posix()}", policy="now", time=time.time()))
    return f"code/{path.as_posix()}"


def redacted(raw: bytes) -> bytes:
    """Source text without the secrets that are written into it."""
    # Latin-1 maps bytes to characters and back whatever the encoding is.
    return _SECRET_LITERAL.sub(_blank, raw.decode("latin-1")).encode("latin-1")


def _blank(match: Any) -> str:
    return f"{match.group(1)}REDACTED{match.group(2)}"
