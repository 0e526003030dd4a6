"""Files of a run, from the disk to the server: several at a time, beside the lines.

A file is told by its MD5: what the server already has under a path is not sent again, and sending it again would put
the same bytes in the same place. A file that can't be had, or that the server refuses, is parked alone, with the
reason; the run goes on to its end. An upload that breaks off begins anew, since W&B's upload URLs take a file whole; a
server of this project goes on where it stopped (`_body`). A file that has changed while it went is sent again.

`FileSender` is advanced by the run's worker and never waits long, so that rows and signs of life go on while a large
file is under way. What the threads do is read, hash and send; the cursor is changed by the worker alone.
"""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Callable, Deque, Dict, List, NamedTuple, Optional

from ._body import RESUMABLE, RESUMABLE_BYTES_MIN, Stamp, hexadecimal, stamp_of
from ._cursor import Cursor
from ._destination import Destination
from ._documents import CREATE_RUN_FILES, RUN_FILES
from ._errors import CredentialsRefused, Refused, TransientError
from ._files import Source, file_digest
from ._transport import Transport

# One request asks for this many upload URLs; servers bound the list, and URLs expire while they wait.
FILES_PER_REQUEST = 100
# Of one run, so many files are with the threads at once: other runs' files get their turn.
UNDER_WAY_MAX = 16
# A file that changes all the time while it goes is sent so often more, and then taken as it is.
CHANGES_MAX = 3
# The cursor is kept at most this often while files go out: a crash repeats at most so much.
_SAVE_SECONDS = 1.0
# What a file that can't be read now is read in spite of later.
TRANSIENT_ERRNOS = (errno.EMFILE, errno.ENFILE, errno.EIO, errno.ENOMEM)


class _Registered(NamedTuple):
    """A file whose place at the server is known."""

    source: Source
    url: str
    headers: List[str]
    known: Optional[str]  # the MD5 of what the server has there


class _Sent(NamedTuple):
    """What came of a file: sent, with its size and MD5; the same as what the server has; or gone."""

    size: int = 0
    digest: str = ""
    changed: bool = False  # while it went: perhaps neither the old file nor the new one has arrived
    missing: str = ""  # the reason


