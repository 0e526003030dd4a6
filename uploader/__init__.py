"""Bringing runs to a W&B server: a process of its own, which tails the logs of a wandb directory.

    start(wandb_dir, base_url)  ──►  one process per directory and server  ──►  HTTP
         the user's process              _service: all runs, fairly              _transport
                                         _run_upload: one run, _cursor: how far  _body: files
                                         _pace: when its rows go, _attachments: files and artifacts beside them

What is promised:

* Everything that is committed to a run's log reaches the server exactly once in effect, in order: after an outage of
  any length, and after the death of the uploader at any instant.
* What the server refuses for good is parked with the server's words (`status`), alone where it is a line, an alert or a
  file, and nothing is dropped.
* Nobody waits for the uploader: it reads logs without delaying their writers, and writes into a run's folder only to
  bring a dead writer's log in order.
* An API key is read from the environment or netrc, and written nowhere; the same goes for headers (`_manner`).

Only committed records are sent. What waits in the tail could be taken back by a power loss.

**Exactly once in effect.** A batch is a range of records. Its last record is written into the run's cursor before the
first request, and everything in the request follows from the log and the cursor, never from timing. The cursor moves
when the server has acknowledged. So what was in flight at a crash, or was applied while its reply got lost, is sent
again byte for byte, and repeating each kind of thing changes nothing. Tests are in tests/uploader; all of it together,
under every misfortune at once, is `tests/crash/chaos.py`.

| what    | why a repetition changes nothing, and the test of it                                                     |
|---------|----------------------------------------------------------------------------------------------------------|
| history | a line has a number, and its text is a function of the log: the same text comes to the same place        |
|         | `test_a_new_process_repeats_the_same_bytes_though_the_log_has_grown`, `test_killed_at_random_instants`   |
| events  | the same, with a numbering of its own: `test_killed_at_random_instants`                                  |
| console | the same; a line that is rewritten is sent again whole, and a later batch holds the later text           |
|         | `test_a_line_that_is_rewritten_is_sent_again`                                                            |
| summary | one line, the full summary as of the batch's last record; the last one to arrive is the right one        |
|         | `test_what_passes_is_tried_again[...-file_stream]`                                                       |
| config  | the whole config and every label as of the batch's last record; batches are never out of order           |
|         | `test_labels_follow_their_changes`, `test_what_passes_is_tried_again[...-UpsertBucket]`                  |
| files   | a path holds one content; the cursor knows the MD5 of what arrived, and sending it again replaces alike; |
|         | what has arrived of a large file is gone on with only while the file is the same, and its MD5 compared   |
|         | `test_what_passes_is_tried_again[...-storage]`, `test_what_has_not_changed_is_not_uploaded_again`,       |
|         | `test_a_file_that_has_changed_in_between_begins_anew`, `test_what_arrived_damaged_is_sent_again`         |
| arti-   | one has an id that the log holds: a server that has it, or files of it, says so (`_send_artifacts`)      |
| facts   | `test_a_repeated_upload_changes_nothing`, `artifacts/test_uploader_killed_with_artifacts.py`             |
| alerts  | a repeated one asks the server to drop it if its title came since the first attempt (`_alerts`)          |
|         | `test_alerts_arrive_once_and_in_order`, `test_an_alert_that_arrived_before_it_was_refused_is_not_...`    |
| parked  | a row that is refused leaves a line with its step in its place, which the row itself may replace later   |
|         | `test_what_is_parked_goes_to_its_place_when_it_is_asked_for`                                             |
| exit    | sent when all rows and files are acknowledged; it names the exit code, which the log holds               |
|         | `test_complete_comes_after_everything_else`, `test_what_passes_is_tried_again[...-file_stream]`          |

A cursor that is lost, or a folder that was copied from another machine: the server is asked for its last rows, and they
are found in the log (`_adopt`); what it has is not sent again. `test_a_cursor_that_is_gone_is_rebuilt`,
`test_rows_that_the_server_has_are_not_sent_again`, `test_the_console_of_a_continued_run_keeps_its_place`. The console
of a run that was continued on this machine from elsewhere, at a server that doesn't show its console, is the one
exception: after the loss of such a run's cursor its lines can appear twice.

**Policies.** Beside the upload the server is asked, once, what it says of the settings of later runs (`_policies`). The
answer is kept for whoever starts the next run (`cached_policies`).

**Which runs.** Folders `run-*` whose settings name this server, those of dead writers included. `upload` does the same
for one folder in the foreground, offline runs too.

**Shared runs.** A log may be that of one writer among several (`_writer`): it names itself to the server, which numbers
each writer's lines by themselves. A cursor that is lost is then made anew, and the lines go out again under the same
numbers.

`Target` sends a run elsewhere than its log says, or a part of it, with a cursor of its own.

**Errors** are drawn in `_errors`, and what follows from each is a table in `_retry`. `_home` shows the files.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._artifact_cache import CACHE_LIMIT_DEFAULT, artifact_cache
    from ._budget import keep_budget, parse_size, read_budget
    from ._config_wire import config_document, wire_config
    from ._credentials import check_api_key, find_api_key, netrc_path, save_api_key
    from ._cursor import ArtifactProgress
    from ._destination import Destination
    from ._errors import (
        CredentialError,
        CredentialsRefused,
        NotUploadable,
        Refused,
        ReplyTooLong,
        TooLarge,
        TransientError,
        UploadError,
        UploaderRunning,
    )
    from ._files import files_of
    from ._home import normalize_url
    from ._identity import has_credentials
    from ._look_up import HeldRun, look_up_run
    from ._policy_cache import cached_policies
    from ._retry import Attempts
    from ._room import make_room
    from ._spawn import start
    from ._status import RunStatus, app_url, orphans, page_url, run_status, run_uploads, status
    from ._stopped import stop_requested
    from ._target import Target
    from ._transport import Manner, Transport
    from ._upload import UploadResult, upload
    from ._verify import verify_api_key

# Loaded on first use: starting a run needs no HTTP.
_HOMES = {
    "CACHE_LIMIT_DEFAULT": "._artifact_cache",
    "ArtifactProgress": "._cursor",
    "Attempts": "._retry",
    "CredentialError": "._errors",
    "CredentialsRefused": "._errors",
    "Destination": "._destination",
    "HeldRun": "._look_up",
    "Manner": "._transport",
    "NotUploadable": "._errors",
    "Refused": "._errors",
    "ReplyTooLong": "._errors",
    "RunStatus": "._status",
    "Target": "._target",
    "TooLarge": "._errors",
    "TransientError": "._errors",
    "Transport": "._transport",
    "UploadError": "._errors",
    "UploadResult": "._upload",
    "UploaderRunning": "._errors",
    "app_url": "._status",
    "artifact_cache": "._artifact_cache",
    "cache_folder": "._policy_cache",
    "cached_policies": "._policy_cache",
    "check_api_key": "._credentials",
    "config_document": "._config_wire",
    "files_of": "._files",
    "find_api_key": "._credentials",
    "has_credentials": "._identity",
    "keep_budget": "._budget",
    "look_up_run": "._look_up",
    "make_room": "._room",
    "netrc_path": "._credentials",
    "normalize_url": "._home",
    "orphans": "._status",
    "page_url": "._status",
    "parse_size": "._budget",
    "read_budget": "._budget",
    "run_status": "._status",
    "run_uploads": "._status",
    "save_api_key": "._credentials",
    "start": "._spawn",
    "status": "._status",
    "stop_requested": "._stopped",
    "upload": "._upload",
    "verify_api_key": "._verify",
    "wire_config": "._config_wire",
}

__all__ = [
    "CACHE_LIMIT_DEFAULT",
    "ArtifactProgress",
    "Attempts",
    "CredentialError",
    "CredentialsRefused",
    "Destination",
    "HeldRun",
    "Manner",
    "NotUploadable",
    "Refused",
    "ReplyTooLong",
    "RunStatus",
    "Target",
    "TooLarge",
    "TransientError",
    "Transport",
    "UploadError",
    "UploadResult",
    "UploaderRunning",
    "app_url",
    "artifact_cache",
    "cache_folder",
    "cached_policies",
    "check_api_key",
    "config_document",
    "files_of",
    "find_api_key",
    "has_credentials",
    "keep_budget",
    "look_up_run",
    "make_room",
    "netrc_path",
    "normalize_url",
    "orphans",
    "page_url",
    "parse_size",
    "read_budget",
    "run_status",
    "run_uploads",
    "save_api_key",
    "start",
    "status",
    "stop_requested",
    "upload",
    "verify_api_key",
    "wire_config",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'wandb_uploader' has no attribute {name!r}")
    value = getattr(importlib.import_module(home, __name__), name)
    globals()[name] = value
    return value
