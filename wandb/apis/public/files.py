"""Files of runs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Sequence, TextIO
from urllib.parse import unquote, urlsplit

from ..._new_file import new_file
from ..._terminal import termwarn
from ...errors import CommError
from .._errors import RequestError
from .._source import Source
from ..attrs import Attrs
from ..paginator import Page, SizedPaginator

if TYPE_CHECKING:
    from .api import Api
    from .runs import Run

_FILES = """
query RunFiles($project: String!, $entity: String!, $name: String!, $fileCursor: String, $fileLimit: Int = 50,
    $fileNames: [String] = [], $upload: Boolean = false, $pattern: String) {
  project(name: $project, entityName: $entity) {
    internalId
    run(name: $name) {
      fileCount
      files(names: $fileNames, after: $fileCursor, first: $fileLimit, pattern: $pattern) {
        edges { node { id name url(upload: $upload) directUrl sizeBytes mimetype updatedAt md5 } cursor }
        pageInfo { endCursor hasNextPage }
      }
    }
  }
}
"""

_DELETE_FILES = """
mutation deleteFiles($files: [ID!]!, $projectId: Int) {
  deleteFiles(input: {files: $files, projectId: $projectId}) { success }
}
"""

_CREATE_FILES = """
mutation CreateRunFiles($entity: String!, $project: String!, $run: String!, $files: [String!]!) {
  createRunFiles(input: {entityName: $entity, projectName: $project, runName: $run, files: $files}) {
    runID uploadHeaders files { name uploadUrl }
  }
}
"""

_MARK_UPLOADED = """
mutation MarkRunFilesUploaded($entity: String!, $project: String!, $run: String!, $files: [String!]!) {
  markRunFilesUploaded(input: {entityName: $entity, projectName: $project, runName: $run, files: $files}) { success }
}
"""


class Files(SizedPaginator["File"]):
    """The files of a run, fetched page by page.

    >>> run = wandb.Api().runs("digits")[0]
    >>> [file.name for file in run.files(pattern="%.txt")]
    ['notes.txt']
    """

    def __init__(
        self,
        source: Source,
        run: Run,
        names: Optional[Sequence[str]] = None,
        per_page: int = 50,
        upload: bool = False,
        pattern: Optional[str] = None,
    ) -> None:
        if names and pattern:
            raise RequestError("files are chosen by names or by a pattern, not by both")
        super().__init__(per_page)
        self.run = run
        self._source = source
        self._variables = {
            "entity": run.entity, "project": run.project, "name": run.id, "fileNames": list(names or ()),
            "upload": upload, "pattern": pattern,
        }  # fmt: skip
        # The server's count is of all files.
        self._chosen = bool(names or pattern)

    def _fetch(self, cursor: Optional[str], count: int) -> Page[File]:
        answer = self._source.execute(_FILES, {**self._variables, "fileCursor": cursor, "fileLimit": count})
        run = (answer.get("project") or {}).get("run")
        if run is None:
            raise CommError(f"there is no run {'/'.join(self.run.path)} any more")
        found = run["files"]
        files = [File(self._source, edge["node"], self.run) for edge in found["edges"]]
        page = found["pageInfo"]
        return Page(files, page["endCursor"], page["hasNextPage"], None if self._chosen else run["fileCount"])

    def __len__(self) -> int:
        if self._chosen:
            while self._load_page():
                pass
            return len(self.objects)
        return super().__len__()

    def __repr__(self) -> str:
        return f"<Files {'/'.join(self.run.path)} ({len(self)})>"


class File(Attrs):
    """A file of a run: `name`, `size` in bytes, `md5`, `mimetype`, `updated_at`, `url`.

    >>> file = wandb.Api().runs("digits")[0].file("notes.txt")
    >>> file.size, file.read()
    (5, b'seven')
    >>> with file.download(root="downloads", replace=True) as opened:
    ...     opened.read()
    'seven'
    """

    def __init__(self, source: Source, attrs: Mapping[str, Any], run: Optional[Run] = None) -> None:
        super().__init__(attrs)
        self._source = source
        self.run = run

    @property
    def size(self) -> int:
        """Bytes."""
        return int(self._attrs.get("sizeBytes") or 0)

    @property
    def path_uri(self) -> str:
        """Where the file is in a bucket: an `s3://` address, a reference as it is; empty where that isn't known."""
        direct = self._attrs.get("directUrl") or ""
        if direct and direct == self._attrs.get("url"):
            return str(direct)
        found = _s3_uri(direct)
        if not found:
            termwarn(f"path_uri is known of files in S3 only, and {self.name} isn't there")
        return found

    def download(
        self, root: str = ".", replace: bool = False, exist_ok: bool = False, api: Optional[Api] = None
    ) -> TextIO:
        """Fetch the file into the folder `root`, under its name, and open it.

        A file that is there already is an error, unless it may be replaced, or with `exist_ok` is taken as it is.
        It appears whole or not at all. Raises ValueError, CommError, OSError.
        """
        path = path_below(Path(root), self.name)
        if is_there(path, replace, exist_ok):
            return path.open(encoding="utf-8")
        with new_file(path) as file:
            (self._source if api is None else api.source).fetch(self._attrs["url"], self.name, file.write)
        return path.open(encoding="utf-8")

    def read(self) -> bytes:
        """The file's content, without a copy on disk. Raises CommError."""
        pieces: List[bytes] = []
        self._source.fetch(self._attrs["url"], self.name, pieces.append)
        return b"".join(pieces)

    def delete(self) -> None:
        """Remove the file from the server. Raises CommError."""
        project = self.run.project_internal_id if self.run is not None else None
        self._source.execute(_DELETE_FILES, {"files": [self.id], "projectId": project})

    def __repr__(self) -> str:
        return f"<File {self.name} ({self._attrs.get('mimetype')}) {_human(self.size)}>"


