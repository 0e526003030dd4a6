"""Artifacts that were logged on this machine, as lists of the public Api hold them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from wandb_storage import Artifact as ArtifactRecord
from wandb_storage import LogError, StagedHeader, staged_artifacts

from ...sdk.artifacts._finishing import finished
from ...sdk.artifacts._local import LocalVersion, find_local, versions_of
from ...sdk.artifacts._names import ArtifactPath, split_version
from ...sdk.artifacts._version import Place, Version
from ...sdk.artifacts.artifact import Artifact
from ...sdk.artifacts.exceptions import ArtifactError
from ._pages import Answer, Variables, iso_time, page_of
from ._run import PROJECT_DEFAULT, LocalRun

if TYPE_CHECKING:
    from ._logs import LocalLogs


class Collection(NamedTuple):
    """An artifact with its versions, the oldest first."""

    entity: str
    project: str
    type: str
    name: str
    versions: List[LocalVersion]

    @property
    def aliases(self) -> List[str]:
        return [alias for version in self.versions for alias in version.aliases]

    def node(self) -> Answer:
        """As servers describe it."""
        abouts = [version.header.about for version in self.versions]
        return {
            "__typename": "ArtifactSequence",
            "id": "/".join((self.entity, self.project, self.name)),
            "name": self.name,
            "description": None,
            "createdAt": iso_time(abouts[0]["time"]),
            "updatedAt": iso_time(abouts[-1]["time"]),
            "project": {
                "id": f"{self.entity}/{self.project}", "internalId": None, "name": self.project,
                "entity": {"name": self.entity},
            },
            "type": {"name": self.type},
            "tags": {"edges": []},
        }  # fmt: skip


def find(logs: LocalLogs, path: ArtifactPath) -> Artifact:
    """The version that a path names. Raises ArtifactError where none was logged here."""
    found = find_local(logs.directory, path)
    if found is None:
        raise ArtifactError(f"no run in {logs.directory.absolute()} has logged an artifact {path}")
    return Artifact._of_local(found)


def collections(logs: LocalLogs, variables: Variables) -> List[Collection]:
    """Those of the project that variables name, in the order in which they were begun."""
    found: Dict[str, Collection] = {}
    for folder in logs.folders():
        for about in (header.about for header in _headers(folder)):
            owner = (about.get("entity") or logs.owner.entity, about.get("project") or PROJECT_DEFAULT)
            if owner == (variables["entity"], variables["project"]) and about["name"] not in found:
                path = ArtifactPath(about["name"], "", about.get("project"), about.get("entity"))
                found[about["name"]] = Collection(
                    *owner, about["type"], about["name"], versions_of(logs.directory, path)
                )
    return [collection for collection in found.values() if collection.versions]


def _headers(folder: Path) -> Iterator[StagedHeader]:
    for staged in staged_artifacts(folder):
        try:
            yield finished(staged)
        except (LogError, OSError):
            continue  # damaged, or gone meanwhile


def _types(logs: LocalLogs, document: str, variables: Variables) -> Answer:
    types: Dict[str, Answer] = {}
    for collection in collections(logs, variables):
        created = iso_time(collection.versions[0].header.about["time"])
        node = {"id": collection.type, "name": collection.type, "description": None, "createdAt": created}
        types.setdefault(collection.type, node)
    return {"project": {"artifactTypes": page_of([{"node": node} for node in types.values()], variables)}}


def _type(logs: LocalLogs, document: str, variables: Variables) -> Answer:
    edges = _types(logs, document, {**variables, "cursor": None, "perPage": None})["project"]["artifactTypes"]["edges"]
    named = (edge["node"] for edge in edges if edge["node"]["name"] == variables["type"])
    return {"project": {"artifactType": next(named, None)}}


def _of_type(logs: LocalLogs, document: str, variables: Variables) -> Answer:
    nodes = [{"node": one.node()} for one in collections(logs, variables) if one.type == variables["type"]]
    return {"project": {"artifactType": {"artifactCollections": _counted(nodes, variables)}}}


def _of_project(logs: LocalLogs, document: str, variables: Variables) -> Answer:
    nodes = [{"node": one.node()} for one in collections(logs, variables)]
    return {"project": {"artifactCollections": _counted(nodes, variables)}}


def _named(logs: LocalLogs, variables: Variables, name: str) -> Optional[Collection]:
    found = (one for one in collections(logs, variables) if (one.type, one.name) == (variables["type"], name))
    return next(found, None)


def _collection(logs: LocalLogs, document: str, variables: Variables) -> Answer:
    found = _named(logs, variables, variables["name"])
    return {"project": {"artifactType": {"artifactCollection": None if found is None else found.node()}}}


def _aliases(logs: LocalLogs, document: str, variables: Variables) -> Answer:
    entity, project, name = variables["id"].split("/")
    found = (one for one in collections(logs, {"entity": entity, "project": project}) if one.name == name)
    edges = [{"node": {"id": alias, "alias": alias}} for one in found for alias in one.aliases]
    return {"artifactCollection": {"aliases": page_of(edges, variables)}}


def _versions(logs: LocalLogs, document: str, variables: Variables) -> Answer:
    found = _named(logs, variables, variables["collection"])
    if found is None:
        return {"project": {"artifactType": {"artifactCollection": None}}}
    edges = [{"node": {"local": Artifact._of_local(one)}} for one in reversed(found.versions)]
    return {"project": {"artifactType": {"artifactCollection": {"artifacts": _counted(edges, variables)}}}}


def _logged(logs: LocalLogs, document: str, variables: Variables) -> Answer:
    run = logs.find(variables)
    if run is None:
        return {"project": {"run": None}}
    found: Dict[Tuple[str, int], LocalVersion] = {}  # each once, in the order in which they were logged first
    versions: Dict[str, List[LocalVersion]] = {}
    for header in sorted(_headers(run.folder), key=lambda header: float(header.about["time"])):
        about = header.about
        name = about["name"]
        if name not in versions:
            path = ArtifactPath(name, "", about.get("project"), about.get("entity"))
            versions[name] = versions_of(logs.directory, path)
        same = next((one for one in reversed(versions[name]) if one.header.digest == header.digest), None)
        if same is not None:
            found.setdefault((name, same.number), same)
    edges = [{"node": {"local": Artifact._of_local(one)}} for one in found.values()]
    return {"project": {"run": {"artifacts": _counted(edges, variables)}}}


def _used(logs: LocalLogs, document: str, variables: Variables) -> Answer:
    run = logs.find(variables)
    if run is None:
        return {"project": {"run": None}}
    records = [record for record in run.replay.scan().state.artifacts if record.used]
    edges = [{"node": {"local": _of_record(logs, run, record)}} for record in records]
    return {"project": {"run": {"artifacts": _counted(edges, variables)}}}


def _of_record(logs: LocalLogs, run: LocalRun, record: ArtifactRecord) -> Artifact:
    """What a run has used: logged on this machine, or else a server's, of which the log knows the name."""
    fields = json.loads(record.json or "{}")
    name, number = split_version(record.name)
    versions = versions_of(logs.directory, ArtifactPath(name, "", fields.get("project"), fields.get("entity")))
    local = next((one for one in reversed(versions) if one.facts().digest == record.digest), None)
    if local is not None:
        return Artifact._of_local(local)
    project, entity = fields.get("project") or run.project, fields.get("entity") or run.entity
    place, source = (Place(entity, project, name, number or "v0") for _ in range(2))
    return Artifact._of_version(Version(str(fields.get("id") or ""), place, source, record.type, record.digest), None)


def _counted(edges: List[Dict[str, Any]], variables: Variables) -> Answer:
    return {**page_of(edges, variables), "totalCount": len(edges)}


ANSWERS: Dict[str, Callable[[LocalLogs, str, Variables], Answer]] = {
    "ProjectArtifactTypes": _types,
    "ProjectArtifactType": _type,
    "ArtifactTypeArtifactCollections": _of_type,
    "ProjectArtifactCollections": _of_project,
    "ProjectArtifactCollection": _collection,
    "ArtifactCollectionAliases": _aliases,
    "ProjectArtifacts": _versions,
    "RunOutputArtifacts": _logged,
    "RunInputArtifacts": _used,
}
