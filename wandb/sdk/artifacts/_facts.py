"""What an artifact is called, where it stands and what is said of it."""

from __future__ import annotations

import secrets
import string
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Union
from urllib.parse import quote

from wandb_uploader import app_url

from ..._terminal import termwarn
from ._algorithm import ArtifactDigestAlgorithm, algorithm_of
from ._names import check_aliases, check_metadata, check_name, check_tags, check_type, split_version
from ._version import Version
from .artifact_manifest import ArtifactManifest
from .artifact_ttl import ArtifactTTL
from .exceptions import ArtifactError, ArtifactNotLoggedError

if TYPE_CHECKING:
    from ...apis._client import Client
    from ._logged import Logged

_ID_LETTERS = string.ascii_lowercase + string.digits
# As long as those of other clients, by which servers find an artifact before they have numbered it.
_CLIENT_ID_LETTERS = 128


def new_client_id() -> str:
    """An id that no other artifact has, whatever the seed of `random` is."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(_CLIENT_ID_LETTERS))


class ArtifactFacts:
    """The properties of an artifact."""

    def __init__(
        self,
        name: str,
        type: str,
        description: Optional[str],
        metadata: Optional[Mapping[str, Any]],
        incremental: bool,
        storage_region: Optional[str],
        digest_algorithm: str,
    ) -> None:
        self._name = check_name(name)
        self._type = self._checked_type(type)
        self._description = description
        self._metadata = check_metadata(metadata)
        self._incremental = incremental
        self._algorithm = algorithm_of(digest_algorithm)
        self._manifest: Optional[ArtifactManifest] = ArtifactManifest(None, self._algorithm, storage_region)
        self._client_id = new_client_id()
        self._sequence_client_id = new_client_id()
        self._ttl: Optional[int] = None
        self._ttl_is_inherited = True
        self._ttl_changed = False
        self._distributed_id: Optional[str] = None
        self._base_id: Optional[str] = None  # of the version that a draft was made from
        self._aliases: List[str] = []
        self._tags: List[str] = []
        self._final = False
        self._logged: Optional[Logged] = None  # in a log of this machine
        self._version: Optional[Version] = None  # what is known of it since it has a number
        self._client: Optional[Client] = None  # the server that it came from or went to

    def _checked_type(self, type: str) -> str:
        return check_type(type, self._name)

    def _known(self, what: str) -> Version:
        """What is known of a version. Raises ArtifactNotLoggedError where there is none yet."""
        if self._version is None:
            self._look_locally()
        if self._version is None:
            advice = (
                "call wait() first" if self._logged is not None else "log it first, with run.log_artifact(artifact)"
            )
            raise ArtifactNotLoggedError(f"{what} of the artifact {self._name!r} is known once it is logged; {advice}")
        return self._version

    def _look_locally(self) -> None:
        """Let an artifact that was logged offline have its number among those of this machine."""

    # --- names --------------------------------------------------------------------------------------------------------

    @property
    def id(self) -> Optional[str]:
        """The server's id of the version; None as long as no server knows it."""
        return (self._version.id or None) if self._version is not None else None

    @property
    def entity(self) -> str:
        """The user or team that owns the collection."""
        return self._known("entity").place.entity

    @property
    def project(self) -> str:
        """The project of the collection."""
        return self._known("project").place.project

    @property
    def name(self) -> str:
        """`NAME:VERSION`, or `NAME:ALIAS` where it was asked for by an alias; of a draft the name alone."""
        return self._name if self._version is None else self._version.place.name

    @property
    def qualified_name(self) -> str:
        """`ENTITY/PROJECT/` and the name."""
        return self._known("qualified_name").place.qualified_name

    @property
    def version(self) -> str:
        """v0, v1, … in its collection. Of one that was logged offline, its number among those of this machine."""
        return self._known("version").place.version

    @property
    def source_entity(self) -> str:
        """The owner of the collection in which it was made; of a link, another than `entity` may be."""
        return self._known("source_entity").source.entity

    @property
    def source_project(self) -> str:
        """The project in which it was made."""
        return self._known("source_project").source.project

    @property
    def source_name(self) -> str:
        """`NAME:VERSION` where it was made; of a draft the name alone."""
        return self._name if self._version is None else self._version.source.name

    @property
    def source_qualified_name(self) -> str:
        """`ENTITY/PROJECT/NAME:VERSION` where it was made."""
        return self._known("source_qualified_name").source.qualified_name

    @property
    def source_version(self) -> str:
        """Its number where it was made."""
        return self._known("source_version").source.version

    @property
    def is_link(self) -> bool:
        """Whether this is a version as another collection links to it."""
        return self._version is not None and self._version.is_link

    @property
    def type(self) -> str:
        """What kind of thing it is: dataset, model, …"""
        return self._type

    @property
    def url(self) -> str:
        """The version's page; empty as long as no server knows it."""
        place = self._known("url").place
        if self._client is None or not self.id:
            return ""
        path = [place.entity, place.project, "artifacts", self._type, place.collection, place.version]
        return f"{app_url(self._client.base_url)}/{'/'.join(quote(part, safe='') for part in path)}"

    # --- what may change ----------------------------------------------------------------------------------------------

    @property
    def description(self) -> Optional[str]:
        """What it is, in words. Setting it changes the draft; of a version, `save` brings it to the server."""
        return self._description

    @description.setter
    def description(self, description: Optional[str]) -> None:
        self._warn_of_link("description")
        self._description = description

    @property
    def metadata(self) -> Dict[str, Any]:
        """Structured data about it. Setting or changing it changes the draft; of a version, `save` brings it to the
        server."""
        return self._metadata

    @metadata.setter
    def metadata(self, metadata: Mapping[str, Any]) -> None:
        self._warn_of_link("metadata")
        self._metadata = check_metadata(metadata)

    @property
    def aliases(self) -> List[str]:
        """The names of this version in its collection. Change the list, then call `save`."""
        self._known("aliases")
        return self._aliases

    @aliases.setter
    def aliases(self, aliases: List[str]) -> None:
        self._known("aliases")
        self._aliases = check_aliases(aliases)

    @property
    def tags(self) -> List[str]:
        """The tags of this version. Change the list, then call `save`."""
        self._known("tags")
        return self._tags

    @tags.setter
    def tags(self, tags: List[str]) -> None:
        self._known("tags")
        self._warn_of_link("tags")
        self._tags = check_tags(tags)

    @property
    def ttl(self) -> Optional[timedelta]:
        """How long the version is kept; None for ever. Raises ArtifactNotLoggedError while it is what the project says,
        which a server knows."""
        if self._ttl_is_inherited and (self._version is None or not self._version.id or self._ttl_changed):
            raise ArtifactNotLoggedError("ttl is what the project's policy says; it is known once the version is saved")
        return None if self._ttl is None else timedelta(seconds=self._ttl)

    @ttl.setter
    def ttl(self, ttl: Union[None, timedelta, ArtifactTTL]) -> None:
        if self._type == "wandb-history":
            raise ArtifactError("artifacts of the type wandb-history are kept as long as their run")
        if self.is_link:
            raise ArtifactError("a link lives as long as its source; set the ttl of source_artifact")
        if not (ttl is None or isinstance(ttl, (timedelta, ArtifactTTL))):
            raise TypeError(f"ttl is a timedelta, None or ArtifactTTL.INHERIT, not {ttl!r}")
        if isinstance(ttl, timedelta) and ttl.total_seconds() <= 0:
            raise ArtifactError(f"ttl is a time above zero, not {ttl}; None keeps the version for ever")
        self._ttl_changed = True
        self._ttl_is_inherited = ttl is ArtifactTTL.INHERIT
        if isinstance(ttl, timedelta):
            self._ttl = int(ttl.total_seconds())
        elif not self._ttl_is_inherited:
            self._ttl = None

    def _warn_of_link(self, what: str) -> None:
        if self.is_link:
            termwarn(f"this is a link: its {what} is that of the source, and of all other links to it", repeat=False)

    # --- what it holds ------------------------------------------------------------------------------------------------

    @property
    def manifest(self) -> ArtifactManifest:
        """The entries by their paths. Of a version, read when it is first asked for."""
        if self._manifest is None:
            self._manifest = self._read_manifest()
        return self._manifest

    def _read_manifest(self) -> ArtifactManifest:
        raise NotImplementedError

    @property
    def digest(self) -> str:
        """What tells one content from another, in hex. Waits for the hashes of large files."""
        if self._version is not None and self._version.digest:
            return self._version.digest
        return self.manifest.digest()

    @property
    def digest_algorithm(self) -> ArtifactDigestAlgorithm:
        """How its files are hashed."""
        return self._algorithm

    @property
    def size(self) -> int:
        """Bytes, all files together."""
        if self._manifest is None and self._version is not None:
            return self._version.size
        return self.manifest.size()

    @property
    def file_count(self) -> int:
        """How many files it holds, references among them."""
        return self._known("file_count").file_count

    @property
    def commit_hash(self) -> str:
        """The server's hash of the version; empty where it has none."""
        return self._known("commit_hash").commit_hash

    @property
    def created_at(self) -> str:
        """When it was made, as text in UTC."""
        return self._known("created_at").created_at

    @property
    def updated_at(self) -> str:
        """When it was last changed, as text in UTC."""
        known = self._known("updated_at")
        return known.updated_at or known.created_at

    @property
    def linked_at(self) -> Optional[str]:
        """When the link was made; None for what is no link."""
        return self._known("linked_at").linked_at

    @property
    def history_step(self) -> Optional[int]:
        """The last step that its run had logged; None where no run made it."""
        step = self._known("history_step").history_step
        return None if step is None else max(0, step - 1)

    @property
    def state(self) -> str:
        """PENDING until a server has all of it, then COMMITTED; later DELETED."""
        return "PENDING" if self._version is None else self._version.state

    def is_draft(self) -> bool:
        """Whether it has no number yet: it is still put together, or on its way to the server.

        >>> artifact.is_draft(), version.is_draft()
        (True, False)
        """
        if self._version is None:
            self._look_locally()
        return self._version is None

    @property
    def distributed_id(self) -> Optional[str]:
        """What the processes have in common that write one version together."""
        return self._distributed_id

    @distributed_id.setter
    def distributed_id(self, distributed_id: Optional[str]) -> None:
        self._distributed_id = distributed_id

    @property
    def incremental(self) -> bool:
        """Whether it is the version before it and what was added."""
        return self._incremental

    @property
    def use_as(self) -> Optional[str]:
        """None: nobody asks for it any more."""
        return None

    def _take_version(self, version: Version) -> None:
        """Become what is known of a version."""
        self._version = version
        self._name = split_version(version.place.name)[0]
        self._type, self._algorithm = version.type, version.algorithm
        self._description, self._metadata = version.description, dict(version.metadata)
        self._aliases, self._tags = list(version.aliases), list(version.tags)
        self._ttl, self._ttl_is_inherited, self._ttl_changed = version.ttl, version.ttl_is_inherited, False
        self._final = True

    def __repr__(self) -> str:
        return f"<Artifact {self.id or self.name}>"
