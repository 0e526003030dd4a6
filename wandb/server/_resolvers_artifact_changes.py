"""Resolvers that make an artifact, from the first word of it to its commit, and that note its use."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

from graphql import GraphQLError
from sqlalchemy import insert

from ._artifact_commit import (
    MD5,
    Entry,
    Manifest,
    blob_key,
    blob_size,
    commit_artifact,
    create_manifest,
    find_manifest,
    hasher_of,
    manifests_of,
    parse_manifest,
    pin_entries,
    record_manifest_size,
    set_manifest_digest,
)
from ._artifact_deletion import delete_expired
from ._artifact_tables import artifacts
from ._artifacts import (
    COMMITTED,
    PENDING,
    Artifact,
    ArtifactError,
    Collection,
    artifact_by_id,
    blob_place,
    check_alias,
    ensure_collection,
    find_artifact,
    manifest_place,
    record_use,
    set_alias,
)
from ._bytes import DigestMismatchError
from ._client_ids import artifacts_by_client_id, record_client_id
from ._graphql import Resolvers
from ._limits import FILES_PER_REQUEST_MAX, UPLOAD_PARTS_MAX
from ._names import RunKey, file_name_problem, name_problem, parse_storage_number, storage_id
from ._resolvers import DEFAULT_PROJECT, allowed_entity, allowed_run, project_for_writing
from ._resolvers_artifacts import TypeView, changeable_artifact, home_of, readable_artifact
from ._services import RequestContext
from ._storage import expecting_digest
from ._store import Run, project_by_id
from ._values import parse_object


def telling(resolver: Callable[..., Any]) -> Callable[..., Any]:
    """Let a client see why its request about an artifact can't be fulfilled."""

    @functools.wraps(resolver)
    def resolve(*arguments: Any, **named: Any) -> Any:
        try:
            return resolver(*arguments, **named)
        except (ArtifactError, DigestMismatchError) as error:
            raise GraphQLError(str(error)) from None

    return resolve


def run_of_input(context: RequestContext, input: dict[str, Any]) -> Run | None:
    """The run that an input names; None when it names none."""
    if not input.get("runName"):
        return None
    entity = input.get("entityName") or context.user.name
    key = RunKey(input["runName"], input.get("projectName") or DEFAULT_PROJECT, entity)
    run = allowed_run(context, key)
    if run is None:
        raise GraphQLError(f"run {'/'.join(reversed(key))!r} was not found")
    return run


def ttl_of_input(value: int | None) -> int | None:
    """Seconds to live: None inherits (-1 on the wire), a negative number is for ever (-2)."""
    return None if value is None or value == -1 else value


