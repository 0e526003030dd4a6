"""Reading a version: its entries, its files, the objects in it."""

from __future__ import annotations

import json
import os
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Optional, Sequence, Set, Tuple, Type
from urllib.parse import unquote, urlsplit

from wandb_storage import hash_descriptor

from ..._terminal import termwarn
from ...errors import CommError
from . import _remote as remote
from ._draft import ArtifactDraft, StrPath
from ._names import entry_path
from .artifact_file_cache import artifact_dir
from .artifact_manifest import ArtifactManifest
from .artifact_manifest_entry import ARTIFACT_SCHEME, ArtifactManifestEntry, StagedPlace
from .exceptions import ArtifactError

if TYPE_CHECKING:
    from ...apis.public import ArtifactFiles
    from ...data_types._base import WBValue
    from ._local import LocalVersion

# Of fewer files the addresses are asked for by name; of more, all pages of them.
_NAMED_MAX = 200


class ArtifactContents(ArtifactDraft):
    """An artifact that can be read when it was logged."""

    _local: Optional[LocalVersion] = None

    # --- entries ------------------------------------------------------------------------------------------------------

    def get_entry(self, name: StrPath) -> ArtifactManifestEntry:
        """The entry of a file, or of an object by the name under which it was added. Raises KeyError where there is
        none, ArtifactNotLoggedError.

        >>> version.get_entry("0/a.png").size
        4
        """
        self._known("get_entry()")
        path = entry_path(name)
        entry = self.manifest.entries.get(path) or self._object_entry(path)[0]
        if entry is None:
            raise KeyError(f"the artifact {self.name} holds no {path}")
        entry._artifact = self  # type: ignore[assignment]  # of which this is the base
        return entry

    def get_path(self, name: StrPath) -> ArtifactManifestEntry:
        """`get_entry`, as older callers call it.

        >>> version.get_path("0/a.png").download()
        'artifacts/digits:v0/0/a.png'
        """
        return self.get_entry(name)

    def get(self, name: str) -> Optional[WBValue]:
        """The object that was added under `name`; None where there is none. Raises CommError, OSError.

        >>> version.get("labels").data
        [['seven']]
        """
        self._known("get()")
        entry, kind = self._object_entry(entry_path(name))
        if entry is None or kind is None:
            return None
        if entry._referenced_artifact_id() is not None:
            assert entry.ref is not None
            referred = self._referred_entry(entry.ref)
            return referred.parent_artifact().get(referred.path)
        if kind._log_type == "table":
            self.download()  # its media, all at once
        with open(self.get_entry(entry.path).download(), encoding="utf-8") as file:
            value = kind.from_json(json.load(file), self)
        value._set_artifact_source(self, name)
        return value

    def __getitem__(self, name: str) -> Optional[WBValue]:
        return self.get(name)

    def _object_entry(self, name: str) -> Tuple[Optional[ArtifactManifestEntry], Optional[Type[WBValue]]]:
        """The entry of an object and its class, by the suffix of its name."""
        from ...data_types._base import WBValue

        kinds = WBValue.type_mapping()
        entries = self.manifest.entries
        for path in (name, *(path for path in entries if path.startswith(f"{name}."))):
            if path in entries and path.endswith(".json"):
                kind = kinds.get(path.split("/")[-1].split(".")[-2])
                if kind is not None and path in (name, kind.with_suffix(name)):
                    return entries[path], kind
        return None, None

    def _referred_entry(self, ref: str) -> ArtifactManifestEntry:
        """The entry of another artifact that an address names. Raises ArtifactError, CommError."""
        from .artifact import Artifact

        parts = urlsplit(ref)
        path = unquote(parts.path.lstrip("/"))
        artifact = Artifact._with_client_id(parts.netloc) if parts.scheme != ARTIFACT_SCHEME else None
        if artifact is None:
            client = self._server()
            if parts.scheme == ARTIFACT_SCHEME:
                version = remote.find_by_id(client, remote.server_id(parts.netloc))
            else:
                version = remote.find_by_client_id(client, parts.netloc)
            artifact = Artifact._of_version(version, client)
        entry = artifact.manifest.entries.get(path)
        if entry is None:
            raise ArtifactError(f"the artifact {artifact.name} holds no {path}, to which a reference leads")
        entry._artifact = artifact
        return entry

    def files(
        self, names: Optional[Sequence[str]] = None, per_page: int = 50, start: Optional[str] = None
    ) -> ArtifactFiles:
        """The files and references, or those that are named.

        >>> [file.name for file in version.files()]
        ['0/a.png', '1/b.png', 'labels.table.json']

        start: the `cursor` at which an earlier list had arrived, to go on from there.
        """
        from ...apis.public import ArtifactFiles

        self._known("files()")
        return ArtifactFiles(self._client, self, names, per_page, start)

    def json_encode(self) -> Dict[str, Any]:
        """What stands for the version in a run's config.

        >>> version.json_encode()["sequenceName"]
        'digits'
        """
        known = self._known("json_encode()")
        return {
            "_type": "artifactVersion", "_version": "v0", "id": self.id, "version": known.source.version,
            "sequenceName": known.source.collection, "usedAs": None,
        }  # fmt: skip

    # --- downloading --------------------------------------------------------------------------------------------------

    def download(
        self,
        root: Optional[StrPath] = None,
        allow_missing_references: bool = False,
        skip_cache: Optional[bool] = None,
        path_prefix: Optional[StrPath] = None,
        multipart: Optional[bool] = None,
    ) -> str:
        """Bring all files below a folder, several at a time; return the folder.

        >>> version.download("everything")
        'everything'
        >>> version.download("zeros", path_prefix="0/")
        'zeros'

        root: `./artifacts/NAME:VERSION` where it isn't given (WANDB_ARTIFACT_DIR is another `./artifacts`). Files that
        are there already with their content are left as they are, and others that lie there too: `checkout` removes
        those. allow_missing_references: go on where a reference leads to nothing. skip_cache: neither read nor fill
        the cache. path_prefix: only files whose paths begin so. multipart: accepted for callers of other clients.

        Raises ArtifactNotLoggedError, CommError, OSError, and FileNotFoundError for a reference to what is gone.
        """
        from ._download import download_all

        self._known("download()")
        folder = self._add_download_root(root)
        prefix = "" if path_prefix is None else os.fspath(path_prefix)
        entries = [entry for path, entry in self.manifest.entries.items() if path.startswith(prefix)]
        for entry in entries:
            entry._artifact = self  # type: ignore[assignment]  # of which this is the base
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise NotADirectoryError(
                f"{folder} can't be a folder, since a file is in its way; download() takes the folder for the files"
            ) from None
        download_all(self, folder, entries, bool(skip_cache), allow_missing_references)
        return folder

    def checkout(self, root: Optional[str] = None) -> str:
        """Make a folder hold exactly the files of the version: others in it are REMOVED. Returns the folder,
        `./artifacts/NAME` where none is given.

        >>> version.checkout("exactly")
        'exactly'
        """
        known = self._known("checkout()")
        folder = root or str(artifact_dir() / known.source.collection)
        for path in self._strangers(folder):
            os.unlink(path)
        return self.download(folder)

    def verify(self, root: Optional[str] = None) -> None:
        """Look whether a folder holds the version: every file with its content, and no other.

        >>> version.verify(version.download())

        References are not looked at. Raises ArtifactError, which names the first file that is wrong.
        """
        known = self._known("verify()")
        folder = root or str(artifact_dir() / known.source.name)
        for path in self._strangers(folder):
            raise ArtifactError(f"{path} is no file of the artifact {self.name}")
        references = 0
        for entry in self.manifest.entries.values():
            if entry.ref is not None:
                references += 1
                continue
            try:
                with open(os.path.join(folder, entry.path), "rb") as file:
                    digest = hash_descriptor(file.fileno(), entry.digest_algorithm().short)
            except OSError as error:
                raise ArtifactError(f"{entry.path} is not in {folder}: {error.strerror}") from None
            if digest != entry.digest:
                raise ArtifactError(f"{entry.path} in {folder} is another file than the one that was logged")
        if references:
            termwarn(f"{references} references were not verified")

    def _strangers(self, folder: str) -> List[str]:
        """Files below a folder that the version doesn't hold."""
        entries = self.manifest.entries
        found = []
        for parent, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(parent, name)
                if Path(os.path.relpath(path, folder)).as_posix() not in entries:
                    found.append(path)
        return found

    def file(self, root: Optional[str] = None) -> str:
        """Download the only file of the version; return its path. Raises ArtifactError where there are several.

        >>> run.use_artifact("model:latest").file()
        'artifacts/model:v0/model.pt'
        """
        self._known("file()")
        entries = self.manifest.entries
        if len(entries) != 1:
            raise ArtifactError(
                f"the artifact {self.name} holds {len(entries)} files: download() brings all of them, and "
                'get_entry("name").download() one'
            )
        return self.get_entry(next(iter(entries))).download(root)

    @property
    def _download_roots(self) -> Set[str]:
        """The folders to which it was downloaded."""
        roots: Set[str] = self.__dict__.setdefault("_roots", set())
        return roots

    def _add_download_root(self, root: Optional[StrPath]) -> str:
        folder = str(artifact_dir() / self._known("download()").source.name) if root is None else os.fspath(root)
        self._download_roots.add(os.path.abspath(folder))
        return folder

    # --- where the bytes are ------------------------------------------------------------------------------------------

    def _read_manifest(self) -> ArtifactManifest:
        local = self._local
        if local is not None:
            manifest = ArtifactManifest(None, self._algorithm)
            for staged, one in local.entries():
                entry = ArtifactManifestEntry(
                    one.path, one.digest, one.ref, one.birth, one.size, one.extra, None, one.skip_cache
                )
                entry._place = StagedPlace(staged, one) if one.is_here else None
                manifest.entries[one.path] = entry
            return manifest
        known = self._known("manifest")
        client = self._server()
        pieces: List[bytes] = []
        client.fetch(remote.manifest_url(client, known.id), "wandb_manifest.json", pieces.append)
        return ArtifactManifest.from_manifest_json(json.loads(b"".join(pieces)), self._algorithm)

    def _server(self) -> Any:
        """The server that has the version. Raises CommError where none does, or it isn't to be asked."""
        if self._client is not None:
            return self._client
        if self.id or (self._local is not None and self._local.header.released):
            raise CommError(f"{self.name} is read from logs, and this is at the server only: ask it, with wandb.Api()")
        raise CommError(
            f"the artifact {self.name} is on this machine only, and this needs a server: upload its run with "
            "`wandb sync`, or log it online"
        )

    def _open_staged(self, entry: ArtifactManifestEntry) -> Optional[IO[bytes]]:
        """The bytes of an entry that this machine has staged; None where it hasn't, or not any more."""
        if not isinstance(entry._place, StagedPlace):
            return None
        try:
            return entry._place.staged.open(entry._place.entry)
        except OSError:
            return None  # a server has it: it may be in the cache

    def _find_addresses(self, entries: Sequence[ArtifactManifestEntry]) -> None:
        """Ask the server where these files are to be had."""
        wanted = {entry.path: entry for entry in entries}
        if not wanted or self._client is None:
            return
        place = self._known("download()").place
        addresses: Iterable[Tuple[str, str]]
        if len(wanted) <= _NAMED_MAX:
            addresses = remote.some_file_urls(self._client, place, list(wanted)).items()
        else:
            addresses = remote.file_urls(self._client, place)
        for path, address in addresses:
            if path in wanted:
                wanted[path]._url = address

    def _fetch_from_server(self, entry: ArtifactManifestEntry, write: Callable[[bytes], object]) -> int:
        """Hand the bytes of a file to `write`; return their number. Raises CommError."""
        size = 0

        def take(piece: bytes) -> None:
            nonlocal size
            write(piece)
            size += len(piece)

        self._fetch_range(entry, take, 0, None)
        return size

    def _fetch_range(
        self, entry: ArtifactManifestEntry, write: Callable[[bytes], object], start: int, stop: Optional[int]
    ) -> bool:
        """Hand the bytes of a file from `start` up to `stop` to `write`; whether the server has sent these alone."""
        from ...apis._errors import RefusedError

        at = start

        def take(piece: bytes) -> None:
            nonlocal at
            write(piece)
            at += len(piece)

        client, address = self._server(), self._address(entry)
        try:
            return bool(client.fetch_range(address, entry.path, take, at, stop))
        except RefusedError:
            # An address is good for a while only: perhaps it is another one by now.
            if entry._url == address:
                entry._url = None
            fresh = self._address(entry)
            if fresh == address:
                raise
            return bool(client.fetch_range(fresh, entry.path, take, at, stop))

    def _address(self, entry: ArtifactManifestEntry, others: Sequence[ArtifactManifestEntry] = ()) -> str:
        """Where a file is to be had; the server is asked for others' at the same time. Raises CommError."""
        if entry._url is None:
            self._server()
            self._find_addresses([entry, *(one for one in others if one.ref is None)])
        if entry._url is None:
            raise CommError(f"the server doesn't say where {entry.path} of {self.name} is; was the artifact deleted?")
        return entry._url


_by_client_id: weakref.WeakValueDictionary[str, ArtifactContents] = weakref.WeakValueDictionary()


def remember(artifact: ArtifactContents) -> None:
    """Let references find an artifact of this process by its own id."""
    _by_client_id[artifact._client_id] = artifact


def remembered(client_id: str) -> Optional[ArtifactContents]:
    return _by_client_id.get(client_id)
