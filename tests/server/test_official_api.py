"""The official client against this server: forks, sweeps, queues, teams, and what the public Api changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from live_server import LiveServer
from peer import VERSIONS, Peer

SCRIPT = """
import json, os, subprocess, sys, glob, wandb
old = sys.argv[1] == "old"
found = {}
with wandb.init(project="p", name="base", config={"a": {"b": 1}}) as run:
    for step in range(10): run.log({"x": step})
base = run.id
if not old:
    with wandb.init(project="p", fork_from=base + "?_step=4") as run: run.log({"x": 100})
    found["fork"] = [row["x"] for row in wandb.Api().run("p/" + run.id).scan_history()]
    with wandb.init(project="p", id=base, resume_from=base + "?_step=6") as run: run.log({"x": 70})
    found["rewound"] = [row["x"] for row in wandb.Api().run("p/" + base).scan_history()]

# An agent ends the client's service of its process, so it has a process of its own.
sweep = wandb.sweep({"method": "grid", "metric": {"name": "loss", "goal": "minimize"},
                     "parameters": {"lr": {"values": [0.1, 0.2]}, "bs": {"value": 8}}}, project="p")
agent = '''
import sys, wandb
def train():
    with wandb.init() as run: run.log({"loss": run.config.lr * run.config.bs})
wandb.agent(sys.argv[1], train, project="p")
'''
environment = {name: value for name, value in os.environ.items() if name != "WANDB_SERVICE"}
subprocess.run([sys.executable, "-c", agent, sweep], check=True, env=environment)
api = wandb.Api()
done = api.sweep("p/" + sweep)
found["sweep"] = [done.state, len(done.runs), done.best_run().summary["loss"]]

api.create_team("crew")
with wandb.init(entity="crew", project="tp") as run: run.log({"a": 1})
found["team"] = [run.state for run in api.runs("crew/tp")]
if not old:
    queue = api.create_run_queue("q1", type="local-process", entity=api.default_entity)
    found["queue"] = [queue.name, queue.access]
    queue.delete()
run = api.run("p/" + base)
with open("up.txt", "w") as file: file.write("u")
run.upload_file("up.txt")
found["uploaded"] = [file.name for file in run.files() if file.name == "up.txt"]
[file for file in run.files() if file.name == "up.txt"][0].delete()
found["left"] = [file.name for file in run.files() if file.name == "up.txt"]
run.config["n"] = 1
run.update()
found["config"] = wandb.Api().run("p/" + base).config
conditions = {"$and": [{"state": "finished"}, {"summary_metrics.x": {"$gte": 9}}]}
found["filtered"] = base in [run.id for run in api.runs("p", filters=conditions, order="-created_at")]
run.delete()
found["deleted"] = base not in [run.id for run in wandb.Api().runs("p")]
if not old:
    with wandb.init(project="off", mode="offline") as run:
        for step in range(6): run.log({"v": step, "n": float("nan")})
    folder = glob.glob("wandb/offline-run-*")[0]
    for _ in range(2):
        subprocess.run([sys.executable, "-m", "wandb", "sync", folder], check=True)
        for marker in glob.glob(folder + "/*.synced") + glob.glob(folder + "/*.syncstate"): os.remove(marker)
    (run,) = wandb.Api().runs("off")
    found["synced_twice"] = [row["v"] for row in run.scan_history()]
with open("result.json", "w") as file:
    json.dump(found, file)
"""


@pytest.mark.peer
@pytest.mark.parametrize("version", VERSIONS)
def test_what_goes_beyond_a_run(version: str, server: LiveServer, tmp_path: Path) -> None:
    peer = Peer(version, server, tmp_path / "home")
    old = peer.release < (0, 19)
    peer.run(SCRIPT, "old" if old else "new")
    expected = {
        "sweep": ["FINISHED", 2, 0.8],
        "team": ["finished"],
        "uploaded": ["up.txt"],
        "left": [],
        "config": {"a": {"b": 1}, "n": 1},
        "filtered": True,
        "deleted": True,
    }
    if not old:
        expected = {
            **expected,
            "fork": [0, 1, 2, 3, 4, 100],
            "rewound": [0, 1, 2, 3, 4, 5, 6, 70],
            "queue": ["q1", "PROJECT"],
            "synced_twice": [0, 1, 2, 3, 4, 5],
        }
    assert peer.result() == expected
