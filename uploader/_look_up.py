"""What a server holds of a run, for whoever wants to go on with it on a machine that doesn't have its log."""

from __future__ import annotations

import contextlib
import json
from typing import Any, Dict, List, NamedTuple, Optional

from ._credentials import find_api_key
from ._documents import RUN_RESUME_STATUS
from ._errors import CredentialError, TransientError
from ._home import normalize_url
from ._transport import Transport


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
    base_url: str, entity: Optional[str], project: Optional[str], run_id: str, key: Optional[str] = None
) -> Optional[HeldRun]:
    """The run, or None where the server has none of that id that really began.

    Raises UploadError where the server can't be asked, or says no.
    """
    base_url = normalize_url(base_url)
    key = key or find_api_key(base_url)
    if not key:
        raise CredentialError(f"there is no API key for {base_url}; run `wandb login` or set WANDB_API_KEY")
    with contextlib.closing(Transport(base_url, lambda: key)) as transport:
        variables = {"entity": entity, "project": project, "name": run_id}
        model = transport.graphql("RunResumeStatus", RUN_RESUME_STATUS, variables).get("model")
    try:
        bucket = model.get("bucket") if model else None
        if not model or not bucket or "t" not in _object(bucket.get("wandbConfig")):
            return None
        return _held(model, bucket)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TransientError(f"RunResumeStatus at {base_url}: the reply makes no sense ({error})") from None


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
