"""Several writers of one run: each line in one place, whoever sends it how often and in whatever order."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from live_server import UPSERT, LiveServer
from peer import VERSIONS, Peer

STREAM = {"X-WANDB-USE-ASYNC-FILESTREAM": "true"}


def send(server: LiveServer, writer: str, files: dict[str, tuple[int, list[Any]]], **more: Any) -> Any:
    body = {
        "files": {
            name: {"offset": offset, "content": [line if isinstance(line, str) else json.dumps(line) for line in lines]}
            for name, (offset, lines) in files.items()
        },
        **more,
    }
    headers = {**STREAM, "X-WANDB-ASYNC-CLIENT-ID": writer}
    answer = server.post(f"/files/{server.user}/demo/r1/file_stream", body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


def rows(server: LiveServer) -> list[dict[str, Any]]:
    return [json.loads(row) for row in server.run("history(samples: 10000)")["history"]]


def upsert(server: LiveServer, writer: str, **variables: Any) -> Any:
    headers = {**STREAM, "X-WANDB-CLIENT-ID": writer}
    body = {"query": UPSERT, "variables": {"name": "r1", "project": "demo", **variables}}
    return server.post("/graphql", body, headers=headers).json()["data"]["upsertBucket"]["bucket"]


def test_writers_number_their_own_lines_and_may_repeat_them(server: LiveServer) -> None:
    server.upsert()
    for _ in range(2):
        send(server, "a", {"wandb-history.jsonl": (0, [{"_step": 0, "a": 1}, {"_step": 1, "a": 2}])})
        send(server, "b", {"wandb-history.jsonl": (0, [{"_step": 0, "b": 1}])})
        send(server, "a", {"wandb-history.jsonl": (1, [{"_step": 1, "a": 2}, {"_step": 2, "a": 3}])})
        send(server, "b", {"wandb-history.jsonl": (1, [{"_step": 1, "b": 2}])})
    found = rows(server)
    assert [row["a"] for row in found if "a" in row] == [1, 2, 3]
    assert [row["b"] for row in found if "b" in row] == [1, 2]
    assert server.run("historyLineCount")["historyLineCount"] == 5


def test_any_order_of_repeated_pieces_leaves_each_line_once(server: LiveServer) -> None:
    server.upsert()
    choose = random.Random(4)
    sent = dict.fromkeys("abc", 0)
    for _ in range(60):
        writer = choose.choice("abc")
        first = choose.randint(0, sent[writer])
        count = choose.randint(1, 5)
        content = [{"_step": number, writer: number} for number in range(first, first + count)]
        send(server, writer, {"wandb-history.jsonl": (first, content)})
        sent[writer] = max(sent[writer], first + count)
    found = rows(server)
    for writer, count in sent.items():
        assert [row[writer] for row in found if writer in row] == list(range(count))
    assert len(found) == sum(sent.values())


def test_console_lines_are_rewritten_by_their_own_writer(server: LiveServer) -> None:
    server.upsert()
    send(server, "a", {"output.log": (0, ["a 10%"])})
    send(server, "b", {"output.log": (0, ["b 10%"])})
    send(server, "a", {"output.log": (0, ["a 90%", "done"])})
    found = server.run("logLines(first: 10) { edges { node { line } } }")["logLines"]["edges"]
    assert [edge["node"]["line"] for edge in found] == ["a 90%", "b 10%", "done"]


def test_summaries_and_configs_of_writers_add_up(server: LiveServer) -> None:
    upsert(server, "a", config=json.dumps({"lr": {"value": 1}}))
    bucket = upsert(server, "b", config=json.dumps({"rank": {"value": 1}}))
    assert json.loads(bucket["config"]) == {"lr": {"value": 1}, "rank": {"value": 1}}
    send(server, "a", {"wandb-summary.json": (0, [{"a": 1, "both": 1}])})
    send(server, "b", {"wandb-summary.json": (0, [{"b": 2, "both": 2}])})
    assert json.loads(server.run("summaryMetrics")["summaryMetrics"]) == {"a": 1, "b": 2, "both": 2}


def test_a_writer_that_lost_its_place_is_told_where_it_began(server: LiveServer) -> None:
    assert upsert(server, "a")["historyLineCount"] == 0
    send(server, "a", {"wandb-history.jsonl": (0, [{"_step": 0, "a": 1}])})
    assert upsert(server, "b")["historyLineCount"] == 1
    send(server, "b", {"wandb-history.jsonl": (1, [{"_step": 0, "b": 1}, {"_step": 1, "b": 2}])})
    assert upsert(server, "b")["historyLineCount"] == 1
    assert upsert(server, "a")["historyLineCount"] == 0
    assert server.run("historyLineCount")["historyLineCount"] == 3


def test_who_comes_late_does_not_bring_an_ended_run_back_to_life(server: LiveServer) -> None:
    upsert(server, "a")
    send(server, "a", {}, complete=True, exitcode=0)
    send(server, "b", {"wandb-history.jsonl": (0, [{"_step": 0, "b": 1}])})
    assert server.run("state historyLineCount") == {"state": "finished", "historyLineCount": 1}
    upsert(server, "a", state="running")
    assert server.run("state")["state"] == "running"


def test_a_shared_run_can_be_deleted(server: LiveServer) -> None:
    identity = upsert(server, "a")["id"]
    send(server, "a", {"wandb-history.jsonl": (0, [{"_step": 0, "a": 1}])})
    server.execute("mutation D($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }", id=identity)
    assert server.run("state") is None


_WRITER = """
import sys, wandb
rank = int(sys.argv[1])
settings = wandb.Settings(x_label=f"rank{rank}", x_primary=rank == 0, x_update_finish_state=rank == 0)
with wandb.init(project="demo", id="r1", mode="shared", settings=settings, config={f"seed{rank}": rank}) as run:
    for step in range(20):
        run.log({f"loss{rank}": step})
    print("here is", rank)
"""


@pytest.mark.peer
@pytest.mark.parametrize("version", [version for version in VERSIONS if version >= "0.19"])
def test_writers_of_the_official_client_share_a_run(server: LiveServer, tmp_path: Path, version: str) -> None:
    peer = Peer(version, server, tmp_path / "peer")
    for rank in range(2):
        peer.run(_WRITER, str(rank))
    found = rows(server)
    for rank in range(2):
        assert [row[f"loss{rank}"] for row in found if f"loss{rank}" in row] == list(range(20))
    assert server.run("state")["state"] == "finished"
    config = json.loads(server.run("config")["config"])
    assert [config[f"seed{rank}"]["value"] for rank in range(2)] == [0, 1]
    summary = json.loads(server.run("summaryMetrics")["summaryMetrics"])
    assert (summary["loss0"], summary["loss1"]) == (19, 19)
