"""The files of one artifact, from where they are staged to a server: several at a time, large ones in parts.

What a server has already it gives no address for, so a file goes out once, whatever version or attempt asked for it.
Of a large file each part that has arrived is remembered in the cursor: an upload that was broken off goes on behind it.
"""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, BinaryIO, Callable, Deque, Dict, List, NamedTuple, Optional

from wandb_storage import StagedEntry, hex_of, new_hash

from ._artifact_documents import COMPLETE_UPLOAD
from ._destination import Destination
from ._errors import CredentialsRefused, Refused, TransientError

# A file from this size on goes in parts, as object stores want it; so large is each, and so many are the most.
PARTS_BYTES_MIN = 2 << 30
PART_BYTES = 100 << 20
PARTS_MAX = 10_000
_PART_BYTES_MULTIPLE = 4096
_HASH_BYTES = 1 << 20
# So many parts are hashed at once; more would take processors from the training.
HASHED_AT_ONCE = 2
# Of one artifact, so many files or parts are with the threads at once.
UNDER_WAY_MAX = 16

# A server may put the parts together, and hash the whole, before it answers: so long it may take.
_COMPLETION_SECONDS, _COMPLETION_BYTES_PER_SECOND = 60.0, 20e6

Open = Callable[[StagedEntry, int, int], BinaryIO]  # so many bytes of an entry from an offset on
Parts = Dict[str, str]  # part number -> what the server calls it, of those that have arrived


class Upload(NamedTuple):
    """A file and where the server wants it."""

    entry: StagedEntry
    url: str
    headers: List[str]
    storage_path: str
    parts: Optional[Dict[str, Any]] = None  # of a large one: the upload's id and where each part goes


class _Task(NamedTuple):
    work: Callable[[], Any]  # in a thread
    arrived: Callable[[Any], None]  # with what came of it


def part_size(size: int) -> int:
    """Bytes of each part of a file, but of the last."""
    least = math.ceil(size / PARTS_MAX / _PART_BYTES_MULTIPLE) * _PART_BYTES_MULTIPLE
    return max(PART_BYTES, least)


def _part_bytes(entry: StagedEntry, number: int) -> int:
    """Of a part; the first has the number 1."""
    return min(part_size(entry.size), entry.size - (number - 1) * part_size(entry.size))


def parts_of(entry: StagedEntry) -> range:
    """The numbers of a large file's parts."""
    return range(1, math.ceil(entry.size / part_size(entry.size)) + 1)


def hash_part(open_entry: Open, entry: StagedEntry, number: int) -> Dict[str, Any]:
    """What a server wants to know of a part of a large file before it takes it. Raises OSError."""
    found = new_hash()
    with open_entry(entry, (number - 1) * part_size(entry.size), _part_bytes(entry, number)) as file:
        while True:
            piece = file.read(_HASH_BYTES)
            if not piece:
                break
            found.update(piece)
    return {"partNumber": number, "hexMD5": found.hexdigest()}


def file_specs(
    entries: List[StagedEntry], artifact_id: str, manifest_id: str, algorithm: str, parts: Dict[str, List[Any]]
) -> Dict[str, Any]:
    """The input of CreateArtifactFiles."""
    md5 = algorithm == "MD5"
    files = [
        {
            "artifactID": artifact_id, "artifactManifestID": manifest_id, "name": entry.path, "md5": entry.digest,
            "mimetype": None, "uploadPartsInput": parts.get(entry.path), **({} if md5 else {"digest": entry.digest}),
        }
        for entry in entries
    ]  # fmt: skip
    values: Dict[str, Any] = {"artifactFiles": files, "storageLayout": "V2", "cloudRegionID": None}
    return values if md5 else {**values, "digestAlgorithm": f"MANIFEST_{algorithm}"}


