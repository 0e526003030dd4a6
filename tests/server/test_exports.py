"""Histories as Parquet files: every row is in a file or told to be live, and the official client reads them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from live_server import LiveServer
from peer import VERSIONS, Peer
from test_blocks import wait_for_blocks

from wandb.server import _exports
from wandb.server._limits import BLOCK_ROWS

EXPORTS = 'parquetHistory(liveKeys: ["_step"]) { parquetUrls liveData }'


def rows_of(server: LiveServer, **more: Any) -> tuple[list[dict[str, Any]], int | None]:
    """What is in the files, and the first live step."""
    found = server.run(EXPORTS, **more)["parquetHistory"]
    rows: list[dict[str, Any]] = []
    for url in found["parquetUrls"]:
        answer = server.session.get(url, auth=("", ""), timeout=60)
        assert answer.status_code == 200
        rows += pq.read_table(io.BytesIO(answer.content)).to_pylist()
        # It is kept, and comes again as it was.
        assert server.session.get(url, timeout=60).content == answer.content
    return rows, next((live["_step"] for live in found["liveData"]), None)


def a_row(step: int) -> dict[str, Any]:
    row: dict[str, Any] = {
        "_step": 2 * step,
        "loss": step / 7,
        "count": step,
        "name": f"n{step % 5}",
        "ok": step % 2 == 0,
    }
    return row


def test_an_ended_run_is_exported_whole(server: LiveServer) -> None:
    server.upsert()
    rows = [a_row(step) for step in range(500)]
    server.rows(rows)
    assert rows_of(server) == ([], 0)
    server.stream({"complete": True, "exitcode": 0})
    assert rows_of(server) == (rows, None)


def test_of_a_running_run_what_no_longer_changes(server: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_exports, "EXPORT_BLOCKS", 1)
    server.upsert()
    rows = [a_row(step) for step in range(2 * BLOCK_ROWS + 900)]
    # No request ends where a block does.
    for first in range(0, len(rows), 1000):
        server.rows(rows[first : first + 1000], offset=first)
    wait_for_blocks(server, 2)
    found, live = rows_of(server)
    assert found == rows[: 2 * BLOCK_ROWS]
    assert live == rows[2 * BLOCK_ROWS]["_step"]
    server.rows([{**rows[0], "loss": -1.0}])
    changed, _ = rows_of(server)
    assert not changed or changed[0]["loss"] == -1.0


@pytest.mark.parametrize(
    "rows",
    [
        [{"_step": 0, "a": 1}, {"_step": 1, "a": "text"}],
        [{"_step": 0, "a": None}],
        [{"_step": 0, "a": 1}, {"_step": 1, "b": 1}],
        [{"_step": 0, "a": {"x": 1}}],
        [{"_step": 0, "a": [1, 2]}],
        [{"_step": 0, "a": {"_type": "image-file", "path": "media/a.png"}}],
    ],
)
def test_what_no_table_can_hold_is_read_in_pages(server: LiveServer, rows: list[dict[str, Any]]) -> None:
    server.upsert()
    server.rows(rows, complete=True, exitcode=0)
    assert rows_of(server) == ([], 0)


_SCAN = """
import json, wandb
run = wandb.Api(timeout=60).run("demo/r1")
rows = list(run.scan_history())
some = list(run.scan_history(keys=["_step", "loss"]))
part = list(run.scan_history(min_step=100, max_step=140))
json.dump({"rows": rows, "some": some, "part": part}, open("result.json", "w"))
"""


@pytest.mark.peer
@pytest.mark.parametrize("version", [version for version in VERSIONS if version >= "0.20"])
def test_the_official_client_scans_a_run_by_its_files(server: LiveServer, tmp_path: Path, version: str) -> None:
    server.upsert()
    rows = [a_row(step) for step in range(2500)]
    server.rows(rows, complete=True, exitcode=0)
    peer = Peer(version, server, tmp_path / "peer")
    peer.run(_SCAN)
    found = peer.result()
    assert found["rows"] == rows
    assert found["some"] == [{"_step": row["_step"], "loss": row["loss"]} for row in rows]
    assert [row["_step"] for row in found["part"]] == list(range(100, 140, 2))  # type: ignore[attr-defined]
