"""Alerts of a run: each once, in order.

A server has no number for an alert, so a repeated one would be a second message. But it drops an alert whose title it
has seen within `waitDuration`. The first attempt carries the wait that the user asked for; an attempt after one whose
outcome isn't known carries at least the time since then, so that the server drops it if the first has arrived.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, Tuple

from wandb_storage import Alert

from ._cursor import Cursor
from ._documents import NOTIFY_ALERT
from ._errors import Refused
from ._transport import Transport

_SEVERITIES = ("INFO", "WARN", "ERROR")
# Between two clocks, and on the way.
_SLACK_SECONDS = 60.0


def send_alerts(transport: Transport, path: Tuple[str, str, str], cursor: Cursor, save: Callable[[], None]) -> None:
    """Bring the alerts of the acknowledged records to the server; what it refuses is parked."""
    assert cursor.state is not None
    alerts = [Alert(**fields) for fields in cursor.state["alerts"]]
    while cursor.alerts < len(alerts):
        alert = alerts[cursor.alerts]
        since, cursor.alerting = cursor.alerting, cursor.alerting or time.time()
        if not since:
            save()
        try:
            transport.graphql("NotifyScriptableRunAlert", NOTIFY_ALERT, _variables(alert, path, since))
        except Refused as error:
            cursor.parked_items[f"alert {alert.title!r}"] = str(error)
        cursor.alerts += 1
        cursor.alerting = 0.0
        save()


def _variables(alert: Alert, path: Tuple[str, str, str], since: float) -> Dict[str, Any]:
    wait = alert.wait_seconds
    if since:
        wait = max(wait, time.time() - since + _SLACK_SECONDS)
    severity = alert.level.upper()
    return {
        "entityName": path[0], "projectName": path[1], "runName": path[2], "title": alert.title, "text": alert.text,
        "severity": severity if severity in _SEVERITIES else "INFO", "waitDuration": int(wait * 1000),
    }  # fmt: skip
