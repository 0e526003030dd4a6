"""References to objects in Google Cloud Storage."""

from __future__ import annotations

import contextlib
import functools
import posixpath
from typing import IO, Any, Iterator, List, NamedTuple, Optional
from urllib.parse import urlsplit

from ...errors import CommError, Error
from ._references import Bound
from .artifact_manifest_entry import ArtifactManifestEntry
from .exceptions import ArtifactError


class _Address(NamedTuple):
    bucket: str
    key: str
    generation: Optional[str]

    @property
    def uri(self) -> str:
        """Without the generation, which stands in the entry beside it."""
        return f"gs://{self.bucket}/{self.key}"


def find(uri: str, name: Optional[str], checksum: bool, max_objects: int) -> List[ArtifactManifestEntry]:
    """An object, or all below a prefix that is a folder."""
    address = _parse(uri)
    if not checksum:
        return [ArtifactManifestEntry(name or address.key or address.bucket, address.uri, address.uri)]
    with _told(uri):
        bucket = _client().bucket(address.bucket)
        found = bucket.get_blob(address.key, generation=address.generation) if address.key else None
        if found is not None and not found.name.endswith("/"):
            return [_entry(address.bucket, found, name or posixpath.basename(address.key))]
        if address.generation:
            raise ArtifactError(f"there is no generation {address.generation} of {address.uri}")
        folder = address.key.rstrip("/")
        bound, entries = Bound(uri, max_objects), []
        for each in bucket.list_blobs(prefix=f"{folder}/" if folder else None):
            if not each.name.endswith("/"):
                bound.count()
                below = each.name[len(folder) + 1 :] if folder else each.name
                entries.append(_entry(address.bucket, each, f"{name}/{below}" if name else below))
        if not entries:
            raise ArtifactError(f"there is no object at {address.uri}, and none below it")
        return entries


def load(entry: ArtifactManifestEntry, file: IO[bytes]) -> None:
    """The generation that was referred to, as long as the store has it. Raises FileNotFoundError where it hasn't."""
    assert entry.ref is not None
    address = _parse(entry.ref)
    generation = entry.extra.get("versionID")
    with _told(entry.ref):
        found = _client().bucket(address.bucket).get_blob(address.key, generation=generation)
        if found is None:
            which = f"the generation {generation} of " if generation else ""
            raise FileNotFoundError(f"{which}{entry.ref} is not there; {entry.path} refers to it")
        if entry.digest not in (found.etag, entry.ref):
            raise ArtifactError(f"{entry.path} refers to {entry.ref}, which has changed since")
        found.download_to_file(file)


def _entry(bucket: str, found: Any, path: str) -> ArtifactManifestEntry:
    extra = {"versionID": found.generation}
    return ArtifactManifestEntry(path, found.etag, f"gs://{bucket}/{found.name}", None, found.size, extra)


def _parse(uri: str) -> _Address:
    parts = urlsplit(uri)
    if not parts.netloc:
        raise ArtifactError(f"{uri!r} names no bucket; an address looks like gs://bucket/object")
    return _Address(parts.netloc, parts.path.lstrip("/"), parts.fragment or None)


@contextlib.contextmanager
def _told(uri: str) -> Iterator[None]:
    """What the store refuses, in one line."""
    client = _client()
    from google.api_core.exceptions import GoogleAPIError
    from google.auth.exceptions import GoogleAuthError

    assert client is not None
    try:
        yield
    except (GoogleAPIError, GoogleAuthError) as error:
        raise CommError(f"{uri}: {error}; look at the credentials") from None


@functools.lru_cache(maxsize=1)
def _made_client() -> Any:
    from google.cloud import storage

    return storage.Client()


def _client() -> Any:
    try:
        return _made_client()
    except ImportError:
        raise Error("gs:// references need google-cloud-storage: pip install 'wandb[gcp]'") from None
    except Exception as error:  # of many classes: no credentials, no project
        raise CommError(f"Google Cloud Storage can't be used: {error}") from error
