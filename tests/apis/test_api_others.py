"""Projects, sweeps, users, teams and queues of a server, and what older scripts call of `wandb.api`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from live_server import LiveServer

import wandb
from wandb import CommError, UsageError
from wandb.apis import InternalApi, PublicApi
from wandb.apis.public import RunQueue, Sweep

SWEEP = {
    "method": "grid", "metric": {"name": "loss", "goal": "minimize"}, "parameters": {"lr": {"values": [0.1, 0.2]}}
}  # fmt: skip


@pytest.fixture
def api(server: LiveServer) -> PublicApi:
    return wandb.Api()


def new_sweep(server: LiveServer, project: str) -> Sweep:
    """A sweep with three runs, the second of which is the best."""
    sweep_id, warnings = wandb.api.upsert_sweep(SWEEP, project=project, entity=server.user)
    assert warnings == []
    for number, loss in enumerate((0.5, 0.1, 0.3)):
        document = """mutation U($name: String, $project: String, $sweep: String, $summary: JSONString) {
            upsertBucket(input: {name: $name, modelName: $project, sweep: $sweep, summaryMetrics: $summary}) {
              bucket { id } } }"""
        server.execute(document, name=f"s{number}", project=project, sweep=sweep_id, summary=json.dumps({"loss": loss}))
        server.clock.advance(1)
    return wandb.Api().sweep(f"{project}/{sweep_id}")


def test_a_sweep_knows_its_runs_and_the_best_of_them(server: LiveServer, api: PublicApi) -> None:
    sweep = new_sweep(server, "swept")
    assert (sweep.config["method"], sweep.order, sweep.expected_run_count) == ("grid", "+summary_metrics.loss", 2)
    assert [run.id for run in sweep.runs] == ["s0", "s1", "s2"]
    best = sweep.best_run()
    assert best is not None
    assert best.id == "s1"
    worst = sweep.best_run(order="loss")
    assert worst is not None
    assert worst.id == "s0", "an order without a sign puts the highest first"
    assert best.sweep is not None
    assert best.sweep.id == sweep.id
    assert [run.sweep.id for run in api.runs("swept", include_sweeps=True) if run.sweep] == [sweep.id] * 3
    assert [one.id for one in api.project("swept").sweeps()] == [sweep.id]
    assert api.from_path(sweep.url).id == sweep.id
    assert sweep.url.endswith(f"/swept/sweeps/{sweep.id}")
    with pytest.raises(ValueError, match="no sweep"):
        api.sweep("swept/nothing")


def test_agents_of_a_sweep_and_their_runs(server: LiveServer) -> None:
    sweep = new_sweep(server, "agents")
    registered = wandb.api.register_agent("a-host", sweep_id=sweep.id, project_name="agents")
    commands = wandb.api.agent_heartbeat(registered["id"], {}, {})
    assert [command["type"] for command in commands] in (["run"], ["exit"])
    (agent,) = sweep.agents()
    assert agent.host == "a-host"
    assert sweep.agent(agent.name).id == agent.id
    assert len(agent.runs()) == len(list(agent.runs()))
    with_runs = wandb.api.sweep(sweep.id, '{"keys": ["loss"], "samples": 10}', project="agents")
    assert len(with_runs["runs"]) >= 3


def test_projects(server: LiveServer, api: PublicApi) -> None:
    api.create_project("made", server.user)
    api.create_project("made", server.user)
    assert [project.name for project in api.projects() if project.name == "made"] == ["made"]
    project = api.project("made")
    assert (project.entity, project.owner.username, project.path) == (server.user, server.user, [server.user, "made"])
    assert project.url == f"{server.url}/{server.user}/made/workspace"
    assert project.created_at.endswith("Z")
    with pytest.raises(ValueError, match="no project"):
        api.project("never-made").id  # noqa: B018
    assert api.projects().length is None


def test_users_and_teams(server: LiveServer, api: PublicApi) -> None:
    assert api.viewer.username == server.user
    assert [user.username for user in api.users(server.user)] == [server.user]
    assert api.user("no-such-user") is None
    team = api.create_team("a-team")
    assert [member.username for member in team.members] == [server.user]
    made = api.create_user("somebody@example.com")
    assert team.invite(made.username)
    assert not team.invite("no-such-user")
    account = team.create_service_account("nightly")
    assert account is not None
    assert account.account_type != "USER"
    somebody = next(member for member in team.load(force=True)["members"] if member.username == made.username)
    assert somebody.delete()
    assert made.username not in [member.username for member in api.team("a-team").members]
    assert team.is_team
    assert not api.team("no-such-team").is_team
    key = api.viewer.generate_api_key("for a test")
    assert key is not None
    assert wandb.Api(api_key=key).viewer.username == server.user
    viewer = wandb.Api().viewer
    assert viewer.delete_api_key(viewer.api_keys[-1])


def test_queues(server: LiveServer, api: PublicApi) -> None:
    with pytest.raises(ValueError, match="type"):
        api.create_run_queue("q", type="abacus")
    with pytest.raises(ValueError, match="64"):
        api.create_run_queue("q" * 65, type="kubernetes")
    queue = api.create_run_queue("q1", type="local-process", config={"cpu": 1}, prioritization_mode="v0")
    assert (queue.name, queue.access, queue.type, queue.prioritization_mode) == ("q1", "PROJECT", "local-process", "V0")
    assert queue.default_resource_config == {"resource_args": {"local-process": {"cpu": 1}}}
    assert queue.items == []
    push = """mutation P($entity: String!, $spec: JSONString!) { pushToRunQueueByName(input: {entityName: $entity,
        projectName: "model-registry", queueName: "q1", runSpec: $spec}) { runQueueItemId } }"""
    item = server.execute(push, entity=server.user, spec='{"job": "j"}')["pushToRunQueueByName"]["runQueueItemId"]
    (queued,) = queue.items
    assert (queued.id, queued.state, queued.queue_name) == (item, "pending", "q1")
    found = api.queued_run(server.user, "launched", "q1", item)
    server.upsert("r1", "launched")
    acknowledge = (
        """mutation A($id: ID!) { ackRunQueueItem(input: {runQueueItemId: $id, runName: "r1"}) { success } }"""
    )
    server.execute(acknowledge, id=item)
    server.stream({"complete": True, "exitcode": 0}, "r1", "launched")
    assert found.wait_until_finished().state == "finished"
    found.delete()
    with pytest.raises(ValueError, match="no item"):
        found.state  # noqa: B018
    links = api.upsert_run_queue("q1", {"cpu": 2}, "local-process", external_links={"docs": "https://example.com"})
    assert links.external_links == {"docs": "https://example.com"}
    RunQueue(api.source, "q1", server.user).delete()
    with pytest.raises(CommError, match="no such queue"):
        api.run_queue(server.user, "q1").id  # noqa: B018


def test_what_older_scripts_call(server: LiveServer, tmp_path: Path) -> None:
    server.upsert("old", "older", config='{"lr": {"value": 1}}')
    assert isinstance(wandb.api, InternalApi)
    assert wandb.InternalApi is InternalApi
    assert wandb.PublicApi is PublicApi
    own = InternalApi({"project": "older"})
    assert own.api_key == server.key
    assert own.viewer()["username"] == own.default_entity == server.user
    assert (own.api_url, own.app_url) == (server.url, server.url)
    assert own.settings("project") == "older"
    assert own.parse_slug("older/old") == own.parse_slug("old") == ("older", "old")
    assert own.upsert_project("older", description="new")["name"] == "older"
    assert "older" in [project["name"] for project in own.list_projects()]
    (tmp_path / "up.txt").write_text("up")
    own.push(["up.txt"], run="old")
    assert own.download_urls("older", "old")["up.txt"]["md5"]
    assert own.download_url("older", "nothing.txt", "old") is None
    assert own.run_config("older", "old")[1] == {"lr": 1}
    with pytest.raises(CommError, match="no run"):
        own.parse_slug(None)
    with pytest.raises(UsageError, match="Settings"):
        own.set_setting("mode", "offline")


def test_settings_of_the_process(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_PROJECT", "before")  # so that it is put back
    own = InternalApi()
    own.set_setting("project", "after", persist=True)
    assert (own.settings("project"), wandb.Api().settings["project"]) == ("after", "after")
    assert "after" in Path("wandb/settings").read_text()
    own.clear_setting("project")
    assert wandb.Api().settings["project"] == "after", "which is in the file"