def _create_artifact(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    connection = context.connection
    entity = allowed_entity(context, input.get("entityName"))
    project, _made = project_for_writing(context, entity, input.get("projectName"))
    for known in artifacts_by_client_id(connection, input.get("clientID") or ""):
        # The same request again, because its answer got lost.
        if home_of(context, known).project_id == project.id:
            return {"artifact": known}
    free(context, delete_expired(connection, project.id, context.now))
    collection = ensure_collection(connection, project, _collection_name(input), _type_name(input), context.now)
    record_client_id(connection, input.get("sequenceClientID"), collection.id)
    artifact = _present_or_new(context, collection, input)
    record_client_id(connection, input.get("clientID"), collection.id, artifact.id)
    return {"artifact": artifact}


def _present_or_new(context: RequestContext, collection: Collection, input: dict[str, Any]) -> Artifact:
    """The version that has this content already, or that another of its writers has begun, or one to be filled."""
    connection = context.connection
    labels = [check_alias(entry["alias"]) for entry in input.get("aliases") or []]
    same = find_artifact(connection, collection, digest=input["digest"], state=COMMITTED)
    if same is not None and input.get("enableDigestDeduplication") is not False and not same.expired_at(context.now):
        for label in labels:
            set_alias(connection, collection.id, label, same.id)
        return same
    shared = input.get("distributedID") or None
    if shared is not None:
        # One of several writers of the same version.
        begun = find_artifact(connection, collection, distributed_id=shared, state=PENDING)
        if begun is not None:
            return begun
    return _new_artifact(context, collection, input, labels, shared)


def _collection_name(input: dict[str, Any]) -> str:
    names = [input["artifactCollectionName"]] if input.get("artifactCollectionName") else []
    names = names or input.get("artifactCollectionNames") or []
    if len(names) != 1:
        raise GraphQLError("an artifact needs the name of one collection")
    problem = name_problem("artifact", names[0])
    if problem:
        raise GraphQLError(problem)
    return str(names[0])


def _type_name(input: dict[str, Any]) -> str:
    problem = name_problem("artifact type", input["artifactTypeName"])
    if problem:
        raise GraphQLError(problem)
    return str(input["artifactTypeName"])


def _new_artifact(
    context: RequestContext, collection: Collection, input: dict[str, Any], labels: list[str], shared: str | None
) -> Artifact:
    run = run_of_input(context, input)
    made = context.connection.execute(
        insert(artifacts).values(
            collection_id=collection.id,
            state=PENDING,
            digest=input["digest"],
            algorithm=input.get("digestAlgorithm") or MD5,
            description=input.get("description"),
            metadata=object_text(input.get("metadata")),
            tags=json.dumps([tag["tagName"] for tag in input.get("tags") or []]),
            aliases=json.dumps(labels),
            distributed_id=shared,
            user_id=context.user.id,
            run_id=None if run is None else run.id,
            history_step=input.get("historyStep"),
            ttl_seconds=ttl_of_input(input.get("ttlDurationSeconds")),
            size=0,
            file_count=0,
            created_at=context.now,
            updated_at=context.now,
        )
    )
    assert made.inserted_primary_key is not None
    artifact = artifact_by_id(context.connection, made.inserted_primary_key[0])
    assert artifact is not None
    return artifact


def object_text(text: str | None) -> str:
    if text is None:
        return "{}"
    if parse_object(text) is None:
        raise GraphQLError("metadata must be a JSON object inside a string")
    return text


def _create_manifest(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    artifact = changeable_artifact(context, input["artifactID"])
    base = _base_id(context, input)
    kind = input.get("type") or "FULL"
    _check_digest(input["digest"])
    return {"artifactManifest": create_manifest(context.connection, artifact, kind, input["digest"], base, context.now)}


def _update_manifest(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    manifest = _manifest_of_input(context, input["artifactManifestID"])
    digest = input.get("digest") or manifest.digest
    _check_digest(digest)
    set_manifest_digest(context.connection, manifest.id, digest, _base_id(context, input))
    return {"artifactManifest": find_manifest(context.connection, manifest.id)}


def _base_id(context: RequestContext, input: dict[str, Any]) -> int | None:
    return readable_artifact(context, input["baseArtifactID"]).id if input.get("baseArtifactID") else None


def _check_digest(digest: str) -> None:
    if digest:
        blob_key(digest, MD5)


def _manifest_of_input(context: RequestContext, text: str) -> Manifest:
    number = parse_storage_number("ArtifactManifest", text)
    manifest = None if number is None else find_manifest(context.connection, number)
    artifact = None if manifest is None else artifact_by_id(context.connection, manifest.artifact_id)
    if manifest is None or artifact is None or not context.user.may_edit(home_of(context, artifact)):
        raise GraphQLError(f"manifest {text!r} was not found")
    return manifest


def _create_files(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    specs = input["artifactFiles"]
    if len(specs) > FILES_PER_REQUEST_MAX:
        raise GraphQLError(f"ask for at most {FILES_PER_REQUEST_MAX} files at a time")
    algorithm = input.get("digestAlgorithm") or MD5
    homes: dict[str, tuple[Artifact, int]] = {}
    pinned: dict[int, list[Entry]] = {}
    nodes = []
    for spec in specs:
        text = spec["artifactID"]
        if text not in homes:
            artifact = changeable_artifact(context, text)
            homes[text] = artifact, home_of(context, artifact).project_id
        artifact, project_id = homes[text]
        if file_name_problem(spec["name"]):
            raise GraphQLError(file_name_problem(spec["name"]) or "")
        key = blob_key(spec.get("digest") or spec.get("md5") or "", algorithm)
        pinned.setdefault(artifact.id, []).append(Entry(spec["name"], spec.get("md5") or "", 0, project_id, key))
        nodes.append(_file_to_upload(context, artifact, project_id, key, spec))
    for artifact_id, needed in pinned.items():
        artifact_now = artifact_by_id(context.connection, artifact_id)
        if artifact_now is not None and artifact_now.state == PENDING:
            pin_entries(context.connection, artifact_id, needed)
    edges = [{"node": node, "cursor": str(index)} for index, node in enumerate(nodes)]
    info = {"endCursor": None, "hasNextPage": False}
    return {"files": {"edges": edges, "pageInfo": info, "totalCount": len(edges)}}


def _file_to_upload(
    context: RequestContext, artifact: Artifact, project_id: int, key: str, spec: dict[str, Any]
) -> dict[str, Any]:
    place = blob_place(project_id, key)
    present = blob_size(context.connection, project_id, key) is not None
    parts = spec.get("uploadPartsInput") or []
    node: dict[str, Any] = {
        "id": storage_id("File", "artifact", str(artifact.id), spec["name"]),
        "name": spec["name"],
        "displayName": spec["name"],
        "storagePath": place,
        "uploadUrl": None if present else context.upload_url("/storage/" + place),
        "uploadHeaders": [],
        "artifact": artifact,
    }
    if parts and not present:
        node["uploadMultipartUrls"] = _part_urls(context, project_id, key, parts)
    return node


def _part_urls(context: RequestContext, project_id: int, key: str, parts: list[dict[str, Any]]) -> dict[str, Any]:
    upload = _upload_id(project_id, key)
    urls = []
    for part in parts:
        number = _part_number(part)
        url = context.upload_url(f"/storage/parts/{upload}/{number}")
        urls.append({"partNumber": number, "uploadUrl": url})
    return {"uploadID": upload, "uploadUrlParts": urls}


def _upload_id(project_id: int, key: str) -> str:
    # The same for the same bytes, so that a repeated request goes on with the parts that are there.
    return f"{project_id}-{key}"


def _part_number(part: dict[str, Any]) -> int:
    number = int(part["partNumber"])
    if not 1 <= number <= UPLOAD_PARTS_MAX:
        raise GraphQLError(f"parts have numbers from 1 to {UPLOAD_PARTS_MAX}")
    return number


def _complete_multipart(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    artifact = changeable_artifact(context, input["artifactID"])
    project_id = home_of(context, artifact).project_id
    key = input["storagePath"].rpartition("/")[2]
    upload = _upload_id(project_id, key)
    if input["uploadID"] != upload or input["storagePath"] != blob_place(project_id, key) or not _is_key(key):
        raise GraphQLError("the upload was not begun for this artifact")
    services = context.services
    if blob_size(context.connection, project_id, key) is None:
        numbers = sorted(_part_number(part) for part in input["completedParts"])
        if numbers != list(range(1, len(numbers) + 1)):
            raise GraphQLError("the parts of an upload have the numbers 1, 2, 3 and so on")
        check = expecting_digest(bytes.fromhex(key.partition("-")[2]))
        try:
            size = services.bytes.join(
                blob_place(project_id, key), [f"parts/{upload}/{number}" for number in numbers], hasher_of(key), check
            )
        except FileNotFoundError:
            raise GraphQLError("a part of the upload is missing") from None
        services.blobs.record(project_id, key, size, context.now)
        services.bytes.delete_under(f"parts/{upload}")
    return {"digest": key.partition("-")[2]}


def _is_key(key: str) -> bool:
    kind, _, digest = key.partition("-")
    return kind in ("md5", "xxh128") and len(digest) == 32 and all(c in "0123456789abcdef" for c in digest)


def _commit_artifact(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    artifact = changeable_artifact(context, input["artifactID"])
    if artifact.state != PENDING:
        return {"artifact": artifact}
    contents = _contents(context, artifact)
    project_id = home_of(context, artifact).project_id

    def readable(number: int) -> bool:
        project = project_by_id(context.connection, number)
        return project is not None and context.user.may_see(project)

    done = commit_artifact(context.connection, artifact, project_id, contents, readable, context.now)
    return {"artifact": done}


def _contents(context: RequestContext, artifact: Artifact) -> dict[str, Any]:
    """The files of a version: of its full list, or of what its writers sent over its base."""
    sent = manifests_of(context.connection, artifact.id)
    if not sent:
        raise ArtifactError("the manifest of the artifact was not uploaded")
    documents = [(manifest, _read_manifest(context, manifest)) for manifest in sent]
    full = [document for manifest, document in documents if manifest.type == "FULL"]
    if full:
        return dict(full[-1]["contents"])
    contents: dict[str, Any] = {}
    for base_id in dict.fromkeys(manifest.base_artifact_id for manifest in sent):
        base = manifests_of(context.connection, base_id) if base_id is not None else []
        if base:
            contents.update(_read_manifest(context, base[-1])["contents"])
    for _manifest, document in documents:
        contents.update(document["contents"])
    _write_manifest(context, artifact, {**documents[-1][1], "contents": contents})
    return contents


def _read_manifest(context: RequestContext, manifest: Manifest) -> dict[str, Any]:
    data = context.services.bytes.read(manifest_place(manifest.id))
    if data is None:
        raise ArtifactError("the manifest of the artifact is not on the server any more")
    return parse_manifest(data)


def _write_manifest(context: RequestContext, artifact: Artifact, document: dict[str, Any]) -> None:
    """Keep the list that parts made together, as what readers get."""
    data = json.dumps(document, separators=(",", ":")).encode()
    manifest = create_manifest(context.connection, artifact, "FULL", "", None, context.now)
    context.services.bytes.write(manifest_place(manifest.id), data)
    record_manifest_size(context.connection, manifest.id, len(data))


def _use_artifact(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    artifact = readable_artifact(context, input["artifactID"])
    run = run_of_input(context, input)
    if run is not None:
        record_use(context.connection, artifact.id, run.id, input.get("usedAs"), context.now)
    return {"artifact": artifact}


def free(context: RequestContext, places: list[str]) -> None:
    """Delete bytes once the transaction that stopped to need them is durable."""
    context.after_commit.extend(functools.partial(context.services.bytes.delete, place) for place in places)


def _create_type(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    entity = allowed_entity(context, input.get("entityName"))
    project, _made = project_for_writing(context, entity, input.get("projectName"))
    problem = name_problem("artifact type", input["name"])
    if problem:
        raise GraphQLError(problem)
    # A type begins with its first artifact; there is nothing to keep before.
    return {"artifactType": TypeView(project, input["name"], context.now)}


ARTIFACT_CHANGE_RESOLVERS: Resolvers = {
    "Mutation": {
        "createArtifactType": telling(_create_type),
        "createArtifact": telling(_create_artifact),
        "createArtifactManifest": telling(_create_manifest),
        "updateArtifactManifest": telling(_update_manifest),
        "createArtifactFiles": telling(_create_files),
        "completeMultipartUploadArtifact": telling(_complete_multipart),
        "commitArtifact": telling(_commit_artifact),
        "useArtifact": telling(_use_artifact),
    }
}
