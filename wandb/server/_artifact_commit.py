"""From files to a version: digests, the manifest, and the commit that gives a version its number.

A manifest lists the files of a version. FULL is the whole list; PATCH and INCREMENTAL add to the list of a base
version or to what other writers of the same version sent. A commit reads the lists, sees that every file is
really here, and writes the one list that readers get.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import xxhash
from sqlalchemy import Connection, delete, insert, select, update

from ._artifact_tables import blobs, collections, entries, manifests
from ._artifacts import (
    COMMITTED,
    DELETED,
    LATEST,
    Artifact,
    ArtifactError,
    artifact_by_id,
    blob_place,
    join_collection,
    set_alias,
    update_artifact,
)
from ._bytes import Hasher
from ._database import upsert
from ._limits import ARTIFACT_ENTRIES_MAX
from ._names import file_name_problem, parse_storage_number

MD5, XXH128 = "MANIFEST_MD5", "MANIFEST_XXH128"
_ROWS = 400


@dataclass(frozen=True)
class Manifest:
    """A row of ``artifact_manifests``."""

    id: int
    artifact_id: int
    type: str
    digest: str
    base_artifact_id: int | None
    size: int | None
    created_at: float


@dataclass(frozen=True)
class Entry:
    """A file of a version, as a row of ``artifact_entries`` but for the version."""

    path: str
    digest: str
    size: int
    blob_project_id: int | None
    blob_key: str | None


def blob_key(digest: str, algorithm: str) -> str:
    """The key of bytes with a digest, which is base64 of 16 bytes in either algorithm."""
    try:
        value = base64.b64decode(digest, validate=True)
    except (binascii.Error, ValueError):
        value = b""
    if len(value) != 16:
        raise ArtifactError(f"{digest!r} is not the base64 of a digest of 16 bytes")
    return f"{'xxh128' if algorithm == XXH128 else 'md5'}-{value.hex()}"


def hasher_of(key: str) -> Hasher:
    if key.startswith("xxh128-"):
        return xxhash.xxh3_128()
    return hashlib.md5(usedforsecurity=False)


def blob_size(connection: Connection, project_id: int, key: str) -> int | None:
    query = select(blobs.c.size).where(blobs.c.project_id == project_id, blobs.c.key == key)
    size = connection.execute(query).scalar()
    return None if size is None else int(size)


def pin_entries(connection: Connection, artifact_id: int, pinned: list[Entry]) -> None:
    """Note which bytes a version in the making needs, so that nothing deletes them meanwhile."""
    _write_entries(connection, artifact_id, pinned)


def create_manifest(
    connection: Connection, artifact: Artifact, kind: str, digest: str, base_id: int | None, now: float
) -> Manifest:
    """Make a manifest, or find the one that the same request made before."""
    query = select(manifests).where(
        manifests.c.artifact_id == artifact.id, manifests.c.type == kind, manifests.c.digest.in_(("", digest))
    )
    # Several writers of one version have a PATCH each; they are told apart by their digests.
    row = connection.execute(query.order_by(manifests.c.id.desc())).first()
    if row is None or (kind == "PATCH" and row.digest != digest):
        values = {"artifact_id": artifact.id, "type": kind, "digest": digest, "base_artifact_id": base_id}
        made = connection.execute(insert(manifests).values(**values, created_at=now))
        assert made.inserted_primary_key is not None
        number = made.inserted_primary_key[0]
    else:
        number = row.id
        set_manifest_digest(connection, number, digest, base_id)
    found = find_manifest(connection, number)
    assert found is not None
    return found


def set_manifest_digest(connection: Connection, manifest_id: int, digest: str, base_id: int | None) -> None:
    values: dict[str, Any] = {"digest": digest}
    if base_id is not None:
        values["base_artifact_id"] = base_id
    connection.execute(update(manifests).where(manifests.c.id == manifest_id).values(**values))


def find_manifest(connection: Connection, manifest_id: int) -> Manifest | None:
    row = connection.execute(select(manifests).where(manifests.c.id == manifest_id)).first()
    return Manifest(**row._mapping) if row is not None else None


def record_manifest_size(connection: Connection, manifest_id: int, size: int) -> None:
    connection.execute(update(manifests).where(manifests.c.id == manifest_id).values(size=size))


def manifests_of(connection: Connection, artifact_id: int) -> list[Manifest]:
    """The lists of a version that have arrived, oldest first."""
    query = select(manifests).where(manifests.c.artifact_id == artifact_id, manifests.c.size.is_not(None))
    return [Manifest(**row._mapping) for row in connection.execute(query.order_by(manifests.c.id))]


def parse_manifest(data: bytes) -> dict[str, Any]:
    """Check the form of a manifest as far as the server relies on it."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    contents = document.get("contents") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(contents, dict):
        raise ArtifactError("the manifest is not a JSON object with 'contents'")
    if len(contents) > ARTIFACT_ENTRIES_MAX:
        raise ArtifactError(f"an artifact has at most {ARTIFACT_ENTRIES_MAX} files, this one {len(contents)}")
    for path, entry in contents.items():
        problem = file_name_problem(path)
        if problem:
            raise ArtifactError(problem)
        size = entry.get("size", 0) if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(entry.get("digest"), str) or not _is_size(size):
            raise ArtifactError(f"the manifest's entry of {path!r} has no digest or no size")
    return document


