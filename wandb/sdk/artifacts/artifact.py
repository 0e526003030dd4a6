"""`wandb.Artifact`: a version of files, put together, logged by a run, used by others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Mapping, Optional, cast

from ._contents import remember, remembered
from ._names import ArtifactPath
from ._version import Version
from ._versions import ArtifactVersions

if TYPE_CHECKING:
    from ...apis._client import Client
    from ._local import LocalVersion


class Artifact(ArtifactVersions):
    """A version of files: a data set, a model, anything that runs make and use.

    >>> import wandb
    >>> artifact = wandb.Artifact("digits", type="dataset", metadata={"classes": 10})
    >>> with artifact.new_file("labels.txt") as file:
    ...     _ = file.write("zero one two")
    >>> with wandb.init(project="digits", mode="offline") as run:
    ...     _ = run.log_artifact(artifact, aliases=["best"])
    >>> with wandb.init(project="digits", mode="offline") as run:
    ...     used = run.use_artifact("digits:best")
    ...     print(used.download(), used.version, used.metadata)
    artifacts/digits:v0 v0 {'classes': 10}

    name: letters, digits, '-', '_' and '.'. type: what kind of thing it is. description: what it is, in words.
    metadata: structured data about it, up to 100 keys. incremental: it is the version before it and what is added.
    storage_region: of the server's. digest_algorithm: "MD5", or "XXH128", which is faster and needs the library xxhash
    and a server that knows it. use_as: accepted for callers of other clients.

    What is added is taken as it is at the call; `run.log_artifact` makes a version of it, which doesn't change any
    more. Equal content under the same name is the same version. Raises ArtifactError for what can't be a name.
    """

    def __init__(
        self,
        name: str,
        type: str,
        description: Optional[str] = None,
        metadata: Optional[Mapping[str, Any]] = None,
        incremental: bool = False,
        use_as: Optional[str] = None,
        storage_region: Optional[str] = None,
        digest_algorithm: str = "MD5",
    ) -> None:
        super().__init__(name, type, description, metadata, incremental, storage_region, digest_algorithm)
        remember(self)

    @classmethod
    def _made(cls, name: str, type: str, **more: Any) -> Artifact:
        """One whose name and type a server has taken already, or that the client makes itself."""
        from ._internal_artifact import InternalArtifact

        return InternalArtifact(name, type, **more)

    @classmethod
    def _of_version(cls, version: Version, client: Optional[Client]) -> Artifact:
        """A version of a server's."""
        artifact = cls._made("version", version.type)
        artifact._take_version(version)
        artifact._client, artifact._manifest = client, None
        return artifact

    @classmethod
    def _of_local(cls, local: LocalVersion) -> Artifact:
        """A version that was logged on this machine."""
        artifact = cls._of_version(local.facts(), None)
        artifact._local = local
        artifact._client_id = str(local.header.about.get("client_id") or artifact._client_id)
        return artifact

    @classmethod
    def _find(cls, client: Client, path: ArtifactPath) -> Artifact:
        """The version that a whole path names. Raises ArtifactError where there is none, CommError."""
        from . import _remote

        return cls._of_version(_remote.find(client, path), client)

    @classmethod
    def _with_client_id(cls, client_id: str) -> Optional[Artifact]:
        """One of this process, by the id that it has from the beginning."""
        return cast(Optional[Artifact], remembered(client_id))

    def _look_locally(self) -> None:
        if self._logged is None or self._version is not None:
            return
        local = self._logged.local()
        if local is not None:
            self._take_version(local.facts())
            self._local, self._manifest = local, None
