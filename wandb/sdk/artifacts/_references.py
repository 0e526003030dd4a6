"""References: entries whose bytes lie elsewhere, by the scheme of their address.

Each store has a module with two functions: `find` makes the entries of an address, and `load` writes what an entry
refers to into a file, after a look at whether it still is what it was. A new store is a line in `_STORES`.
"""

from __future__ import annotations

import importlib
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING, Any, List, Optional
from urllib.parse import urlsplit

from wandb_storage import ObjectCache, write_from

from ..._terminal import termwarn
from .artifact_manifest_entry import ARTIFACT_SCHEME, CLIENT_SCHEME, ArtifactManifestEntry
from .exceptions import ArtifactError

if TYPE_CHECKING:
    from ._contents import ArtifactContents
    from ._draft import ArtifactDraft

# More objects than this are no data set that one artifact describes.
OBJECTS_MAX = 10_000_000
# By scheme, the module that knows the store.
_STORES = {
    "s3": "_reference_s3", "gs": "_reference_gs", "http": "_reference_http", "https": "_reference_http",
    "file": "_reference_file",
}  # fmt: skip


def find_entries(
    artifact: ArtifactDraft, uri: str, name: Optional[str], checksum: bool, max_objects: Optional[int]
) -> List[ArtifactManifestEntry]:
    """The entries of an address. Raises as `Artifact.add_reference`."""
    scheme = urlsplit(uri).scheme
    if not scheme:
        raise ArtifactError(f"{uri!r} is no address; of a file of this machine it is file://{uri}")
    if max_objects is not None and max_objects < 1:
        raise ArtifactError(f"max_objects is a number above zero, not {max_objects}")
    if scheme in (ARTIFACT_SCHEME, CLIENT_SCHEME):
        return [_entry_of_artifact(artifact, uri, name)]
    if scheme in _STORES:
        found: List[ArtifactManifestEntry] = _store(scheme).find(uri, name, checksum, max_objects or OBJECTS_MAX)
        return found
    if name is None:
        raise ArtifactError(f"what {scheme}:// addresses are isn't known here: give the reference a name")
    termwarn(f"{uri} is referred to as it is: nobody here can look at {scheme}:// addresses", repeat=False)
    return [ArtifactManifestEntry(name, uri, uri)]


def _store(scheme: str) -> Any:
    return importlib.import_module(f".{_STORES[scheme]}", __package__)


def _entry_of_artifact(artifact: ArtifactDraft, uri: str, name: Optional[str]) -> ArtifactManifestEntry:
    """A reference to another artifact's entry; through references to where the bytes are."""
    from .artifact import Artifact

    assert isinstance(artifact, Artifact)
    while True:
        entry = artifact._referred_entry(uri)
        if entry.ref is None or urlsplit(entry.ref).scheme not in (ARTIFACT_SCHEME, CLIENT_SCHEME):
            break
        uri = entry.ref
    return ArtifactManifestEntry(name or posixpath.basename(entry.path), entry.digest, entry.ref_url(), None, 0)


def fetch_reference(
    artifact: ArtifactContents, entry: ArtifactManifestEntry, target: Path, cache: Optional[ObjectCache]
) -> None:
    """Write what an entry refers to to `target`. Raises FileNotFoundError where it is gone, ArtifactError where it has
    changed, CommError, OSError."""
    assert entry.ref is not None
    scheme = urlsplit(entry.ref).scheme
    if scheme in (ARTIFACT_SCHEME, CLIENT_SCHEME):
        from ._download import fetch

        referred = artifact._referred_entry(entry.ref)
        fetch(referred.parent_artifact(), referred, target, cache)
        return
    if scheme not in _STORES:
        raise ArtifactError(f"{entry.path}: nobody here can look at {scheme}:// addresses; it is at {entry.ref}")
    if cache is None or scheme == "file":
        _write(entry, scheme, target)
        return
    path = cache.etag_path(entry.ref, entry.digest)
    held = cache.open(path, entry.size)
    if held is None:
        try:
            with cache.new_file(path, entry.size or 0) as file:
                _store(scheme).load(entry, file)
        except OSError as error:
            if isinstance(error, FileNotFoundError):
                raise
            _write(entry, scheme, target)  # the cache can't be written
            return
        held = cache.open(path, None)
    if held is None:
        _write(entry, scheme, target)
        return
    with held:
        write_from(held, target)


def _write(entry: ArtifactManifestEntry, scheme: str, target: Path) -> None:
    from ..._new_file import new_file

    with new_file(target) as file:
        _store(scheme).load(entry, file)


class Bound:
    """Counts the objects of one reference."""

    def __init__(self, uri: str, most: int) -> None:
        self._uri, self._most, self._count = uri, most, 0

    def count(self) -> None:
        """Raises ArtifactError beyond the bound."""
        self._count += 1
        if self._count > self._most:
            raise ArtifactError(f"{self._uri} holds more than {self._most:,} objects; allow more with max_objects")
