"""Resolvers of a run: what is read from it."""

from __future__ import annotations

import json
import mimetypes
import re
from typing import Any

from graphql import GraphQLError
from sqlalchemy import func, select

from .._filters import is_missing, lookup
from .._sampling import SAMPLES_DEFAULT
from ._auth import User
from ._buckets import RunColumns
from ._console import parse_console_line
from ._exports import exports_of
from ._files import StoredFile, file_path, list_files
from ._graphql import Resolvers
from ._limits import PAGE_SIZE_MAX, TAIL_VALUES_MAX
from ._lines import EVENTS, HISTORY, LOG, iterate_lines, last_line, rows_between
from ._names import run_storage_id, storage_id
from ._resolvers import connection_of
from ._samples import sampled_rows, sampled_rows_with
from ._series import charts_of, history_keys
from ._services import RequestContext, iso_time
from ._store import Run, find_project
from ._tables import files as files_table
from ._values import parse_row, strict_json

# The most rows that one request returns, whatever it asks for.
_SAMPLES_MAX = 10_000

# Rows that are searched for keys as texts; of more, the columns are asked.
_ROWS_SEARCHED_MAX = 10_000

# Keys whose JSON spelling is certain, so that the database may look for it in a row's text.
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_./ -]+")


def _wandb_config(run: Run, context: RequestContext, keys: list[str] | None = None) -> str:
    config = json.loads(run.config)
    entry = config.get("_wandb") if isinstance(config, dict) else None
    value = entry.get("value") if isinstance(entry, dict) else None
    if not isinstance(value, dict):
        return "{}"
    return json.dumps({key: value[key] for key in value if keys is None or key in keys})


def _tail(kind: str) -> Any:
    def resolve(run: Run, context: RequestContext) -> str:
        row = last_line(context.connection, run.id, kind)
        return json.dumps([] if row is None else [row])

    return resolve


def _system_metrics(run: Run, context: RequestContext) -> str:
    return last_line(context.connection, run.id, EVENTS) or "{}"


def _history(
    run: Run,
    context: RequestContext,
    samples: int | None = None,
    minStep: int | None = None,
    maxStep: int | None = None,
) -> list[str]:
    connection = context.connection
    minStep, maxStep = _step_bound(minStep), _step_bound(maxStep)
    if minStep is not None and maxStep is not None:
        # A page of a scan must be whole. Several rows may share a step, so it can be longer
        # than the number of steps that was asked for.
        return [content for _, content in rows_between(connection, run.id, minStep, maxStep)]
    last = None if maxStep is None else maxStep - 1
    return sampled_rows(connection, run.id, HISTORY, _samples(samples), steps=(minStep, last))


def _events(run: Run, context: RequestContext, samples: int | None = None) -> list[str]:
    return sampled_rows(context.connection, run.id, EVENTS, _samples(samples))


def _samples(asked: int | None) -> int:
    return max(1, min(asked, _SAMPLES_MAX)) if isinstance(asked, int) else SAMPLES_DEFAULT


def _step_bound(value: Any) -> int | None:
    """A step to search for. Beyond 64 bits there is no step, so the nearest bound will do."""
    if value is None:
        return None
    if not isinstance(value, int):
        raise GraphQLError("a step must be an integer")
    return max(-(2**63), min(value, 2**63 - 1))


def _sampled_history(run: Run, context: RequestContext, specs: list[str]) -> list[list[dict[str, Any]]]:
    return [_sampled(run, context, spec) for spec in specs]


def _sampled(run: Run, context: RequestContext, text: str) -> list[dict[str, Any]]:
    try:
        spec = json.loads(text)
        keys = [str(key) for key in spec.get("keys") or []]
        samples = spec.get("samples")
        first, last = _step_bound(spec.get("minStep")), _step_bound(spec.get("maxStep"))
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise GraphQLError("a history spec must be a JSON object with 'keys'") from None
    if first is not None and last is not None and last - first == samples:
        # Clients of before 2025 ask for as many samples as a page has steps and name the first step of the next page.
        last -= 1
    contents = _rows_with(run, context, keys, _samples(samples), (first, last))
    rows = []
    for content in contents:
        row = parse_row(content) or {}
        found = {key: lookup(row, key) for key in keys} if keys else row
        if not any(is_missing(value) for value in found.values()):
            rows.append({key: strict_json(value) for key, value in found.items()})
    return rows


def _rows_with(
    run: Run, context: RequestContext, keys: list[str], samples: int, steps: tuple[int | None, int | None]
) -> list[str]:
    connection = context.connection
    narrow = steps[0] is not None and steps[1] is not None and steps[1] - steps[0] < _ROWS_SEARCHED_MAX
    if keys and run.history_count > _ROWS_SEARCHED_MAX and not narrow:
        columns = _columns(run, context)
        if columns.end == run.history_count and columns.facts().keys() >= set(keys):
            return sampled_rows_with(connection, run.id, columns, keys, samples, steps)
    contains = [_spellings(key) for key in keys if _PLAIN_KEY.fullmatch(key)]
    return sampled_rows(connection, run.id, HISTORY, samples, contains, steps)


def _columns(run: Run, context: RequestContext) -> RunColumns:
    return charts_of(
        context.connection, context.services.tails, run, HISTORY, "_step", rows_max=TAIL_VALUES_MAX
    ).columns


def _spellings(key: str) -> list[str]:
    """How a key may stand in a row: as it is, or as the outermost of nested objects."""
    return list(dict.fromkeys((f'"{key}"', f'"{key.partition(".")[0]}"')))


