"""What a server says of artifacts, and what it is asked to change."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple

from ...errors import CommError
from . import _documents as documents
from ._algorithm import ArtifactDigestAlgorithm
from ._names import ArtifactPath, is_version
from ._version import Place, Version
from .exceptions import ArtifactError

if TYPE_CHECKING:
    from ...apis._client import Client

_DIGEST_FEATURE = "ARTIFACT_DIGEST_ALGORITHM"
# Files whose addresses are asked for at once.
FILES_PER_PAGE = 5000
# On the wire, for a time to live.
_TTL_INHERITED, _TTL_NONE = -1, -2


def execute(client: Client, document: str, variables: Mapping[str, Any], repeatable: bool = True) -> Dict[str, Any]:
    """The answer to a document, which servers that don't know of digest algorithms get without them."""
    if "digestAlgorithm" in document and not client.supports(_DIGEST_FEATURE):
        document = document.replace("digestAlgorithm", "")
    return client.execute(document, variables, repeatable)


# --- finding versions -------------------------------------------------------------------------------------------------


def find(client: Client, path: ArtifactPath) -> Version:
    """The version that a whole path names. Raises ArtifactError where there is none, CommError."""
    entity, project = path.entity or "", path.project or ""
    data = execute(client, documents.BY_NAME, {"entity": entity, "project": project, "name": path.label})
    found = data.get("project")
    if found is None:
        raise ArtifactError(f"there is no project {entity}/{project} at {client.base_url}, or it isn't yours to read")
    membership = found.get("artifactCollectionMembership")
    if membership is None or membership.get("artifact") is None:
        raise ArtifactError(f"there is no artifact {path} at {client.base_url}")
    version = version_of_membership(membership)
    version.place.asked = path.alias
    return version


def find_by_id(client: Client, artifact_id: str) -> Version:
    """Raises ArtifactError where there is none, CommError."""
    artifact = execute(client, documents.BY_ID, {"id": artifact_id}).get("artifact")
    if artifact is None:
        raise ArtifactError(f"the server has no artifact with the id {artifact_id}")
    return version_of(artifact)


def find_by_client_id(client: Client, client_id: str) -> Version:
    """By the id that its client gave it before the server knew it, or `SEQUENCE:latest`."""
    found = client.execute(documents.BY_CLIENT_ID, {"clientID": client_id.partition(":")[0]}).get("clientIDMapping")
    if not found:
        raise ArtifactError(f"the artifact {client_id[:16]}… is not at {client.base_url}, or not yet")
    return find_by_id(client, str(found["serverID"]))


def find_type(client: Client, path: ArtifactPath) -> Optional[str]:
    """The type of an artifact; None where there is none of that name."""
    variables = {"entity": path.entity or "", "project": path.project or "", "name": path.label}
    project = client.execute(documents.TYPE_BY_NAME, variables).get("project") or {}
    artifact = project.get("artifact")
    return None if artifact is None else str(artifact["artifactType"]["name"])


def version_of(artifact: Mapping[str, Any]) -> Version:
    """A version in the collection in which it was made."""
    return _version(artifact, None)


def version_of_membership(membership: Mapping[str, Any]) -> Version:
    """A version in the collection of a membership."""
    return _version(membership["artifact"], membership)


def _version(artifact: Mapping[str, Any], membership: Optional[Mapping[str, Any]]) -> Version:
    source = _place(artifact["artifactSequence"], artifact.get("versionIndex"))
    index = artifact.get("versionIndex")
    place = (
        _place(artifact["artifactSequence"], index)
        if membership is None
        else (_place(membership["artifactCollection"], membership.get("versionIndex")))
    )
    seconds = artifact.get("ttlDurationSeconds")
    found = Version(
        id=str(artifact["id"]),
        place=place,
        source=source,
        type=str(artifact["artifactType"]["name"]),
        digest=str(artifact["digest"]),
        algorithm=ArtifactDigestAlgorithm(artifact.get("digestAlgorithm") or ArtifactDigestAlgorithm.MANIFEST_MD5),
        state=str(artifact["state"]),
        description=artifact.get("description"),
        metadata=json.loads(artifact.get("metadata") or "{}"),
        aliases=_aliases(artifact, place) if membership is None else _labels(membership),
        tags=[str(tag["name"]) for tag in artifact.get("tags") or ()],
        ttl=int(seconds) if seconds is not None and int(seconds) > 0 else None,
        ttl_is_inherited=bool(artifact.get("ttlIsInherited", True)),
        size=int(artifact.get("size") or 0),
        file_count=int(artifact.get("fileCount") or 0),
        commit_hash=str(artifact.get("commitHash") or ""),
        created_at=str(artifact.get("createdAt") or ""),
        updated_at=str(artifact.get("updatedAt") or ""),
        history_step=artifact.get("historyStep"),
    )
    if membership is not None and found.is_link:
        found.linked_at = membership.get("createdAt")
    return found


