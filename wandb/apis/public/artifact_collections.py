"""Types and collections of artifacts. A collection is an artifact with all its versions, or a portfolio of links."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Collection, Dict, List, Mapping, Optional

from ...errors import CommError
from ...sdk.artifacts._names import check_name, check_tags, check_type
from .._errors import RequestError
from .._source import Source
from ..attrs import Attrs
from ..paginator import Page, Paginator, SizedPaginator
from . import _collection_documents as documents

if TYPE_CHECKING:
    from .artifacts import Artifacts

_FILTERING = "ARTIFACT_COLLECTIONS_FILTERING_SORTING"
_SEQUENCE = "ArtifactSequence"
_ALIASES_PER_PAGE = 1000


class ArtifactTypes(Paginator["ArtifactType"]):
    """The types of a project's artifacts, fetched page by page.

    >>> [kind.name for kind in wandb.Api().artifact_types("digits")]
    ['dataset']
    """

    def __init__(
        self, source: Source, entity: str, project: str, per_page: int = 50, start: Optional[str] = None
    ) -> None:
        super().__init__(per_page, start)
        self.entity, self.project = entity, project
        self._source = source

    def _fetch(self, cursor: Optional[str], count: int) -> Page[ArtifactType]:
        variables = {"entity": self.entity, "project": self.project, "cursor": cursor, "perPage": count}
        found = (self._source.execute(documents.TYPES, variables).get("project") or {}).get("artifactTypes")
        if found is None:
            raise RequestError(f"there is no project {self.entity}/{self.project} at {self._source.base_url}")
        nodes = [edge["node"] for edge in found["edges"]]
        types = [ArtifactType(self._source, self.entity, self.project, node["name"], node) for node in nodes]
        return Page(types, found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"])


class ArtifactType(Attrs):
    """A type of artifacts: `name`, `id`, `description`, `created_at`, and the collections of it.

    >>> kind = wandb.Api().artifact_type("dataset", "digits")
    >>> kind.collection("images").aliases
    ['latest']
    """

    def __init__(
        self, source: Source, entity: str, project: str, type_name: str, attrs: Optional[Mapping[str, Any]] = None
    ) -> None:
        super().__init__(attrs or {})
        self._source, self.entity, self.project, self.type = source, entity, project, type_name
        if not attrs:
            self._attrs = self.load()

    def load(self) -> Dict[str, Any]:
        """What the server says of the type. Raises ValueError where the project has none of that name."""
        variables = {"entity": self.entity, "project": self.project, "type": self.type}
        found = (self._source.execute(documents.TYPE, variables).get("project") or {}).get("artifactType")
        if found is None:
            raise RequestError(f"{self.entity}/{self.project} has no artifacts of the type {self.type!r}")
        self._attrs = dict(found)
        return self._attrs

    @property
    def id(self) -> str:
        """What the server calls the type."""
        return str(self._attrs["id"])

    @property
    def name(self) -> str:
        """The type's name."""
        return str(self._attrs["name"])

    def collections(
        self,
        filters: Optional[Mapping[str, Any]] = None,
        order: Optional[str] = None,
        per_page: int = 50,
        start: Optional[str] = None,
    ) -> ArtifactCollections:
        """The collections of the type. Raises CommError where they are to be filtered and the server can't."""
        return ArtifactCollections(self._source, self.entity, self.project, self.type, filters, order, per_page, start)

    def collection(self, name: str) -> ArtifactCollection:
        """One of them. Raises ValueError where there is none of that name."""
        return ArtifactCollection(self._source, self.entity, self.project, name, self.type)

    def __repr__(self) -> str:
        return f"<ArtifactType {self.type}>"


class _Collections(SizedPaginator["ArtifactCollection"]):
    """Collections, some of them where the server can choose."""

    def __init__(
        self,
        source: Source,
        document: str,
        variables: Mapping[str, Any],
        filters: Optional[Mapping[str, Any]],
        order: Optional[str],
        per_page: int,
        start: Optional[str],
    ) -> None:
        super().__init__(per_page, start)
        self.entity, self.project = variables["entity"], variables["project"]
        self.filters, self.order = filters, order
        self._source, self._document, self._variables = source, document, dict(variables)
        if filters is not None or order is not None:
            if not source.supports(_FILTERING):
                raise CommError(f"{source.base_url} can't filter or order artifacts; choose among them here")
            self._document = document.replace(
                "$perPage: Int", "$perPage: Int, $filters: JSONString, $order: String"
            ).replace("first: $perPage", "first: $perPage, filters: $filters, order: $order")
            self._variables.update(filters=json.dumps(filters or {}), order=order)

    def _fetch(self, cursor: Optional[str], count: int) -> Page[ArtifactCollection]:
        answer = self._source.execute(self._document, {**self._variables, "cursor": cursor, "perPage": count})
        project = answer.get("project") or {}
        found = (project.get("artifactType") or project).get("artifactCollections")
        if found is None:
            raise RequestError(f"{self.entity}/{self.project} at {self._source.base_url} has no such artifacts")
        collections = [_of_node(self._source, edge["node"]) for edge in found["edges"] if edge["node"].get("project")]
        page = found["pageInfo"]
        return Page(collections, page["endCursor"], page["hasNextPage"], found.get("totalCount"))