def _parquet_history(run: Run, context: RequestContext, liveKeys: list[str] | None = None) -> dict[str, Any]:
    exported = exports_of(context.connection, context.services.tails, run, context.now)
    # Clients read pages from the smallest live step on.
    return {
        "parquetUrls": [context.download_url(export.path) for export in exported.files],
        "liveData": [] if exported.next_step is None else [{"_step": exported.next_step}],
    }


def _history_keys(run: Run, context: RequestContext) -> dict[str, Any]:
    return history_keys(_columns(run, context), run.last_step)


def _log_lines(
    run: Run,
    context: RequestContext,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    useImprovedPagination: bool | None = None,
) -> dict[str, Any]:
    connection = context.connection
    try:
        start = int(after) + 1 if after else 0
    except ValueError:
        raise GraphQLError(f"the cursor {after!r} did not come from this server") from None
    if last is not None:
        start = max(start, run.log_count - max(0, min(last, PAGE_SIZE_MAX)))
        end = run.log_count
    else:
        size = PAGE_SIZE_MAX if first is None else max(0, min(first, PAGE_SIZE_MAX))
        end = start + size
    edges = []
    for number, _, content in iterate_lines(connection, run.id, LOG, start, end):
        line = parse_console_line(number, content)
        edges.append({"node": {**vars(line), "line": line.text}})
    return {
        "edges": edges,
        "pageInfo": {
            "endCursor": str(edges[-1]["node"]["number"]) if edges else None,
            "hasNextPage": end < run.log_count,
        },
    }


def _files(
    run: Run,
    context: RequestContext,
    names: list[str | None] | None = None,
    after: str | None = None,
    first: int | None = None,
    pattern: str | None = None,
) -> dict[str, Any]:
    wanted = [name for name in names or [] if name is not None]
    found = list_files(context.connection, run.id, wanted, pattern)
    # A name that was asked for may be uploaded next: the public Api gets the URL this way.
    stored = {file.name for file in found}
    found += [StoredFile(run.id, name, 0, "", 0.0) for name in wanted if name not in stored]
    answer = connection_of(found, after, first)
    for edge in answer["edges"]:
        edge["node"] = _file_view(edge["node"], context, context.user.may_edit(run))
    return answer


def _file_count(run: Run, context: RequestContext) -> int:
    return context.connection.execute(
        select(func.count()).select_from(files_table).where(files_table.c.run_id == run.id)
    ).scalar_one()


def _file_view(file: StoredFile, context: RequestContext, may_change: bool) -> dict[str, Any]:
    path = file_path(file.run_id, file.name)
    return {
        "id": storage_id("File", str(file.run_id), file.name),
        "name": file.name,
        "displayName": file.name,
        "directUrl": context.download_url(path),
        "downloadUrl": context.download_url(path),
        "uploadUrl": context.upload_url(path) if may_change else None,
        "sizeBytes": str(file.size),
        "mimetype": mimetypes.guess_type(file.name)[0],
        "updatedAt": iso_time(file.updated_at) if file.updated_at else None,
        "md5": file.md5 or None,
        "digest": file.md5 or None,
    }


def _file_url(file: dict[str, Any], context: RequestContext, upload: bool | None = None) -> str | None:
    url = file.get("uploadUrl" if upload else "downloadUrl")
    return url if url is None else str(url)


RUN_RESOLVERS: Resolvers = {
    "Run": {
        "id": lambda run, context: run_storage_id(run.key),
        "projectId": lambda run, context: str(run.project_id),
        "project": lambda run, context: find_project(context.connection, run.entity, run.project),
        "displayName": lambda run, context: run.display_name,
        # Notes were once called the description; older clients still ask for that name.
        "description": lambda run, context: run.notes,
        "tags": lambda run, context: json.loads(run.tags),
        "group": lambda run, context: run.run_group,
        "jobType": lambda run, context: run.job_type,
        "sweepName": lambda run, context: run.sweep,
        "commit": lambda run, context: run.commit_hash,
        "state": lambda run, context: run.state_at(context.now),
        "exitcode": lambda run, context: run.exit_code,
        "stopped": lambda run, context: run.stop_requested,
        "shouldStop": lambda run, context: run.stop_requested,
        "running": lambda run, context: run.state_at(context.now) == "running",
        "failed": lambda run, context: run.state_at(context.now) in ("failed", "crashed"),
        "readOnly": lambda run, context: not context.user.may_edit(run),
        "createdAt": lambda run, context: iso_time(run.created_at),
        "heartbeatAt": lambda run, context: iso_time(run.heartbeat_at),
        "user": lambda run, context: User(run.user_id, run.user, admin=False),
        "wandbConfig": _wandb_config,
        "summaryMetrics": lambda run, context: run.summary,
        "systemMetrics": _system_metrics,
        "historyLineCount": lambda run, context: run.history_count,
        "eventsLineCount": lambda run, context: run.events_count,
        "logLineCount": lambda run, context: run.log_count,
        "historyTail": _tail(HISTORY),
        "eventsTail": _tail(EVENTS),
        "historyKeys": _history_keys,
        "history": _history,
        "events": _events,
        "sampledHistory": _sampled_history,
        "parquetHistory": _parquet_history,
        "logLines": _log_lines,
        "fileCount": _file_count,
        "files": _files,
    },
    "File": {
        "url": _file_url,
        "uploadHeaders": lambda file, context: file.get("uploadHeaders", []),
    },
}