def _place(collection: Mapping[str, Any], number: Any) -> Place:
    project = collection.get("project") or {}
    entity = (project.get("entity") or {}).get("name") or ""
    return Place(str(entity), str(project.get("name") or ""), str(collection["name"]), f"v{number}")


def _labels(membership: Mapping[str, Any]) -> List[str]:
    labels = (str(one["alias"]) for one in membership.get("aliases") or ())
    return [label for label in dict.fromkeys(labels) if not is_version(label)]


def _aliases(artifact: Mapping[str, Any], place: Place) -> List[str]:
    """Those of one collection among those of all."""
    mine = [
        one for one in artifact.get("aliases") or ()
        if one.get("artifactCollection") and _place(one["artifactCollection"], 0).is_in_the_collection_of(place)
    ]  # fmt: skip
    return _labels({"aliases": mine})


# --- files ------------------------------------------------------------------------------------------------------------


def manifest_url(client: Client, artifact_id: str) -> str:
    """Where the manifest can be had. Raises CommError."""
    artifact = client.execute(documents.MANIFEST, {"id": artifact_id}).get("artifact") or {}
    manifest = artifact.get("currentManifest")
    if not manifest:
        raise CommError("the server has no manifest of the artifact; was it deleted?")
    return str(manifest["file"]["directUrl"])


def file_urls(client: Client, place: Place) -> Iterator[Tuple[str, str]]:
    """(path, address) of all files, page by page. Raises CommError."""
    cursor: Optional[str] = None
    while True:
        more = {"cursor": cursor, "perPage": FILES_PER_PAGE}
        files = _membership_files(client, documents.FILE_URLS, place, more)
        yield from ((str(edge["node"]["name"]), str(edge["node"]["directUrl"])) for edge in files["edges"])
        info = files["pageInfo"]
        if not info["hasNextPage"]:
            return
        cursor = info["endCursor"]


def some_file_urls(client: Client, place: Place, names: List[str]) -> Dict[str, str]:
    """path -> address of the files that are named. Raises CommError."""
    more = {"names": names, "perPage": len(names)}
    files = _membership_files(client, documents.FILE_URLS_BY_NAME, place, more)
    return {str(edge["node"]["name"]): str(edge["node"]["directUrl"]) for edge in files["edges"]}


def _membership_files(client: Client, document: str, place: Place, more: Mapping[str, Any]) -> Dict[str, Any]:
    where = {"entity": place.entity, "project": place.project, "collection": place.collection, "alias": place.version}
    found: Any = client.execute(document, {**where, **more}).get("project")
    for name in ("artifactCollection", "artifactMembership", "files"):
        found = (found or {}).get(name)
    if found is None:
        raise CommError(f"the server has no files of {place.qualified_name}; was it deleted?")
    return dict(found)


# --- lineage ----------------------------------------------------------------------------------------------------------


def logged_by(client: Client, artifact_id: str) -> Optional[Tuple[str, str, str]]:
    """(entity, project, run) that made it; None where nobody's run did."""
    artifact = client.execute(documents.LOGGED_BY, {"id": artifact_id}).get("artifact") or {}
    maker = artifact.get("createdBy") or {}
    return _run_path(maker) if maker.get("__typename") == "Run" else None


def used_by(client: Client, artifact_id: str) -> List[Tuple[str, str, str]]:
    """(entity, project, run) of those that used it."""
    artifact = client.execute(documents.USED_BY, {"id": artifact_id}).get("artifact") or {}
    found = (_run_path(edge["node"]) for edge in (artifact.get("usedBy") or {}).get("edges") or ())
    return [path for path in found if path is not None]


def _run_path(run: Mapping[str, Any]) -> Optional[Tuple[str, str, str]]:
    project = run.get("project")
    if not project or not run.get("name"):
        return None
    return str(project["entity"]["name"]), str(project["name"]), str(run["name"])


class Link:
    """A collection to which a version is linked."""

    def __init__(self, membership: Mapping[str, Any]) -> None:
        collection = membership["artifactCollection"]
        self.place = _place(collection, membership["versionIndex"])
        self.collection_id = str(collection["id"])
        self.aliases = _labels(membership)
        self.linked_at = str(membership.get("createdAt") or "")


