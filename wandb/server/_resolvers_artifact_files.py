"""The files of artifacts as GraphQL sees them: manifests and entries, with the URLs that open them."""

from __future__ import annotations

import mimetypes
from typing import Any

from graphql import GraphQLError

from ._artifact_commit import Manifest, entry_place
from ._artifacts import Artifact, manifest_place, stored_entries
from ._limits import PAGE_SIZE_DEFAULT
from ._names import storage_id
from ._services import RequestContext, iso_time

# Clients ask for this many files at a time when they download.
_FILES_PAGE_MAX = 5000


def manifest_file(manifest: Manifest, context: RequestContext) -> dict[str, Any]:
    path = "/storage/" + manifest_place(manifest.id)
    url = context.download_url(path)
    return {
        "id": storage_id("File", "manifest", str(manifest.id)),
        "name": "wandb_manifest.json",
        "displayName": "wandb_manifest.json",
        "directUrl": url,
        "downloadUrl": url,
        "uploadUrl": context.upload_url(path),
        "uploadHeaders": [],
        "sizeBytes": str(manifest.size or 0),
        "mimetype": "application/json",
        "md5": manifest.digest,
    }


def artifact_files(
    artifact: Artifact,
    context: RequestContext,
    names: list[str] | None = None,
    after: str | None = None,
    first: int | None = None,
) -> dict[str, Any]:
    size = PAGE_SIZE_DEFAULT if first is None else max(0, min(first, _FILES_PAGE_MAX))
    if after and not after.isdecimal():
        raise GraphQLError(f"the cursor {after!r} did not come from this server")
    start = int(after) + 1 if after else 0
    rows, total = stored_entries(context.connection, artifact.id, names or [], start, size, references=True)
    edges = [
        {"node": _entry_file(artifact, row, context), "cursor": str(start + index)} for index, row in enumerate(rows)
    ]
    info = {"endCursor": edges[-1]["cursor"] if edges else None, "hasNextPage": start + len(edges) < total}
    return {"edges": edges, "pageInfo": info, "totalCount": total}


def files_by_entries(
    artifact: Artifact, context: RequestContext, entries: list[dict[str, Any]] | None = None, **_: Any
) -> dict[str, Any]:
    """The files that a manifest names, in the order of its entries as far as they are here."""
    names = [entry["name"] for entry in entries or []]
    rows, total = stored_entries(context.connection, artifact.id, names, 0, len(names)) if names else ([], 0)
    by_name = {row.path: row for row in rows}
    found = [_entry_file(artifact, by_name[name], context) for name in names if name in by_name]
    edges = [{"node": file, "cursor": str(index)} for index, file in enumerate(found)]
    return {"edges": edges, "pageInfo": {"endCursor": None, "hasNextPage": False}, "totalCount": total}


def _entry_file(artifact: Artifact, row: Any, context: RequestContext) -> dict[str, Any]:
    # The bytes of a reference are elsewhere: clients learn here that it is one of the files, and of the manifest where.
    place = entry_place(row) if row.blob_key is not None else None
    url = context.download_url(f"/storage/{place}/{row.path}") if place is not None else ""
    return {
        "id": storage_id("File", "artifact", str(artifact.id), row.path),
        "name": row.path,
        "displayName": row.path,
        "directUrl": url,
        "downloadUrl": url,
        "sizeBytes": str(row.size),
        "mimetype": mimetypes.guess_type(row.path)[0],
        "updatedAt": iso_time(artifact.updated_at),
        "md5": row.digest,
        "digest": row.digest,
        "storagePath": place,
        "artifact": artifact,
    }
