"""The official client and this one read the same project from `wandb server`, value by value."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Sequence

import pytest
from live_server import LiveServer
from peer import Peer

import wandb

PROGRAM = Path(__file__).with_name("read_everything.py")


def log_project(project: str, runs: int) -> None:
    """Runs with what is hard to read back."""
    noise = random.Random(7)
    for number in range(runs):
        config = {"number": number, "opt": {"name": f"o{number}"}, "list": [1, [2.5, None]], "flag": True}
        with wandb.init(
            project=project, name=f"run-{number}", config=config, notes=f"n{number}", group="g", job_type="train",
            tags=["even"] if number % 2 == 0 else ["odd"],
        ) as run:  # fmt: skip
            for step in range(12):
                row: Dict[str, Any] = {
                    "loss": noise.random() / (number + 1),
                    "nested": {"x": step},
                    "text": "é",
                    "n": 1,
                }
                if step % 3 == 0:
                    row["every third"] = step
                if step == 5:
                    row.update(odd=float("nan"), infinite=float("-inf"), large=2**53 + 1)
                run.log(row, step=step if step < 10 else step * 100)
            Path("extra.txt").write_text("extra")
            run.save("extra.txt", policy="now")
            print("one\ntwo\nthree")


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
    errors, their_errors = own.pop("errors"), theirs.pop("errors")
    assert differences(own, theirs) == {}
    # An error of this client's is at least what callers catch of the other's.
    assert [case for case, kinds in their_errors.items() if set(kinds) - set(errors[case])] == []
    official.run(program, "change", "changed-1")
    assert differences(see("change", "changed-2"), official.result(), _OF_THE_RUN) == {}


# Of two runs these differ by themselves.
_OF_THE_RUN = ("id", "path", "url", "created", "beat", "storage", "repr", "project", "_timestamp", "_runtime", "_wandb")


def differences(own: Any, official: Any, ignored: Sequence[str] = (), where: str = "") -> Dict[str, Any]:
    """Place -> (own, official) where they differ."""
    found: Dict[str, Any] = {}
    if isinstance(own, dict) and isinstance(official, dict):
        for key in {*own, *official} - set(ignored):
            missing = "missing"
            found.update(differences(own.get(key, missing), official.get(key, missing), ignored, f"{where}.{key}"))
        return found
    if isinstance(own, list) and isinstance(official, list) and len(own) == len(official):
        for place, (one, other) in enumerate(zip(own, official)):
            found.update(differences(one, other, ignored, f"{where}[{place}]"))
        return found
    same = own == official or (own != own and official != official)
    return {} if same else {where: (own, official)}
