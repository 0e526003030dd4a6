"""Real libraries, each once with the official client and once with ours: the server receives the same.

`tox -e integration-xgboost`, and so on, run these with one library each; elsewhere they are skipped. To add a library:

1. A script in `scripts/`, `NAME_.py`, or several, `NAME_WHAT.py`, that use it as its users do: on the CPU, without
   downloads, in seconds, with fixed seeds, as runs of the project WANDB_PROJECT. Whatever the library can bring to a
   run belongs into it.
2. NAME in `tox.ini`, with what is to be installed.
3. `tox -e integration-NAME`. What differs is printed, a line a value: mend it, or put it into the table in
   `differences.py`, with the reason.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Dict

import pytest
from clients import CLIENTS, OFFICIAL, OURS, Ran, run_script
from differences import compare, unexpected, unused
from own_server import Server
from received import received

# The name of the environment of tox, or of the library alone.
LIBRARY = os.environ.get("WANDB_TEST_LIBRARY", "").removeprefix("integration-")
SCRIPTS = sorted(path.stem for path in (Path(__file__).parent / "scripts").glob(f"{LIBRARY or 'no library'}_*.py"))

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not LIBRARY, reason="tox -e integration-NAME runs this with a library"),
]


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_server_receives_the_same_from_both_clients(script: str, server: Server, tmp_path: Path) -> None:
    ran: Dict[str, Ran] = {}
    found = {}
    for client in CLIENTS:
        project = f"{script.strip('_')}-{client}"
        ran[client] = run_script(client, script, server, tmp_path, project)
        found[client] = received(server, project, ran[client].folder)
    assert len(found[OFFICIAL]) == len(found[OURS])
    left, used = unexpected(script.strip("_"), list(compare(found[OFFICIAL], found[OURS])))
    for reason, count in used.items():
        print(f"{count} values differ: {reason}")
    assert not left, "\n".join(map(str, left))
    assert not unused(script.strip("_"), used)
