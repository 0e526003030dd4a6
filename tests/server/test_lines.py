"""Lines in chunks: whatever the order in which lines come, they are where a plain list of lines would have them."""

from __future__ import annotations

import json
import random
import threading
from typing import Any

import pytest
from live_server import LiveServer

from wandb._sampling import evenly
from wandb.server._limits import CHUNK_LINES
from wandb.server._lines import HISTORY, LOG, first_step, iterate_lines, last_line, rows_between
from wandb.server._samples import sampled_rows


class Model:
    """A stream as a dictionary of lines by number."""

    def __init__(self) -> None:
        self.lines: dict[int, str] = {}

    def write(self, offset: int, content: list[str]) -> None:
        self.lines.update(enumerate(content, offset))

    def in_order(self) -> list[tuple[int, str]]:
        return sorted(self.lines.items())

    def rows(self) -> list[tuple[int, str]]:
        """Step and content, in order of step, then of line."""
        found = [(json.loads(text)["_step"], number, text) for number, text in self.in_order() if text.startswith("{")]
        return [(step, text) for step, _, text in sorted(found)]


def some_lines(source: random.Random, kind: str, offset: int) -> list[str]:
    content = []
    for number in range(offset, offset + source.choice((1, 2, 30, 200))):
        step = number + source.choice((0, 0, 0, -3, 5))
        text = f"line {source.random()}" if kind == LOG else f'{{"_step":{step},"v":{source.random()}}}'
        content.append("no row" if source.random() < 0.02 else text)
    return content


@pytest.mark.parametrize("kind", [HISTORY, LOG])
@pytest.mark.parametrize("seed", range(2))
def test_lines_are_where_they_were_put(server: LiveServer, kind: str, seed: int) -> None:
    source, model, end = random.Random(seed), Model(), 0
    server.upsert()
    for _ in range(40):
        # Mostly behind the end, at times before it, over it, or with a gap.
        offset = max(0, end + source.choice((0, 0, 0, 0, -1, -50, -400, 7)))
        content = some_lines(source, kind, offset)
        name = "output.log" if kind == LOG else "wandb-history.jsonl"
        server.stream({"files": {name: {"offset": offset, "content": content}}})
        model.write(offset, content)
        end = max(end, offset + len(content))
    with server.services.database.read() as connection:
        assert [(number, text) for number, _, text in iterate_lines(connection, 1, kind, 0)] == model.in_order()
        first, last = sorted(source.sample(range(end), 2))
        found = [(number, text) for number, _, text in iterate_lines(connection, 1, kind, first, last)]
        assert found == [line for line in model.in_order() if first <= line[0] < last]
        assert last_line(connection, 1, kind) == model.in_order()[-1][1]
        if kind == HISTORY:
            rows = model.rows()
            assert rows_between(connection, 1, first, last) == [row for row in rows if first <= row[0] < last]
            assert first_step(connection, 1) == rows[0][0]
            chosen = [text for _, text in (rows[place] for place in evenly(range(len(rows)), 40))]
            assert sampled_rows(connection, 1, kind, 40) == chosen
            near = [text for step, text in rows if 100 <= step <= 300]
            assert sampled_rows(connection, 1, kind, 10_000, steps=(100, 300)) == near
    counts = server.run("historyLineCount logLineCount")
    assert counts[f"{'log' if kind == LOG else 'history'}LineCount"] == end


def test_rewinding_keeps_the_rows_up_to_a_step_and_no_other(server: LiveServer) -> None:
    source, model = random.Random(5), Model()
    server.upsert()
    for offset in range(0, 600, 100):
        steps = [offset + number + source.choice((0, 40)) for number in range(100)]
        content = [f'{{"_step":{step},"n":{number}}}' for number, step in enumerate(steps)]
        server.stream({"files": {"wandb-history.jsonl": {"offset": offset, "content": content}}})
        model.write(offset, content)
    rewind = """mutation R { rewindRun(input: {
        runName: "r1", projectName: "demo", metricName: "_step", metricValue: 333
    }) { rewoundRun { historyLineCount } } }"""
    count = server.execute(rewind)["rewindRun"]["rewoundRun"]["historyLineCount"]
    kept = [(number, text) for number, text in model.in_order() if json.loads(text)["_step"] <= 333]
    assert count == kept[-1][0] + 1
    with server.services.database.read() as connection:
        assert [(number, text) for number, _, text in iterate_lines(connection, 1, HISTORY, 0)] == kept
    # A run that goes on from here may use the steps again.
    server.rows([{"_step": 334, "n": -1}], offset=count)
    assert json.loads(server.run("history(minStep: 334, maxStep: 335)")["history"][0])["n"] == -1


def test_a_fork_has_the_rows_of_its_parent_up_to_its_step(server: LiveServer) -> None:
    server.upsert()
    rows = [{"_step": step, "v": step / 7} for step in range(CHUNK_LINES + 300)]
    server.rows(rows)
    last = CHUNK_LINES + 99
    point = {"_wandb": {"value": {"branch_point": {"run_id": "r1", "step": last}}}}
    assert server.upsert(name="r2", config=json.dumps(point))["bucket"]["historyLineCount"] == last + 1
    server.rows([{"_step": last + 1, "v": -1.0}], offset=last + 1, name="r2")
    found = server.run(f"history(minStep: 0, maxStep: {last + 10})", name="r2")["history"]
    assert [json.loads(row) for row in found] == [*rows[: last + 1], {"_step": last + 1, "v": -1.0}]


def test_lines_of_any_size_are_kept(server: LiveServer) -> None:
    server.upsert()
    content = [json.dumps({"_step": step, "text": "x" * (step * 100_000)}) for step in range(8)]
    server.stream({"files": {"wandb-history.jsonl": {"offset": 0, "content": content}}})
    assert server.run("history(minStep: 0, maxStep: 9)")["history"] == content


def test_many_runs_at_once_have_each_their_own_rows_and_errors(server: LiveServer) -> None:
    names = [f"r{number}" for number in range(12)]
    for name in names:
        server.upsert(name=name)
    answers: list[tuple[str, int]] = []

    def send(name: str) -> None:
        for offset in range(5):
            content = [json.dumps({"_step": offset, "name": name})]
            body: dict[str, Any] = {"files": {"wandb-history.jsonl": {"offset": offset, "content": content}}}
            response = server.post(f"/files/{server.user}/demo/{name}/file_stream", body)
            answers.append((name, response.status_code))

    threads = [threading.Thread(target=send, args=(name,)) for name in [*names, "unknown"]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == sorted([(name, 200) for name in names] * 5 + [("unknown", 404)] * 5)
    for name in names:
        rows = server.run("history", name=name)["history"]
        assert [json.loads(row) for row in rows] == [{"_step": step, "name": name} for step in range(5)]


def test_a_deleted_run_takes_no_rows_though_it_was_known(server: LiveServer) -> None:
    first = server.upsert()["bucket"]["id"]
    server.rows([{"_step": 0}])
    delete = "mutation D($id: ID!) { deleteRun(input: {id: $id}) { clientMutationId } }"
    server.execute(delete, id=first)
    assert server.post(f"/files/{server.user}/demo/r1/file_stream", {}).status_code == 404
    server.upsert()
    server.rows([{"_step": 5}])
    assert server.run("history")["history"] == ['{"_step": 5}']
