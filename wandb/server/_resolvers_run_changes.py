"""Resolvers that change a run."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from typing import Any

from graphql import GraphQLError

from ._alerts import Alert, add_alert, delete_alerts
from ._artifact_deletion import delete_artifact
from ._artifacts import artifacts_of_run
from ._files import delete_file, file_path, file_place, list_files
from ._graphql import Resolvers
from ._indexer import Growth
from ._limits import ALERT_CHARACTERS_MAX, FILES_PER_REQUEST_MAX, NESTING_MAX
from ._lines import HISTORY
from ._names import (
    RunKey,
    file_name_problem,
    name_problem,
    new_run_id,
    parse_file_id,
    parse_run_storage_id,
    run_storage_id,
)
from ._resolvers import DEFAULT_PROJECT, allowed_run, project_for_writing, require_allowed
from ._services import RequestContext
from ._store import (
    SETTABLE_STATES,
    Run,
    branch_point,
    create_run,
    delete_run,
    find_run,
    inherit_history,
    merged_config,
    rewind_history,
    run_by_id,
    run_exists,
    update_run,
)
from ._values import parse_object
from ._writers import first_line

# Input field to column, for values that are taken over as they are.
_PLAIN_COLUMNS = {
    "displayName": "display_name",
    "groupName": "run_group",
    "jobType": "job_type",
    "sweep": "sweep",
    "commit": "commit_hash",
    "jobProgram": "program",
    "jobRepo": "repo",
    "host": "host",
}


def _upsert_bucket(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    key = _key_of_input(context, input)
    run = allowed_run(context, key)
    inserted = run is None
    if run is None:
        if input.get("id"):
            raise GraphQLError(f"run {'/'.join(reversed(key))!r} was not found")
        project, _made = project_for_writing(context, key.entity, key.project)
        run = create_run(context.connection, project, context.user, key.name, context.now)
    changes = _changes(run, input)
    if "config" in changes and (context.writer or run.sweep):
        # Each writer knows its own part of the config. And what a sweep has handed out stays, whenever its program says
        # so itself, and where it dies before: else that point would be tried again.
        changes["config"] = json.dumps({**(parse_object(run.config) or {}), **json.loads(changes["config"])})
    if "state" in changes:
        # Saying that a run runs is a sign of life.
        changes["heartbeat_at"] = context.now
    if changes.get("state") == "running":
        changes.update(finished_at=None, exit_code=None)
    update_run(context.connection, run.id, changes)
    if inserted:
        _inherit(context, run.id, key)
    bucket = run_by_id(context.connection, run.id)
    if context.writer:
        # By this number a writer begins. One that has lost its place finds it again.
        first = first_line(context.connection, run.id, context.writer, HISTORY)
        bucket = replace(bucket, history_count=bucket.history_count if first is None else first)
    return {
        "bucket": bucket,
        "inserted": inserted,
        "serverSettings": {"serverMessages": []},
    }


def _inherit(context: RequestContext, run_id: int, key: RunKey) -> None:
    """Give a new run the history of the run that its config says it was forked from."""
    point = branch_point(run_by_id(context.connection, run_id).config)
    if point is None or point.run == key.name:
        return
    parent = find_run(context.connection, RunKey(point.run, key.project, key.entity))
    if parent is not None:
        inherit_history(context.connection, parent, run_id, point.step)


def _key_of_input(context: RequestContext, input: dict[str, Any]) -> RunKey:
    if input.get("id"):
        return _key_of_id(input["id"])
    name = input.get("name") or new_run_id()
    problem = name_problem("run", name)
    if problem:
        raise GraphQLError(problem)
    entity = input.get("entityName") or context.user.name
    return RunKey(name, input.get("modelName") or DEFAULT_PROJECT, entity)


def _key_of_id(text: str) -> RunKey:
    key = parse_run_storage_id(text)
    if key is None:
        raise GraphQLError(f"{text!r} is not the id of a run")
    return key


def _changes(run: Run, input: dict[str, Any]) -> dict[str, Any]:
    """The columns that an input changes. A null leaves its column as it is."""
    values = {column: input[name] for name, column in _PLAIN_COLUMNS.items() if input.get(name) is not None}
    # The public Api sends both names of the notes; the newer one counts.
    for name in ("description", "notes"):
        if input.get(name) is not None:
            values["notes"] = input[name]
    if input.get("tags") is not None:
        values["tags"] = json.dumps(list(dict.fromkeys(input["tags"])))
    if input.get("config") is not None:
        values["config"] = merged_config(run.config, _json_object_text("config", input["config"]))
    if input.get("summaryMetrics") is not None:
        values["summary"] = _json_object_text("summaryMetrics", input["summaryMetrics"])
    if input.get("state") is not None:
        if input["state"] not in SETTABLE_STATES:
            raise GraphQLError(f"{input['state']!r} is not a state a client may set")
        values["state"] = input["state"]
    if not values.get("display_name", "unset"):
        # An empty name means that the server should choose.
        del values["display_name"]
    return values


def _json_object_text(name: str, value: Any) -> str:
    if not isinstance(value, str) or parse_object(value) is None:
        raise GraphQLError(f"{name} must be a JSON object inside a string, nested at most {NESTING_MAX} deep")
    return value


def _existing_run(context: RequestContext, key: RunKey) -> Run:
    run = allowed_run(context, key)
    if run is None:
        raise GraphQLError(f"run {'/'.join(reversed(key))!r} was not found")
    return run


def _rewind_run(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    if input["metricName"] != "_step":
        raise GraphQLError("a run can only be rewound to a value of '_step'")
    run = _run_of_names(context, input)
    count = rewind_history(context.connection, run, int(input["metricValue"]))
    growth = Growth(run.id, {}, {HISTORY: count}, changed=True)
    context.after_commit.append(functools.partial(context.services.indexer.consider, growth))
    return {"rewoundRun": run_by_id(context.connection, run.id)}


def _stop_run(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    run = _existing_run(context, _key_of_id(input["id"]))
    return {"success": request_stop(context, run)}


def request_stop(context: RequestContext, run: Run) -> bool:
    """Ask a run to end itself; False when it is not running any more."""
    if run.state_at(context.now) not in ("running", "pending", "preempting"):
        return False
    update_run(context.connection, run.id, {"stop_requested": True})
    return True


def _delete_run(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    run = _existing_run(context, _key_of_id(input["id"]))
    forget_run(context, run, bool(input.get("deleteArtifacts")))
    return {"clientMutationId": input.get("clientMutationId")}


def forget_run(context: RequestContext, run: Run, with_artifacts: bool) -> None:
    """Delete a run and its files, and if asked the artifacts that it logged."""
    if with_artifacts:
        for artifact in artifacts_of_run(context.connection, run.id):
            for place in delete_artifact(context.connection, artifact):
                context.after_commit.append(functools.partial(context.services.bytes.delete, place))
    delete_alerts(context.connection, run.id)
    delete_run(context.connection, run.id)
    context.after_commit.append(functools.partial(context.services.bytes.delete_under, str(run.id)))


def _create_run_files(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    names = input["files"]
    if len(names) > FILES_PER_REQUEST_MAX:
        raise GraphQLError(f"ask for at most {FILES_PER_REQUEST_MAX} files at a time")
    run = _run_of_names(context, input)
    files = []
    for name in names:
        # A null URL makes the client skip this one file; an error would cost it the whole batch.
        url = None if file_name_problem(name) else context.upload_url(file_path(run.id, name))
        files.append({"name": name, "uploadUrl": url})
    return {"runID": run_storage_id(run.key), "uploadHeaders": [], "files": files}


def _mark_files_uploaded(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    """Files are recorded as they arrive; this says whether they all did."""
    run = _run_of_names(context, input)
    present = {file.name for file in list_files(context.connection, run.id, list(input["files"]))}
    return {"success": present.issuperset(input["files"])}


def _update_run_state(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    run = _existing_run(context, _key_of_id(input["id"])) if input.get("id") else _run_of_names(context, input)
    if input["state"].lower() not in SETTABLE_STATES:
        raise GraphQLError(f"{input['state']!r} is not a state a client may set")
    update_run(context.connection, run.id, {"state": input["state"].lower(), "heartbeat_at": context.now})
    return {"success": True}


def _delete_files(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    for text in input["files"]:
        target = parse_file_id(text)
        if target is None or not run_exists(context.connection, target[0]):
            raise GraphQLError(f"file {text!r} was not found")
        require_allowed(context, run_by_id(context.connection, target[0]))
        delete_file(context.connection, *target)
        context.after_commit.append(functools.partial(context.services.bytes.delete, file_place(*target)))
    return {"success": True}


def _alert(_: None, context: RequestContext, input: dict[str, Any]) -> dict[str, Any]:
    if max(len(input["title"]), len(input["text"])) > ALERT_CHARACTERS_MAX:
        raise GraphQLError(f"the title and the text of an alert have at most {ALERT_CHARACTERS_MAX} characters")
    run = _run_of_names(context, input)
    alert = Alert(run.id, input["title"], input["text"], input.get("severity") or "INFO", context.now)
    wait = input.get("waitDuration")
    add_alert(context.connection, alert, wait / 1000 if isinstance(wait, (int, float)) else 0.0)
    return {"success": True}


def _run_of_names(context: RequestContext, input: dict[str, Any]) -> Run:
    entity = input.get("entityName") or context.user.name
    return _existing_run(
        context, RunKey(input.get("runName") or "", input.get("projectName") or DEFAULT_PROJECT, entity)
    )


CHANGE_RESOLVERS: Resolvers = {
    "Mutation": {
        "upsertBucket": _upsert_bucket,
        "rewindRun": _rewind_run,
        "stopRun": _stop_run,
        "deleteRun": _delete_run,
        "createRunFiles": _create_run_files,
        "updateRunState": _update_run_state,
        "deleteFiles": _delete_files,
        "markRunFilesUploaded": _mark_files_uploaded,
        "notifyScriptableRunAlert": _alert,
    },
}
