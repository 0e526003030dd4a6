"""The run stream: lines by number, summary, endings, limits."""

from __future__ import annotations

import gzip
import json
from typing import Any

from live_server import LiveServer

from wandb.server._limits import STREAM_BYTES_MAX


def history(server: LiveServer) -> list[str]:
    return list(server.run("history(samples: 1000)")["history"])


def log_text(server: LiveServer) -> list[tuple[int, str]]:
    edges = server.run("logLines(first: 1000) { edges { node { number line } } }")["logLines"]["edges"]
    return [(edge["node"]["number"], edge["node"]["line"]) for edge in edges]


def test_repeating_a_request_changes_nothing(server: LiveServer) -> None:
    server.upsert()
    body = {
        "files": {
            "wandb-history.jsonl": {"offset": 0, "content": ['{"_step":0,"a":1}', '{"_step":1,"a":2}']},
            "wandb-events.jsonl": {"offset": 0, "content": ['{"system.cpu":3}']},
            "wandb-summary.json": {"offset": 0, "content": ['{"a":2}']},
            "output.log": {"offset": 0, "content": ["2026-01-01T00:00:00.000000 hi"]},
        },
        "uploaded": ["x.txt"],
        "complete": True,
        "exitcode": 0,
    }
    fields = "historyLineCount eventsLineCount logLineCount summaryMetrics state history events"
    server.stream(body)
    once = server.run(fields), server.run_api()
    server.clock.advance(1)
    server.stream(body)
    again = server.run(fields), server.run_api()
    assert again[0] == once[0]
    assert again[1]["version"] == once[1]["version"]
    assert (once[0]["historyLineCount"], once[0]["eventsLineCount"], once[0]["logLineCount"]) == (2, 1, 1)


def test_lines_are_replaced_by_their_number(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": 0, "a": 1}, {"_step": 1, "a": 2}, {"_step": 2, "a": 3}])
    server.rows([{"_step": 1, "a": 20}, {"_step": 2, "a": 30}, {"_step": 3, "a": 40}], offset=1)
    assert [json.loads(row)["a"] for row in history(server)] == [1, 20, 30, 40]
    assert server.run("historyLineCount")["historyLineCount"] == 4


def test_rows_out_of_order_are_kept_and_read_in_order_of_step(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": 5, "a": 1}, {"_step": 2, "a": 2}, {"_step": 5, "a": 3}])
    assert [json.loads(row)["a"] for row in history(server)] == [2, 1, 3]


def test_rows_without_a_step_are_ordered_by_arrival(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"a": 1}, {"a": 2}])
    assert [json.loads(row)["a"] for row in history(server)] == [1, 2]
    assert server.run("historyKeys")["historyKeys"]["lastStep"] == 1


def test_special_floats_are_kept_as_they_were_sent(server: LiveServer) -> None:
    server.upsert()
    row = '{"_step":0,"a":NaN,"b":-Infinity,"c":Infinity}'
    server.stream({"files": {"wandb-history.jsonl": {"offset": 0, "content": [row]}}})
    assert history(server) == [row]
    sampled = server.run('sampledHistory(specs: ["{\\"keys\\":[\\"_step\\",\\"a\\",\\"b\\"]}"])')["sampledHistory"]
    assert sampled == [[{"_step": 0, "a": "NaN", "b": "-Infinity"}]]


def test_the_last_summary_line_wins(server: LiveServer) -> None:
    server.upsert()
    server.stream({"files": {"wandb-summary.json": {"offset": 0, "content": ['{"a":1}', '{"a":NaN,"b":2}']}}})
    assert server.run("summaryMetrics")["summaryMetrics"] == '{"a":NaN,"b":2}'


def test_console_lines_are_rewritten_sparsely(server: LiveServer) -> None:
    server.upsert()
    stamp = "2026-01-01T00:00:00.000000 "
    server.stream({"files": {"output.log": {"offset": 0, "content": [stamp + "zero", stamp + "1%"]}}})
    server.stream({"files": {"output.log": {"offset": 5, "content": ["ERROR " + stamp + "five"]}}})
    server.stream({"files": {"output.log": {"offset": 1, "content": [stamp + "100%"]}}})
    assert log_text(server) == [(0, "zero"), (1, "100%"), (5, "five")]
    assert server.run("logLineCount")["logLineCount"] == 6
    shown = server.run_api("/console")["lines"]
    assert [line["level"] for line in shown] == [None, None, "error"]


def test_console_lines_may_be_structured_or_have_no_form(server: LiveServer) -> None:
    server.upsert()
    structured = json.dumps({"level": "error", "ts": "2026-01-01T00:00:00", "label": "gpu0", "content": "boom"})
    server.stream({"files": {"output.log": {"offset": 0, "content": [structured, "plain text\n", ""]}}})
    lines = server.run_api("/console")["lines"]
    assert [(line["level"], line["label"], line["text"]) for line in lines] == [
        ("error", "gpu0", "boom"),
        (None, None, "plain text"),
        (None, None, ""),
    ]


