"""Projects of the public Api."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from .._errors import RequestError
from .._source import Source
from ..attrs import Attrs, frame_html
from ..paginator import Page, Paginator
from .users import USER_FIELDS, User

if TYPE_CHECKING:
    from .artifact_collections import ArtifactTypes, ProjectArtifactCollections
    from .sweeps import Sweeps

_FIELDS = f"id name entityName createdAt isBenchmark user {{ {USER_FIELDS} }}"

_PROJECTS = """
query GetProjects($entity: String, $cursor: String, $perPage: Int = 50) {
  models(entityName: $entity, after: $cursor, first: $perPage) {
    edges { node { FIELDS } }
    pageInfo { endCursor hasNextPage }
  }
}
""".replace("FIELDS", _FIELDS)

_PROJECT = """
query GetProject($name: String!, $entity: String!) { project(name: $name, entityName: $entity) { FIELDS } }
""".replace("FIELDS", _FIELDS)


class Projects(Paginator["Project"]):
    """The projects of a user or a team, fetched page by page.

    >>> "digits" in [project.name for project in wandb.Api().projects()]
    True
    """

    def __init__(self, source: Source, entity: str, per_page: int = 50) -> None:
        super().__init__(per_page)
        self.entity = entity
        self._source = source

    def _fetch(self, cursor: Optional[str], count: int) -> Page[Project]:
        variables = {"entity": self.entity, "cursor": cursor, "perPage": count}
        found = self._source.execute(_PROJECTS, variables).get("models")
        if not found:
            raise RequestError(f"there is no entity {self.entity} at {self._source.base_url}")
        nodes = [edge["node"] for edge in found["edges"]]
        projects = [Project(self._source, self.entity, node["name"], node) for node in nodes]
        return Page(projects, found["pageInfo"]["endCursor"], found["pageInfo"]["hasNextPage"])

    @property
    def length(self) -> None:
        """Servers don't tell how many projects there are; `len(list(projects))` does."""
        return None

    def __repr__(self) -> str:
        return f"<Projects {self.entity}>"


class Project(Attrs):
    """A project: `name`, `entity`, `created_at`, and what is in it.

    >>> project = wandb.Api().project("digits")
    >>> project.owner.username == wandb.Api().viewer.username
    True
    """

    def __init__(self, source: Source, entity: str, project: str, attrs: Optional[Mapping[str, Any]] = None) -> None:
        super().__init__(attrs or {})
        self._source = source
        self.entity, self.name = entity, project
        self._loaded = bool(attrs)

    def load(self, force: bool = False) -> Dict[str, Any]:
        """What the server says of the project. Raises ValueError where it has none of that name."""
        if force or not self._loaded:
            found = self._source.execute(_PROJECT, {"name": self.name, "entity": self.entity}).get("project")
            if not found:
                raise RequestError(f"there is no project {self.entity}/{self.name} at {self._source.base_url}")
            self._attrs, self._loaded = dict(found), True
        return self._attrs

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_"):
            self.load()
        return super().__getattr__(name)

    @property
    def id(self) -> str:
        """What the server calls the project. Raises ValueError where it has none."""
        return str(self.load()["id"])

    @property
    def owner(self) -> User:
        """Who made the project. Raises ValueError where the server doesn't tell."""
        user = self.load().get("user")
        if not user:
            raise RequestError(f"{self._source.base_url} doesn't tell whose project {self.name} is")
        return User(self._source, user)

    @property
    def path(self) -> List[str]:
        """[entity, project]."""
        return [self.entity, self.name]

    @property
    def url(self) -> str:
        """The project's page."""
        return f"{self._source.app_url}/{self.entity}/{self.name}/workspace"

    def artifacts_types(self, per_page: int = 50) -> ArtifactTypes:
        """The types of the project's artifacts."""
        from .artifact_collections import ArtifactTypes

        return ArtifactTypes(self._source, self.entity, self.name, per_page)

    def collections(
        self, filters: Optional[Mapping[str, Any]] = None, order: Optional[str] = None, per_page: int = 50
    ) -> ProjectArtifactCollections:
        """The project's artifacts, each with all its versions."""
        from .artifact_collections import ProjectArtifactCollections

        return ProjectArtifactCollections(self._source, self.entity, self.name, filters, order, per_page)

    def sweeps(
        self, per_page: int = 50, filters: Optional[Mapping[str, Any]] = None, order: Optional[str] = None
    ) -> Sweeps:
        """The project's sweeps. Raises CommError where there are filters and the server knows none."""
        from .sweeps import Sweeps

        return Sweeps(self._source, self.entity, self.name, per_page, filters)

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """The project's page in a frame; with `hidden`, behind a button."""
        return frame_html(self.url, f"project {self.name}", height, hidden)

    def _repr_html_(self) -> str:
        return self.to_html()

    def __repr__(self) -> str:
        return f"<Project {self.entity}/{self.name}>"
