"""Charts from blocks of columns: what a look at every row would say, and never of rows that are no more."""

from __future__ import annotations

import json
import math
import random
import time
from typing import Any

import numpy as np
import pytest
from live_server import LiveServer

from wandb._row_keys import classified, flattened
from wandb._sampling import evenly
from wandb.server._blocks import blocks_made
from wandb.server._buckets import level_for
from wandb.server._columns import (
    BUCKETS,
    FANOUT,
    Cells,
    bucket_lines,
    decode_column,
    empty_summaries,
    encode_column,
    merged_summary,
    summary_of,
)
from wandb.server._limits import BLOCK_ROWS
from wandb.server._lines import HISTORY
from wandb.server._series import charts_of
from wandb.server._store import find_run_by_id
from wandb.server._values import strict_json


def a_row(step: int, source: random.Random) -> dict[str, Any]:
    row: dict[str, Any] = {"_step": step, "_runtime": step / 10, "loss": source.random(), "deep": {"x": step}}
    if step % 3 == 0:
        row["sparse"] = source.gauss(0, 1)
    if step % 1000 == 7:
        row.update(loss=source.choice([math.nan, math.inf]), text="words", flag=True, mixed="no number")
    elif step % 10 == 1:
        row["mixed"] = step
    if 9000 < step < 9030:
        row["late"] = -step
    return row


def wait_for_blocks(server: LiveServer, count: int) -> None:
    deadline = time.monotonic() + 30
    made = -1
    while made != count:
        assert time.monotonic() < deadline, made
        time.sleep(0.02)
        with server.services.database.read() as connection:
            made = blocks_made(connection, 1, "h")


def look(server: LiveServer, points: int, axis: str = "_step", **bounds: float) -> dict[str, Any]:
    """The series of a run as the dashboard gets them, each with its own places."""
    with server.services.database.read() as connection:
        run = find_run_by_id(connection, 1)
        assert run is not None
        between = bounds.get("low", -math.inf), bounds.get("high", math.inf)
        charts = charts_of(connection, server.services.tails, run, HISTORY, axis, between)
        assert charts.reached == run.history_count
        answer = charts.to_json((), points)
    return {key: {**found, "x": answer["xs"][found["x"]]} for key, found in answer["series"].items()}


def assert_speaks_for(found: dict[str, Any], points: list[tuple[float, float]], points_max: int) -> None:
    """Each bucket speaks for exactly the values since the one before it."""
    assert len(found["x"]) <= points_max
    assert len(found["x"]) >= min(len(points), points_max) / 4
    low, high = found.get("low", found["last"]), found.get("high", found["last"])
    at = 0
    for x, lowest, highest, last in zip(found["x"], low, high, found["last"]):
        part = []
        while at < len(points) and points[at][0] <= x:
            part.append(points[at][1])
            at += 1
        finite = [value for value in part if math.isfinite(value)]
        assert (lowest, highest) == ((min(finite), max(finite)) if finite else (None, None))
        assert last == (part[-1] if math.isfinite(part[-1]) else None)
    assert at == len(points)


def points_of(rows: list[dict[str, Any]], key: str, axis: str) -> list[tuple[float, float]]:
    numbers = ((row[axis], classified(dict(flattened(row)).get(key))[1]) for row in rows)
    return [(x, number) for x, number in numbers if number is not None]


@pytest.mark.parametrize("points", [20, 100, 1000])
def test_a_chart_speaks_for_every_row(server: LiveServer, points: int) -> None:
    source = random.Random(points)
    rows = [a_row(step, source) for step in range(3 * BLOCK_ROWS + 777)]
    server.upsert()
    server.rows(rows)
    wait_for_blocks(server, 3)
    for axis in ("_step", "_runtime"):
        charts = look(server, points, axis)
        assert sorted(charts) == ["deep.x", "late", "loss", "mixed", "sparse"]
        assert_speaks_for(charts["loss"], points_of(rows, "loss", axis), points)
        assert_speaks_for(charts["deep.x"], points_of(rows, "deep.x", axis), points)
        # A few values far apart from the others are drawn as they are.
        assert charts["late"]["last"] == [-step for step in range(9001, 9030)] or points < 29
        # What only some rows have stands where the axis is at the end of its bucket.
        assert_same_extremes(charts["sparse"], points_of(rows, "sparse", axis))
        assert_same_extremes(charts["mixed"], points_of(rows, "mixed", axis))
        spellings = [spelling for _, spelling in charts["loss"]["marks"]]
        assert len(spellings) == len({x for x, value in points_of(rows, "loss", axis) if not math.isfinite(value)})
        near = look(server, points, axis, low=rows[4000][axis], high=rows[4400][axis])
        assert_inside(near["loss"], rows, axis, 4000, 4400)


def assert_same_extremes(found: dict[str, Any], points: list[tuple[float, float]]) -> None:
    values = [value for _, value in points if math.isfinite(value)]
    assert (min(found.get("low", found["last"])), max(found.get("high", found["last"]))) == (min(values), max(values))
    assert found["last"][-1] == values[-1]


def assert_inside(found: dict[str, Any], rows: list[dict[str, Any]], axis: str, first: int, last: int) -> None:
    """A closer look has the values of its part, each bucket in it, and is finer than the whole."""
    assert rows[first][axis] <= found["x"][0] <= found["x"][-1] <= rows[last + 64][axis]
    inside = [row["loss"] for row in rows[first : last + 1] if math.isfinite(row["loss"])]
    assert min(value for value in found.get("low", found["last"]) if value is not None) <= min(inside)
    assert max(value for value in found.get("high", found["last"]) if value is not None) >= max(inside)