class FileUploads:
    """The files of one artifact that are on their way. Not safe between threads."""

    def __init__(
        self, destination: Destination, open_entry: Open, artifact_id: str, sent_parts: Dict[str, Parts],
        save: Callable[[], None], count: Callable[[int], None],
    ) -> None:  # fmt: skip
        """sent_parts: by the ids of uploads, what of them has arrived; it is changed, and then `save` called. count:
        told of the bytes that have arrived."""
        self._destination, self._open, self._artifact_id = destination, open_entry, artifact_id
        self._sent_parts, self._save, self._count = sent_parts, save, count
        self._waiting: Deque[_Task] = deque()
        self._under_way: Dict[Future[Any], _Task] = {}
        self._failure: Optional[Exception] = None

    @property
    def waiting(self) -> int:
        """Files and parts that are not with the threads yet."""
        return len(self._waiting)

    @property
    def left(self) -> bool:
        return bool(self._waiting or self._under_way or self._failure)

    def add(self, upload: Upload) -> int:
        """Let a file go out; return how many bytes of it have arrived before."""
        if upload.parts is None:
            self._waiting.append(_Task(lambda: self._put(upload), self._count))
            return 0
        sent = self._sent_parts.setdefault(upload.parts["uploadID"], {})
        missing = [part for part in upload.parts["uploadUrlParts"] if str(part["partNumber"]) not in sent]
        for part in missing:
            self._waiting.append(self._part(upload, part, sent))
        if not missing:
            self._waiting.append(self._completion(upload, sent))
        return upload.entry.size - sum(_part_bytes(upload.entry, int(part["partNumber"])) for part in missing)

    def advance(self, seconds: float) -> bool:
        """Take what has arrived, waiting so long for the first, and send more; whether something has moved.

        A failure is raised when what was under way with it has ended: TransientError, Refused, OSError.
        """
        moved = False
        if self._under_way:
            done, _ = wait(self._under_way, timeout=seconds, return_when=FIRST_COMPLETED)
            for future in done:
                moved = True
                self._take(future, self._under_way.pop(future))
        if self._failure is not None:
            self._waiting.clear()
            if not self._under_way:
                raise self._failure
            return moved
        while self._waiting and len(self._under_way) < UNDER_WAY_MAX:
            task = self._waiting.popleft()
            self._under_way[self._destination.files.submit(task.work)] = task
            moved = True
        return moved

    def _take(self, future: Future[Any], task: _Task) -> None:
        try:
            task.arrived(future.result())
        except CredentialsRefused as error:  # such a URL carries its own credential
            self._failure = self._failure or Refused(str(error))
        except (TransientError, Refused, OSError) as error:
            # What passes comes before what doesn't: the rest is tried again before anything is parked.
            if self._failure is None or isinstance(error, TransientError):
                self._failure = error

    def _put(self, upload: Upload) -> int:
        entry = upload.entry
        with self._open(entry, 0, entry.size) as file:
            size, digest = self._destination.transport().put(upload.url, upload.headers, file, entry.path)
        if not entry.extra.get("alg") and digest != hex_of(entry.digest):
            raise Refused(f"the file {entry.path} is not as it was logged: its MD5 is {digest}")
        return size

    def _part(self, upload: Upload, part: Dict[str, Any], sent: Parts) -> _Task:
        entry, number = upload.entry, int(part["partNumber"])
        start = (number - 1) * part_size(entry.size)
        count = _part_bytes(entry, number)

        def send() -> str:
            with self._open(entry, start, count) as file:
                name = f"{entry.path}, part {number}"
                return self._destination.transport().put_part(part["uploadUrl"], upload.headers, file, name)

        def arrived(tag: str) -> None:
            assert upload.parts is not None
            sent[str(number)] = tag
            self._count(count)
            self._save()
            if len(sent) == len(upload.parts["uploadUrlParts"]):
                self._waiting.append(self._completion(upload, sent))

        return _Task(send, arrived)

    def _completion(self, upload: Upload, sent: Parts) -> _Task:
        assert upload.parts is not None
        parts = [{"partNumber": int(number), "hexMD5": sent[number]} for number in sorted(sent, key=int)]
        values = {
            "completeMultipartAction": "Complete", "completedParts": parts, "artifactID": self._artifact_id,
            "storagePath": upload.storage_path, "uploadID": upload.parts["uploadID"],
        }  # fmt: skip

        def complete() -> None:
            try:
                self._destination.transport().graphql(
                    "CompleteMultipartUploadArtifact", COMPLETE_UPLOAD, {"input": values},
                    seconds=_COMPLETION_SECONDS + upload.entry.size / _COMPLETION_BYTES_PER_SECOND,
                )  # fmt: skip
            except Refused:
                sent.clear()  # the server may have lost some: what tries it again sends them all
                raise

        return _Task(complete, lambda _: None)
