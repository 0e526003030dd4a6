"""`wandb status` and `wandb sync`: what waits and why, and bringing it to a server."""

from __future__ import annotations

import json
import re

from live_server import LiveServer
from shells import KEY, Shell, free_port, write_run

from wandb_storage import Exit, FileSaved, Log, RowFlag


def test_status_tells_state_rows_and_what_waits(shell: Shell) -> None:
    write_run(shell.folder, "aaa", 3)
    write_run(shell.folder, "bbb", 0, offline=False)
    runs = shell.status()
    assert (runs["aaa"]["state"], runs["aaa"]["rows"], runs["aaa"]["acknowledged"]) == ("finished", 3, 0)
    assert runs["aaa"]["records"] == runs["aaa"]["waiting"] > 3
    assert runs["aaa"]["bytes"] > 0
    lines = shell("status").stdout.splitlines()
    assert lines[0].startswith("wandb: 2 runs, ")
    assert sorted(line.split()[0] for line in lines[2:]) == ["RUN", "aaa", "bbb"]
    assert any(line.startswith("aaa") and "offline" in line and "finished" in line for line in lines)
    assert "\x1b" not in "".join(lines)


def test_status_of_an_empty_place(shell: Shell) -> None:
    outcome = shell("status")
    assert (outcome.returncode, outcome.stdout) == (0, "There are no runs in wandb.\n")
    assert shell.status() == {}
    assert shell("status", "nowhere").returncode == 2


def test_status_of_a_large_log_tells_its_end_without_reading_it(shell: Shell) -> None:
    folder = write_run(shell.folder, "large", 0, end=False)
    with Log.open(folder) as log:
        for step in range(60_000):
            log.append_row({"a": step * 0.7390851332151607, "b": step**0.5}, step, 1.7e9, int(RowFlag.COMMIT))
        log.append(Exit(code=3))
        last = log.sequence
    run = shell.status()["large"]
    assert (run["state"], run["records"], run["rows"]) == ("failed", last, None)
    assert run["name"] == "name of large"


def test_status_names_a_log_that_cannot_be_read(shell: Shell) -> None:
    folder = write_run(shell.folder, "bad", 3)
    (folder / "run-bad.wandb").write_bytes(b"something else" * 1000)
    outcome = shell("status")
    assert outcome.returncode == 0
    assert "unreadable" in outcome.stdout
    assert str(folder.relative_to(shell.folder) / "run-bad.wandb") in outcome.stdout


def test_status_sees_a_living_writer(shell: Shell) -> None:
    folder = write_run(shell.folder, "live", 2, end=False)
    log = Log.open(folder)
    try:
        run = shell.status()["live"]
        assert (run["state"], run["committed"]) == ("running", run["records"])
        log.append_row({"a": 1}, 2, 1.7e9, int(RowFlag.COMMIT))
        run = shell.status()["live"]
        assert run["acknowledged"] == 0 < run["committed"] <= run["records"]
    finally:
        log.close()


def test_a_server_that_is_down_is_said_and_the_run_waits(shell: Shell) -> None:
    folder = write_run(shell.folder, "aaa", 3)
    url = f"http://127.0.0.1:{free_port()}"
    outcome = shell("sync", "--url", url, "--give-up", "0")
    assert outcome.returncode == 1
    assert f"wandb: ERROR {folder.name}: " in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert shell.status()["aaa"]["waiting"] > 0
    told = shell("status").stdout
    assert f"aaa to {url}: waits: " in told
    assert re.search(r"\(since [0-9:]+, again in \d+ s\)", told)
    (cursor,) = shell.folder.glob("wandb/.uploader/*/*aaa.json")
    waits = json.loads(cursor.read_text())
    waits["trouble"]["next_attempt"] -= 3600  # a day off, and no uploader lives
    cursor.write_text(json.dumps(waits))
    assert "nobody tries now, `wandb sync aaa` does)" in shell("status").stdout


