"""Series: bounded size, no lost spikes, live updates, closer looks."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_server import LiveServer

from wandb.server._limits import BUCKETS_MAX


def test_a_chart_stays_within_its_bound_and_keeps_every_extreme(server: LiveServer) -> None:
    chance = random.Random(7)
    values = [chance.gauss(0, 1) for _ in range(20_000)]
    values[12_345], values[3_333] = 1e6, -1e6
    server.upsert()
    server.rows([{"_step": step, "v": value} for step, value in enumerate(values)])
    found = server.series()["v"]
    assert BUCKETS_MAX // 2 <= len(found["x"]) <= BUCKETS_MAX
    assert (max(found["high"]), min(found["low"])) == (1e6, -1e6)
    # Each bucket speaks for exactly the values since the one before it.
    start = 0
    for x, low, high, last in zip(found["x"], found["low"], found["high"], found["last"]):
        part = values[start : x + 1]
        assert (low, high, last) == (min(part), max(part), part[-1])
        start = x + 1
    assert start == len(values)


def test_values_that_are_not_finite_are_gaps_with_a_mark(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": step, "v": value} for step, value in enumerate((1.0, math.nan, math.inf, 2.0))])
    found = server.series()["v"]
    assert (found["x"], found["last"]) == ([0, 1, 2, 3], [1, None, None, 2])
    assert found["marks"] == [[1, "NaN"], [2, "Infinity"]]


def test_points_are_ordered_by_x_however_they_arrived(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": step, "v": step * 10} for step in (3, 1, 2)])
    found = server.series()["v"]
    assert (found["x"], found["last"]) == ([1, 2, 3], [10, 20, 30])


def test_series_follow_a_running_run(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": 0, "a": 1, "n": {"x": 5}, "s": "text", "ok": True, "old": "NaN"}])
    assert server.run_api()["history_keys"] == ["a", "n.x", "old"]
    assert server.series()["a"]["last"] == [1]
    server.rows([{"_step": 1, "a": 2}], offset=1)
    assert server.series("?keys=a&keys=gone") == {"a": {"x": [0, 1], "last": [1, 2], "marks": []}}


def test_rewritten_rows_are_read_again(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": 0, "a": 1}, {"_step": 1, "a": 2}])
    assert server.series()["a"]["last"] == [1, 2]
    server.rows([{"_step": 0, "a": 9}])
    assert server.series()["a"]["last"] == [9, 2]


def test_a_gap_that_is_filled_later_is_noticed(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": 0, "a": 1}])
    server.rows([{"_step": 2, "a": 3}], offset=2)
    assert server.series()["a"]["last"] == [1, 3]
    server.rows([{"_step": 1, "a": 2}], offset=1)
    assert server.series()["a"]["last"] == [1, 2, 3]


def test_unchanged_series_are_not_sent_again(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": 0, "a": 1}])
    path = f"/api/runs/{server.user}/demo/r1/series"
    tag = server.get(path).headers["ETag"]
    assert server.get(path, headers={"If-None-Match": tag}).status_code == 304
    server.rows([{"_step": 1, "a": 1}], offset=1)
    assert server.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_a_closer_look_has_every_point_of_its_range(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": step, "a": step % 7, "_runtime": step / 10} for step in range(5000)])
    assert "low" in server.series()["a"]
    near = server.series("?keys=a&from=1000&to=1100")["a"]
    assert near["x"] == list(range(1000, 1101))
    assert "low" not in near
    timed = server.series("?keys=a&x=_runtime&from=1&to=2")["a"]
    assert timed["x"] == [step / 10 for step in range(10, 21)]


def test_system_metrics_are_over_the_run_time(server: LiveServer) -> None:
    server.upsert()
    row = json.dumps({"_wandb": True, "_runtime": 15.5, "_timestamp": 1e9, "system.cpu": 40})
    server.stream({"files": {"wandb-events.jsonl": {"offset": 0, "content": [row]}}})
    assert server.run_api()["events_keys"] == ["system.cpu"]
    assert server.series("?stream=events")["system.cpu"]["x"] == [15.5]


def test_questions_that_make_no_sense_are_refused(server: LiveServer) -> None:
    server.upsert()
    for query in ("stream=odd", "from=a", "to=nan"):
        assert server.get(f"/api/runs/{server.user}/demo/r1/series?{query}").status_code == 400
    assert server.get(f"/api/runs/{server.user}/demo/r1/console?from=-1").status_code == 400


def test_integers_beyond_a_double_do_not_break_a_chart(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": 0, "a": 10**400}, {"_step": 10**30, "a": 1}])
    assert server.series()["a"]["marks"] == [[0, "Infinity"]]


@pytest.fixture
def patient(tmp_path: Path) -> Iterator[LiveServer]:
    with LiveServer(tmp_path / "patient", index_rows_max=40) as running:
        yield running


def test_a_long_run_is_read_in_parts_until_it_is_whole(patient: LiveServer) -> None:
    server = patient
    server.upsert()
    server.rows([{"_step": step, "a": step} for step in range(100)])
    parts = [server.run_api("/series?keys=a") for _ in range(3)]
    assert [len(part["series"]["a"]["last"]) for part in parts] == [40, 80, 100]
    assert [part["complete"] for part in parts] == [False, False, True]
    # What was read serves every axis.
    assert server.run_api("/series?keys=a&x=_runtime")["complete"]
    server.rows([{"_step": 0, "a": 5}])
    details = [server.run_api() for _ in range(3)]
    assert [detail["indexed"] for detail in details] == [False, False, True]
    assert len({detail["version"] for detail in details}) == 3
    # The public Api has no second chance to ask, so it always gets all of it.
    server.rows([{"_step": 0, "a": 6}])
    assert server.run("historyKeys")["historyKeys"]["lastStep"] == 99


def test_a_request_takes_apart_fewer_rows_the_wider_they_are(tmp_path: Path) -> None:
    """So that a page of a run with hundreds of metrics is answered as soon as one with a few."""
    with LiveServer(tmp_path / "data", index_rows_max=100) as server:
        parts = []
        for name, width in (("narrow", 2), ("wide", 600)):
            server.upsert(name)
            server.rows([{"_step": step, **{f"m{key}": 1.0 for key in range(width)}} for step in range(10)], name=name)
            answers = [server.run_api("/series?keys=m1", name) for _ in range(9)]
            assert answers[-1]["complete"]
            assert len(answers[-1]["series"]["m1"]["last"]) == 10
            parts.append(sum(not answer["complete"] for answer in answers))
        assert parts[0] == 0
        assert 3 <= parts[1] <= 6