class ArtifactCollections(_Collections):
    """The collections of a type in a project, fetched page by page.

    >>> [artifact.name for artifact in wandb.Api().artifact_collections("digits", "dataset")]
    ['images']
    """

    def __init__(
        self,
        source: Source,
        entity: str,
        project: str,
        type_name: str,
        filters: Optional[Mapping[str, Any]] = None,
        order: Optional[str] = None,
        per_page: int = 50,
        start: Optional[str] = None,
    ) -> None:
        self.type_name = type_name
        variables = {"entity": entity, "project": project, "type": type_name}
        super().__init__(source, documents.OF_TYPE, variables, filters, order, per_page, start)


class ProjectArtifactCollections(_Collections):
    """All collections of a project, fetched page by page.

    >>> [(artifact.type, artifact.name) for artifact in wandb.Api().project("digits").collections()]
    [('dataset', 'images')]
    """

    def __init__(
        self,
        source: Source,
        entity: str,
        project: str,
        filters: Optional[Mapping[str, Any]] = None,
        order: Optional[str] = None,
        per_page: int = 50,
        start: Optional[str] = None,
    ) -> None:
        variables = {"entity": entity, "project": project}
        super().__init__(source, documents.OF_PROJECT, variables, filters, order, per_page, start)


class ArtifactCollection:
    """An artifact with all its versions, or a portfolio that versions are linked to.

    `name`, `description`, `tags` and `type` can be changed; `save()` sends it.

    >>> images = wandb.Api().artifact_collection("dataset", "digits/images")
    >>> images.description = "What was seen"
    >>> images.save()
    >>> [version.name for version in images.artifacts()]
    ['images:v0']
    """

    def __init__(
        self,
        source: Source,
        entity: str,
        project: str,
        name: str,
        type: str,
        organization: Optional[str] = None,
        attrs: Optional[Mapping[str, Any]] = None,
    ) -> None:
        self._source, self.organization = source, organization
        self._entity, self._project = entity, project
        self._saved: Dict[str, Any] = dict(attrs) if attrs else self.load(entity, project, type, name)
        self._name, self._description = str(self._saved["name"]), self._saved.get("description")
        self._type = str(self._saved["type"]["name"])
        self._tags = self._saved_tags

    def load(self, entity: str, project: str, type_: str, name: str) -> Dict[str, Any]:
        """What the server says of a collection. Raises ValueError where there is none of that name and type."""
        variables = {"entity": entity, "project": project, "type": type_, "name": name}
        found = (self._source.execute(documents.COLLECTION, variables).get("project") or {}).get("artifactType") or {}
        collection = found.get("artifactCollection")
        if collection is None:
            raise RequestError(f"there is no artifact {entity}/{project}/{name} of the type {type_!r}")
        return dict(collection)

    # --- what it is ---------------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """What the server calls the collection."""
        return str(self._saved["id"])

    @property
    def name(self) -> str:
        """The artifact's name."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = check_name(name)

    @property
    def description(self) -> Optional[str]:
        """What the artifact is, in words."""
        return self._description

    @description.setter
    def description(self, description: Optional[str]) -> None:
        self._description = description

    @property
    def entity(self) -> str:
        """The user or team that owns the collection."""
        return self._entity

    @property
    def project(self) -> str:
        """The project that the collection is in."""
        return self._project

    @property
    def project_id(self) -> Optional[str]:
        """What the server calls the project."""
        identifier: Optional[str] = (self._saved.get("project") or {}).get("id")
        return identifier

    @property
    def project_internal_id(self) -> Optional[int]:
        """The server's number of the project."""
        number = (self._saved.get("project") or {}).get("internalId")
        return None if number is None else int(number)

    @property
    def created_at(self) -> str:
        """When it was made, in UTC."""
        return str(self._saved["createdAt"])

    @property
    def updated_at(self) -> Optional[str]:
        """When it was changed last, in UTC."""
        moment: Optional[str] = self._saved.get("updatedAt")
        return moment

    @property
    def type(self) -> str:
        """The type of its versions."""
        return self._type

    @type.setter
    def type(self, type: str) -> None:
        if not self.is_sequence():
            raise RequestError(f"{self.name} is a portfolio, whose type is that of what is linked to it")
        self._type = type

    @property
    def tags(self) -> List[str]:
        """The tags of the collection, not of its versions."""
        return self._tags

    @tags.setter
    def tags(self, tags: Collection[str]) -> None:
        self._tags = list(tags)

    @property
    def _saved_tags(self) -> List[str]:
        return [str(edge["node"]["name"]) for edge in (self._saved.get("tags") or {}).get("edges", ())]

    @property
    def aliases(self) -> List[str]:
        """The aliases of all its versions."""
        return list(_Aliases(self._source, self.id))

    def is_sequence(self) -> bool:
        """Whether its versions were made in it, and not linked to it."""
        return bool(self._saved.get("__typename") == _SEQUENCE)

    def artifacts(self, per_page: int = 50, start: Optional[str] = None) -> Artifacts:
        """Its versions, the latest first."""
        from .artifacts import Artifacts

        return Artifacts(
            self._source, self.entity, self.project, str(self._saved["name"]), str(self._saved["type"]["name"]),
            per_page=per_page, start=start,
        )  # fmt: skip

    # --- changing it --------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Send what was changed. Raises ValueError for a type or tags that can't be, CommError."""
        self._tags = check_tags(self._tags)
        if self._type != self._saved["type"]["name"]:
            check_type(str(self._saved["type"]["name"]), self.name)  # one of the client's own stays what it is
            check_type(self._type, self.name)
        if (self.name, self.description) != (self._saved["name"], self._saved.get("description")):
            kind = "artifactSequenceID" if self.is_sequence() else "artifactPortfolioID"
            values = {kind: self.id, "name": self.name, "description": self.description}
            self._update(documents.UPDATE_SEQUENCE if self.is_sequence() else documents.UPDATE_PORTFOLIO, values)
        if self._type != self._saved["type"]["name"]:
            self._update(documents.MOVE, {"artifactSequenceID": self.id, "destinationArtifactTypeName": self._type})
        before, after = set(self._saved_tags), set(self._tags)
        for document, tags in ((documents.ADD_TAGS, after - before), (documents.DELETE_TAGS, before - after)):
            if tags:
                place = {
                    "entityName": self.entity, "projectName": self.project, "artifactCollectionName": self.name
                }  # fmt: skip
                named = [{"tagName": tag} for tag in sorted(tags)]
                self._source.execute(document, {"input": {**place, "tags": named}})
        self._saved["tags"] = {"edges": [{"node": {"name": tag}} for tag in self._tags]}

    def _update(self, document: str, values: Mapping[str, Any]) -> None:
        made = self._source.execute(document, {"input": values})["result"]["artifactCollection"]
        self._saved = dict(made)

    def change_type(self, new_type: str) -> None:
        """Set the type and send it. Raises as `save`."""
        self.type = new_type
        self.save()

    def delete(self) -> None:
        """Delete the collection with all its versions; of a portfolio, its links. Raises CommError."""
        self._source.execute(
            documents.DELETE_SEQUENCE if self.is_sequence() else documents.DELETE_PORTFOLIO, {"id": self.id}
        )

    def __repr__(self) -> str:
        return f"<ArtifactCollection {self.name} ({self.type})>"


class _Aliases(Paginator[str]):
    def __init__(self, source: Source, collection: str) -> None:
        super().__init__(_ALIASES_PER_PAGE)
        self._source, self._collection = source, collection

    def _fetch(self, cursor: Optional[str], count: int) -> Page[str]:
        answer = self._source.execute(documents.ALIASES, {"id": self._collection, "cursor": cursor, "perPage": count})
        found = (answer.get("artifactCollection") or {}).get("aliases")
        if found is None:
            raise CommError("the collection has been deleted")
        page = found["pageInfo"]
        return Page([edge["node"]["alias"] for edge in found["edges"]], page["endCursor"], page["hasNextPage"])


def _of_node(source: Source, node: Mapping[str, Any]) -> ArtifactCollection:
    project = node["project"]
    return ArtifactCollection(
        source, project["entity"]["name"], project["name"], node["name"], node["type"]["name"], attrs=node
    )