def test_sync_brings_offline_runs_once(shell: Shell, server: LiveServer) -> None:
    write_run(shell.folder, "sync1", 20)
    write_run(shell.folder, "sync2", 5)
    write_run(shell.folder, "online", 5, offline=False)
    outcome = shell("sync", "--url", server.url, key=server.key)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.count(": done, ") == 2
    assert "done, 20 rows" in outcome.stdout
    assert server.url in outcome.stdout
    runs = shell.status()
    assert [runs[one]["waiting"] for one in ("sync1", "sync2")] == [0, 0]
    assert runs["sync1"]["uploads"][0]["rows_acked"] == 20
    told = shell("replay", "sync1").stdout
    assert "/digits/runs/sync1: all of it\n" in told
    assert json.loads(shell("replay", "sync1", "--json").stdout)["uploads"][0]["done"] is True
    again = shell("sync", "--url", server.url, key=server.key)
    assert (again.returncode, again.stdout) == (0, "")
    assert "Nothing to upload" in again.stderr
    rest = shell("sync", "--all", "--url", server.url, key=server.key)
    assert (rest.returncode, rest.stdout.count(": done, ")) == (0, 1)


def test_a_living_run_is_synced_to_its_end(shell: Shell, server: LiveServer) -> None:
    folder = write_run(shell.folder, "alive", 2, end=False)
    with Log.open(folder) as log:
        so_far = shell("sync", "alive", "--url", server.url, key=server.key)
        assert "2 rows so far, it is still running" in so_far.stdout
        log.append_row({"loss": 0.5}, 2, 1.7e9 + 2, int(RowFlag.COMMIT))
        with shell.start("sync", "alive", "--live", "--url", server.url, key=server.key) as process:
            while shell.status()["alive"]["acknowledged"] < log.sequence:
                assert process.poll() is None
            for step in range(3, 50):
                log.append_row({"loss": 0.5}, step, 1.7e9 + step, int(RowFlag.COMMIT))
            log.append(Exit(code=0, time=1.7e9 + 50))
            log.close()
            told, _ = process.communicate(timeout=60)
    assert (process.returncode, "alive: done, 50 rows" in told) == (0, True), told


def test_sync_takes_ids_files_and_patterns(shell: Shell, server: LiveServer) -> None:
    first, second = write_run(shell.folder, "named1", 1), write_run(shell.folder, "named2", 1)
    write_run(shell.folder, "named3", 1)
    file = str((first / "run-named1.wandb").relative_to(shell.folder))
    outcome = shell("sync", "named3", file, f"wandb/*{second.name[-6:]}", "--url", server.url, key=server.key)
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stdout.count("done, 1 row ") == 3
    assert shell("sync", "nobody", "--url", server.url).returncode == 3
    assert shell("sync", "wandb/nothing*", "--url", server.url).returncode == 3


def test_a_key_that_the_server_refuses_ends_it(shell: Shell, server: LiveServer) -> None:
    write_run(shell.folder, "refused", 1)
    outcome = shell("sync", "--url", server.url)
    assert outcome.returncode == 5
    assert "API key" in outcome.stderr
    assert KEY not in outcome.stderr


def test_a_file_that_is_gone_is_said(shell: Shell, server: LiveServer) -> None:
    folder = write_run(shell.folder, "nofile", 2, end=False)
    with Log.open(folder) as log:
        log.append(FileSaved(path="model.npz", policy="now"))
        log.append(Exit(code=0))
    outcome = shell("sync", "--url", server.url, key=server.key)
    assert outcome.returncode == 1
    assert "the file model.npz was not uploaded" in outcome.stderr
    assert "done, 2 rows" in outcome.stdout


def test_a_key_in_the_settings_file_is_used(shell: Shell, server: LiveServer) -> None:
    folder = write_run(shell.folder, "filed", rows=3)
    del shell.environment["WANDB_API_KEY"]
    (shell.folder / "config").mkdir()
    (shell.folder / "config" / "settings").write_text(f"[default]\nbase_url = {server.url}\napi_key = {server.key}\n")
    outcome = shell("sync", str(folder))
    assert outcome.returncode == 0, outcome.stderr
    assert server.key not in outcome.stdout + outcome.stderr


