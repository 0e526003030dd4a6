"""The official client and this one read the same project from `wandb server`, value by value."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from live_server import LiveServer
from logged_projects import differences, log_project
from peer import Peer

PROGRAM = Path(__file__).with_name("read_everything.py")
# Of two runs these differ by themselves.
_OF_THE_RUN = ("id", "path", "url", "created", "beat", "storage", "repr", "project", "_timestamp", "_runtime", "_wandb")


def see(what: str, project: str) -> Any:
    """What this client sees, in a process of its own as the other."""
    subprocess.run([sys.executable, str(PROGRAM), what, project], check=True, timeout=180)
    return json.loads(Path("result.json").read_text())


@pytest.mark.peer
def test_both_clients_see_and_change_the_same(server: LiveServer, tmp_path: Path) -> None:
    log_project("same", 3)
    log_project("changed-1", 1)
    log_project("changed-2", 1)
    official = Peer("0.31.0", server, tmp_path / "official")
    program = PROGRAM.read_text()
    official.run(program, "read", "same")
    own, theirs = see("read", "same"), official.result()
    errors, their_errors = own.pop("errors"), dict(theirs.pop("errors"))  # type: ignore[call-overload]
    assert differences(own, theirs) == {}
    # An error of this client's is at least what callers catch of the other's.
    assert [case for case, kinds in their_errors.items() if set(kinds) - set(errors[case])] == []
    official.run(program, "change", "changed-1")
    assert differences(see("change", "changed-2"), official.result(), _OF_THE_RUN) == {}
