"""Rows as the JSON values that the dashboard shows."""

from __future__ import annotations

import json
from typing import Any

from ._limits import HEARTBEAT_SILENCE_SECONDS_MAX
from ._services import iso_time
from ._store import Project, Run
from ._values import finite_number, strict_json


def project_view(project: Project, run_count: int, active_at: float | None) -> dict[str, Any]:
    return {
        "entity": project.entity,
        "name": project.name,
        "description": project.description,
        "access": project.access,
        "created_at": project.created_at,
        "runs": run_count,
        "active_at": active_at or project.created_at,
    }


def run_row(run: Run, now: float) -> dict[str, Any]:
    """What the run table knows of a run besides its config and summary."""
    return {
        "id": run.name,
        "name": run.display_name,
        "state": run.state_at(now),
        "user": run.user,
        "created_at": run.created_at,
        "seconds": run_seconds(run, now),
        "rows": run.history_count,
        "tags": json.loads(run.tags),
        "group": run.run_group,
        "job_type": run.job_type,
        "sweep": run.sweep,
        "notes": run.notes,
        # Changes whenever the run has something new to draw.
        "version": f"{run.rewrites}-{run.history_count}",
    }


def run_view(run: Run, now: float) -> dict[str, Any]:
    """A run with its config and its summary."""
    return {**run_row(run, now), "config": user_config(run), "summary": user_summary(run)}


def run_detail(run: Run, now: float) -> dict[str, Any]:
    """A run as its own page shows it."""
    return {
        **run_view(run, now),
        "entity": run.entity,
        "project": run.project,
        "ending": ending(run, now),
        "heartbeat_at": run.heartbeat_at,
        "stop_requested": run.stop_requested,
        "notes": run.notes,
        "program": run.program,
        "host": run.host,
        "commit": run.commit_hash,
        "log_lines": run.log_count,
        "events": run.events_count,
        "version": f"{run.rewrites}-{run.history_count}-{run.events_count}",
        **_internal_views(run),
    }


def _internal_views(run: Run) -> dict[str, Any]:
    """What the client's own part of the config says of charts of tables and of the classes in pictures."""
    value = _internal(run.config)
    shown = {"charts": "visualize", "mask_classes": "mask/class_labels", "box_classes": "bounding_box/class_labels"}
    views = {name: strict_json(value.get(key) or {}) for name, key in shown.items()}
    story = value.get("log")
    # What the uploader tells of the log: its sessions, and after which crash it was recovered.
    return {**views, "sessions": strict_json(story) if isinstance(story, list) else []}


def _internal(config: str) -> dict[str, Any]:
    entry = json.loads(config).get("_wandb")
    value = entry.get("value") if isinstance(entry, dict) else None
    return value if isinstance(value, dict) else {}


def ending(run: Run, now: float) -> str:
    """How the run ended, or that it has not, in one sentence."""
    state = run.state_at(now)
    silent_since = f"no sign of life since {iso_time(run.heartbeat_at)}"
    if state == "running":
        return "Asked to stop, still running." if run.stop_requested else "Still running."
    sentences = {
        "pending": "Created, not started yet.",
        "preempting": "Warned that its machine will be taken away.",
        "preempted": f"Its machine was taken away: {silent_since}.",
        "crashed": f"Crashed: {silent_since} (limit {HEARTBEAT_SILENCE_SECONDS_MAX:.0f} s).",
        "finished": "Finished.",
        "failed": "Failed.",
        "killed": "Stopped on request.",
    }
    sentence = sentences[state]
    if run.exit_code is None:
        return sentence
    return f"{sentence[:-1]} with exit code {run.exit_code}."


def run_seconds(run: Run, now: float) -> float:
    """How long the run ran: by its own account if it gave one, else by the server's clock."""
    summary = json.loads(run.summary)
    nested = summary.get("_wandb")
    nested_runtime = nested.get("runtime") if isinstance(nested, dict) else None
    for runtime in (finite_number(summary.get("_runtime")), finite_number(nested_runtime)):
        if runtime is not None and runtime >= 0:
            return runtime
    end = now if run.state_at(now) == "running" else run.finished_at or run.heartbeat_at
    return max(0.0, end - run.created_at)


def user_config(run: Run) -> dict[str, Any]:
    """The config without the protocol's own entries and without its wrapping."""
    config = json.loads(run.config)
    return {
        key: strict_json(entry["value"] if isinstance(entry, dict) and "value" in entry else entry)
        for key, entry in config.items()
        if key not in ("_wandb", "wandb_version")
    }


def step_metrics(config: str) -> dict[str, str]:
    """Which metrics are drawn over another, by name or pattern, as `define_metric` said.

    The definitions are a list under ``_wandb.m`` with numbers for keys: 1 is a name, 2 a pattern, 5 the place of
    the step metric in the list, counted from 1.
    """
    found = _internal(config).get("m")
    definitions = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    result = {}
    for one in definitions:
        place, name = one.get("5"), one.get("1") or one.get("2")
        if isinstance(place, int) and 0 < place <= len(definitions) and isinstance(name, str):
            step = definitions[place - 1].get("1")
            if isinstance(step, str):
                result[name] = step
    return result


def user_summary(run: Run) -> dict[str, Any]:
    summary = json.loads(run.summary)
    return {key: strict_json(value) for key, value in summary.items() if key != "_wandb"}
