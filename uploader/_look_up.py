"""What a server holds of a run, for whoever wants to go on with it on a machine that doesn't have its log."""

from __future__ import annotations

import json
import os
from typing import Any, Dict, List, Mapping, NamedTuple, Optional

from ._destination import connection
from ._documents import HISTORY_PAGE, RUN_RESUME_STATUS
from ._errors import Refused, TransientError
from ._transport import Transport

# Metrics that weren't logged in so many rows are not in the summary of a run that branches off.
_ROWS = 1000


class HeldRun(NamedTuple):
    """A run as its server knows it."""

    entity: Optional[str]
    project: Optional[str]
    name: Optional[str]
    notes: Optional[str]
    tags: List[str]
    config: Dict[str, Any]
    summary: Dict[str, Any]
    next_step: int
    runtime: float


def look_up_run(
    base_url: str, entity: Optional[str], project: Optional[str], run_id: str,
    environment: Mapping[str, str] = os.environ, step: Optional[int] = None,
) -> Optional[HeldRun]:  # fmt: skip
    """The run, or None where the server has none of that id that really began. With a `step`, its summary is what the
    last rows up to there say. The credentials are those of `environment`.

    Raises UploadError where the server can't be asked, or says no.
    """
    with connection(base_url, environment) as transport:
        variables = {"entity": entity, "project": project, "name": run_id}
        model = transport.graphql("RunResumeStatus", RUN_RESUME_STATUS, variables).get("model")
        rows = _rows_up_to(transport, model, run_id, step) if model and step is not None else None
    try:
        bucket = model.get("bucket") if model else None
        if not model or not bucket or "t" not in _object(bucket.get("wandbConfig")):
            return None
        held = _held(model, bucket)
        return held if rows is None else held._replace(summary=_added_up(rows))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TransientError(f"RunResumeStatus at {transport.host}: the reply makes no sense ({error})") from None


def _rows_up_to(transport: Transport, model: Dict[str, Any], run_id: str, step: int) -> List[str]:
    """The rows before a step and at it, as far back as a summary is worth looking."""
    names = {"entity": (model.get("entity") or {}).get("name"), "project": model.get("name"), "run": run_id}
    page = {"minStep": max(0, step + 1 - _ROWS), "maxStep": step + 1, "pageSize": _ROWS}
    try:
        data = transport.graphql("HistoryPage", HISTORY_PAGE, {**names, **page})
        return list(data["project"]["run"]["history"])
    except (Refused, KeyError, TypeError):
        return []  # a server that shows no history: the summary begins empty


def _added_up(rows: List[str]) -> Dict[str, Any]:
    summary: Dict[str, Any] = {}
    for row in rows:
        summary.update(_object(row))
    return {key: value for key, value in summary.items() if not key.startswith("_")}


def _held(model: Dict[str, Any], bucket: Dict[str, Any]) -> HeldRun:
    summary = _object(bucket.get("summaryMetrics"))
    row, event = _last(bucket.get("historyTail")), _last(bucket.get("eventsTail"))
    own = summary.pop("_wandb", None)
    runtimes = [row.get("_runtime"), event.get("_runtime"), own.get("runtime") if isinstance(own, dict) else None]
    step = row.get("_step", summary.get("_step"))
    return HeldRun(
        entity=(model.get("entity") or {}).get("name"),
        project=model.get("name"),
        name=bucket.get("displayName"),
        notes=bucket.get("notes"),
        tags=[str(tag) for tag in bucket.get("tags") or ()],
        config={
            key: entry["value"] if isinstance(entry, dict) and "value" in entry else entry
            for key, entry in _object(bucket.get("config")).items()
            if key != "_wandb"
        },
        summary={key: value for key, value in summary.items() if not key.startswith("_")},
        next_step=int(step) + 1 if bucket.get("historyLineCount") and isinstance(step, (int, float)) else 0,
        runtime=max((float(one) for one in runtimes if isinstance(one, (int, float))), default=0.0),
    )


def _object(text: Optional[str]) -> Dict[str, Any]:
    value = json.loads(text) if text else {}
    return value if isinstance(value, dict) else {}


def _last(text: Optional[str]) -> Dict[str, Any]:
    """The last row of a tail: a JSON list of rows, each of them JSON text."""
    rows = json.loads(text) if text else []
    return _object(rows[-1]) if rows else {}