def _is_size(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63)


def commit_artifact(
    connection: Connection, artifact: Artifact, project_id: int, contents: dict[str, Any], readable: Any, now: float
) -> Artifact:
    """Give a version its files, its number and its aliases.

    ``readable`` says of a project's number whether the committing user may read what is in it: a file may have been
    uploaded for a version of another project.
    """
    if artifact.state == COMMITTED:
        return artifact
    if artifact.state == DELETED:
        raise ArtifactError("the artifact was deleted")
    found = [_entry(connection, artifact, project_id, path, entry, readable) for path, entry in contents.items()]
    _require_bytes(connection, found)
    connection.execute(delete(entries).where(entries.c.artifact_id == artifact.id))
    _write_entries(connection, artifact.id, found)
    version = join_collection(connection, artifact.collection_id, artifact.id, now)
    set_alias(connection, artifact.collection_id, LATEST, artifact.id)
    for alias in json.loads(artifact.aliases):
        set_alias(connection, artifact.collection_id, alias, artifact.id)
    values = {"state": COMMITTED, "version": version, "updated_at": now}
    size = sum(entry.size for entry in found)
    return update_artifact(connection, artifact.id, {**values, "size": size, "file_count": len(found)})


def _entry(
    connection: Connection, artifact: Artifact, project_id: int, path: str, entry: dict[str, Any], readable: Any
) -> Entry:
    size = entry.get("size") or 0
    if entry.get("ref") is not None:
        return Entry(path, entry["digest"], size, None, None)
    extra = entry.get("extra")
    algorithm = XXH128 if isinstance(extra, dict) and extra.get("alg") == "XXH128" else artifact.algorithm
    if isinstance(extra, dict) and extra.get("alg") == "MD5":
        algorithm = MD5
    home = project_id
    birth_id = parse_storage_number("Artifact", str(entry.get("birthArtifactID") or ""))
    if birth_id is not None and birth_id != artifact.id:
        birth = artifact_by_id(connection, birth_id)
        if birth is not None:
            query = select(collections.c.project_id).where(collections.c.id == birth.collection_id)
            home = connection.execute(query).scalar_one()
        if home != project_id and not readable(home):
            raise ArtifactError(f"{path!r} belongs to an artifact that was not found")
    return Entry(path, entry["digest"], size, home, blob_key(entry["digest"], algorithm))


def _require_bytes(connection: Connection, found: list[Entry]) -> None:
    wanted: dict[int, dict[str, str]] = {}
    for entry in found:
        if entry.blob_project_id is not None and entry.blob_key is not None:
            wanted.setdefault(entry.blob_project_id, {})[entry.blob_key] = entry.path
    for project_id, by_key in wanted.items():
        keys = list(by_key)
        for start in range(0, len(keys), _ROWS):
            part = keys[start : start + _ROWS]
            query = select(blobs.c.key).where(blobs.c.project_id == project_id, blobs.c.key.in_(part))
            missing = set(part) - set(connection.scalars(query))
            if missing:
                path = by_key[min(missing)]
                raise ArtifactError(f"the file {path!r} was not uploaded ({len(missing)} missing)")


def _write_entries(connection: Connection, artifact_id: int, found: list[Entry]) -> None:
    for start in range(0, len(found), _ROWS):
        rows = [{"artifact_id": artifact_id, **vars(entry)} for entry in found[start : start + _ROWS]]
        upsert(connection, entries, rows, ("artifact_id", "path"))


def entry_place(row: Any) -> str:
    return blob_place(row.blob_project_id, row.blob_key)
