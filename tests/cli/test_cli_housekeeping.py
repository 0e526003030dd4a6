"""`wandb ls`, `wandb gc` and `wandb doctor`: what there is, what can go and why, what is wrong."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import json
import os
import random
import re
import time
from pathlib import Path
from typing import Any, Dict, List

import pytest
from live_server import LiveServer
from shells import Shell, free_port, write_run

from wandb.cli._installed import compare
from wandb_storage import Log, RowFlag


def document(shell: Shell, *arguments: str) -> Any:
    return json.loads(shell(*arguments).stdout)


def findings(shell: Shell, *arguments: str) -> Dict[str, Any]:
    return {one["what"]: one for one in document(shell, "doctor", "--json", *arguments)["findings"]}


def uploaded(shell: Shell, server: LiveServer, run_id: str, rows: int = 3) -> Path:
    folder = write_run(shell.folder, run_id, rows)
    assert shell("sync", run_id, "--url", server.url, key=server.key).returncode == 0
    return folder


def test_ls_tells_state_rows_size_and_lag(shell: Shell) -> None:
    write_run(shell.folder, "aaa", 3)
    write_run(shell.folder, "bbb", 5, offline=False, end=False)
    lines = shell("ls").stdout.splitlines()
    assert lines[0].split() == ["RUN", "NAME", "PROJECT", "STATE", "STARTED", "ROWS", "SIZE", "LAG"]
    assert lines[1].split()[0] == "bbb", "the newest first"
    assert ["offline" in line for line in lines[1:]] == [False, True]
    runs = {run["id"]: run for run in document(shell, "ls", "--json")["runs"]}
    assert (runs["aaa"]["rows"], runs["aaa"]["state"], runs["bbb"]["state"]) == (3, "finished", "unknown")
    assert runs["bbb"]["lag_seconds"] > 0
    assert [run["id"] for run in document(shell, "ls", "--json", "--state", "finished")["runs"]] == ["aaa"]
    assert [run["id"] for run in document(shell, "ls", "--json", "-n", "1")["runs"]] == ["bbb"]
    assert document(shell, "ls", "--json", "--project", "other")["runs"] == []
    none = shell("ls", "--state", "crashed")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "There are no crashed runs in wandb.\n")


def test_gc_says_what_would_go_and_why_and_asks(shell: Shell, server: LiveServer) -> None:
    done, left = uploaded(shell, server, "done"), write_run(shell.folder, "left", 3)
    plan = shell("gc", "--older-than", "1d")
    assert "Nothing to remove" in plan.stdout
    assert f"stays: {done.name}: it is younger" in plan.stdout
    assert f"stays: {left.name}: no server has anything of it" in plan.stdout
    asked = shell("gc", "--older-than", "0s")
    assert (asked.returncode, done.exists()) == (1, True)
    assert "all of it is uploaded" in asked.stdout
    assert "takes --yes where nobody can be asked" in asked.stderr
    assert shell("gc", "--older-than", "0s", "--dry-run").returncode == 0
    removed = shell("gc", "--older-than", "0s", "--yes")
    assert removed.returncode == 0
    assert (done.exists(), left.exists()) == (False, True)


def test_gc_keeps_to_a_budget(shell: Shell, server: LiveServer) -> None:
    folder = uploaded(shell, server, "large", 3)
    with Log.open(folder) as log:
        for step in range(3, 4000):
            row = dict(zip("abcdef", (random.random() for _ in range(6))))
            log.append_row(row, step, 1.7e9, int(RowFlag.COMMIT))
    assert shell("sync", "large", "--url", server.url, key=server.key).returncode == 0
    plan = document(shell, "gc", "--budget", "1KB", "--json")
    assert plan["removed_bytes"] is None
    assert plan["parts"][0]["reason"].startswith("over the budget; records 1 to ")
    done = document(shell, "gc", "--budget", "1KB", "--json", "--yes")
    assert done["removed_bytes"] > 100_000
    assert "finished" in shell("replay", "large").stdout, "what the log added up to stays"
    assert shell("gc", "--budget", "much").returncode == 2


def test_gc_removes_leftovers(shell: Shell, server: LiveServer) -> None:
    folder = uploaded(shell, server, "gone")
    states = list((folder.parent / ".uploader").glob(f"*/{folder.name}.json"))
    assert len(states) == 1
    folder.rename(folder.parent / "elsewhere")
    stray = write_run(shell.folder, "other", 1) / ".run-other.checkpoint.new"
    stray.write_bytes(b"half")
    before = time.time() - 7200
    for path in (*states, stray):
        os.utime(path, (before, before))
    leftovers = document(shell, "gc", "--json", "--yes")["leftovers"]
    assert {Path(one["path"]).name for one in leftovers} >= {stray.name, states[0].name}
    assert not stray.exists()
    assert not states[0].exists()


def test_doctor_finds_nothing_wrong_with_a_good_machine(shell: Shell, server: LiveServer) -> None:
    shell.environment.update(WANDB_BASE_URL=server.url, WANDB_API_KEY=server.key)
    outcome = shell("doctor")
    assert outcome.returncode == 0, outcome.stdout
    assert "✖" not in outcome.stdout
    found = findings(shell)
    assert {"python", "installation", "folder", "disk", "credentials", "server", "clock", "account"} <= set(found)
    assert f"logged in as {server.user}" in found["account"]["text"]
    assert "a log is written, synced and read" in found["folder"]["text"]
    assert server.key not in outcome.stdout
    assert list(shell.folder.glob("**/.wandb-doctor*")) == []


def test_doctor_names_what_is_wrong_and_the_way_on(shell: Shell, server: LiveServer) -> None:
    shell.environment.update(WANDB_BASE_URL=server.url)
    netrc = Path(shell.environment["NETRC"])
    netrc.write_text("# mine\n")
    netrc.chmod(0o644)
    outcome = shell("doctor", "--json")
    found = {one["what"]: one for one in json.loads(outcome.stdout)["findings"]}
    assert (outcome.returncode, found["account"]["state"]) == (1, "error"), "the server doesn't know the key"
    assert found["netrc"]["advice"] == f"chmod 600 {netrc}"
    away = findings(shell, "--host", f"http://127.0.0.1:{free_port()}")
    assert away["server"]["state"] == "error"
    assert "Connection refused" in away["server"]["text"]
    shell.environment["WANDB_API_KEY"] = "short"
    assert "at least 40" in findings(shell, "--offline")["credentials"]["text"]
    del shell.environment["WANDB_API_KEY"]
    assert findings(shell, "--offline")["credentials"]["state"] == "warning"
    assert "server" not in findings(shell, "--offline")


def test_doctor_tells_of_logs_and_of_what_was_refused(shell: Shell) -> None:
    folder = write_run(shell.folder, "bad", 3)
    (folder / "run-bad.wandb").write_bytes(b"something else" * 1000)
    found = findings(shell, "--offline")
    assert "1 log can't be read, or not to the end: bad" in found["logs"]["text"]
    assert shell("doctor", "--offline").returncode == 1


def test_a_log_that_ends_in_damage_is_seen_in_lists_and_by_doctor(shell: Shell) -> None:
    path = write_run(shell.folder, "torn", 3) / "run-torn.wandb"
    raw = bytearray(path.read_bytes())
    frames = [found.end() for found in re.finditer(re.escape(b"\x28\xb5\x2f\xfd"), raw)]  # as zstd begins them
    for place in frames:
        raw[place + 36] ^= 0xFF
    path.write_bytes(raw)
    assert [run["id"] for run in document(shell, "ls", "--json", "--state", "damaged")["runs"]] == ["torn"]
    assert "damaged" in shell("status").stdout
    assert "1 log can't be read, or not to the end: torn" in findings(shell, "--offline")["logs"]["text"]
    saved = shell("verify", "torn", "--salvage", "saved")
    assert "torn: damaged" in saved.stdout, "whatever is left to save"


def make_package(site: Path, files: Dict[str, bytes]) -> importlib.metadata.Distribution:
    """A package as an installer leaves it."""
    record: List[str] = []
    for name, content in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        record.append(f"{name},sha256={digest},{len(content)}")
    info = site / "wandb-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wandb\nVersion: 1.0\n")
    (info / "RECORD").write_text("\n".join(record))
    return importlib.metadata.PathDistribution(info)


def test_a_half_overwritten_installation_is_seen(tmp_path: Path) -> None:
    files = {"wandb/__init__.py": b"one", "wandb/run.py": b"two", "wandb_storage/__init__.py": b"three"}
    distribution = make_package(tmp_path, files)
    whole = compare(tmp_path / "wandb", "1.0", distribution)
    assert (whole.problems, whole.files, whole.editable) == ([], 3, False)
    (tmp_path / "wandb" / "__init__.py").write_bytes(b"another's")
    (tmp_path / "wandb" / "run.py").unlink()
    (tmp_path / "wandb" / "stray.py").touch()
    (tmp_path / "wandb" / "proto").mkdir()
    problems = " ".join(compare(tmp_path / "wandb", "2.0", distribution).problems)
    for expected in ("proto belongs to another", "is 1.0, and its code 2.0", "run.py is missing", "__init__.py is not "
                     "what was installed", "stray.py was left"):  # fmt: skip
        assert expected in problems
    assert "no distribution" in compare(tmp_path / "wandb", "1.0", None).problems[-1]


@pytest.mark.parametrize("command", ["ls", "gc", "doctor"])
def test_a_folder_without_runs_is_no_trouble(shell: Shell, command: str) -> None:
    assert shell(command, *(["--offline"] if command == "doctor" else [])).returncode == 0
