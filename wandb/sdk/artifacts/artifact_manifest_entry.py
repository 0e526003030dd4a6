"""One file of an artifact: its path, its digest, and where its bytes are."""

from __future__ import annotations

import os
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Dict, Mapping, NamedTuple, Optional, Union
from urllib.parse import urlsplit

from wandb_storage import Added, Staged, StagedEntry

from ...errors import UsageError
from ._algorithm import ArtifactDigestAlgorithm, algorithm_of
from ._hashing import Hashing
from ._names import entry_path
from ._remote import hex_id

if TYPE_CHECKING:
    from .artifact import Artifact

# In `extra`: how the file was hashed, where it isn't MD5.
ALGORITHM_KEY = "alg"
ARTIFACT_SCHEME, CLIENT_SCHEME = "wandb-artifact", "wandb-client-artifact"


class StagedPlace(NamedTuple):
    """Where the bytes of an entry are that was logged on this machine."""

    staged: Staged
    entry: StagedEntry


# Of a draft's entry it is a place in the draft's folder.
Place = Union[None, Added, StagedPlace]


class ArtifactManifestEntry:
    """One file of an artifact. Made by `Artifact`; found with `artifact.get_entry(path)` or in `artifact.manifest`.

    >>> import wandb
    >>> artifact = wandb.Artifact("data", type="dataset")
    >>> with artifact.new_file("a.txt") as file:
    ...     _ = file.write("hello")
    >>> entry = artifact.manifest.entries["a.txt"]
    >>> entry.digest, entry.size
    ('XUFAKrxLKna5cZ2REBfFkg==', 5)
    """

    __slots__ = (
        "_artifact", "_digest", "_hashing", "_local_path", "_place", "_url", "birth_artifact_id", "extra", "path",
        "ref", "size", "skip_cache",
    )  # fmt: skip

    def __init__(
        self,
        path: Any,
        digest: str,
        ref: Optional[str] = None,
        birth_artifact_id: Optional[str] = None,
        size: Optional[int] = None,
        extra: Optional[Mapping[str, Any]] = None,
        local_path: Optional[str] = None,
        skip_cache: bool = False,
    ) -> None:
        self.path: str = entry_path(path)
        self.ref = None if ref is None else str(ref)
        self.birth_artifact_id = birth_artifact_id
        self.size = os.path.getsize(local_path) if size is None and local_path else size
        self.extra: Dict[str, Any] = dict(extra or {})
        self.skip_cache = bool(skip_cache)
        self._digest = digest
        self._local_path = None if local_path is None else str(local_path)
        self._hashing: Optional[Hashing] = None
        self._place: Place = None
        self._artifact: Optional[Artifact] = None
        self._url: Optional[str] = None  # where a server has said that the file is

    @property
    def digest(self) -> str:
        """The file's MD5 or XXH128 in base64; of a reference what its store says, or its address. Of a large file that
        was added a moment ago, this waits for the hash."""
        if not self._digest and self._hashing is not None:
            self._digest = self._hashing.result()
        return self._digest

    @digest.setter
    def digest(self, digest: str) -> None:
        self._digest = digest

    @property
    def name(self) -> str:
        """The path, as older callers ask for it."""
        return self.path

    @property
    def local_path(self) -> Optional[str]:
        """A file of this machine that holds the bytes, as long as the artifact has not been logged; None otherwise."""
        if self._local_path is None and self._artifact is not None and isinstance(self._place, Added):
            self._local_path = self._artifact._local_copy(self, self._place)
        return self._local_path

    def parent_artifact(self) -> Artifact:
        """The artifact that this is an entry of. Raises UsageError for one that was put together by hand."""
        if self._artifact is None:
            raise UsageError(f"the entry {self.path} belongs to no artifact")
        return self._artifact

    def digest_algorithm(self) -> ArtifactDigestAlgorithm:
        """How the file was hashed."""
        name = self.extra.get(ALGORITHM_KEY)
        return algorithm_of(name) if name in ("MD5", "XXH128") else ArtifactDigestAlgorithm.MANIFEST_MD5

    def download(
        self, root: Optional[str] = None, skip_cache: Optional[bool] = None, executor: Optional[Executor] = None
    ) -> str:
        """Bring the file below `root`, where it isn't there already; return its path.

        root: of the artifact's files; `./artifacts/NAME:VERSION` where it isn't given. skip_cache: neither read nor
        fill the cache. executor: accepted for callers of other clients. Raises CommError, OSError, and
        FileNotFoundError for a reference to what is gone.
        """
        from ._download import download_entry

        artifact = self.parent_artifact()
        return download_entry(artifact, self, artifact._add_download_root(root), bool(skip_cache))

    def ref_target(self) -> str:
        """The address that a reference leads to. Raises UsageError for a file that is in the artifact itself."""
        if self.ref is None:
            raise UsageError(f"the entry {self.path} is no reference, but a file of the artifact")
        if self._artifact is None or not self.ref.startswith(f"{ARTIFACT_SCHEME}:"):
            return self.ref
        entry = self._artifact._referred_entry(self.ref)
        return entry.ref_target() if entry.ref is not None else self.ref

    def ref_url(self) -> str:
        """How another artifact refers to this entry.

        `derived.add_reference(source.get_entry("file.txt").ref_url())`
        """
        artifact = self.parent_artifact()
        if artifact.id:
            return f"{ARTIFACT_SCHEME}://{hex_id(artifact.id)}/{self.path}"
        return f"{CLIENT_SCHEME}://{artifact._client_id}/{self.path}"

    def to_json(self) -> Dict[str, Any]:
        """What the entry is, by the names of this class's properties."""
        fields = {
            "path": self.path, "digest": self.digest, "ref": self.ref, "birthArtifactID": self.birth_artifact_id,
            "size": self.size, "extra": self.extra or None, "local_path": self._local_path,
            "skip_cache": self.skip_cache,
        }  # fmt: skip
        return {name: value for name, value in fields.items() if value is not None}

    def _referenced_artifact_id(self) -> Optional[str]:
        """The artifact that a reference leads to, in hex; None for other references and for files."""
        if self.ref is None or not self.ref.startswith(f"{ARTIFACT_SCHEME}:"):
            return None
        return urlsplit(self.ref).netloc

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArtifactManifestEntry) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]  # its digest may come later

    def __repr__(self) -> str:
        parts = [f"path={self.path!r}", f"size={self.size!r}", f"ref={self.ref!r}" if self.ref else ""]
        return f"<ArtifactManifestEntry {' '.join(part for part in parts if part)}>"
