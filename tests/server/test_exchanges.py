"""The requests of a whole run as a client sends them, in order, against what it needs from the answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from live_server import LiveServer


def holds(answer: Any, expected: Any) -> bool:
    """Whether an answer has everything that is expected; objects may have more."""
    if isinstance(expected, dict):
        return isinstance(answer, dict) and all(
            name in answer and holds(answer[name], value) for name, value in expected.items()
        )
    if isinstance(expected, list):
        return len(answer) == len(expected) and all(map(holds, answer, expected))
    return bool(answer == expected)


def test_a_whole_run_is_answered_as_clients_expect(server: LiveServer) -> None:
    text = (Path(__file__).parent / "exchanges.json").read_text(encoding="utf-8")
    for exchange in json.loads(text.replace("$user", server.user)):
        response = server.post(exchange["path"], exchange["body"])
        assert response.status_code == 200, exchange["about"]
        assert holds(response.json(), exchange["expect"]), (exchange["about"], response.json())
