"""The Api makes sense of what another server answered to the official client: `recorded_answers.json`, by operation.

The answers stand for a server that isn't this project's own, which can't be asked here.
"""

from __future__ import annotations

import json
import re
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Tuple

import pytest

from wandb.apis._client import Client
from wandb.apis.public import Artifacts, ArtifactTypes, Files, Project, Projects, Run, Runs, Sweep, Sweeps, User

ANSWERS: Dict[str, Any] = json.loads(Path(__file__).with_name("recorded_answers.json").read_text())


class Recorded(Client):
    """Gives the recorded answer to each operation, and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:9")
        self.asked: List[Tuple[str, Mapping[str, Any]]] = []

    def execute(
        self, document: str, variables: Optional[Mapping[str, Any]] = None, repeatable: bool = True
    ) -> Dict[str, Any]:
        found = re.search(r"(?:query|mutation)\s+(\w+)", document)
        assert found is not None
        self.asked.append((found[1], variables or {}))
        answer: Dict[str, Any] = json.loads(json.dumps(ANSWERS[found[1]]))
        return answer

    def supports(self, feature: str) -> bool:
        return feature == "MARK_RUN_FILES_UPLOADED"

    def put(self, url: str, headers: List[str], path: Any, name: str) -> str:
        self.asked.append((url, {"headers": headers}))
        return ""


@pytest.fixture
def server() -> Recorded:
    return Recorded()


@pytest.fixture
def run(server: Recorded) -> Run:
    return Run(server, "testent", "proto", "0jm1k1ry", lazy=False)


def test_who_asks(server: Recorded) -> None:
    viewer = User(server, server.execute("query GetViewer { viewer { id } }")["viewer"])
    assert (viewer.username, viewer.email, viewer.teams, len(viewer.api_keys)) == (
        "testuser", "test@example.invalid", ["testent"], 1,
    )  # fmt: skip


def test_projects(server: Recorded) -> None:
    project = Projects(server, "testent")[0]
    assert isinstance(project, Project)
    assert (project.name, project.owner.username, project.is_benchmark) == ("proto", "testuser", False)


def test_lists_of_runs(server: Recorded) -> None:
    runs = Runs(server, "testent", "proto", {"state": "finished"}, "-created_at")
    assert len(runs) == 18
    first = runs[0]
    assert (first.id, first.name, first.state, first.tags) == ("ww6ag730", "my-run", "finished", ["t1", "t2"])
    assert (first.group, first.job_type, first.created_at) == ("grp", "train", "2026-11-23T03:06:49Z")
    _, sent = server.asked[0]
    assert json.loads(sent["filters"]) == {"state": "finished"}
    assert (sent["order"], sent["perPage"], sent["cursor"]) == ("-created_at", 50, None)


def test_a_run(run: Run) -> None:
    assert run.config == {"late": 5, "lr": 0.1, "arch": "mlp", "nested": {"a": 1, "b": [1, 2]}}
    assert "_wandb" in run.rawconfig
    assert run.storage_id == ANSWERS["Run"]["project"]["run"]["id"]
    assert run.project_internal_id == 1
    assert run.user.username == "testuser"


def test_histories(run: Run) -> None:
    rows = run.history(pandas=False)
    assert [row["_step"] for row in rows] == [0, 1, 2]
    assert rows[1]["nested"] == {"y": {"z": 2}, "x": 1}
    assert run.history(keys=["loss", "acc"], pandas=False)[1] == {"_step": 1, "loss": 0.5, "acc": 0.01}
    assert run.lastHistoryStep == 100
    assert [row["_step"] for row in run.scan_history(max_step=3)] == [0, 1, 2]


def test_files(server: Recorded, run: Run) -> None:
    files = Files(server, run)
    assert len(files) == 16
    assert (files[0].name, files[0].size, files[0].mimetype) == ("config.yaml", 3786, "text/plain")
    (Path.cwd() / "upl.txt").write_text("uploaded\n")
    run.upload_file("upl.txt")
    operations = [name for name, _ in server.asked]
    assert operations[-4] == "CreateRunFiles"
    assert operations[-3].endswith("upl.txt?signature=FAKE")
    assert operations[-2:] == ["MarkRunFilesUploaded", "RunFiles"]


def test_the_console(run: Run) -> None:
    first, second = list(run.console_logs())[:2]
    assert (first.number, first.content, first.level, first.label) == (0, "hello stdout", "", "")
    assert first.timestamp == datetime(2026, 11, 23, 3, 6, 55, 135967, tzinfo=timezone.utc)
    assert second.level == "error"
    assert [line.number for line in run.console_logs(last=2)] == [5, 6]


def test_sweeps(server: Recorded) -> None:
    sweeps = Sweeps(server, "testent", "proto")
    assert len(sweeps) == 1
    for sweep in (sweeps[0], Sweep(server, "testent", "proto", "sw000019")):
        assert (sweep.id, sweep.state, sweep.expected_run_count) == ("sw000019", "FINISHED", 2)
        assert sweep.config["metric"] == {"goal": "minimize", "name": "loss"}
        assert sweep.order == "+summary_metrics.loss"


def test_artifacts(server: Recorded, run: Run) -> None:
    tables = run.logged_artifacts()
    assert [(one.name, one.type, one.state, one.size) for one in tables] == [
        ("run-0jm1k1ry-tab:v0", "run_table", "COMMITTED", 395),
        ("run-0jm1k1ry-chart_table:v0", "run_table", "COMMITTED", 388),
    ]
    assert (len(tables), list(run.used_artifacts())) == (2, [])
    first = Artifacts(server, "testent", "proto", "ds", "dataset")[0]
    assert (first.name, first.qualified_name, first.file_count) == ("ds:v0", "testent/proto/ds:v0", 4)
    assert (sorted(first.aliases), first.tags, first.metadata) == (["best", "latest"], ["tg"], {"k": 1})
    assert (first.description, first.ttl, first.created_at) == ("desc", None, "2026-11-23T03:07:10Z")
    assert [kind.name for kind in ArtifactTypes(server, "testent", "proto")] == ["code", "dataset", "model"]


def test_changes(server: Recorded, run: Run) -> None:
    run.stop()
    run.delete()
    assert server.asked[-2:] == [("StopRun", {"id": run.storage_id}), ("DeleteRun", {"id": run.storage_id})]
