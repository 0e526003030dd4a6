"""Where an upload goes on: the cursor that is kept for a run and the fold below it, or new ones where they are of no
use."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Tuple

from wandb_storage import Reader, RunState, beginning

from ._adopt import new_cursor
from ._cursor import Cursor
from ._feed import Feed
from ._greeting import check_destination
from ._target import AS_LOGGED, Target


def load_cursor(path: Path, feed: Feed, base_url: str, target: Target, retry_parked: bool) -> Cursor:
    """The cursor that is kept in `path`; a new one where there is none for this log.

    With `retry_parked`, what is parked is tried again. Raises NotUploadable for a run that goes to another server.
    """
    cursor = Cursor.load(path)
    if cursor is None or cursor.log_uuid != feed.reader.identity.log_uuid:
        if target == AS_LOGGED:
            check_destination(feed, base_url)
        return new_cursor(base_url, feed.reader)
    if retry_parked and cursor.parked:
        # The server may have lost the run since: it tells what it has, as to an uploader without a cursor.
        return dataclasses.replace(new_cursor(base_url, feed.reader), parked_items=cursor.parked_items)
    if retry_parked and (cursor.parked_files or cursor.parked_items or cursor.parked_artifacts):
        cursor.parked_files, cursor.trouble, cursor.done = {}, None, False
        cursor.artifacts_again = sorted({*cursor.artifacts_again, *map(int, cursor.parked_artifacts)})
        cursor.parked_artifacts = {}
    return cursor


def restore_state(cursor: Cursor, folder: Path) -> Tuple[Cursor, RunState]:
    """The fold below the cursor, and the cursor; another one where the fold is of another version's making."""
    try:
        return cursor, RunState.restore(cursor.state) if cursor.state else RunState()
    except (KeyError, TypeError, AttributeError):
        with Reader(folder) as reader:  # the server knows how far the run has come
            return new_cursor(cursor.base_url, reader), beginning(reader).state
