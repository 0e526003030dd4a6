"""What a server is asked to change of a version, and what it tells of its relations."""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any, Iterable, List, Optional

from ...errors import CommError
from . import _remote as remote
from ._contents import ArtifactContents
from ._names import ArtifactPath, check_aliases, check_metadata, check_tags
from ._version import Version
from .artifact_manifest import ArtifactManifest
from .artifact_manifest_entry import ArtifactManifestEntry
from .exceptions import ArtifactError, WaitTimeoutError

if TYPE_CHECKING:
    from ...apis.public import Run as ApiRun
    from ..wandb_settings import Settings
    from .artifact import Artifact


class ArtifactVersions(ArtifactContents):
    """An artifact as a version at a server."""

    # --- saving -------------------------------------------------------------------------------------------------------

    def save(self, project: Optional[str] = None, settings: Optional[Settings] = None) -> None:
        """Log a draft: to the active run, or to a run that is made for it in `project`. Of a version, bring changes of
        aliases, tags, description, metadata and ttl to the server.

        >>> version.aliases.append("reviewed")
        >>> version.description = "Handwritten digits"
        >>> version.save()

        Raises CommError, and ArtifactError for what can't be changed.
        """
        if self._version is None and self._logged is None:
            self._log_draft(project, settings)
        elif self._version is not None:
            self._save_changes(self._version)
        else:
            raise ArtifactError(f"the artifact {self.name} is on its way to the server; call wait() before changing it")

    def _log_draft(self, project: Optional[str], settings: Optional[Settings]) -> None:
        from .. import _globals
        from ..wandb_init import init

        run = _globals.active_run()
        if run is not None:
            run.log_artifact(self._self())
            return
        with init(project=project, job_type="auto", settings=settings, reinit="create_new") as own:
            own.log_artifact(self._self())

    def _save_changes(self, version: Version) -> None:
        client = self._server()
        aliases, tags = check_aliases(self._aliases), check_tags(self._tags)
        before, after = set(version.aliases), set(aliases)
        remote.change_aliases(client, version, after - before, before - after)
        changed = dataclasses.replace(
            version, description=self._description, metadata=check_metadata(self._metadata), ttl=self._ttl,
            ttl_is_inherited=self._ttl_is_inherited,
        )  # fmt: skip
        remote.update(client, changed, version.tags, tags, self._ttl_changed)
        self._take_version(dataclasses.replace(changed, aliases=aliases, tags=tags))

    def wait(self, timeout: Optional[float] = None) -> Artifact:
        """Return when the version has its number: at once for one that was logged offline, otherwise when the server
        has all of it. Raises WaitTimeoutError after `timeout` seconds, CommError where the server has refused it, and
        ArtifactNotLoggedError.

        >>> run.log_artifact("model.pt", name="model", type="model").wait().version
        'v0'
        """
        if self.is_draft() and self._logged is not None:
            found = self._logged.wait(timeout)
            if found is None:
                raise WaitTimeoutError(
                    f"the artifact {self.name} is not at the server after {timeout:g} s; the upload goes on"
                )
            self._client, artifact_id = found
            self._take_version(remote.find_by_id(self._client, artifact_id))
            self._manifest = None
        self._known("wait()")
        return self._self()

    def new_draft(self) -> Artifact:
        """A draft that begins with what this version holds, for the next version.

        >>> draft = version.new_draft()
        >>> draft.remove("1/b.png")
        >>> run.log_artifact(draft).wait().version
        'v1'
        """
        from .artifact import Artifact

        known = self._known("new_draft()")
        draft = Artifact._made(known.source.collection, known.type, digest_algorithm=self._algorithm.short)
        draft._description, draft._metadata = self._description, copy.deepcopy(self._metadata)
        draft._client, draft._local = self._client, None
        draft._base_id = known.id or None
        entries = {}
        for path, entry in self.manifest.entries.items():
            again = ArtifactManifestEntry(
                path, entry.digest, entry.ref, entry.birth_artifact_id or known.id or None, entry.size, entry.extra,
                None, entry.skip_cache,
            )  # fmt: skip
            again._place, again._artifact = entry._place, draft
            entries[path] = again
        draft._manifest = ArtifactManifest(entries, self._algorithm, self.manifest.storage_region)
        return draft

    # --- links --------------------------------------------------------------------------------------------------------

    def link(self, target_path: str, aliases: Optional[Iterable[str]] = None) -> Artifact:
        """Let a collection, `PROJECT/NAME` or `wandb-registry-REGISTRY/NAME`, hold this version too; return it as it is
        there. A draft is logged first. Raises CommError, ArtifactError.

        >>> version.link("wandb-registry-dataset/digits", aliases=["production"]).is_link
        True
        """
        if self._version is None:
            if self._logged is None:
                self.save()
            self.wait()
        known, client = self._known("link()"), self._server()
        target = self._target(ArtifactPath.parse(target_path), known)
        number = remote.link(client, known.id, target, check_aliases(aliases))
        return self._of(remote.find(client, target._replace(alias=f"v{number}")))

    def _target(self, path: ArtifactPath, known: Version) -> ArtifactPath:
        from ..wandb_settings import merged

        if path.is_registry:
            return path._replace(entity=remote.registry_entity(self._server(), known.source.entity, path.entity))
        project = path.project or merged().project or known.source.project
        return path._replace(entity=path.entity or known.source.entity, project=project)

    def unlink(self) -> None:
        """Take a link out of its collection; the version stays where it was made. Raises ArtifactError for what is no
        link, CommError.

        >>> version.link("collected/digits").unlink()
        """
        known = self._known("unlink()")
        if not known.is_link:
            raise ArtifactError(f"{known.place.qualified_name} is no link, but where it was made; delete() removes it")
        client = self._server()
        for link in remote.links(client, known.id):
            if link.place.is_in_the_collection_of(known.place):
                remote.unlink(client, known.id, link.collection_id)
                return
        raise CommError(f"{known.place.qualified_name} is not linked any more")

    def delete(self, delete_aliases: bool = False) -> None:
        """Delete the version at the server; of a link, only the link. Raises CommError where it has aliases, unless
        `delete_aliases` says that they go too.

        >>> run.use_artifact("old:v0").delete(delete_aliases=True)
        """
        known = self._known("delete()")
        if known.is_link:
            self.unlink()
        else:
            remote.delete(self._server(), known.id, delete_aliases)
            known.state = "DELETED"

    @property
    def linked_artifacts(self) -> List[Artifact]:
        """This version as it is in each collection that it is linked to; of a link, none."""
        known = self._known("linked_artifacts")
        if known.is_link:
            return []
        return [
            self._of(dataclasses.replace(known, place=link.place, aliases=link.aliases, linked_at=link.linked_at))
            for link in remote.links(self._server(), known.id)
        ]

    @property
    def source_artifact(self) -> Artifact:
        """The version where it was made; of what is no link, itself."""
        known = self._known("source_artifact")
        return self._of(remote.find_by_id(self._server(), known.id)) if known.is_link else self._self()

    # --- lineage ------------------------------------------------------------------------------------------------------

    def logged_by(self) -> Optional[ApiRun]:
        """The run that made it, as the public Api has it; None where none did. Raises CommError.

        >>> version.logged_by().name
        'maker'
        """
        path = remote.logged_by(self._server(), self._known("logged_by()").id)
        return None if path is None else self._api_run(path)

    def used_by(self) -> List[ApiRun]:
        """The runs that used it, as the public Api has them. Raises CommError.

        >>> [run.name for run in version.used_by()]
        ['user']
        """
        return [self._api_run(path) for path in remote.used_by(self._server(), self._known("used_by()").id)]

    def _api_run(self, path: Any) -> ApiRun:
        from ...apis.public import Api

        return Api({"base_url": self._server().base_url}).run("/".join(path))

    @property
    def collection(self) -> Any:
        """The collection through which it was found, as the public Api has it."""
        return self._collection(self._known("collection").place)

    @property
    def source_collection(self) -> Any:
        """The collection in which it was made, as the public Api has it."""
        return self._collection(self._known("source_collection").source)

    def _collection(self, place: Any) -> Any:
        from ...apis.public import Api

        api: Any = Api({"base_url": self._server().base_url})
        return api.artifact_collection(self._type, f"{place.entity}/{place.project}/{place.collection}")

    # --- this one -----------------------------------------------------------------------------------------------------

    def _self(self) -> Artifact:
        from .artifact import Artifact

        assert isinstance(self, Artifact)
        return self

    def _of(self, version: Version) -> Artifact:
        """Another one at the same server."""
        from .artifact import Artifact

        return Artifact._of_version(version, self._server())
