"""Versions of artifacts in the public Api, each a `wandb.Artifact`. `artifact_collections` has what they are in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Collection, Dict, Mapping, Optional, Sequence, Union, cast

from ...errors import CommError
from ...sdk.artifacts import _documents, _remote
from ...sdk.artifacts.artifact import Artifact
from .._errors import RequestError
from .._source import Source
from ..paginator import Page, SizedPaginator
from ._artifact_files import ArtifactFile, ArtifactFiles
from .artifact_collections import (
    ArtifactCollection,
    ArtifactCollections,
    ArtifactType,
    ArtifactTypes,
    ProjectArtifactCollections,
)

if TYPE_CHECKING:
    from .._client import Client
    from .runs import Run

__all__ = [
    "ArtifactCollection",
    "ArtifactCollections",
    "ArtifactFile",
    "ArtifactFiles",
    "ArtifactType",
    "ArtifactTypes",
    "Artifacts",
    "ProjectArtifactCollections",
    "RunArtifacts",
]

_ONLY_COMMITTED = {"state": "COMMITTED"}
_USE_FEATURE = "USE_ARTIFACT_WITH_ENTITY_AND_PROJECT_INFORMATION"

_VERSIONS = """
query ProjectArtifacts($entity: String!, $project: String!, $type: String!, $collection: String!, $cursor: String,
    $perPage: Int = 50, $order: String, $filters: JSONString) {
  project(entityName: $entity, name: $project) {
    artifactType(name: $type) {
      artifactCollection(name: $collection) {
        __typename
        artifacts(after: $cursor, first: $perPage, order: $order, filters: $filters) {
          totalCount
          edges { version node { ...ArtifactParts ...AliasParts } }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  }
}
""" + _documents.VERSION_PARTS  # fmt: skip

_LOGGED = """
query RunOutputArtifacts($entity: String!, $project: String!, $run: String!, $cursor: String, $perPage: Int) {
  project(entityName: $entity, name: $project) {
    run(name: $run) {
      artifacts: outputArtifacts(after: $cursor, first: $perPage) {
        totalCount
        edges { node { ...ArtifactParts ...AliasParts } }
        pageInfo { endCursor hasNextPage }
      }
    }
  }
}
""" + _documents.VERSION_PARTS  # fmt: skip

_USED = _LOGGED.replace("RunOutputArtifacts", "RunInputArtifacts").replace("outputArtifacts", "inputArtifacts")

_USE = """
mutation UseArtifact($entityName: String!, $projectName: String!, $runName: String!, $artifactID: ID!) {
  useArtifact(input: {entityName: $entityName, projectName: $projectName, runName: $runName, artifactID: $artifactID}) {
    artifact { id digest description state createdAt metadata }
  }
}
"""
# For servers with the feature.
_USE_MORE = """
mutation UseArtifact($entityName: String!, $projectName: String!, $runName: String!, $artifactID: ID!,
    $usedAs: String, $ofEntity: String, $ofProject: String) {
  useArtifact(input: {entityName: $entityName, projectName: $projectName, runName: $runName, artifactID: $artifactID,
      usedAs: $usedAs, artifactEntityName: $ofEntity, artifactProjectName: $ofProject}) {
    artifact { id digest description state createdAt metadata }
  }
}
"""

_LOG = """
mutation CreateArtifact($input: CreateArtifactInput!) {
  createArtifact(input: $input) { artifact { id state } }
}
"""


class Artifacts(SizedPaginator[Artifact]):
    """The versions of an artifact, the latest first, fetched page by page; with `tags`, those that have all of them.

    >>> versions = wandb.Api().artifacts("dataset", "digits/images")
    >>> versions[0].name, versions[0].file_count
    ('images:v0', 1)
    """

    def __init__(
        self,
        source: Source,
        entity: str,
        project: str,
        collection_name: str,
        type: str,
        filters: Optional[Mapping[str, Any]] = None,
        order: Optional[str] = None,
        per_page: int = 50,
        tags: Union[None, str, Sequence[str]] = None,
        start: Optional[str] = None,
    ) -> None:
        super().__init__(per_page, start)
        self.entity, self.project, self.collection_name, self.type = entity, project, collection_name, type
        self.filters: Mapping[str, Any] = _ONLY_COMMITTED if filters is None else filters
        self.order = order
        self.tags = [tags] if isinstance(tags, str) else list(tags or ())
        self._source = source

    def _fetch(self, cursor: Optional[str], count: int) -> Page[Artifact]:
        variables = {
            "entity": self.entity, "project": self.project, "type": self.type, "collection": self.collection_name,
            "cursor": cursor, "perPage": count, "order": self.order, "filters": json.dumps(self.filters),
        }  # fmt: skip
        found: Any = _ask(self._source, _VERSIONS, variables).get("project")
        for name in ("artifactType", "artifactCollection", "artifacts"):
            found = (found or {}).get(name)
        if found is None:
            where = "/".join((self.entity, self.project, self.collection_name))
            raise RequestError(f"there is no artifact {where} of the type {self.type!r} at {self._source.base_url}")
        versions = [self._of(edge) for edge in found["edges"] if edge.get("node")]
        chosen = [version for version in versions if set(self.tags) <= set(version.tags)]
        page = found["pageInfo"]
        return Page(chosen, page["endCursor"], page["hasNextPage"], found["totalCount"])

    def _of(self, edge: Mapping[str, Any]) -> Artifact:
        """A version as it is called in this collection, which may hold links."""
        node, number = edge["node"], str(edge.get("version") or "").partition("v")[2]
        if "local" in node or not number.isdigit():
            return artifact_of(self._source, node)
        home = {"name": self.collection_name, "project": {"name": self.project, "entity": {"name": self.entity}}}
        aliases = [
            one for one in node.get("aliases") or ()
            if (one.get("artifactCollection") or {}).get("name") == self.collection_name
        ]  # fmt: skip
        membership = {"artifact": node, "artifactCollection": home, "versionIndex": int(number), "aliases": aliases}
        return Artifact._of_version(_remote.version_of_membership(membership), cast("Client", self._source))

    def __repr__(self) -> str:
        return f"<Artifacts {self.entity}/{self.project}/{self.collection_name}>"


class RunArtifacts(SizedPaginator[Artifact]):
    """The artifacts that a run has logged, or used, fetched page by page.

    >>> run = wandb.Api().runs("digits")[0]
    >>> run.use_artifact(wandb.Api().artifact("digits/images:latest")).name
    'images:latest'
    >>> [artifact.name for artifact in run.used_artifacts()]
    ['images:v0']
    """

    def __init__(
        self, source: Source, run: Run, mode: str = "logged", per_page: int = 50, start: Optional[str] = None
    ) -> None:
        super().__init__(per_page, start)
        if mode not in ("logged", "used"):
            raise RequestError(f"mode is 'logged' or 'used', not {mode!r}")
        self.run = run
        self._source, self._document = source, _LOGGED if mode == "logged" else _USED

    def _fetch(self, cursor: Optional[str], count: int) -> Page[Artifact]:
        variables: Dict[str, Any] = {
            "entity": self.run.entity, "project": self.run.project, "run": self.run.id, "cursor": cursor,
            "perPage": count,
        }  # fmt: skip
        run = (_ask(self._source, self._document, variables).get("project") or {}).get("run")
        if run is None:
            raise CommError(f"there is no run {'/'.join(self.run.path)} any more")
        found = run["artifacts"]
        artifacts = [artifact_of(self._source, edge["node"]) for edge in found["edges"] if edge.get("node")]
        page = found["pageInfo"]
        return Page(artifacts, page["endCursor"], page["hasNextPage"], found["totalCount"])


def artifact_of(source: Source, node: Mapping[str, Any]) -> Artifact:
    """A version that a list holds."""
    if "local" in node:  # of this machine, and not described in words of a server
        local: Artifact = node["local"]
        return local
    return Artifact._of_version(_remote.version_of(node), cast("Client", source))


def _ask(source: Source, document: str, variables: Mapping[str, Any]) -> Dict[str, Any]:
    return _remote.execute(cast("Client", source), document, variables)


# --- of a run ---------------------------------------------------------------------------------------------------------


def use_artifact(source: Source, run: Run, artifact: Artifact, use_as: Optional[str]) -> Artifact:
    """See `Run.use_artifact`."""
    known = _logged_at(source, artifact, "use_artifact")
    variables = {
        "entityName": run.entity, "projectName": run.project, "runName": run.id, "artifactID": known.id
    }  # fmt: skip
    if source.supports(_USE_FEATURE):
        variables.update(ofEntity=known.place.entity, ofProject=known.place.project, usedAs=use_as or known.place.name)
        source.execute(_USE_MORE, variables)
    else:
        source.execute(_USE, variables)
    return artifact


def log_artifact(
    source: Source, run: Run, artifact: Artifact, aliases: Optional[Collection[str]], tags: Optional[Collection[str]]
) -> Artifact:
    """See `Run.log_artifact`."""
    if not isinstance(artifact, Artifact):
        raise TypeError(f"log_artifact takes an artifact of wandb.Api().artifact(), not {type(artifact).__name__}")
    known = _logged_at(source, artifact, "log_artifact")
    if (run.entity, run.project) != (known.source.entity, known.source.project):
        where = f"{known.source.entity}/{known.source.project}"
        raise RequestError(f"{known.source.name} is of {where}, and a run can log only what is of its own project")
    name = known.source.collection
    values = {
        "entityName": run.entity, "projectName": run.project, "runName": run.id, "artifactTypeName": known.type,
        "artifactCollectionName": name, "digest": known.digest, "enableDigestDeduplication": True,
        "aliases": [{"artifactCollectionName": name, "alias": alias} for alias in aliases or ()],
        "tags": [{"tagName": tag} for tag in tags or ()],
    }  # fmt: skip
    if source.supports("ARTIFACT_DIGEST_ALGORITHM"):
        values["digestAlgorithm"] = known.algorithm.value
    source.execute(_LOG, {"input": values})
    return artifact


def _logged_at(source: Source, artifact: Any, call: str) -> Any:
    """What is known of a version that a server has. Raises ValueError for what is none."""
    if not isinstance(artifact, Artifact):
        raise RequestError(f"{call} takes an artifact of wandb.Api().artifact(), not {type(artifact).__name__}")
    if artifact.is_draft() or not artifact.id:
        raise RequestError(f"{artifact.name} is at no server yet; log it with run.log_artifact of a run of wandb.init")
    return artifact._known(call)