def upload_file(source: Source, run: Run, path: str, root: str) -> File:
    """Add a file of this machine to a run, under its name relative to `root`. Raises ValueError, CommError, OSError."""
    name = Path(os.path.relpath(path, root)).as_posix()
    if name.startswith("../") or os.path.isabs(name):
        raise RequestError(f"{path} is not below {os.path.abspath(root)}; name a folder above it as root=")
    if not os.path.isfile(path):
        raise RequestError(f"there is no file {path}")
    target = {"entity": run.entity, "project": run.project, "run": run.id, "files": [name]}
    made: Dict[str, Any] = source.execute(_CREATE_FILES, target)["createRunFiles"]
    url = next((one["uploadUrl"] for one in made["files"] if one["name"] == name), None)
    if not made.get("runID") or not url:
        raise CommError(f"{source.base_url} gave no address for {name}; is there a run {'/'.join(run.path)}?")
    source.put(url, made["uploadHeaders"], path, name)
    if source.supports("MARK_RUN_FILES_UPLOADED"):
        source.execute(_MARK_UPLOADED, target)
    return Files(source, run, [name])[0]


def read_json(file: File) -> Optional[Dict[str, Any]]:
    """The JSON object in a file; None where there is none."""
    try:
        value = json.loads(file.read())
    except (CommError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def is_there(path: Path, replace: bool, exist_ok: bool) -> bool:
    """Whether a file that is there already is to be taken as it is. Raises ValueError where it is in the way."""
    if replace or not path.exists():
        return False
    if not exist_ok:
        raise RequestError(f"{path} is there already; pass replace=True, or exist_ok=True to take it as it is")
    return True


def path_below(root: Path, name: str) -> Path:
    """A file's place in a folder. Raises ValueError for a name that leads out of it."""
    path = (root / name).resolve()
    if root.resolve() not in path.parents:
        raise RequestError(f"the name {name!r} leads out of {root}")
    return path


def _s3_uri(url: str) -> str:
    """`s3://bucket/key` of an address of S3; empty for others."""
    parts = urlsplit(url)
    host = (parts.hostname or "").split(".")
    if not (parts.hostname or "").endswith("amazonaws.com"):
        return ""
    key = unquote(parts.path).lstrip("/")
    if host[0].startswith("s3"):  # the bucket stands in the path
        return f"s3://{key}"
    return f"s3://{host[0]}/{key}"


def _human(size: int) -> str:
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.1f}{unit}"