def test_what_is_known_of_the_keys_is_what_the_rows_say(server: LiveServer) -> None:
    source = random.Random(1)
    rows = [a_row(step, source) for step in range(2 * BLOCK_ROWS + 50)]
    server.upsert()
    server.rows(rows)
    wait_for_blocks(server, 2)
    keys = server.run("historyKeys")["historyKeys"]
    assert keys["lastStep"] == rows[-1]["_step"]
    counts: dict[str, dict[str, int]] = {}
    for row in rows:
        for key, value in flattened(row):
            kinds = counts.setdefault(key, {})
            kinds[classified(value)[0]] = kinds.get(classified(value)[0], 0) + 1
    found = {key: {one["type"]: one["count"] for one in facts["typeCounts"]} for key, facts in keys["keys"].items()}
    assert found == counts
    monotonic = {key for key, facts in keys["keys"].items() if facts["monotonic"]}
    assert monotonic == {"_step", "_runtime", "deep.x", "mixed"}
    assert keys["keys"]["deep.x"]["previousValue"] == rows[-1]["_step"]


def test_a_summary_of_summaries_is_the_summary_of_all() -> None:
    source = random.Random(3)
    values = np.array([source.choice([source.gauss(0, 1), math.nan]) for _ in range(FANOUT * BLOCK_ROWS)])
    present = np.array([source.random() < 0.01 for _ in values])
    parts = empty_summaries(FANOUT)
    for number in range(FANOUT):
        part = slice(number * BLOCK_ROWS, (number + 1) * BLOCK_ROWS)
        places = np.flatnonzero(present[part]).astype(np.uint32)
        parts[number] = summary_of(places, values[part][places])[0]
    merged = merged_summary(parts)[0]
    for bucket in range(BUCKETS):
        part = slice(bucket * bucket_lines(2), (bucket + 1) * bucket_lines(2))
        inside = values[part][present[part]]
        finite = inside[np.isfinite(inside)]
        assert merged["count"][bucket] == len(inside)
        if len(finite):
            assert (merged["low"][bucket], merged["high"][bucket]) == (finite.min(), finite.max())
            assert merged["odd"][bucket] == (len(finite) < len(inside))
            np.testing.assert_equal(merged["last"][bucket], inside[-1])


@pytest.mark.parametrize("values", [[1.5] * BLOCK_ROWS, [1, "a", None, 2.5], ["a", [1]], [math.inf, math.nan, -0.0]])
def test_a_column_is_read_as_it_was_written(values: list[Any]) -> None:
    cells = Cells()
    for place, value in enumerate(values):
        cells.add_row(place, place, {"key": value})
    column = cells.column("key")
    again = decode_column(encode_column(column))
    for one, other in zip(column.points(), again.points()):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(column.places, again.places)


def test_a_level_has_enough_buckets_for_the_pixels() -> None:
    for lines in (1, 60_000, 1_000_000, 10_000_000, 3_000_000_000):
        level = level_for(lines, 1000)
        assert lines / bucket_lines(level) >= 1000 or level == 0
        assert lines / bucket_lines(level) <= 64_000


def test_rows_that_change_below_a_block_are_charted_anew(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": step, "v": step} for step in range(BLOCK_ROWS + 10)])
    wait_for_blocks(server, 1)
    assert server.run_api("/series")["series"]["v"]["high"][-1] == BLOCK_ROWS + 9
    server.rows([{"_step": 0, "v": 1e9}])
    assert max(server.run_api("/series")["series"]["v"]["high"]) == 1e9
    wait_for_blocks(server, 1)


def test_a_rewound_run_has_no_blocks_of_what_it_lost(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": step, "v": step} for step in range(2 * BLOCK_ROWS)])
    wait_for_blocks(server, 2)
    rewind = """mutation R($step: Float!) { rewindRun(input: {
        runName: "r1", projectName: "demo", metricName: "_step", metricValue: $step
    }) { rewoundRun { historyLineCount } } }"""
    count = BLOCK_ROWS + 7
    assert server.execute(rewind, step=count - 1)["rewindRun"]["rewoundRun"]["historyLineCount"] == count
    wait_for_blocks(server, 1)
    assert server.run("historyKeys")["historyKeys"]["keys"]["v"]["typeCounts"] == [{"type": "number", "count": count}]
    server.execute(rewind, step=9)
    wait_for_blocks(server, 0)
    assert server.run_api("/series")["series"]["v"]["last"] == list(range(10))
    server.rows([{"_step": step, "v": -step} for step in range(10, BLOCK_ROWS)], offset=10)
    wait_for_blocks(server, 1)
    assert server.run_api("/series")["series"]["v"]["low"][-1] == 1 - BLOCK_ROWS


def test_rows_that_have_some_keys_are_chosen_evenly(server: LiveServer) -> None:
    source = random.Random(9)
    rows = [a_row(step, source) for step in range(3 * BLOCK_ROWS)]
    server.upsert()
    # The order of arrival is not the order of steps.
    server.rows(rows[6000:])
    server.rows(rows[:6000], offset=len(rows) - 6000)
    wait_for_blocks(server, 3)
    query = """query H($specs: [JSONString!]!) {
        project(name: "demo") { run(name: "r1") { sampledHistory(specs: $specs) } }
    }"""
    for keys in (["_step", "late"], ["sparse", "mixed"], ["text"], ["deep.x", "loss"], ["nowhere"]):
        having = [row for row in map(dict, map(flattened, rows)) if all(key in row for key in keys)]
        specs = [json.dumps({"keys": keys, "samples": 50})]
        [found] = server.execute(query, specs=specs)["project"]["run"]["sampledHistory"]
        chosen = [having[place] for place in evenly(range(len(having)), 50)]
        assert found == [{key: strict_json(row[key]) for key in keys} for row in chosen]
