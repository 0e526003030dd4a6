"""The part of `Api` about artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, List, Optional, Tuple

from .._errors import RefusedError, RequestError
from ._connection import Connection

if TYPE_CHECKING:
    from ...sdk.artifacts._names import ArtifactPath
    from ...sdk.artifacts.artifact import Artifact
    from .artifact_collections import ArtifactCollection, ArtifactCollections, ArtifactType, ArtifactTypes
    from .artifacts import Artifacts

# Projects of such names hold what an organization shares, and belong to an entity of its own.
_REGISTRY = "wandb-registry-"


class ArtifactsPart(Connection):
    """The base of `Api`."""

    def artifact(self, name: str, type: Optional[str] = None) -> Artifact:
        """The version `entity/project/name:alias`, `project/name:v3`, `name`: an alias, a number, or the latest.

        Raises ValueError where there is none, or one of another type, CommError.
        """
        from ...sdk.artifacts.artifact import Artifact
        from ...sdk.artifacts.exceptions import ArtifactError

        path = self._artifact_path(name)
        try:
            found = self.local_logs.artifact(path) if self.is_local else Artifact._find(self.client, path)
        except ArtifactError as error:
            raise RequestError(str(error)) from None
        if type is not None and found.type != type:
            raise RequestError(f"the artifact {name} is of the type {found.type!r}, not {type!r}")
        return found

    def artifact_exists(self, name: str, type: Optional[str] = None) -> bool:
        """Whether there is such a version. Raises CommError where the server can't be asked."""
        try:
            self.artifact(name, type)
        except (RequestError, RefusedError):
            return False
        return True

    def artifacts(
        self,
        type_name: str,
        name: str,
        order: Optional[str] = None,
        per_page: int = 50,
        tags: Optional[List[str]] = None,
        start: Optional[str] = None,
    ) -> Artifacts:
        """The versions of an artifact, the latest first; with `tags`, those that have all of them.

        start: the `cursor` of an earlier list, to go on from there.
        """
        from .artifacts import Artifacts

        entity, project, collection = self._collection_path(name)
        return Artifacts(
            self.source, entity, project, collection, type_name, order=order, per_page=per_page, tags=tags, start=start
        )

    def artifact_versions(self, type_name: str, name: str, per_page: int = 50) -> Artifacts:
        """`artifacts`, under its name of 2020."""
        return self.artifacts(type_name, name, per_page=per_page)

    def artifact_types(self, project: Optional[str] = None, start: Optional[str] = None) -> ArtifactTypes:
        """The types of a project's artifacts."""
        from .artifact_collections import ArtifactTypes

        return ArtifactTypes(self.source, *self._project_path(project), start=start)

    def artifact_type(self, type_name: str, project: Optional[str] = None) -> ArtifactType:
        """A type of a project's artifacts. Raises ValueError where it has none of that type."""
        from .artifact_collections import ArtifactType

        return ArtifactType(self.source, *self._project_path(project), type_name)

    def artifact_collections(
        self,
        project_name: str,
        type_name: str,
        order: Optional[str] = None,
        per_page: int = 50,
        start: Optional[str] = None,
    ) -> ArtifactCollections:
        """The artifacts of a type in a project, each with all its versions."""
        from .artifact_collections import ArtifactCollections

        entity, project = self._project_path(project_name)
        return ArtifactCollections(self.source, entity, project, type_name, None, order, per_page, start)

    def artifact_collection(self, type_name: str, name: str) -> ArtifactCollection:
        """An artifact with all its versions: `entity/project/name`, `project/name` or `name`. Raises ValueError where
        there is none."""
        from .artifact_collections import ArtifactCollection

        entity, project, collection = self._collection_path(name)
        return ArtifactCollection(self.source, entity, project, collection, type_name)

    def artifact_collection_exists(self, name: str, type: str) -> bool:
        """Whether there is such an artifact, with any version. Raises CommError where the server can't be asked."""
        try:
            self.artifact_collection(type, name)
        except (RequestError, RefusedError):
            return False
        return True

    # --- paths --------------------------------------------------------------------------------------------------------

    def _artifact_path(self, name: str) -> ArtifactPath:
        from ...sdk.artifacts._names import ArtifactPath
        from ...sdk.artifacts.exceptions import ArtifactError

        try:
            path = ArtifactPath.parse(name)
        except ArtifactError as error:
            raise RequestError(str(error)) from None
        project = path.project or self.settings["project"] or "uncategorized"
        return path._replace(project=project, entity=self._owner(path.entity, project))

    def _collection_path(self, name: str) -> Tuple[str, str, str]:
        path = self._artifact_path(name)
        return str(path.entity), str(path.project), path.name

    def _project_path(self, path: Optional[str]) -> Tuple[str, str]:
        entity, project = self.parse_project_path(path)
        named = entity if path and "/" in path else None
        return (self._owner(named, project) if project.startswith(_REGISTRY) else entity), project

    def _owner(self, named: Optional[str], project: str) -> str:
        """Whose a project is. A registry is an organization's, which may stand in the place of the entity."""
        if not project.startswith(_REGISTRY) or self.is_local:
            return self.entity_or_default(named)
        from ...sdk.artifacts._remote import registry_entity

        return registry_entity(self.client, self.entity_or_default(None), named)
