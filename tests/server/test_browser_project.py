"""The pages of a project's artifacts and sweeps in a real browser."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from live_server import LiveServer
from test_artifacts import log
from test_queues import Queue
from test_sweeps import AGENT, UPSERT, beat

if TYPE_CHECKING:
    from playwright.sync_api import Page

USE = """mutation U($artifact: ID!) {
    useArtifact(input: {artifactID: $artifact, projectName: "demo", runName: "reader"}) { artifact { id } } }"""
ALERT = """mutation { notifyScriptableRunAlert(input: {projectName: "demo", runName: "maker", title: "Loss is NaN",
    text: "at step 12", severity: ERROR}) { success } }"""


def test_an_artifact_shows_where_it_came_from_and_went(server: LiveServer, page: Page) -> None:
    server.upsert("maker", displayName="maker-run")
    server.upsert("reader", displayName="reader-run")
    made = log(server, {"data/train.csv": b"x" * 3000, "readme.md": b"# hi"}, runName="maker", metadata='{"rows": 12}')
    log(server, {"readme.md": b"# new"}, runName="maker")
    server.execute(USE, artifact=made["id"])
    server.execute(ALERT)

    page.goto(f"{server.url}/{server.user}/demo")
    page.get_by_role("link", name="Artifacts").click()
    page.get_by_role("link", name="ds", exact=True).click()
    page.wait_for_selector("text=ds:v1")
    page.get_by_role("link", name="v0", exact=True).click()
    lineage = page.get_by_role("region", name="Lineage")
    lineage.get_by_role("link", name="maker-run").wait_for()
    lineage.get_by_role("link", name="reader-run").wait_for()
    assert page.get_by_text("data/train.csv").is_visible()
    assert page.get_by_text("3.0 kB").first.is_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="readme.md").click()
    assert download.value.path().read_bytes() == b"# hi"

    lineage.get_by_role("link", name="maker-run").click()
    page.get_by_role("link", name="Overview").click()
    page.wait_for_selector("text=Loss is NaN")
    page.get_by_role("link", name="ds:v0").wait_for()


def test_a_sweep_shows_how_parameters_bear_on_the_metric(server: LiveServer, page: Page) -> None:
    config = "method: grid\nname: widths\nmetric: {name: loss, goal: minimize}\n"
    config += "parameters: {lr: {values: [0.1, 0.2, 0.3]}, width: {values: [8, 16]}, opt: {values: [adam, sgd]}}\n"
    sweep = server.execute(UPSERT, config=config)["upsertSweep"]["sweep"]
    agent = server.execute(AGENT, sweep=sweep["name"])["createAgent"]["agent"]["id"]
    for _ in range(8):
        (command,) = beat(server, agent)
        tried = {name: entry["value"] for name, entry in command["args"].items()}
        loss = tried["lr"] / tried["width"] + (0.01 if tried["opt"] == "sgd" else 0)
        content = [json.dumps({"loss": loss})]
        body = {"files": {"wandb-summary.json": {"offset": 0, "content": content}}, "complete": True, "exitcode": 0}
        server.stream(body, name=command["run_id"])

    page.goto(f"{server.url}/{server.user}/demo/sweeps")
    page.get_by_role("link", name="widths").click()
    page.wait_for_selector("svg.parallel path")
    assert page.locator("svg.parallel path").count() == 8
    assert page.locator("svg.parallel text.axis").all_text_contents() == ["lr", "width", "opt", "loss"]
    assert page.get_by_role("heading", name="Tried next").is_visible()
    coming = page.locator("h2:has-text('Tried next') + div tbody tr").all_inner_texts()
    assert [text.split("\t") for text in coming] == [["0.3", "8", "adam"], ["0.3", "8", "sgd"], ["0.3", "16", "adam"]]
    best = page.locator(".facts a")
    assert best.inner_text().startswith("0.00625")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").wait_for()
    assert beat(server, agent) == []
    page.locator("svg.parallel path").first.press("Enter")
    page.wait_for_url("**/runs/*")


def test_a_queue_shows_what_runs_what_waits_and_what_became_of_the_rest(server: LiveServer, page: Page) -> None:
    queue = Queue(server)
    agent = queue.agent()
    command = {"entry_point": ["python", "train.py"]}
    failing = queue.push(overrides=command, name="first try")
    queue.begin(agent, "r1")
    queue.finish(agent, failing, 3)
    queue.push(overrides=command)
    queue.begin(agent, "r2")
    queue.push(name="urgent", priority=0)
    later = queue.push(name="later", priority=3)

    page.goto(f"{server.url}/{server.user}/demo/queues")
    shown = page.get_by_role("region", name="Queue q")
    shown.get_by_text("1 running").wait_for()
    rows = [text.split("\t")[1:6] for text in shown.locator("tbody tr").all_inner_texts()]
    assert rows == [
        ["running", "python train.py", "2", "r2", "machine"],
        ["waiting", "urgent", "0", "", ""],
        ["waiting", "later", "3", "", ""],
        ["failed", "first try", "2", "r1", "machine"],
    ]
    assert page.get_by_role("link", name="r2").get_attribute("href") == f"/{server.user}/demo/runs/r2"
    failed = shown.locator("tbody tr").last
    assert failed.locator("summary").inner_text() == "failed, exit code 3"
    failed.locator("summary").click()
    told = [text.split(" ago ")[-1].split("now ")[-1] for text in failed.locator("li").all_inner_texts()]
    assert [text.split(", ")[0].rsplit(" ", 1)[-1] for text in told] == ["pushed", "popped", "started", "failed"]
    shown.get_by_role("button", name="Remove job 3").click()
    shown.get_by_text("1 waiting").wait_for()
    assert queue.popped(agent) == later
