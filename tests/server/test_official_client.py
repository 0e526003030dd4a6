"""The official client, unmodified and in an environment of its own, against this server: a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from live_server import LiveServer
from peer import VERSIONS, Peer

LOG = """
import sys, time, wandb
sampling = {"x_stats_sampling_interval": 0.2}
if sys.argv[1] == "old":
    sampling = {"_stats_sample_rate_seconds": 0.2, "_stats_samples_to_average": 1}
with open("data.txt", "w") as file:
    file.write("saved bytes")
run = wandb.init(project="peer", config={"lr": 0.1, "nested": {"a": [1, 2]}}, tags=["t"], notes="n",
                 settings=wandb.Settings(**sampling))
print("hello stdout")
print("hello stderr", file=sys.stderr)
for step in range(100):
    run.log({"loss": 1 / (step + 1), "deep": {"x": step}, "odd": float("nan") if step == 50 else step})
run.summary["best"] = 0.99
time.sleep(1)  # a program that lasts long enough for the machine to be measured
run.save("data.txt")
run.config["late"] = 5
with open("result.json", "w") as file:
    print('{"id": "%s", "url": "%s", "name": "%s"}' % (run.id, run.url, run.name), file=file)
run.finish()
"""

READ = """
import json, sys, wandb
api = wandb.Api()
run = api.run("peer/" + sys.argv[1])
rows = run.history(pandas=False)
scan = list(run.scan_history())
some = list(run.scan_history(keys=["_step", "loss"], page_size=10))
found = {
    "state": run.state, "config": run.config, "best": run.summary["best"], "last_step": run.lastHistoryStep,
    "rows": [row["loss"] for row in rows], "scan": [row["deep"]["x"] for row in scan],
    "nan": [row["_step"] for row in scan if row["odd"] != row["odd"]], "some": [row["_step"] for row in some],
    "keys": len(run.history(keys=["loss", "deep.x"], pandas=False)),
    "files": sorted(file.name for file in run.files()),
    "data": run.file("data.txt").download(replace=True).read(),
    "filtered": [found.id for found in api.runs("peer", filters={"config.lr": 0.1, "state": "finished"})],
    "projects": [project.name for project in api.projects()],
}
run.tags.append("late")
run.update()
run.summary.update({"added": 1})
with open("result.json", "w") as file:
    json.dump(found, file)
"""

RESUME = """
import sys, wandb
run = wandb.init(project="peer", id=sys.argv[1], resume="must")
run.log({"loss": 5})
run.finish(exit_code=3)
"""


@pytest.fixture(params=VERSIONS)
def peer(request: pytest.FixtureRequest, server: LiveServer, tmp_path: Path) -> Peer:
    return Peer(request.param, server, tmp_path / "home")


@pytest.mark.peer
def test_a_run_of_the_official_client_arrives_whole_and_reads_back(peer: Peer, server: LiveServer) -> None:
    shown = peer.run(LOG, "old" if peer.release < (0, 19) else "new")
    logged = peer.result()
    name = str(logged["id"])
    assert logged["url"] == f"{server.url}/{server.user}/peer/runs/{name}"
    assert "Synced" in shown

    run = server.run_api(name=name, project="peer")
    assert (run["state"], run["rows"], run["name"]) == ("finished", 100, logged["name"])
    assert run["config"] == {"lr": 0.1, "nested": {"a": [1, 2]}, "late": 5}
    assert (run["summary"]["best"], run["summary"]["loss"]) == (0.99, 0.01)
    files = server.run_api("/files", name=name, project="peer")["files"]
    assert {"data.txt", "config.yaml", "wandb-summary.json", "output.log"} <= {file["name"] for file in files}
    assert server.get(f"/files/{server.user}/peer/{name}/data.txt").text == "saved bytes"
    console = server.run_api("/console", name=name, project="peer")["lines"]
    assert {(line["level"], line["text"]) for line in console} >= {(None, "hello stdout"), ("error", "hello stderr")}
    series = server.series(name=name, project="peer")
    assert series["loss"]["last"] == [1 / (step + 1) for step in range(100)]
    assert series["odd"]["marks"] == [[50, "NaN"]]
    assert run["events_keys"]

    peer.run(READ, name)
    found = peer.result()
    assert found["state"] == "finished"
    assert found["config"] == run["config"]
    assert found["best"] == 0.99
    assert found["last_step"] == 99
    assert found["rows"] == [1 / (step + 1) for step in range(100)]
    assert found["scan"] == found["some"] == list(range(100))
    assert found["nan"] == [50]
    assert found["keys"] == 100
    assert "data.txt" in str(found["files"])
    assert found["data"] == "saved bytes"
    assert found["filtered"] == [name]
    assert found["projects"] == ["peer"]

    peer.run(RESUME, name)
    again = server.run_api(name=name, project="peer")
    assert (again["state"], again["rows"]) == ("failed", 101)
    assert again["tags"] == ["t", "late"]
    assert again["summary"]["added"] == 1
    rows = server.run("history(minStep: 100, maxStep: 200)", name=name, project="peer")["history"]
    assert [json.loads(row)["loss"] for row in rows] == [5]
