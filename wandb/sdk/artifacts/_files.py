"""The files of a version, one after the other, as the public Api lists the files of runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, List, Optional, Sequence, Union, overload

from .artifact_manifest_entry import ArtifactManifestEntry

if TYPE_CHECKING:
    from ._contents import ArtifactContents


class ArtifactFile:
    """A file of a version."""

    def __init__(self, entry: ArtifactManifestEntry) -> None:
        self._entry = entry

    @property
    def name(self) -> str:
        """Its path in the artifact."""
        return self._entry.path

    @property
    def size(self) -> int:
        """Bytes."""
        return self._entry.size or 0

    @property
    def digest(self) -> str:
        """Its digest, as in the manifest."""
        return self._entry.digest

    @property
    def path_uri(self) -> str:
        """Where a reference leads to; empty for a file that is in the artifact itself."""
        return self._entry.ref or ""

    def download(self, root: Optional[str] = None, skip_cache: bool = False) -> str:
        """Bring the file below `root`; return its path. Raises CommError, OSError."""
        return self._entry.download(root, skip_cache)

    def __repr__(self) -> str:
        return f"<ArtifactFile {self.name} ({self.size} bytes)>"


class ArtifactFiles(Sequence[ArtifactFile]):
    """The files of a version by their paths; references are not among them."""

    def __init__(self, artifact: ArtifactContents, names: Optional[Sequence[str]] = None) -> None:
        wanted = None if names is None else set(names)
        entries = artifact.manifest.entries
        self._files: List[ArtifactFile] = [
            ArtifactFile(entries[path])
            for path in sorted(entries)
            if entries[path].ref is None and (wanted is None or path in wanted)
        ]
        for file in self._files:
            file._entry._artifact = artifact  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> ArtifactFile: ...
    @overload
    def __getitem__(self, index: slice) -> List[ArtifactFile]: ...
    def __getitem__(self, index: Union[int, slice]) -> Union[ArtifactFile, List[ArtifactFile]]:
        return self._files[index]

    def __iter__(self) -> Iterator[ArtifactFile]:
        return iter(self._files)

    def __repr__(self) -> str:
        return f"<ArtifactFiles {len(self)} files>"