def links(client: Client, artifact_id: str) -> List[Link]:
    """Where a version is linked to."""
    artifact = client.execute(documents.LINKS, {"artifactID": artifact_id}).get("artifact") or {}
    nodes = [edge["node"] for edge in (artifact.get("artifactMemberships") or {}).get("edges") or ()]
    return [Link(node) for node in nodes if node["artifactCollection"]["__typename"] == "ArtifactPortfolio"]


# --- changes ----------------------------------------------------------------------------------------------------------


def change_aliases(client: Client, version: Version, added: Iterable[str], removed: Iterable[str]) -> None:
    """In the collection through which the version was found."""
    place = version.place
    for document, aliases in ((documents.ADD_ALIASES, added), (documents.DELETE_ALIASES, removed)):
        named = [
            {
                "artifactCollectionName": place.collection, "alias": alias, "entityName": place.entity,
                "projectName": place.project,
            }
            for alias in sorted(aliases)
        ]  # fmt: skip
        if named:
            client.execute(document, {"input": {"artifactID": version.id, "aliases": named}})


def update(client: Client, version: Version, tags: Iterable[str], new_tags: Iterable[str], ttl_changed: bool) -> None:
    """Bring description, metadata, tags and time to live to the server."""
    before, after = set(tags), set(new_tags)
    values: Dict[str, Any] = {
        "artifactID": version.id,
        "description": version.description,
        "metadata": json.dumps(version.metadata),
        "tagsToAdd": [{"tagName": tag} for tag in sorted(after - before)],
        "tagsToDelete": [{"tagName": tag} for tag in sorted(before - after)],
    }
    if ttl_changed:
        values["ttlDurationSeconds"] = wire_ttl(version.ttl, version.ttl_is_inherited)
    execute(client, documents.UPDATE, {"input": values})


def wire_ttl(seconds: Optional[int], inherited: bool) -> int:
    """A time to live on the wire."""
    return _TTL_INHERITED if inherited else seconds or _TTL_NONE


def link(client: Client, artifact_id: str, target: ArtifactPath, aliases: Iterable[str]) -> int:
    """Link a version to a collection, which is made where there is none; return its number there."""
    values = {
        "artifactID": artifact_id, "artifactPortfolioName": target.name, "entityName": target.entity,
        "projectName": target.project,
        "aliases": [{"artifactCollectionName": target.name, "alias": alias} for alias in aliases],
    }  # fmt: skip
    found = client.execute(documents.LINK, {"input": values}).get("linkArtifact") or {}
    if found.get("versionIndex") is None:
        raise CommError(f"the server didn't say which version of {target} the link is")
    return int(found["versionIndex"])


def unlink(client: Client, artifact_id: str, collection_id: str) -> None:
    client.execute(documents.UNLINK, {"input": {"artifactID": artifact_id, "artifactPortfolioID": collection_id}})


def delete(client: Client, artifact_id: str, delete_aliases: bool) -> None:
    client.execute(documents.DELETE, {"input": {"artifactID": artifact_id, "deleteAliases": delete_aliases}})


def registry_entity(client: Client, entity: str, organization: Optional[str]) -> str:
    """The entity that holds an organization's registries. A server without organizations keeps them with the owner."""
    try:
        found = client.execute(documents.ORGANIZATION, {"entity": entity}).get("entity") or {}
    except CommError:
        return organization or entity
    known = [found.get("organization"), *((found.get("user") or {}).get("organizations") or ())]
    named = {one["name"]: one["orgEntity"]["name"] for one in known if one and one.get("orgEntity")}
    if organization:
        return str(named.get(organization, organization))
    if len(named) > 1:
        raise ArtifactError(f"{entity} is in several organizations; put one of {', '.join(named)} before the path")
    return str(next(iter(named.values()), entity))


# --- ids --------------------------------------------------------------------------------------------------------------


def hex_id(artifact_id: str) -> str:
    """A server's id as it stands in wandb-artifact:// addresses. Raises CommError for what is no id of a server."""
    try:
        return base64.standard_b64decode(artifact_id).hex()
    except (binascii.Error, ValueError):
        raise CommError(f"{artifact_id!r} is no artifact id of a W&B server") from None


def server_id(text: str) -> str:
    """The other way round. Raises ArtifactError."""
    try:
        return base64.standard_b64encode(bytes.fromhex(text)).decode()
    except ValueError:
        raise ArtifactError(f"{text!r} is no artifact in a wandb-artifact:// address") from None
