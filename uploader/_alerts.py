"""Alerts of a run: each once, in order.

A server has no number for an alert, so a repeated one would be a second message. But it drops an alert whose title it
has seen within `waitDuration`. The first attempt carries the wait that the user asked for. An attempt after one whose
outcome isn't known carries at least the time since then, and one that may have arrived at any time since it was logged,
because it was parked or the cursor was lost, the time since that: so the server drops it if an earlier one has arrived.
"""

from __future__ import annotations

import time
from typing import Any, Callable, Dict, List, Tuple

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
    logged = _logged(cursor)
    while cursor.alerts < len(logged):
        alert = logged[cursor.alerts]
        _send(transport, path, cursor, save, cursor.alerts, alert, alert.time < cursor.begun)
        cursor.alerts += 1
        save()


def send_parked_alerts(
    transport: Transport, path: Tuple[str, str, str], cursor: Cursor, save: Callable[[], None]
) -> None:
    """Try those once more that were refused."""
    for number, alert in enumerate(_logged(cursor)[: cursor.alerts]):
        name = _name(number, alert)
        if name in cursor.parked_items and _send(transport, path, cursor, save, number, alert, True):
            del cursor.parked_items[name]
            save()


def _logged(cursor: Cursor) -> List[Alert]:
    return [Alert(**fields) for fields in (cursor.state or {}).get("alerts", ())]


def _name(number: int, alert: Alert) -> str:
    """How an alert is called in `status`."""
    return f"alert {number + 1}, {alert.title!r}"


def _send(
    transport: Transport, path: Tuple[str, str, str], cursor: Cursor, save: Callable[[], None], number: int,
    alert: Alert, may_be_there: bool,
) -> bool:  # fmt: skip
    """Whether the server took it; otherwise it is parked."""
    since, cursor.alerting = cursor.alerting, cursor.alerting or time.time()
    if not since:
        save()
    try:
        variables = _variables(alert, path, alert.time if may_be_there else since)
        transport.graphql("NotifyScriptableRunAlert", NOTIFY_ALERT, variables)
        taken = True
    except Refused as error:
        cursor.parked_items[_name(number, alert)] = str(error)
        taken = False
    cursor.alerting = 0.0
    return taken


def _variables(alert: Alert, path: Tuple[str, str, str], since: float) -> Dict[str, Any]:
    wait = alert.wait_seconds
    if since:
        wait = max(wait, time.time() - since + _SLACK_SECONDS)
    severity = alert.level.upper()
    return {
        "entityName": path[0], "projectName": path[1], "runName": path[2], "title": alert.title, "text": alert.text,
        "severity": severity if severity in _SEVERITIES else "INFO", "waitDuration": int(wait * 1000),
    }  # fmt: skip