class FileSender:
    """The files of one run that are on their way. Not safe between threads."""

    def __init__(self, destination: Destination, cursor: Cursor, save: Callable[[], None]) -> None:
        self._destination, self._cursor, self._save = destination, cursor, save
        self._waiting: Deque[Source] = deque()
        self._registered: Deque[_Registered] = deque()
        self._under_way: Dict[Future[_Sent], Source] = {}
        self._paths: Dict[str, bool] = {}  # of all of them: whether a file that is missing is parked
        self._changes: Dict[str, int] = {}  # how often a file has changed while it went
        self._saved_at = time.monotonic()
        self.uploaded: List[str] = []  # since the caller last took them

    @property
    def left(self) -> int:
        """Files that are neither sent nor parked."""
        return len(self._paths)

    def add(self, sources: List[Source], park_missing: bool = True) -> None:
        """Take on files. Those that can't be had are parked, or passed over while the run may still write them."""
        for source in sources:
            if source.path in self._paths:
                self._paths[source.path] |= park_missing
            elif source.path not in self._cursor.parked_files:
                self._paths[source.path] = park_missing
                self._waiting.append(source)

    def advance(self, seconds: float) -> None:
        """Take what has arrived, waiting so long for the first, and send more. Raises TransientError where a file
        failed for now; the next call goes on with it."""
        if self._under_way:
            done, _ = wait(self._under_way, timeout=seconds, return_when=FIRST_COMPLETED)
            failure: Optional[TransientError] = None
            for future in done:
                failure = self._take(self._under_way.pop(future), future) or failure
            if done and time.monotonic() - self._saved_at > _SAVE_SECONDS:
                self._save()
                self._saved_at = time.monotonic()
            if failure is not None:
                raise failure
        if not self._registered and self._waiting:
            self._register(self._destination.transport())
        while self._registered and len(self._under_way) < UNDER_WAY_MAX:
            next_one = self._registered.popleft()
            self._under_way[self._destination.files.submit(_send, self._destination, next_one)] = next_one.source

    def close(self) -> None:
        """Forget what is not under way; what is under way ends by itself."""
        for future in self._under_way:
            future.cancel()
        self._waiting.clear()
        self._registered.clear()
        self._under_way.clear()
        self._paths.clear()

    def _take(self, source: Source, future: Future[_Sent]) -> Optional[TransientError]:
        """The outcome of one file, kept in the cursor; a failure that passes is returned."""
        cursor, path = self._cursor, source.path
        try:
            sent = future.result()
        except TransientError as error:
            self._waiting.append(source)
            return error
        except (CredentialsRefused, Refused) as error:
            cursor.parked_files[path] = str(error)
        else:
            if sent.missing:
                self._take_missing(source, sent.missing)
                return None
            cursor.files[path] = sent.digest
            cursor.bytes += sent.size
            # Of a living run's file, whoever watches it sees that.
            if sent.changed and self._paths[path] and self._changes.get(path, 0) < CHANGES_MAX:
                self._changes[path] = self._changes.get(path, 0) + 1
                self._waiting.append(source)
                return None
            self.uploaded.append(path)
        del self._paths[path]
        return None

    def _take_missing(self, source: Source, reason: str) -> None:
        if self._paths.pop(source.path):
            self._cursor.parked_files[source.path] = reason

    def _register(self, transport: Transport) -> None:
        """Ask where the next files go. One that isn't there must not be announced."""
        group: List[Source] = []
        while self._waiting and len(group) < FILES_PER_REQUEST:
            source = self._waiting.popleft()
            reason = _missing(source)
            if not reason:
                group.append(source)
            else:
                self._take_missing(source, reason)
        if not group:
            return
        bucket = self._cursor.bucket
        assert bucket is not None
        names = {"entity": bucket.entity, "project": bucket.project, "run": bucket.name}
        try:
            data = transport.graphql(
                "CreateRunFiles", CREATE_RUN_FILES, {**names, "files": [source.path for source in group]}
            )
            reply = data["createRunFiles"]
            urls = {file["name"]: file["uploadUrl"] for file in reply["files"]}
            headers = [str(header) for header in reply.get("uploadHeaders") or []]
            held = self._ask_held(transport, names, group) if self._cursor.begun else {}
        except Refused as error:
            for source in group:
                self._park(source, str(error))
            return
        except (KeyError, TypeError):
            self._waiting.extendleft(reversed(group))
            raise TransientError(f"CreateRunFiles at {transport.host}: the reply has no upload URLs") from None
        except BaseException:
            self._waiting.extendleft(reversed(group))
            raise
        for source in group:
            if urls.get(source.path):
                known = self._cursor.files.get(source.path, held.get(source.path))
                self._registered.append(_Registered(source, urls[source.path], headers, known))
            else:
                self._park(source, "the server gave no place to upload it to")

    def _ask_held(self, transport: Transport, names: Dict[str, str], group: List[Source]) -> Dict[str, str]:
        """The MD5 of what the server has of these files from before this cursor; nothing of one that doesn't say."""
        variables = {
            "entity": names["entity"], "project": names["project"], "name": names["run"],
            "fileNames": [source.path for source in group], "fileLimit": len(group),
        }  # fmt: skip
        try:
            edges = transport.graphql("RunFiles", RUN_FILES, variables)["project"]["run"]["files"]["edges"]
            return {edge["node"]["name"]: hexadecimal(edge["node"]["md5"]) for edge in edges}
        except (Refused, KeyError, TypeError):
            return {}

    def _park(self, source: Source, reason: str) -> None:
        self._cursor.parked_files[source.path] = reason
        del self._paths[source.path]


def _send(destination: Destination, registered: _Registered) -> _Sent:
    """In a thread of its own: send a file unless the server has it. Raises TransientError, Refused."""
    source, url, headers, known = registered
    try:
        with source.open() as file:
            if known and file_digest(file) == known:
                return _Sent(digest=known)
            stamp = stamp_of(file)
            resumable = stamp is not None and stamp.size >= RESUMABLE_BYTES_MIN and destination.supports(RESUMABLE)
            size, digest = destination.transport().put(url, headers, file, source.path, resumable)
        return _Sent(size, digest, changed=_has_changed(source, stamp))
    except OSError as error:
        if error.errno in TRANSIENT_ERRNOS:
            raise TransientError(f"the file {source.path} can't be read now: {_reason(error)}") from error
        return _Sent(missing=_reason(error))


def _has_changed(source: Source, stamp: Optional[Stamp]) -> bool:
    """Whether a file is another one than it was; one that has gone since was sent as it was."""
    if stamp is None:
        return False
    try:
        with source.open() as file:
            return stamp_of(file) != stamp
    except OSError:
        return False


def _missing(source: Source) -> str:
    """Why a file can't be had, as far as that is known without reading it."""
    if not source.stored:
        return ""
    try:
        source.open().close()
        return ""
    except OSError as error:
        return _reason(error)


def _reason(error: OSError) -> str:
    return error.strerror or os.strerror(error.errno) if error.errno else str(error)
