"""Is this installation whole? Two distributions are called wandb, and installing one over the other leaves files of
both."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
from pathlib import Path
from typing import Iterable, List, NamedTuple, Optional

_NAME = "wandb"
_PACKAGES = ("wandb", "wandb_uploader", "wandb_storage")
# What no version of this package has, and the other one does.
_FOREIGN = ("proto", "bin/wandb-core", "sdk/internal", "sdk/service", "vendor", "filesync")
_CHUNK = 1 << 20


class Installation(NamedTuple):
    """What was found: `problems` is empty for a whole one."""

    version: str
    location: Path
    editable: bool
    files: int  # that were compared with what was installed
    problems: List[str]


def look() -> Installation:
    """Compare what is here with what the installer wrote down."""
    import wandb

    try:
        found: Optional[importlib.metadata.Distribution] = importlib.metadata.distribution(_NAME)
    except importlib.metadata.PackageNotFoundError:
        found = None
    return compare(Path(wandb.__file__).parent, wandb.__version__, found)


def compare(location: Path, version: str, found: Optional[importlib.metadata.Distribution]) -> Installation:
    """The same of a package in a folder."""
    problems = [f"{location / name} belongs to another package" for name in _FOREIGN if (location / name).exists()]
    if found is None:
        return Installation(version, location, False, 0, [*problems, f"no distribution named {_NAME} is installed"])
    if found.version != version:
        problems.append(f"the distribution is {found.version}, and its code {version}")
    files = [file for file in found.files or () if file.parts and file.parts[0] in _PACKAGES]
    problems += _changed(files)
    problems += _leftovers(location, files)
    return Installation(version, location, not files, len(files), problems)


def _changed(files: Iterable[importlib.metadata.PackagePath]) -> List[str]:
    problems = []
    for file in files:
        path = Path(str(file.locate()))
        if not path.is_file():
            problems.append(f"{path} is missing")
        elif file.hash is not None and file.hash.mode == "sha256" and _digest(path) != file.hash.value:
            problems.append(f"{path} is not what was installed")
    return problems


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


def _leftovers(location: Path, files: List[importlib.metadata.PackagePath]) -> List[str]:
    """Modules that no installer wrote down."""
    if not files:
        return []
    known = {Path(str(file.locate())).resolve() for file in files}
    stray = [path for path in location.rglob("*.py") if path.resolve() not in known]
    return [f"{path} was left by another installation" for path in stray]


def advice(found: Installation) -> Optional[str]:
    """How to mend it."""
    if not found.problems:
        return None
    return f"pip uninstall wandb, remove {found.location}, and install again"
