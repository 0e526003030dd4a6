"""Putting an artifact together: files, folders, references and objects."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from wandb_storage import Added, DigestUnavailable, StagingWriter, hash_descriptor, hex_of

from ..._terminal import termwarn
from ...errors import Error
from .._progress_bar import Progress
from ._algorithm import ArtifactDigestAlgorithm
from ._facts import ArtifactFacts
from ._hashing import start_hashing
from ._names import entry_path
from ._place import staging_home
from ._unchanged import Unchanged
from .artifact_manifest_entry import ALGORITHM_KEY, ArtifactManifestEntry
from .exceptions import ArtifactError, ArtifactFinalizedError

if TYPE_CHECKING:
    from ...data_types._base import WBValue
    from ...data_types._content import Content

StrPath = Union[str, "os.PathLike[str]"]
POLICIES = ("mutable", "immutable")
# Reading many files waits for the disk now and then, above all for one in a network.
_READERS = 4
_FILES_PER_TASK = 64
# Of media that an artifact holds, objects of these folders are called by their content.
_CALLED_BY_CONTENT = "media/tables"


class ArtifactDraft(ArtifactFacts):
    """An artifact to which can be added. Safe between threads."""

    _media_home = "artifact"

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
        super().__init__(name, type, description, metadata, incremental, storage_region, digest_algorithm)
        self._lock = threading.RLock()
        self._staging: Optional[StagingWriter] = None
        self._discard: Optional[weakref.finalize[Any, Any]] = None
        self._added_objects: Dict[int, Tuple[Any, ArtifactManifestEntry]] = {}
        self._added_paths: Dict[str, ArtifactManifestEntry] = {}
        self._copies = 0

    def _must_be_open(self, what: str) -> None:
        if self._final:
            raise ArtifactFinalizedError(
                f"{what}: the artifact {self.name!r} has been logged or finalized and doesn't change any more; "
                "new_draft() begins the next version"
            )

    def finalize(self) -> None:
        """Let nothing be added any more. Logging does it.

        >>> artifact.finalize()
        >>> artifact.add_file("model.pt")  # doctest: +IGNORE_EXCEPTION_DETAIL
        Traceback (most recent call last):
        wandb.sdk.artifacts.exceptions.ArtifactFinalizedError: ...
        """
        self._final = True

    # --- files --------------------------------------------------------------------------------------------------------

    def add_file(
        self,
        local_path: StrPath,
        name: Optional[StrPath] = None,
        is_tmp: Optional[bool] = False,
        skip_cache: Optional[bool] = False,
        policy: Optional[str] = "mutable",
        overwrite: bool = False,
    ) -> ArtifactManifestEntry:
        """Add a file, under its own name or under `name`.

        >>> artifact.add_file("model.pt", name="weights/best.pt").path
        'weights/best.pt'

        policy: "mutable" takes the file as it is now, whatever becomes of it later; "immutable" promises that nobody
        changes it before it is uploaded, and spares the copy of a large one. is_tmp: call it by its content.
        skip_cache: don't keep it in the cache. overwrite: replace another file of that name.

        Returns the entry. Raises ArtifactError for what is no file, OSError for one that can't be read or kept.
        """
        self._must_be_open("add_file")
        path = os.fspath(local_path)
        if not os.path.isfile(path):
            raise ArtifactError(f"add_file: {path!r} is no file{'; add_dir takes it' if os.path.isdir(path) else ''}")
        added = self._take_file(path, _checked(policy))
        target = entry_path(name or os.path.basename(path))
        if is_tmp:
            target = self._called_by_content(target, added)
        return self._add_entry(target, added, path, bool(skip_cache), overwrite)

    def add_dir(
        self,
        local_path: StrPath,
        name: Optional[StrPath] = None,
        skip_cache: Optional[bool] = False,
        policy: Optional[str] = "mutable",
        merge: bool = False,
    ) -> None:
        """Add all files below a folder, under their paths from there on, or below `name`.

        >>> artifact.add_dir("data", name="images")
        >>> sorted(artifact.manifest.entries)
        ['images/0/a.png', 'images/1/b.png']

        Links are followed. merge: replace files that are there already. The rest is as for `add_file`.
        """
        self._must_be_open("add_dir")
        root = os.fspath(local_path)
        if not os.path.isdir(root):
            advice = "; add_file takes it" if os.path.isfile(root) else ""
            raise ArtifactError(f"add_dir: {root!r} is no folder{advice}")
        below = "" if name is None or not str(name) else f"{entry_path(name)}/"
        length = len(os.path.join(root, ""))  # of what a path in the folder begins with
        chosen, skip = _checked(policy), bool(skip_cache)
        paths = list(_files_below(root))
        with Progress(f"adding {root}", len(paths), "files") as progress, ThreadPoolExecutor(_READERS) as readers:

            def take(part: List[str]) -> None:
                for path in part:
                    added = self._take_file(path, chosen)
                    self._add_entry(entry_path(below + path[length:]), added, path, skip, merge)
                    progress.advance(1)

            parts = [paths[start : start + _FILES_PER_TASK] for start in range(0, len(paths), _FILES_PER_TASK)]
            for done in [readers.submit(take, part) for part in parts]:
                done.result()

    @contextlib.contextmanager
    def new_file(
        self, name: str, mode: str = "x", encoding: Optional[str] = None, policy: str = "mutable"
    ) -> Iterator[IO[Any]]:
        """A file to write to, which is added when the block ends.

        >>> with artifact.new_file("labels.txt") as file:
        ...     print("zero one two", file=file)

        mode: "x" refuses a name that is there already, "w" replaces it, "a" adds to its end; with "b" for bytes.
        Raises ArtifactError, and adds nothing where the block raises.
        """
        self._must_be_open("new_file")
        target, chosen = entry_path(name), _checked(policy)
        before = self.manifest.entries.get(target)
        if before is not None and "x" in mode:
            raise ArtifactError(f"new_file: there is a file {target} in the artifact already; mode='w' replaces it")
        path = self._new_path(target)
        try:
            if before is not None and before.local_path and ("a" in mode or "+" in mode):
                shutil.copyfile(before.local_path, path)
                path.chmod(0o600)
            with open(path, mode, encoding=encoding) as file:
                yield file
            added = self._take_file(str(path), "immutable")
        finally:
            path.unlink(missing_ok=True)
        self._add_entry(target, added, None, True, "x" not in mode, chosen)

    def remove(self, item: Union[StrPath, ArtifactManifestEntry]) -> None:
        """Take a file, an entry or a folder out of the artifact. Raises FileNotFoundError where it isn't there.

        >>> artifact.add_dir("data")
        >>> artifact.remove("1")
        >>> list(artifact.manifest.entries)
        ['0/a.png']
        """
        self._must_be_open("remove")
        if isinstance(item, ArtifactManifestEntry):
            self.manifest.remove_entry(item)
            return
        path = entry_path(item)
        entry = self.manifest.entries.get(path)
        entries = [entry] if entry is not None else self.manifest.get_entries_in_directory(path)
        if not entries:
            raise FileNotFoundError(f"the artifact {self.name!r} holds no file and no folder {path}")
        for one in entries:
            self.manifest.remove_entry(one)

    def get_added_local_path_name(self, local_path: str) -> Optional[str]:
        """Under which name a local file was added; None where it wasn't.

        >>> _ = artifact.add_file("model.pt", name="weights/best.pt")
        >>> artifact.get_added_local_path_name("model.pt")
        'weights/best.pt'
        """
        entry = self._added_paths.get(os.fspath(local_path))
        return None if entry is None else entry.path

    # --- references ---------------------------------------------------------------------------------------------------

    def add_reference(
        self,
        uri: Union[ArtifactManifestEntry, str],
        name: Optional[StrPath] = None,
        checksum: bool = True,
        max_objects: Optional[int] = None,
    ) -> Sequence[ArtifactManifestEntry]:
        """Add what lies elsewhere, without its bytes: an address (s3, gs, http, https, file), or another artifact's
        entry.

        >>> [entry.path for entry in artifact.add_reference("s3://bucket/train", name="train", checksum=False)]
        ['train']

        A folder or a prefix becomes an entry for each file, up to `max_objects` (10 million). checksum: ask the store
        for the digests; without it the address stands for the content, and nobody is asked. `s3://…?versionId=` and
        `gs://…#generation` name a version.

        Returns the entries. Raises ArtifactError, CommError where the store can't be asked, and Error where the
        library for it is missing.
        """
        self._must_be_open("add_reference")
        from ._references import find_entries

        if isinstance(uri, ArtifactManifestEntry):
            uri = uri.ref_url()
        entries = find_entries(self, str(uri), None if name is None else entry_path(name), checksum, max_objects)
        with self._lock:
            for entry in entries:
                self.manifest.add_entry(entry)
                entry._artifact = self  # type: ignore[assignment]  # of which this is the base
        return entries

    # --- objects ------------------------------------------------------------------------------------------------------

    def add(self, obj: WBValue, name: StrPath, overwrite: bool = False) -> ArtifactManifestEntry:
        """Add an object, a `wandb.Table` or `wandb.Image` say, under `name` and the suffix of its kind.

        >>> artifact.add(wandb.Table(columns=["label"], data=[["seven"]]), "labels").path
        'labels.table.json'

        `get(name)` returns it again. An object that another artifact holds is added as a reference to there. Returns
        the entry; raises TypeError for what is no such object.
        """
        self._must_be_open("add")
        from ...data_types._base import WBValue

        if not isinstance(obj, WBValue):
            raise TypeError(f"add takes objects of wandb.data_types, not {type(obj).__name__}; add_file takes files")
        known = self._added_objects.get(id(obj))
        if known is not None:
            return known[1]
        target = obj.with_suffix(entry_path(name))
        reference = obj._get_artifact_entry_ref_url()
        if reference is not None:
            return self.add_reference(reference, target)[0]
        content = json.dumps(obj.to_json(self), sort_keys=True).encode()
        before = self.manifest.entries.get(target)
        if before is not None and not overwrite:
            return before
        added = self._take_bytes(content)
        if target.startswith(_CALLED_BY_CONTENT):
            target = self._called_by_content(target, added)
        entry = self._add_entry(target, added, None, False, overwrite)
        self._added_objects[id(obj)] = obj, entry
        if obj._artifact_target is None:
            obj._set_artifact_target(self, entry.path)
        return entry

    def __setitem__(self, name: str, item: WBValue) -> None:
        self.add(item, name)

    def _keep_media(self, content: Content, name_of: Callable[[Content], str]) -> str:
        """The bytes of media that an added object holds, under a name that their digest is part of."""
        self._must_be_open("add")
        known = None if content.path is None else self.get_added_local_path_name(str(content.path))
        if known is not None:
            return known
        target = entry_path(name_of(content))
        if target not in self.manifest.entries:
            if content.path is not None:
                self._add_entry(target, self._take_file(str(content.path), "mutable"), str(content.path), False, False)
            else:
                self._add_entry(target, self._take_bytes(content.read()), None, False, False)
        return target

    # --- staging ------------------------------------------------------------------------------------------------------

    def _writer(self) -> StagingWriter:
        with self._lock:
            if self._staging is None:
                try:
                    self._staging = StagingWriter(staging_home(), self._algorithm.short)
                except DigestUnavailable as error:
                    raise Error(str(error)) from None
                self._discard = weakref.finalize(self, _discard, self._staging, os.getpid())
            return self._staging

    def _forget_staging(self, keep: bool) -> None:
        """The files are logged. `keep`: they stay where they are when this object goes."""
        if keep and self._discard is not None:
            self._discard.detach()
        self._staging = None

    def _take_bytes(self, content: bytes) -> Added:
        return self._writer().add_bytes(content)

    def _take_file(self, path: str, policy: str) -> Added:
        writer = self._writer()
        known = _unchanged.find(path, self._algorithm.short) if _unchanged else None
        if known is not None:
            with contextlib.suppress(OSError):  # it is gone meanwhile, or on another disk
                return writer.link_staged(*known)
        return writer.add_file(path, policy == "immutable")

    def _add_entry(
        self, target: str, added: Added, source: Optional[str], skip_cache: bool, overwrite: bool,
        policy: str = "mutable",
    ) -> ArtifactManifestEntry:  # fmt: skip
        writer = self._writer()
        md5 = self._algorithm is ArtifactDigestAlgorithm.MANIFEST_MD5
        extra = {} if md5 else {ALGORITHM_KEY: self._algorithm.short}
        entry = ArtifactManifestEntry(target, added.digest, None, None, added.size, extra, None, skip_cache)
        entry._place = added
        entry._artifact = self  # type: ignore[assignment]  # of which this is the base
        if added.file and not added.digest:
            entry._hashing = start_hashing(functools.partial(writer.open_large, added), self._algorithm.short)
            if source is not None:
                _unchanged.note(source, writer.path_of(added), entry._hashing)
        with self._lock:
            self.manifest.add_entry(entry, overwrite)
            if source is not None:
                self._added_paths[source] = entry
        return entry

    def _called_by_content(self, target: str, added: Added) -> str:
        """A name with the digest in place of the file's own, as far as that goes to its first dot."""
        digest = added.digest
        if not digest:
            descriptor = self._writer().open_large(added)
            try:
                digest = hash_descriptor(descriptor, self._algorithm.short)
            finally:
                os.close(descriptor)
        folder, _, base = target.rpartition("/")
        _, dot, rest = base.partition(".")
        return f"{folder}{'/' if folder else ''}{hex_of(digest)[:20]}{dot}{rest}"

    def _local_copy(self, entry: ArtifactManifestEntry, added: Added) -> Optional[str]:
        """A file with the bytes of an entry, as long as the draft is here."""
        writer = self._staging
        if writer is None:
            return None
        if added.file:
            return str(writer.path_of(added))
        path = self._new_path(entry.path)
        path.write_bytes(writer.read(added))
        return str(path)

    def _new_path(self, target: str) -> Path:
        """A place for a file of this name, among the draft's own."""
        with self._lock:
            self._copies += 1
            folder = self._writer().folder / "copies" / str(self._copies)
        folder.mkdir(parents=True, mode=0o700)
        return folder / os.path.basename(target)


def _checked(policy: Optional[str]) -> str:
    policy = policy or "mutable"
    if policy not in POLICIES:
        raise ArtifactError(f"policy is one of {', '.join(POLICIES)}, not {policy!r}")
    return policy


def _files_below(root: str) -> Iterator[str]:
    """All files, through links too, but not round in a circle."""
    waiting: List[Tuple[str, Tuple[Tuple[int, int], ...]]] = [(root, ())]
    while waiting:
        folder, above = waiting.pop()
        status = os.stat(folder)
        here = status.st_dev, status.st_ino
        if here in above:
            termwarn(f"add_dir: {folder} is a link to a folder that it is in; it is left out")
            continue
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir():
                    waiting.append((entry.path, (*above, here)))
                elif entry.is_file():
                    yield entry.path
                else:
                    termwarn(f"add_dir: {entry.path} is no file, or a link to nothing; it is left out", repeat=False)


def _discard(writer: StagingWriter, pid: int) -> None:
    """The draft is gone and nobody has logged it."""
    if os.getpid() == pid:
        writer.discard()


_unchanged = Unchanged()
