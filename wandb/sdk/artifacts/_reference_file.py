"""References to files of this machine, or of a disk that other machines mount at the same place."""

from __future__ import annotations

import hashlib
import os
import shutil
from base64 import b64encode
from pathlib import Path
from typing import IO, List, Optional
from urllib.parse import urlsplit
from urllib.request import url2pathname

from wandb_storage import hash_descriptor

from ..._terminal import termwarn
from .._progress_bar import Progress
from ._references import Bound
from .artifact_manifest_entry import ArtifactManifestEntry
from .exceptions import ArtifactError


def find(uri: str, name: Optional[str], checksum: bool, max_objects: int) -> List[ArtifactManifestEntry]:
    """A file, or all files below a folder. Without a checksum the digest is that of the path."""
    root = _path(uri)
    if os.path.isfile(root):
        return [ArtifactManifestEntry(name or os.path.basename(root), _digest(root, checksum), uri, None, _size(root))]
    if not os.path.isdir(root):
        raise ArtifactError(f"there is no file and no folder {root}")
    bound, paths = Bound(uri, max_objects), []
    for folder, _, names in os.walk(root):
        for each in names:
            path = os.path.join(folder, each)
            if not os.path.isfile(path):  # reading a pipe would wait for ever
                termwarn(f"add_reference: {path} is no file, or a link to nothing; it is left out", repeat=False)
                continue
            bound.count()
            paths.append(path)
    entries = []
    with Progress(f"hashing {root}", len(paths), "files") as progress:
        for path in paths:
            below = os.path.relpath(path, root)
            entries.append(
                ArtifactManifestEntry(
                    f"{name}/{below}" if name else below, _digest(path, checksum), os.path.join(uri, below), None,
                    _size(path),
                )
            )  # fmt: skip
            progress.advance(1)
    return entries


def load(entry: ArtifactManifestEntry, file: IO[bytes]) -> None:
    """Raises FileNotFoundError where it is gone, ArtifactError where it has changed."""
    assert entry.ref is not None
    path = _path(entry.ref)
    if not os.path.isfile(path):
        raise FileNotFoundError(f"{entry.path} refers to {path}, and there is no such file")
    if entry.digest not in (_digest(path, True), _digest(path, False)):
        raise ArtifactError(f"{entry.path} refers to {path}, which has changed since")
    with open(path, "rb") as source:
        shutil.copyfileobj(source, file, 1 << 20)


def _path(uri: str) -> str:
    return url2pathname(urlsplit(uri).path)


def _size(path: str) -> int:
    return os.path.getsize(path)


def _digest(path: str, checksum: bool) -> str:
    if not checksum:
        address = Path(path).resolve().as_uri()
        return b64encode(hashlib.md5(address.encode(), usedforsecurity=False).digest()).decode()
    with open(path, "rb") as file:
        return hash_descriptor(file.fileno())
