"""Charts from blocks of columns: the same as from the rows, and never of rows that are no more."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest
from live_server import LiveServer

from wandb.server._blocks import block_of_rows, blocks_made, decode_block, encode_block
from wandb.server._limits import BLOCK_ROWS
from wandb.server._series import RunIndex, history_keys


def a_row(step: int, source: random.Random) -> dict[str, Any]:
    row: dict[str, Any] = {"_step": step, "_runtime": step / 10, "loss": source.random(), "deep": {"x": step}}
    if step % 3 == 0:
        row["sparse"] = source.gauss(0, 1)
    if step % 1000 == 7:
        row.update(loss=source.choice([float("nan"), float("inf")]), text="words", flag=True)
    if step % 500 == 1:
        del row["_runtime"]
    return row


@pytest.mark.parametrize("axis", ["_step", "_runtime"])
def test_a_chart_of_blocks_is_the_chart_of_their_rows(axis: str) -> None:
    source = random.Random(5)
    rows = [(step, json.dumps(a_row(step, source))) for step in range(3 * BLOCK_ROWS)]
    by_row, by_block = RunIndex(axis), RunIndex(axis)
    for step, content in rows:
        by_row.add_row(step, json.loads(content))
    for first in range(0, len(rows), BLOCK_ROWS):
        block = decode_block(encode_block(block_of_rows(rows[first : first + BLOCK_ROWS])))
        by_block.add_block(block)
    assert {key: column.to_json() for key, column in by_block.columns.items()} == {
        key: column.to_json() for key, column in by_row.columns.items()
    }
    assert history_keys(by_block) == history_keys(by_row)


def wait_for_blocks(server: LiveServer, count: int) -> None:
    deadline = time.monotonic() + 30
    made = -1
    while made != count:
        assert time.monotonic() < deadline, made
        time.sleep(0.02)
        with server.services.database.read() as connection:
            made = blocks_made(connection, 1, "h")


def test_rows_that_change_below_a_block_are_charted_anew(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": step, "v": step} for step in range(BLOCK_ROWS + 10)])
    wait_for_blocks(server, 1)
    assert server.series()["v"]["high"][-1] == BLOCK_ROWS + 9
    server.rows([{"_step": 0, "v": 1e9}])
    assert max(server.series()["v"]["high"]) == 1e9
    wait_for_blocks(server, 1)


def test_a_rewound_run_has_no_blocks_of_what_it_lost(server: LiveServer) -> None:
    server.upsert()
    server.rows([{"_step": step, "v": step} for step in range(BLOCK_ROWS)])
    wait_for_blocks(server, 1)
    rewind = """mutation R { rewindRun(input: {
        runName: "r1", projectName: "demo", metricName: "_step", metricValue: 9
    }) { rewoundRun { historyLineCount } } }"""
    assert server.execute(rewind)["rewindRun"]["rewoundRun"]["historyLineCount"] == 10
    wait_for_blocks(server, 0)
    assert server.series()["v"]["last"] == list(range(10))