def test_what_was_refused_is_tried_again_when_asked_for(shell: Shell, server: LiveServer) -> None:
    folder = write_run(shell.folder, "parked", 2, end=False)
    with Log.open(folder) as log:
        log.append(FileSaved(path="model.npz", policy="end"))
        log.append(Exit(code=0))
    first = shell("sync", "--url", server.url, key=server.key)
    assert (first.returncode, "--retry-parked" in first.stderr) == (1, True)
    (folder / "files" / "model.npz").write_bytes(b"here")
    assert "Nothing to upload" in shell("sync", "--url", server.url, key=server.key).stderr
    again = shell("sync", "--retry-parked", "--url", server.url, key=server.key)
    assert again.returncode == 0, again.stderr


def test_a_run_goes_elsewhere_and_in_part(shell: Shell, server: LiveServer) -> None:
    write_run(shell.folder, "whole", 20)
    options = ["--id", "part", "--project", "elsewhere", "--from-step", "5", "--to-step", "9", "--url", server.url]
    for _ in range(2):
        outcome = shell("sync", "whole", *options, key=server.key)
        assert outcome.returncode == 0, outcome.stderr
        assert "done, 5 rows" in outcome.stdout
        assert "/elsewhere/runs/part" in outcome.stdout
    assert shell.status()["whole"]["acknowledged"] == 0, "the run itself is nowhere yet"
    assert "done, 20 rows" in shell("sync", "whole", "--url", server.url, key=server.key).stdout
    write_run(shell.folder, "second", 1)
    both = shell("sync", "whole", "second", "--id", "x", "--url", server.url)
    assert (both.returncode, "--id names one run" in both.stderr) == (1, True)


def test_looking_uploads_nothing(shell: Shell) -> None:
    write_run(shell.folder, "aaa", 3)
    write_run(shell.folder, "bbb", 4)
    url = f"http://127.0.0.1:{free_port()}"
    plan = shell("sync", "--dry-run", "--exclude", "b*", "--url", url)
    assert plan.returncode == 0
    assert "-aaa: 6 of 6 records" in plan.stdout
    assert "bbb" not in plan.stdout
    seen = shell("sync", "wandb", "--view", "--include", "x*,bbb")
    assert "-bbb: name of bbb (digits/bbb), finished" in seen.stdout
    assert "4 rows" in seen.stdout
    assert "aaa" not in seen.stdout


def test_a_run_that_went_on_after_it_was_synced_is_synced_again(shell: Shell, server: LiveServer) -> None:
    folder = write_run(shell.folder, "more", 3)
    assert shell("sync", "--url", server.url, key=server.key).returncode == 0
    assert (shell.status()["more"]["acknowledged"], shell.status()["more"]["waiting"]) == (6, 0)
    with Log.open(folder) as log:
        log.append_row({"loss": 0.5}, 3, 1.7e9 + 3, int(RowFlag.COMMIT))
        log.append(Exit(code=0, time=1.7e9 + 4))
    assert shell("sync", "--url", server.url, key=server.key).returncode == 0
    assert shell.status()["more"]["acknowledged"] > 6
    assert shell.status()["more"]["waiting"] == 0


def test_what_is_uploaded_is_marked_and_removed(shell: Shell, server: LiveServer) -> None:
    done, left = write_run(shell.folder, "done", 3), write_run(shell.folder, "left", 3)
    assert shell("sync", "done", "--mark-synced", "--url", server.url, key=server.key).returncode == 0
    assert (done / "run-done.wandb.synced").exists()
    assert "older than 24 hours" in shell("sync", "--clean", "--url", server.url).stderr
    asked = shell("sync", "--clean", "--clean-old-hours", "0", "--url", server.url)
    assert (asked.returncode, done.exists()) == (1, True), "nobody said yes"
    removed = shell("sync", "--clean", "--clean-old-hours", "0", "--clean-force", "--url", server.url)
    assert removed.returncode == 0
    assert (done.exists(), left.exists()) == (False, True)


def test_status_tells_how_long_something_waits(shell: Shell) -> None:
    write_run(shell.folder, "aaa", 3)
    run = shell.status()["aaa"]
    assert run["lag_seconds"] > 1e6
    assert run["log_bytes"] > 0