def test_a_line_that_is_no_object_is_counted_but_is_no_row(server: LiveServer) -> None:
    server.upsert()
    content = ["{broken", "[1]", '{"_step":7,"a":1}']
    server.stream({"files": {"wandb-history.jsonl": {"offset": 0, "content": content}}})
    assert history(server) == [content[2]]
    assert server.run("historyLineCount")["historyLineCount"] == 3


def test_an_empty_body_is_a_heartbeat(server: LiveServer) -> None:
    server.upsert()
    server.clock.advance(200)
    assert server.stream({}) == {"exitcode": None, "limits": {"transmit_seconds": 0.5}}
    server.clock.advance(200)
    assert server.run("state")["state"] == "running"


def test_gzip_bodies_are_accepted(server: LiveServer) -> None:
    server.upsert()
    body = gzip.compress(json.dumps({"complete": True, "exitcode": 0}).encode())
    path = f"{server.url}/files/{server.user}/demo/r1/file_stream"
    assert server.session.post(path, data=body, headers={"Content-Encoding": "gzip"}, timeout=30).status_code == 200
    assert server.run("state")["state"] == "finished"


def test_bodies_that_decompress_beyond_the_limit_are_refused(server: LiveServer) -> None:
    server.upsert()
    bomb = gzip.compress(b" " * (STREAM_BYTES_MAX + 1))
    path = f"{server.url}/files/{server.user}/demo/r1/file_stream"
    answer = server.session.post(path, data=bomb, headers={"Content-Encoding": "gzip"}, timeout=30)
    assert answer.status_code == 413
    assert "larger than" in answer.json()["error"]


def test_bodies_of_the_wrong_form_are_refused_as_a_whole(server: LiveServer) -> None:
    server.upsert()
    good = {"offset": 0, "content": ['{"_step":0}']}
    broken: list[Any] = [
        {"offset": -1, "content": ["x"]},
        {"offset": 0, "content": [1]},
        {"offset": "0", "content": []},
        [],
    ]
    for bad in broken:
        files = {"wandb-history.jsonl": good, "output.log": bad}
        answer = server.post(f"/files/{server.user}/demo/r1/file_stream", {"files": files})
        assert answer.status_code == 400
        assert "output.log" in answer.json()["error"]
    assert server.run("historyLineCount")["historyLineCount"] == 0


def test_an_unknown_run_is_named_in_the_answer(server: LiveServer) -> None:
    answer = server.post(f"/files/{server.user}/demo/nope/file_stream", {})
    assert answer.status_code == 404
    assert "demo/nope" in answer.json()["error"]


def test_a_stop_is_told_until_the_run_ends_and_forgotten_when_it_starts_again(server: LiveServer) -> None:
    run = server.upsert()["bucket"]
    stop = "mutation StopRun($id: ID!) { stopRun(input: {id: $id}) { success } }"
    assert server.execute(stop, id=run["id"]) == {"stopRun": {"success": True}}
    assert server.stream({})["stopped"] is True
    assert server.run("stopped")["stopped"] is True
    assert server.stream({"complete": True, "exitcode": 255})["stopped"] is True
    assert server.run("state")["state"] == "killed"
    assert server.execute(stop, id=run["id"]) == {"stopRun": {"success": False}}
    assert "stopped" not in server.stream({})
    assert server.run("state stopped") == {"state": "running", "stopped": False}


def test_paths_are_percent_decoded_once_and_plus_stays_plus(server: LiveServer) -> None:
    server.upsert(name="a+b c", project="p &=")
    path = f"/files/{server.user}/p%20&=/a+b%20c/file_stream"
    assert server.post(path, {}).status_code == 200


def test_values_that_would_break_a_reader_are_stored_and_read(server: LiveServer) -> None:
    """Deep nesting, huge numbers and broken characters, each in every place they can be."""
    server.upsert()
    deep = "[" * 300 + "]" * 300
    content = [
        '{"_step":0,"a":' + deep + "}",
        '{"_step":1,"_runtime":1e999,"a":' + "9" * 400 + "}",
        '{"_step":2,"b":"\\ud800"}',
    ]
    files = {
        "wandb-history.jsonl": {"offset": 0, "content": content},
        "wandb-summary.json": {"offset": 0, "content": ['{"_runtime":' + "9" * 400 + ',"b":"\\ud800","c":Infinity}']},
        "output.log": {"offset": 0, "content": ["half \ud800 a character"]},
    }
    server.stream({"files": files})
    server.stream({"files": {"wandb-summary.json": {"offset": 0, "content": ['{"a":' + deep + "}"]}}})
    run = server.run_api()
    assert run["summary"] == {"_runtime": int("9" * 400), "b": "\ud800", "c": "Infinity"}
    assert run["seconds"] == 0
    assert server.series("?x=_runtime") == {}
    assert server.run_api("/console")["lines"][0]["text"] == "half ? a character"
    assert history(server) == content[1:]
    assert server.run("historyKeys")["historyKeys"]["lastStep"] == 2


def test_exit_codes_have_a_range(server: LiveServer) -> None:
    server.upsert()
    for code in (2**40, "1", 1.5):
        answer = server.post(f"/files/{server.user}/demo/r1/file_stream", {"complete": True, "exitcode": code})
        assert answer.status_code == 400
