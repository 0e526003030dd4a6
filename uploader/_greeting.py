"""Letting a server know a run: who it is, its config and labels, and where its lines begin there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any, Dict

from wandb_storage import RunStart, RunState

from ._adopt import find_beginning, find_output
from ._batch import PARKED_KEY
from ._config_wire import begins_at_server, read_environment, wire_config
from ._cursor import Bucket, Cursor
from ._documents import CONSOLE_TAIL, RUN_RESUME_STATUS, SAMPLED_HISTORY, UPSERT_BUCKET
from ._errors import NotUploadable, Refused, TransientError
from ._feed import Feed
from ._home import normalize_url
from ._json import encode_json
from ._rewind import rewind_at_server
from ._target import Target
from ._transport import Transport
from ._writer import writer_of


def check_destination(feed: Feed, base_url: str) -> None:
    """Raises NotUploadable for a run that was started for another server."""
    record = feed.first_record()
    if feed.folder.name.startswith("offline-") or not isinstance(record, RunStart):
        return  # whoever uploads an offline run chooses where to; a log without a start may get one
    try:
        settings = json.loads(record.settings or "{}")
    except ValueError:
        return
    chosen = settings.get("base_url") if isinstance(settings, dict) else None
    if isinstance(chosen, str) and chosen and normalize_url(chosen) != base_url:
        raise NotUploadable(f"{feed.folder.name} goes to {chosen}")


def greet(folder: Path, cursor: Cursor, state: RunState, target: Target, transport: Transport) -> bool:
    """Let the server know the run, with its config and labels as `state` has them. Returns whether it was needed."""
    if cursor.bucket is not None and cursor.upserted == state.label_changes:
        return False
    if not state.sessions:
        if state.rows or state.system_rows or state.console.count:
            raise Refused("the log's first record is no run start, so nothing tells which run it is")
        return False
    writer, first = writer_of(state.start), cursor.bucket is None
    if first and not writer.shared:
        _find_beginning(folder, cursor, state, target, transport)
    headers = writer.headers(cursor.log_uuid)
    data = transport.graphql("UpsertBucket", UPSERT_BUCKET, _variables(cursor, state, target), headers)
    try:
        bucket = data["upsertBucket"]["bucket"]
        project = bucket["project"]
        cursor.bucket = Bucket(
            str(bucket["id"]), str(project["entity"]["name"]), str(project["name"]), str(bucket["name"]),
            str(bucket.get("displayName") or ""),
        )  # fmt: skip
        if first and (writer.shared or begins_at_server(state.start)):
            # Rows of others are there. A server that tells writers apart names the first line of this one.
            cursor.history = max(cursor.history, int(bucket.get("historyLineCount") or 0))
    except (KeyError, TypeError, ValueError):
        raise TransientError(f"UpsertBucket at {transport.host}: the reply doesn't say where the run is") from None
    cursor.upserted = state.label_changes
    cursor.had_tags = cursor.had_tags or bool(state.start.tags)
    return True


def _find_beginning(folder: Path, cursor: Cursor, state: RunState, target: Target, transport: Transport) -> None:
    place = {"project": target.project or state.start.project, "entity": target.entity or state.start.entity}
    run_id = target.run_id or cursor.run_id
    rewind_at_server(transport, state.start, run_id)
    data = transport.graphql("RunResumeStatus", RUN_RESUME_STATUS, {**place, "name": run_id})
    model = data.get("model") or {}
    held = model.get("bucket")
    begin = find_beginning(folder, held, state.start.resumed, target)
    names = {
        "entity": (model.get("entity") or {}).get("name") or place["entity"],
        "project": model.get("name") or place["project"], "run": run_id,
    }  # fmt: skip
    if begin.earlier.output_lines and begin.held_history:
        # The log's own lines are among those of the server, and only their texts tell which.
        begin.earlier.output_lines = find_output(folder, begin.earlier.output_lines, names, _console_tail(transport))
    cursor.history, cursor.events, cursor.earlier = begin.history, begin.events, begin.earlier
    cursor.begun = time.time() if held is not None else 0.0
    if begin.held_history and not _has_gaps(transport, names):
        cursor.held_history, cursor.held_events = begin.held_history, begin.held_events


def _has_gaps(transport: Transport, names: Dict[str, Any]) -> bool:
    """Whether one of the server's rows only keeps the place of one that was parked, or may do so: then all go again."""
    spec = json.dumps({"keys": ["_step", PARKED_KEY], "samples": 1})
    try:
        data = transport.graphql("RunSampledHistory", SAMPLED_HISTORY, {**names, "specs": [spec]})
        return bool(data["project"]["run"]["sampledHistory"] != [[]])
    except (Refused, KeyError, TypeError):
        return True


def _console_tail(transport: Transport) -> Any:
    def ask(names: Dict[str, Any], last: int) -> Any:
        try:
            data = transport.graphql("RunConsoleLogTail", CONSOLE_TAIL, {**names, "last": last})
            edges = data["project"]["run"]["logLines"]["edges"]
            return [(edge["node"]["number"], edge["node"]["timestamp"], edge["node"]["line"]) for edge in edges]
        except (Refused, KeyError, TypeError):
            return []  # a server that doesn't show its console

    return ask


def _variables(cursor: Cursor, state: RunState, target: Target) -> Dict[str, Any]:
    """Every label each time: the last one to arrive is right, however often and late the earlier ones come."""
    start, bucket = state.start, cursor.bucket
    environment = read_environment(state)
    writer = writer_of(state.start)
    git = environment.get("git")
    git = git if isinstance(git, dict) else {}
    return {
        "id": bucket.id if bucket else None,
        "name": target.run_id or cursor.run_id,
        "project": bucket.project if bucket else target.project or start.project,
        "entity": bucket.entity if bucket else target.entity or start.entity,
        "groupName": start.group,
        "description": None,
        "displayName": start.name,
        "notes": start.notes,
        "commit": git.get("commit"),
        "config": encode_json(wire_config(state, cursor.earlier.config, cursor.log_uuid if writer.shared else "")),
        "host": environment.get("host") or start.host or None,
        "debug": None,
        "program": start.program or None,
        "repo": git.get("remote"),
        "jobType": target.job_type or start.job_type,
        # Lines of one among several writers bring no run back to life that had ended.
        "state": "running" if writer.shared and writer.ends and bucket is None else None,
        "sweep": start.sweep_id,
        # An empty list would clear tags that somebody set at the server; it is meant only where the run had some.
        "tags": target.tags(start.tags) if start.tags or cursor.had_tags else None,
        "summaryMetrics": None,
    }
