"""References to objects in S3, or a store that speaks its protocol (`AWS_S3_ENDPOINT_URL`)."""

from __future__ import annotations

import contextlib
import functools
import os
import posixpath
from typing import IO, Any, Dict, Iterator, List, NamedTuple, Optional
from urllib.parse import parse_qs, urlsplit

from ...errors import CommError, Error
from ._references import Bound
from .artifact_manifest_entry import ArtifactManifestEntry
from .exceptions import ArtifactError

_NEEDED = "s3:// references need boto3: pip install 'wandb[aws]'"


class _Address(NamedTuple):
    bucket: str
    key: str
    version: Optional[str]

    @property
    def uri(self) -> str:
        """Without the version, which stands in the entry beside it."""
        return f"s3://{self.bucket}/{self.key}"


class _Object(NamedTuple):
    key: str
    size: int
    etag: str
    version: Optional[str]


def find(uri: str, name: Optional[str], checksum: bool, max_objects: int) -> List[ArtifactManifestEntry]:
    """An object, or all below a prefix that is a folder; empty objects, which stand for folders, are left out."""
    address = _parse(uri)
    if not checksum:
        return [ArtifactManifestEntry(name or address.key or address.bucket, address.uri, address.uri)]
    with _told(uri):
        found = _head(address) if address.key and not address.key.endswith("/") else None
        if found is not None:
            return [_entry(address.bucket, found, name or posixpath.basename(address.key))]
        if address.version:
            raise ArtifactError(f"there is no version {address.version} of {address.uri}")
        folder = address.key.rstrip("/")
        bound, entries = Bound(uri, max_objects), []
        for each in _list(address.bucket, f"{folder}/" if folder else ""):
            if each.size > 0:
                bound.count()
                below = each.key[len(folder) + 1 :] if folder else each.key
                entries.append(_entry(address.bucket, each, f"{name}/{below}" if name else below))
        if not entries:
            raise ArtifactError(f"there is no object at {address.uri}, and none below it")
        return entries


def load(entry: ArtifactManifestEntry, file: IO[bytes]) -> None:
    """The version that was referred to, as long as the store has it. Raises FileNotFoundError where it hasn't."""
    assert entry.ref is not None
    address = _parse(entry.ref)
    version = entry.extra.get("versionID")
    with _told(entry.ref):
        found = _head(address._replace(version=version))
        if entry.digest != entry.ref and (found is None or found.etag != entry.digest):
            if version:
                raise FileNotFoundError(f"the version {version} of {entry.ref} is gone; {entry.path} refers to it")
            version = _version_with(address, entry.digest)
        if found is None and version is None:
            raise FileNotFoundError(f"there is no object at {entry.ref}; {entry.path} refers to it")
        more = {"VersionId": version} if version else {}
        _client().download_fileobj(address.bucket, address.key, file, ExtraArgs=more)


def _entry(bucket: str, found: _Object, path: str) -> ArtifactManifestEntry:
    extra = {"etag": found.etag, **({"versionID": found.version} if found.version else {})}
    return ArtifactManifestEntry(path, found.etag, f"s3://{bucket}/{found.key}", None, found.size, extra)


def _parse(uri: str) -> _Address:
    parts = urlsplit(uri)
    version = parse_qs(parts.query).get("versionId")
    if not parts.netloc:
        raise ArtifactError(f"{uri!r} names no bucket; an address looks like s3://bucket/key")
    return _Address(parts.netloc, parts.path[1:], version[0] if version else None)


def _head(address: _Address) -> Optional[_Object]:
    more = {"VersionId": address.version} if address.version else {}
    try:
        found = _client().head_object(Bucket=address.bucket, Key=address.key, **more)
    except _client().exceptions.ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NoSuchVersion", "NotFound"):
            return None
        raise
    if "x-directory" in found.get("ContentType", ""):
        return None
    return _Object(address.key, found["ContentLength"], found["ETag"].strip('"'), _version(found.get("VersionId")))


def _version(text: Optional[str]) -> Optional[str]:
    return text if text and text != "null" else None


def _list(bucket: str, prefix: str) -> Iterator[_Object]:
    """The objects below a prefix, with their versions where the bucket keeps some."""
    if _keeps_versions(bucket):
        for page in _client().get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
            for each in page.get("Versions", ()):
                if each["IsLatest"]:
                    yield _Object(each["Key"], each["Size"], each["ETag"].strip('"'), _version(each["VersionId"]))
        return
    for page in _client().get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for each in page.get("Contents", ()):
            yield _Object(each["Key"], each["Size"], each["ETag"].strip('"'), None)


def _keeps_versions(bucket: str) -> bool:
    try:
        return bool(_client().get_bucket_versioning(Bucket=bucket).get("Status"))
    except _client().exceptions.ClientError:
        return False  # one that may list objects may not always ask this


def _version_with(address: _Address, etag: str) -> str:
    pages = _client().get_paginator("list_object_versions").paginate(Bucket=address.bucket, Prefix=address.key)
    for page in pages:
        for each in page.get("Versions", ()):
            if each["Key"] == address.key and each["ETag"].strip('"') == etag:
                return str(each["VersionId"])
    raise FileNotFoundError(f"{address.uri} has changed, and the bucket keeps no version of it with the ETag {etag}")


@contextlib.contextmanager
def _told(uri: str) -> Iterator[None]:
    """What the store refuses, in one line."""
    try:
        import botocore.exceptions as failures
    except ImportError:
        raise Error(_NEEDED) from None
    try:
        yield
    except failures.ClientError as error:
        words: Dict[str, Any] = error.response.get("Error", {})
        raise CommError(
            f"{uri}: the store says {words.get('Code')}: {words.get('Message')}; look at the credentials and the region"
        ) from None
    except failures.BotoCoreError as error:
        raise CommError(f"{uri}: {error}") from None


@functools.lru_cache(maxsize=8)
def _client_at(endpoint: Optional[str], region: Optional[str]) -> Any:
    import boto3

    return boto3.session.Session().client("s3", endpoint_url=endpoint, region_name=region)


def _client() -> Any:
    try:
        return _client_at(os.environ.get("AWS_S3_ENDPOINT_URL") or None, os.environ.get("AWS_REGION") or None)
    except ImportError:
        raise Error(_NEEDED) from None
