"""What of a run has reached a server, as the uploader's cursors beside the log tell: no server is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, List

from ._replay import Replay
from ._words import clean, count

if TYPE_CHECKING:
    from wandb_uploader import RunStatus


def uploads_of(replay: Replay) -> List[RunStatus]:
    """One for each server; of a moment in the past nothing is known."""
    if not replay.is_whole or replay.origin:
        return []
    from wandb_uploader import run_uploads

    return run_uploads(replay.folder)


def upload_line(one: RunStatus, last_record: int) -> str:
    """One of them in a line."""
    where = one.url or one.destination
    if one.redirected:
        where += " (elsewhere than the log says, or a part)"
    refused = len(one.parked_items) + len(one.parked_files)
    notes = [f"{count(refused, 'thing')} refused; `wandb status` tells why"] if refused else []
    if one.parked_reason:
        said = f"refused: {one.parked_reason}"
    elif one.has_all(last_record):
        said = "all of it"
    elif not one.sequence_acked:
        said = "nothing yet"
    else:
        said = f"up to record {one.sequence_acked:,}, {count(one.rows_acked, 'row')}"
    if one.last_error and not one.done:
        notes.append(f"waits: {one.last_error}")
    return clean("; ".join([f"{where}: {said}", *notes]))
