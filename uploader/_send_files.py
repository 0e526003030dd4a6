"""Files of a run, from the disk to the server.

A file is told by its MD5: what the server already has under a path is not sent again, and sending it again would put
the same bytes in the same place. A file that can't be had, or that the server refuses, is parked alone, with the
reason; the run goes on to its end.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

from wandb_storage import RunState

from ._cursor import Cursor
from ._documents import CREATE_RUN_FILES
from ._errors import CredentialsRefused, Refused, TransientError
from ._files import ConsoleText, Source, file_digest, run_files
from ._transport import Transport

# One request asks for this many upload URLs; servers bound the list, and URLs expire while they wait.
FILES_PER_REQUEST = 100
# The cursor is kept at most this often while files go out: a crash repeats at most so much.
_SAVE_SECONDS = 1.0


def send_files(
    transport: Transport, folder: Path, cursor: Cursor, state: RunState, save: Callable[[], None]
) -> List[str]:
    """Upload what the server lacks. Returns the paths of all files that it has."""
    with contextlib.closing(ConsoleText(folder)) as console:
        sources = run_files(folder, cursor, state, console)
        for index in range(0, len(sources), FILES_PER_REQUEST):
            _send_group(transport, cursor, sources[index : index + FILES_PER_REQUEST], save)
    return sorted(path for path in cursor.files if path not in cursor.parked_files)


def _send_group(transport: Transport, cursor: Cursor, sources: List[Source], save: Callable[[], None]) -> None:
    pending = [source for source in sources if _is_pending(source, cursor)]
    if not pending:
        return
    try:
        urls, headers = _register(transport, cursor, [source.path for source in pending])
    except Refused as error:
        cursor.parked_files.update((source.path, str(error)) for source in pending)
        return
    saved = time.monotonic()
    for source in pending:
        url = urls.get(source.path)
        if not url:
            cursor.parked_files[source.path] = "the server gave no place to upload it to"
            continue
        _send_file(transport, cursor, source, url, headers)
        if time.monotonic() - saved > _SAVE_SECONDS:
            save()
            saved = time.monotonic()


def _is_pending(source: Source, cursor: Cursor) -> bool:
    """Whether the server lacks the file as it is now. What can't be read is parked."""
    if source.path in cursor.parked_files:
        return False
    try:
        with source.open() as file:
            digest = file_digest(file)
    except OSError as error:
        cursor.parked_files[source.path] = _reason(error)
        return False
    return cursor.files.get(source.path) != digest


def _send_file(transport: Transport, cursor: Cursor, source: Source, url: str, headers: List[str]) -> None:
    try:
        with source.open() as file:
            size, digest = transport.put(url, headers, file, source.path)
    except OSError as error:
        cursor.parked_files[source.path] = _reason(error)
        return
    except (CredentialsRefused, Refused) as error:
        cursor.parked_files[source.path] = str(error)
        return
    cursor.files[source.path] = digest
    cursor.bytes += size


def _register(transport: Transport, cursor: Cursor, paths: List[str]) -> Any:
    """Where to upload: (path -> URL, headers)."""
    bucket = cursor.bucket
    assert bucket is not None
    data = transport.graphql(
        "CreateRunFiles", CREATE_RUN_FILES,
        {"entity": bucket.entity, "project": bucket.project, "run": bucket.name, "files": paths},
    )  # fmt: skip
    try:
        reply = data["createRunFiles"]
        urls: Dict[str, str] = {file["name"]: file["uploadUrl"] for file in reply["files"]}
        return urls, [str(header) for header in reply.get("uploadHeaders") or []]
    except (KeyError, TypeError):
        raise TransientError(f"CreateRunFiles at {transport.host}: the reply has no upload URLs") from None


def _reason(error: OSError) -> str:
    return error.strerror or os.strerror(error.errno) if error.errno else str(error)
