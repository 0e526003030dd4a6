"""What `wandb replay` sends: a branch, a range, a whole run to another server."""

from __future__ import annotations

import json
from typing import Any, List

from live_server import LiveServer
from shells import Shell, write_run


def steps_at(server: LiveServer, run_id: str, project: str = "digits") -> List[int]:
    """The steps of the rows that the server holds."""
    rows: Any = server.run("history", run_id, project)["history"]
    return [json.loads(row)["_step"] for row in rows]


def test_a_run_that_went_back_is_told_to_the_server(shell: Shell, server: LiveServer) -> None:
    write_run(shell.folder, "back", 20)
    assert shell("sync", "back", "--url", server.url, key=server.key).returncode == 0
    assert steps_at(server, "back") == list(range(20))
    assert shell("replay", "back", "--rewind-to", "7").returncode == 0
    assert shell("sync", "back", "--url", server.url, key=server.key).returncode == 0
    assert steps_at(server, "back") == list(range(8))


def test_a_fork_is_a_run_of_its_own_at_the_server(shell: Shell, server: LiveServer) -> None:
    write_run(shell.folder, "source", 20)
    assert shell("replay", "source", "--fork-at", "4", "--id", "forked").returncode == 0
    assert shell("sync", "forked", "--url", server.url, key=server.key).returncode == 0
    assert steps_at(server, "forked") == list(range(5))


def test_the_uploader_carries_the_branch_of_an_online_run(shell: Shell, server: LiveServer) -> None:
    write_run(shell.folder, "online", 5, offline=False)
    shell.environment["WANDB_BASE_URL"] = server.url
    outcome = shell("replay", "online", "--fork-at", "2", "--id", "branch", key=server.key)
    assert outcome.returncode == 0, outcome.stderr
    assert f"It is uploaded to {server.url} in the background" in outcome.stdout
    # While the uploader has the run, this shows its progress.
    assert shell("sync", "branch", key=server.key).returncode == 0
    assert steps_at(server, "branch") == [0, 1, 2]
    del shell.environment["WANDB_API_KEY"]
    outcome = shell("replay", "online", "--fork-at", "2", "--id", "branch2")
    assert "There is no API key" in outcome.stdout


def test_a_range_goes_to_another_server(shell: Shell, server: LiveServer) -> None:
    write_run(shell.folder, "part", 20)
    to = ("--to", server.url, "--project", "elsewhere", "--id", "piece")
    outcome = shell("replay", "part", *to, "--from-step", "5", "--to-step", "9", key=server.key)
    assert outcome.returncode == 0, outcome.stderr
    assert "done, 5 rows" in outcome.stdout
    assert steps_at(server, "piece", "elsewhere") == [5, 6, 7, 8, 9]
    timed = shell("replay", "part", "--to", server.url, "--id", "timed", "--from-time", "+15s", key=server.key)
    assert timed.returncode == 0, timed.stderr
    assert steps_at(server, "timed") == [15, 16, 17, 18, 19]
    nothing = shell("replay", "part", "--to", server.url, "--from-time", "+1h", key=server.key)
    assert (nothing.returncode, "no row in that time" in nothing.stderr) == (1, True)


def test_whole_runs_go_to_another_server(shell: Shell, server: LiveServer) -> None:
    for run_id in ("whole1", "whole2"):
        write_run(shell.folder, run_id, 3)
    outcome = shell("replay", "whole*", "--to", server.url, key=server.key)
    assert (outcome.returncode, outcome.stdout.count("done, 3 rows")) == (0, 2)
    both = shell("replay", "whole*", "--to", server.url, "--id", "x", key=server.key)
    assert (both.returncode, "--id names one run" in both.stderr) == (1, True)
