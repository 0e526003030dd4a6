"""`wandb sync` and `wandb replay` of runs that the official client wrote."""

from __future__ import annotations

import json
from pathlib import Path

import official_files as official
from live_server import LiveServer
from shells import Shell

NAME = "offline-run-20260105_120000-abc12345"


def write_run(home: Path, rows: int = 5, end: bool = True) -> Path:
    records = [official.run(project="p"), *(official.row(step, {"loss": 1.5 - step}) for step in range(rows))]
    return official.write_official(home, [*records, *([official.exit_record(0)] if end else [])])


def test_sync_imports_and_uploads_once(shell: Shell, tmp_path: Path) -> None:
    folder = write_run(shell.folder)
    with LiveServer(tmp_path / "data") as server:
        shell.environment.update(WANDB_BASE_URL=server.url, WANDB_API_KEY=server.key)
        plan = shell("sync", "--dry-run")
        assert "it is imported when it is uploaded" in plan.stdout
        assert len(list(folder.parent.iterdir())) == 1

        first = shell("sync")
        assert first.returncode == 0, first.stderr
        assert f"{NAME}: written by the official client 0.31.0; imported 5 rows into {NAME}.imported" in first.stderr
        assert "done, 5 rows" in first.stdout
        assert "Nothing to upload" in shell("sync").stderr
        named = shell("sync", f"wandb/{NAME}")
        assert (named.returncode, "imported 5 rows" in named.stderr) == (0, False)
        assert server.run_api(name="abc12345", project="p")["rows"] == 5


def test_a_run_that_went_on_after_its_import_is_imported_anew(shell: Shell, tmp_path: Path) -> None:
    folder = write_run(shell.folder, 5, end=False)
    with LiveServer(tmp_path / "data") as server:
        shell.environment.update(WANDB_BASE_URL=server.url, WANDB_API_KEY=server.key)
        assert shell("sync").returncode == 0
        (folder / "run-abc12345.wandb").unlink()
        (folder / "files").rmdir()
        folder.rmdir()
        write_run(shell.folder, 9)
        again = shell("sync", f"wandb/{NAME}.imported")
        assert "imported 9 rows" in again.stderr, again.stderr
        run = server.run_api(name="abc12345", project="p")
        assert (run["rows"], run["state"]) == (9, "finished")


def test_sync_says_what_of_a_damaged_file_it_left_out(shell: Shell, tmp_path: Path) -> None:
    path = write_run(shell.folder) / "run-abc12345.wandb"
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"loss")] ^= 1
    path.write_bytes(raw)
    with LiveServer(tmp_path / "data") as server:
        shell.environment.update(WANDB_BASE_URL=server.url, WANDB_API_KEY=server.key)
        done = shell("sync")
    assert (done.returncode, "done, 4 rows" in done.stdout) == (0, True)
    assert "bytes that can't be read" in done.stderr


def test_sync_fails_for_a_file_without_a_record(shell: Shell) -> None:
    official.write_official(shell.folder, [])
    done = shell("sync")
    assert done.returncode == 1
    assert "no record in them" in done.stderr


def test_replay_tells_a_run_of_the_official_client_and_then_its_import(shell: Shell, tmp_path: Path) -> None:
    folder = write_run(shell.folder)
    before = shell("replay", f"wandb/{NAME}", "--json")
    assert before.returncode == 0, before.stderr
    assert len(json.loads(before.stdout)["history"]) == 5
    assert "written by the official client 0.31.0" in " ".join(shell("replay").stdout.split())
    assert [path.name for path in folder.parent.iterdir()] == [NAME], "and nothing is written"
    assert [run["state"] for run in json.loads(shell("ls", "--json").stdout)["runs"]] == ["official"]
    followed = shell("replay", "--follow")
    assert (followed.returncode, followed.stdout.count("loss=")) == (0, 5)
    with LiveServer(tmp_path / "data") as server:
        shell.environment.update(WANDB_BASE_URL=server.url, WANDB_API_KEY=server.key)
        assert shell("sync").returncode == 0
    for name in (f"wandb/{NAME}", f"wandb/{NAME}/run-abc12345.wandb", "abc12345", "latest"):
        told = shell("replay", name, "--json")
        assert told.returncode == 0, told.stderr
        assert len(json.loads(told.stdout)["history"]) == 5
