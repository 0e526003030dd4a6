"""What OpenAI's files and jobs hold: metrics in CSV, conversations in lines of JSON, a job's fields."""

from __future__ import annotations

import base64
import binascii
import contextlib
import csv
import io
import json
import math
from datetime import datetime
from typing import Any, Dict, List

from ...data_types import Table


def metrics_of(content: bytes) -> List[Dict[str, float]]:
    """The rows of a file of results, without what has no number.

    >>> metrics_of(b"step,train_loss,valid_loss\\n1,0.5,\\n")
    [{'step': 1.0, 'train_loss': 0.5}]

    OpenAI gives it as base64, and that of old jobs as it is.
    """
    with contextlib.suppress(binascii.Error):
        content = base64.b64decode(content, validate=True)
    found = []
    for row in csv.DictReader(io.StringIO(content.decode("utf-8"))):
        numbers = {name: _number(value) for name, value in row.items() if name}
        found.append({name: value for name, value in numbers.items() if not math.isnan(value)})
    return found


def _number(text: Any) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        return math.nan


def conversations(content: bytes) -> Table:
    r"""A row each conversation of a file of training data, a column each role.

    >>> line = b'{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}\n'
    >>> table = conversations(line)
    >>> table.columns, table.data
    (['role: user', 'role: assistant'], [['?', '!']])

    Several messages of a role are lines of one cell. Raises ValueError for what are no conversations.
    """
    rows: List[Dict[str, List[str]]] = []
    for number, line in enumerate(content.decode("utf-8").splitlines(), 1):
        if not line.strip():
            continue
        row: Dict[str, List[str]] = {}
        try:
            for message in json.loads(line)["messages"]:
                said = message.get("content")
                row.setdefault(message["role"], []).append(said if isinstance(said, str) else json.dumps(said))
        except (KeyError, TypeError, AttributeError, ValueError):
            raise ValueError(f'line {number} has no "messages" with a "role" and a "content"') from None
        rows.append(row)
    roles = list(dict.fromkeys(role for row in rows for role in row))
    table = Table(columns=[f"role: {role}" for role in roles])
    for row in rows:
        table.add_data(*("\n".join(row[role]) if role in row else None for role in roles))
    return table


def fields_of(job: Any) -> Dict[str, Any]:
    """All fields of a job as plain values, as OpenAI has sent them."""
    fields: Dict[str, Any] = job.model_dump(mode="json")
    return fields


def settings_of(job: Any) -> Dict[str, Any]:
    """A job's fields as the config shows them: times as text, the one file of results by its id."""
    fields = fields_of(job)
    for name in ("created_at", "finished_at"):
        if fields.get(name):
            fields[name] = datetime.fromtimestamp(fields[name]).strftime("%Y-%m-%d %H:%M:%S")
    if fields.get("result_files"):
        fields["result_files"] = fields["result_files"][0]
    return fields
