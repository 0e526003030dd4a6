"""The Api on logs of this machine: what a server would say of the runs, and what only it can."""

from __future__ import annotations

import pickle
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from live_server import LiveServer
from logged_projects import differences, log_project
from read_everything import read
from written_runs import run_folder, write_damaged, writer

import wandb
from wandb import CommError

# What a server gives, the addresses of its pages, when it heard of things, and the files of artifacts that it has now.
_OF_THE_SERVER = ("viewer", "entity", "url", "created", "beat", "storage", "user", "content")


def test_the_log_says_what_the_server_says(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_ENTITY", server.user)
    log_project("both", 3)
    local = wandb.Api(local=True)
    assert differences(read("both", local), read("both", wandb.Api()), _OF_THE_SERVER) == {}
    with pytest.raises(CommError, match="ask it, with"):
        local.artifact("both/digits:v1").download()


def offline_run(project: str = "p", rows: int = 10, **arguments: Any) -> wandb.Run:
    """A run that is still open."""
    run = wandb.init(project=project, mode="offline", **arguments)
    for step in range(rows):
        run.log({"loss": 1 / (step + 1), "step": step})
    return run


def test_a_path_of_this_machine_leads_to_a_run_without_a_server() -> None:
    with offline_run() as run:
        folder = Path(run.sync_dir)
    for path in (folder, f"{folder}/", folder / "files" / "requirements.txt", folder.relative_to(Path.cwd())):
        found = wandb.Api().run(str(path))
        assert (found.id, found.project, found.state, found.url) == (run.id, "p", "finished", folder.as_uri())
        assert [row["step"] for row in found.scan_history(keys=["step"])] == list(range(10))


def test_a_folder_may_have_any_name() -> None:
    with offline_run() as run:
        pass
    copy = Path("somewhere") / "else"
    shutil.copytree(run.sync_dir, copy)
    found = wandb.Api().run(str(copy))
    assert found.id == run.id
    assert len(list(found.scan_history())) == 10
    assert "python" in (found.metadata or {})


def test_another_folder_can_be_named(tmp_path: Path) -> None:
    with offline_run(dir=str(tmp_path)) as run:
        pass
    for local in (tmp_path, str(tmp_path / "wandb")):
        (found,) = wandb.Api(local=local).runs("p")
        assert found.id == run.id
    assert list(wandb.Api(local=tmp_path).projects("nobody")) == []


def test_a_run_that_goes_on_is_seen_as_it_is() -> None:
    api = wandb.Api(local=True)
    with offline_run(rows=3) as run:
        run.flush()
        (found,) = api.runs("p")
        assert found.state == "running"
        assert found.summary["step"] == 2
        run.log({"step": 3})
        run.flush()
        found.load(force=True)
        assert found.summary["step"] == 3
        assert [row["step"] for row in found.scan_history()] == [0, 1, 2, 3]
    found.wait_until_finished()
    assert found.state == "finished"


def test_a_killed_run_is_there_to_its_last_row(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "wandb", "killed")
    with writer(folder, "killed") as child:
        child.read_count(100)
        counted = child.kill()
    (found,) = wandb.Api(local=tmp_path).runs("uncategorized")
    assert found.state == "crashed"
    assert len(list(found.scan_history())) >= counted
    assert found.lastHistoryStep >= counted - 1


def test_late_rows_stand_where_their_step_is() -> None:
    with wandb.init(project="p", mode="offline") as run:
        for step in (0, 3, 1, 5, 3, 4):
            run.log({"at": step, "odd": step % 2}, step=step)
    found = wandb.Api(local=True).run(f"p/{run.id}")
    assert [row["_step"] for row in found.scan_history()] == [0, 1, 3, 3, 4, 5]
    assert [row["at"] for row in found.scan_history(keys=["at"], min_step=1, max_step=5)] == [1, 3, 3, 4]
    assert [row["_step"] for row in found.history(samples=3, pandas=False)] == [0, 3, 5]
    assert [row["at"] for row in found.history(samples=10, keys=["at"], pandas=False)] == [0, 1, 3, 3, 4, 5]


def test_a_damaged_log_is_read_up_to_the_damage(tmp_path: Path) -> None:
    folder = run_folder(tmp_path / "wandb", "abc12345")
    write_damaged(folder)
    found = wandb.Api().run(str(folder))
    assert found.state == "unknown"
    scan = found.scan_history()
    assert [row["a"] for row in islice(scan, 100)] == list(range(100))
    with pytest.raises(CommError, match="ends here"):
        next(scan)


def test_what_cannot_be_read_is_left_out_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    with offline_run() as run:
        pass
    foreign = Path("wandb") / "offline-run-20260101_000000-foreign1"
    foreign.mkdir()
    (foreign / "run-foreign1.wandb").write_bytes(b"something else entirely" * 100)
    assert [found.id for found in wandb.Api(local=True).runs("p")] == [run.id]
    assert "foreign1" in capsys.readouterr().err


def test_filters_and_orders_make_sense_or_are_refused() -> None:
    for number in range(3):
        with offline_run(rows=number + 1, config={"number": number}):
            pass
    api = wandb.Api(local=True)
    chosen = api.runs("p", filters={"config.number": {"$gte": 1}}, order="-summary_metrics.step", per_page=1)
    assert [run.config["number"] for run in chosen] == [2, 1]
    assert len(chosen) == 2
    with pytest.raises(CommError, match=r"\$what"):
        list(api.runs("p", filters={"$what": 1}))


def test_what_only_servers_have_is_said() -> None:
    with offline_run():
        pass
    with pytest.raises(CommError, match="needs a server"):
        wandb.Api(local=True).create_team("crew")


def test_runs_of_a_sweep_are_found_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep123")
    for _ in range(2):
        with offline_run():
            pass
    monkeypatch.delenv("WANDB_SWEEP_ID")
    with offline_run():
        pass
    api = wandb.Api(local=True)
    (sweep,) = api.project("p").sweeps()
    assert (sweep.id, len(sweep.runs), sweep.state) == ("sweep123", 2, "FINISHED")
    assert sweep.runs[0].sweep is not None
    assert sweep.best_run() is not None


def test_an_offline_sweep_is_read_from_the_folder_of_its_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    name = wandb.sweep(
        {
            "method": "grid", "name": "tried", "metric": {"name": "loss", "goal": "maximize"}, "project": "p",
            "parameters": {"lr": {"values": [1, 3, 2]}},
        }
    )  # fmt: skip

    def train() -> None:
        with wandb.init(project="p") as run:
            run.log({"loss": run.config.lr})

    api = wandb.Api(local=True)
    sweep = api.sweep(f"p/{name}")
    assert (sweep.state, sweep.expected_run_count, list(sweep.runs), sweep.best_run()) == ("PENDING", 3, [], None)
    wandb.agent(name, function=train, project="p")
    sweep.load(force=True)
    assert (sweep.state, sweep.name, sweep.order) == ("FINISHED", "tried", "-summary_metrics.loss")
    assert sorted(run.config["lr"] for run in sweep.runs) == [1, 2, 3]
    best = sweep.best_run()
    assert best is not None
    assert best.config == {"lr": 3}
    assert best.sweep is not None
    assert best.sweep.config["method"] == "grid"
    assert [one.id for one in api.project("p").sweeps()] == [sweep.id]


# --- changes ----------------------------------------------------------------------------------------------------------


def test_changes_are_in_the_log_and_reach_the_server_with_the_upload(server: LiveServer) -> None:
    with offline_run("changes", config={"lr": 0.1, "old": 1}) as run:
        run.summary["gone"] = 1
    found = wandb.Api(local=True).run(f"changes/{run.id}")
    found.name, found.tags, found.notes, found.group = "better", ["a"], "new", "g2"
    found.config["lr"] = 0.2
    del found.config["old"]
    found.summary["best"] = {"loss": 0.1}
    del found.summary["gone"]
    found.update()
    Path("up.txt").write_text("up")
    assert found.upload_file("up.txt").size == 2
    subprocess.run([sys.executable, "-m", "wandb", "sync", run.sync_dir], check=True, capture_output=True)
    for api in (wandb.Api(local=True, overrides={"entity": server.user}), wandb.Api()):
        (seen,) = api.runs("changes")
        assert (seen.name, seen.tags, seen.notes, seen.group) == ("better", ["a"], "new", "g2")
        assert seen.config == {"lr": 0.2}
        assert seen.summary["best"] == {"loss": 0.1}
        assert "gone" not in seen.summary
        assert seen.file("up.txt").read() == b"up"


def test_a_run_that_is_being_logged_is_left_to_its_program() -> None:
    with offline_run() as run:
        run.flush()
        found = wandb.Api(local=True).run(f"p/{run.id}")
        found.notes = "new"
        with pytest.raises(CommError, match="being logged"):
            found.update()
        with pytest.raises(CommError, match="being logged"):
            found.delete()
    assert Path(run.sync_dir).is_dir()


def test_a_deleted_run_is_gone() -> None:
    with offline_run() as run:
        pass
    wandb.Api(local=True).run(f"p/{run.id}").delete()
    assert not Path(run.sync_dir).exists()
    with pytest.raises(ValueError, match="no run"):
        wandb.Api(local=True).run(f"p/{run.id}")


def test_a_file_cannot_be_put_beside_the_runs_files(tmp_path: Path) -> None:
    with offline_run() as run:
        pass
    found = wandb.Api(local=True).run(f"p/{run.id}")
    (tmp_path / "up.txt").write_text("up")
    with pytest.raises(ValueError, match="not below"):
        found.upload_file(str(tmp_path / "up.txt"), root=str(tmp_path / "deeper"))


def test_a_local_run_goes_to_another_process() -> None:
    with offline_run() as run:
        pass
    found = pickle.loads(pickle.dumps(wandb.Api(local=True).run(f"p/{run.id}")))
    assert found.history_keys["keys"]["step"]["typeCounts"] == [{"type": "number", "count": 10}]
    assert len(list(found.scan_history())) == 10
