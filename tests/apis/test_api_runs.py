"""Runs of a server: lists that are fetched as far as somebody looks, and changes that send what was changed."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

import pytest
from live_server import LiveServer

import wandb
from wandb import CommError, UsageError
from wandb.apis._client import Client
from wandb.apis.public import Run, Runs
from wandb.errors import AuthenticationError

PROJECT = "listed"


class Watched(Client):
    """A server whose requests are counted."""

    asked: List[Tuple[str, Mapping[str, Any]]]

    def execute(
        self, document: str, variables: Optional[Mapping[str, Any]] = None, repeatable: bool = True
    ) -> Dict[str, Any]:
        name = document.split("(", 1)[0].split()[1]
        self.asked.append((name, variables or {}))
        return super().execute(document, variables, repeatable)

    def operations(self) -> List[str]:
        """What was asked since the last time."""
        names = [name for name, _ in self.asked]
        self.asked.clear()
        return names


@pytest.fixture
def watched(server: LiveServer) -> Iterator[Watched]:
    client = Watched(server.url)
    client.asked = []
    yield client
    client.close()


@pytest.fixture(scope="session")
def project(shared_server: LiveServer) -> str:
    """Seven runs."""
    for number in range(7):
        shared_server.upsert(
            f"r{number}", PROJECT, displayName=f"run-{number}", config=json.dumps({"number": {"value": number}}),
            tags=["a"], notes="n", summaryMetrics=json.dumps({"loss": number / 10, "deep": {"x": 1}}),
        )  # fmt: skip
        shared_server.clock.advance(1)
    return PROJECT


def listed(watched: Watched, server: LiveServer, **options: Any) -> Runs:
    return Runs(watched, server.user, PROJECT, **options)


def test_pages_come_when_they_are_needed(watched: Watched, server: LiveServer, project: str) -> None:
    runs = listed(watched, server, per_page=3)
    assert watched.operations() == []
    assert len(runs) == 7
    assert runs[1].name == "run-1"
    assert watched.operations() == ["Runs"]
    assert [run.name for run in runs[2:5]] == ["run-2", "run-3", "run-4"]
    assert watched.operations() == ["Runs"]
    assert [run.name for run in runs] == [f"run-{number}" for number in range(7)]
    assert watched.operations() == ["Runs"]
    assert [len(list(runs)), runs[-1].name, runs[5:][0].name] == [7, "run-6", "run-5"]
    assert watched.operations() == []
    with pytest.raises(IndexError):
        runs[7]


def test_two_passes_over_a_list_do_not_disturb_each_other(watched: Watched, server: LiveServer, project: str) -> None:
    runs = listed(watched, server, per_page=2)
    pairs = [(one.name, two.name) for one, two in zip(runs, runs)]
    assert pairs == [(f"run-{number}", f"run-{number}") for number in range(7)]
    assert [runs.next().name, next(runs).name] == ["run-0", "run-1"]


def test_a_list_goes_on_where_another_had_arrived(server: LiveServer, project: str) -> None:
    runs = wandb.Api().runs(project, per_page=4)
    assert runs[3].name == "run-3"
    assert runs.more
    assert runs.cursor is not None


def test_configs_of_a_page_come_with_one_request(watched: Watched, server: LiveServer, project: str) -> None:
    runs = listed(watched, server, per_page=4)
    assert [run.config["number"] for run in runs] == list(range(7))
    assert [run.summary["loss"] for run in runs] == [number / 10 for number in range(7)]
    assert watched.operations() == ["Runs", "Runs", "Runs", "Runs"], "two pages, and what they left out"
    assert [run.config["number"] for run in listed(watched, server, lazy=False)] == list(range(7))
    assert watched.operations() == ["Runs"]
    runs = listed(watched, server)
    assert runs[0].name == "run-0"
    runs.upgrade_to_full()
    watched.asked.clear()
    assert [run.config["number"] for run in runs] == list(range(7))
    assert watched.operations() == []


def test_only_what_was_changed_is_sent(watched: Watched, server: LiveServer) -> None:
    server.upsert("changing", "changing", displayName="old", tags=["a"], config='{"lr": {"value": 1}}', notes="n")
    run = Run(watched, server.user, "changing", "changing", lazy=False)
    watched.asked.clear()
    run.update()
    assert watched.operations() == []
    run.name = "new"
    run.tags.append("b")
    run.update()
    assert [dict(variables) for _, variables in watched.asked] == [
        {"id": run.storage_id, "displayName": "new", "tags": ["a", "b"]}
    ]
    watched.asked.clear()
    run.config["deep"] = {"x": 1}
    run.summary["loss"] = 0.5
    run.save()
    sent = [sorted(variables) for _, variables in watched.asked]
    assert sent == [["config", "id"], ["id", "summaryMetrics"]]
    run.notes = None
    run.update()
    fresh = wandb.Api().run("changing/changing")
    assert (fresh.name, fresh.tags, fresh.notes) == ("new", ["a", "b"], "")
    assert (fresh.config, dict(fresh.summary)) == ({"lr": 1, "deep": {"x": 1}}, {"loss": 0.5})


def test_what_was_changed_survives_the_loading_of_the_rest(server: LiveServer, project: str) -> None:
    (run,) = wandb.Api().runs(project, {"display_name": "run-3"})
    run.name, run.tags = "renamed", ["x"]
    assert run.config["number"] == 3, "which is loaded only now"
    run.update()
    assert wandb.Api().run(f"{project}/r3").name == "renamed"
    run.name, run.tags = "run-3", ["a"]
    run.update()


def test_a_summary_is_a_dictionary_that_is_sent_when_it_is_told_to(server: LiveServer) -> None:
    server.upsert("sums", "sums", summaryMetrics='{"a": 1, "deep": {"x": {"y": 1}}}')
    run = wandb.Api().run("sums/sums")
    run.summary["deep"]["x"]["y"] = 2
    run.summary.deep["z"] = {3}
    assert wandb.Api().run("sums/sums").summary["deep"] == {"x": {"y": 1}}
    run.summary.update({"a": 5, "b": 6}, overwrite=False)
    found = wandb.Api().run("sums/sums").summary
    assert found._json_dict == {"a": 1, "b": 6, "deep": {"x": {"y": 2}, "z": [3]}}
    del run.summary["a"]
    run.summary.update()
    assert "a" not in wandb.Api().run("sums/sums").summary


def test_states_follow(server: LiveServer) -> None:
    server.upsert("s1", "states")
    run = wandb.Api().run("states/s1")
    assert run.state == "running"
    run.stop()
    assert server.run("stopped", "s1", "states")["stopped"]
    server.stream({"complete": True, "exitcode": 1}, "s1", "states")
    run.wait_until_finished()
    assert run.state == "killed", "it ended after somebody had stopped it"
    pending = Run.create(wandb.Api(), "s2", "states", state="pending")
    assert pending.state == "pending"
    assert pending.update_state("failed")
    assert wandb.Api().run("states/s2").state == "failed"
    pending.delete()
    with pytest.raises(ValueError, match="no run"):
        pending.load(force=True)


def test_files_come_whole_and_stay_below_their_folder(server: LiveServer, tmp_path: Path) -> None:
    server.upsert("f1", "files")
    run = wandb.Api().run("files/f1")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a b.txt").write_text("content")
    assert run.upload_file("deep/a b.txt").name == "deep/a b.txt"
    (file,) = run.files(names=["deep/a b.txt"])
    with file.download(root="there") as opened:
        assert opened.read() == "content"
    assert [path.name for path in Path("there/deep").iterdir()] == ["a b.txt"]
    with pytest.raises(ValueError, match="replace=True"):
        file.download(root="there")
    file.download(root="there", replace=True).close()
    outside = type(file)(wandb.Api().source, {**file._attrs, "name": "../outside.txt"}, run)
    with pytest.raises(ValueError, match="leads out"):
        outside.download(root="there")
    gone = type(file)(wandb.Api().source, {**file._attrs, "url": f"{server.url}/files/nothing"}, run)
    with pytest.raises(CommError):
        gone.download(root="elsewhere")
    assert list(Path("elsewhere").rglob("*.txt")) == []
    file.delete()
    assert [one.name for one in run.files()] == []


def test_paths_of_pages_lead_to_what_they_show(server: LiveServer, project: str) -> None:
    api = wandb.Api()
    run = api.run(f"{project}/r1")
    for path in (
        run.url,
        f"{run.url}/overview?nw=x",
        f"/{server.user}/{project}/runs/r1",
        f"{server.user}/{project}:r1",
    ):
        assert api.run(path).id == "r1"
    assert api.from_path(f"{server.url}/{server.user}/{project}/workspace").name == project
    with pytest.raises(wandb.Error, match="neither"):
        api.from_path("a/b/c/d")


def test_defaults_come_from_overrides_and_settings(
    server: LiveServer, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wandb.Api(overrides={"project": project}).run("r1").id == "r1"
    monkeypatch.setenv("WANDB_PROJECT", project)
    assert len(wandb.Api().runs()) == 7
    assert wandb.Api(overrides={"entity": "somebody"}).default_entity == "somebody"
    assert wandb.Api().default_entity == server.user


def test_a_missing_key_and_a_wrong_one_are_told(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AuthenticationError, match="doesn't take the API key"):
        wandb.Api(api_key="0" * 40).run("p/r")
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(UsageError, match="wandb login"):
        wandb.Api().run("p/r")
    assert wandb.Api(api_key=server.key).default_entity == server.user


def test_runs_show_themselves_in_notebooks(server: LiveServer, project: str) -> None:
    run = wandb.Api().run(f"{project}/r1")
    assert run.to_html(height=100) == run._repr_html_().replace("420px", "100px")
    assert f'src="{run.url}?jupyter=true"' in run.to_html()
    assert "<details>" in run.to_html(hidden=True)
    assert run.display() is False


def test_a_run_goes_to_another_process_without_the_key(server: LiveServer, project: str) -> None:
    runs = wandb.Api(api_key=server.key).runs(project)
    packed = pickle.dumps([runs[1], wandb.Api().run(f"{project}/r2")])
    assert server.key.encode() not in packed
    assert [run.config["number"] for run in pickle.loads(packed)] == [1, 2]


def test_an_api_shows_itself_without_asking(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    assert repr(wandb.Api()) == "<wandb.Api http://127.0.0.1:9>"
    assert repr(wandb.Api(local=tmp_path)) == f"<wandb.Api {(tmp_path / 'wandb').as_uri()}>"
