"""Files of a version. The manifest names them all; no list of a server is asked for."""

from __future__ import annotations

import mimetypes
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Sequence, TextIO, cast

from ...sdk.artifacts._download import fetch
from ...sdk.artifacts.artifact_file_cache import get_artifact_file_cache
from ...sdk.artifacts.artifact_manifest_entry import ArtifactManifestEntry
from .._errors import RequestError
from ..paginator import Page, SizedPaginator
from .files import File, is_there, path_below

if TYPE_CHECKING:
    from ...sdk.artifacts._contents import ArtifactContents
    from .._source import Source
    from .api import Api


class ArtifactFiles(SizedPaginator["ArtifactFile"]):
    """The files and references of a version by their paths.

    >>> files = wandb.Api().artifact("digits/images:latest").files()
    >>> [(file.name, file.size) for file in files]
    [('labels.txt', 7)]
    """

    def __init__(
        self,
        source: Optional[Source],
        artifact: ArtifactContents,
        names: Optional[Sequence[str]] = None,
        per_page: int = 50,
        start: Optional[str] = None,
    ) -> None:
        super().__init__(per_page, start)
        self.artifact = artifact
        self._source = source
        self._wanted = None if names is None else set(names)
        self._paths: Optional[List[str]] = None

    @property
    def path(self) -> List[str]:
        """Whose files they are: entity, project and the version's name."""
        return [self.artifact.entity, self.artifact.project, self.artifact.name]

    def _fetch(self, cursor: Optional[str], count: int) -> Page[ArtifactFile]:
        entries = self.artifact.manifest.entries
        if self._paths is None:
            self._paths = sorted(path for path in entries if self._wanted is None or path in self._wanted)
        first = int(cursor or 0)
        end = first + count
        chosen = [self.artifact.get_entry(path) for path in self._paths[first:end]]
        files = [ArtifactFile(self._source, entry, chosen) for entry in chosen]
        return Page(files, str(end), end < len(self._paths), len(self._paths))

    def __repr__(self) -> str:
        return f"<ArtifactFiles {'/'.join(self.path)} ({len(self)})>"


class ArtifactFile(File):
    """A file of a version, or a reference: `name`, `size`, `digest`, `mimetype`, `url`.

    >>> file = wandb.Api().artifact("digits/images:latest").files()[0]
    >>> with file.download(root="downloads", replace=True) as opened:
    ...     opened.read()
    '0 1 2 3'
    """

    def __init__(
        self, source: Optional[Source], entry: ArtifactManifestEntry, page: Sequence[ArtifactManifestEntry] = ()
    ) -> None:
        """page: the entries whose addresses are asked for at once."""
        attrs = {
            "name": entry.path, "sizeBytes": entry.size, "digest": entry.digest, "md5": None,
            "mimetype": mimetypes.guess_type(entry.path)[0],
        }  # fmt: skip
        if entry.ref is None and entry.digest_algorithm().short == "MD5":
            attrs["md5"] = entry.digest
        super().__init__(cast("Source", source), attrs)
        self._entry, self._page = entry, page

    @property
    def url(self) -> str:
        """Where the file is to be had; of a reference where it leads. Raises CommError where no server has it."""
        if self._entry.ref is not None:
            return self._entry.ref
        return self._entry.parent_artifact()._address(self._entry, self._page)

    @property
    def direct_url(self) -> str:
        """The same as `url`."""
        return self.url

    @property
    def path_uri(self) -> str:
        """Where a reference leads; of files an `s3://` address, empty where they are elsewhere."""
        self._attrs.update(url=self._entry.ref, directUrl=self.url)
        return super().path_uri

    def download(
        self, root: str = ".", replace: bool = False, exist_ok: bool = False, api: Optional[Api] = None
    ) -> TextIO:
        """Bring the file into the folder `root`, under its name, and open it.

        A file that is there already is an error, unless it may be replaced, or with `exist_ok` is taken as it is.
        `api` is accepted for callers of other clients. Raises ValueError, CommError, OSError.
        """
        path = path_below(Path(root), self.name)
        if not is_there(path, replace, exist_ok):
            self._entry.download(root)
        return path.open(encoding="utf-8")

    def read(self) -> bytes:
        """The file's content, without a copy on disk. Raises CommError, OSError."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "file")
            fetch(self._entry.parent_artifact(), self._entry, path, get_artifact_file_cache())
            return path.read_bytes()

    def delete(self) -> None:
        """Raises ValueError: what a version holds can't be changed."""
        raise RequestError(f"{self.name} is a part of {self._entry.parent_artifact().name}, which can't be changed")
