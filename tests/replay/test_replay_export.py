"""JSON and CSV hold exactly what was logged, in one pass of constant memory."""

from __future__ import annotations

import csv
import io
import json
import math
import tracemalloc
from pathlib import Path
from typing import Any, List

import pytest
from written_runs import COMMIT, START_TIME, run_folder, start, wandb_command, write_damaged, write_run, writer

from wandb.replay import Replay
from wandb_storage import Alert, Console, Exit, FileSaved, Log

BIG = 2**53 + 1
HUGE = 10**40
ROWS: List[Any] = [
    {"loss": 0.1, "count": BIG, "ok": True, "nothing": None},
    {"loss": math.nan, "text": 'a,"b"\nc', "nested": {"x": [1, math.inf]}},
    {"loss": -math.inf, "count": HUGE, "late key": 5e-324},
]


def test_json_is_exact_and_strict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(run_folder(tmp_path), ROWS, Exit(code=0), config={"lr": 1e-3, "opt": {"name": "adam"}})
    outcome = wandb_command(capsys, "replay", folder, "--json")
    assert (outcome.code, outcome.err) == (0, "")
    document = outcome.json()
    rows = document["history"]
    clocks = [{"_runtime": float(step), "_timestamp": START_TIME + step} for step in range(3)]
    assert rows[0] == {"_step": 0, **ROWS[0], **clocks[0]}
    assert rows[1]["loss"] == "NaN"
    assert rows[1]["nested"] == {"x": [1, "Infinity"]}
    assert rows[2] == {"_step": 2, "loss": "-Infinity", "count": HUGE, "late key": 5e-324, **clocks[2]}
    assert next(iter(rows[0])) == "_step"
    assert document["config"] == {"lr": 1e-3, "opt": {"name": "adam"}}
    assert document["summary"]["loss"] == "-Infinity"
    assert document["ended"]["state"] == document["run"]["state"] == "finished"
    assert document["rows"] == 3
    assert document["keys"]["loss"] == 3
    assert document["log"]["damage"] is None


def test_csv_is_exact(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(run_folder(tmp_path), ROWS, Exit(code=0))
    outcome = wandb_command(capsys, "replay", folder, "--csv")
    titles, *rows = list(csv.reader(io.StringIO(outcome.out)))
    logged = ["loss", "count", "ok", "nothing", "text", "nested", "late key"]
    assert titles == ["_step", *logged, "_runtime", "_timestamp"]
    assert rows[0][:5] == ["0", "0.1", str(BIG), "true", "null"]
    assert rows[1][1:7] == ["nan", "", "", "", 'a,"b"\nc', '{"x": [1, "Infinity"]}']
    assert rows[2][1:3] == ["-inf", str(HUGE)]
    assert float(rows[2][7]) == 5e-324


def test_keys_select_and_order_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(run_folder(tmp_path), [*ROWS, {"other": 1}], Exit(code=0))
    outcome = wandb_command(capsys, "replay", folder, "--csv", "--keys", "count,loss")
    assert outcome.out.split("\n") == ["_step,count,loss", f"0,{BIG},0.1", "1,,nan", f"2,{HUGE},-inf", ""]
    document = wandb_command(capsys, "replay", folder, "--json", "--keys", "late key").json()
    assert document["history"] == [{"_step": 2, "late key": 5e-324}]
    assert list(Replay(folder).history(["nothing"])) == [{"_step": 0, "nothing": None}]


def test_an_empty_run_is_a_whole_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(run_folder(tmp_path), [])
    document = wandb_command(capsys, "replay", folder, "--json").json()
    assert (document["history"], document["rows"], document["steps"]) == ([], 0, None)
    assert wandb_command(capsys, "replay", folder, "--csv").out == "\n"


def test_everything_but_the_rows_is_in_the_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    records = [
        Console(time=1.0, stream=0, text="50%\r100%\nbye\n"),
        Alert(title="flat", text="no progress", level="WARN"),
        FileSaved(path="model.npz", policy="now"),
        Exit(code=1, exception="KeyError", message="'lr'"),
    ]
    folder = write_run(run_folder(tmp_path), [{"a": 1}], *records, environment='{"python": "x"}', tags=["t"])
    document = wandb_command(capsys, "replay", folder, "--json").json()
    assert [line["text"] for line in document["console"]["last"]] == ["100%", "bye"]
    assert document["alerts"][0]["title"] == "flat"
    assert document["files"] == [{"path": "model.npz", "policy": "now"}]
    assert document["ended"]["exception"] == "KeyError"
    assert document["run"]["environment"] == {"python": "x"}
    assert document["run"]["tags"] == ["t"]


def test_damage_leaves_a_whole_document_and_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_damaged(run_folder(tmp_path))
    outcome = wandb_command(capsys, "replay", path, "--json")
    assert outcome.code == 1
    assert len(outcome.json()["history"]) == 100
    assert outcome.json()["log"]["damage"] in outcome.err
    assert outcome.err.startswith(f"wandb: ERROR {path} at ")
    listed = wandb_command(capsys, "replay", path, "--csv")
    assert listed.code == 1
    assert len(listed.out.splitlines()) == 101
    assert wandb_command(capsys, "replay", path).code == 1


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(run_folder(tmp_path / "wandb"), ROWS, Exit(code=0))
    target = tmp_path / "out.json"
    outcome = wandb_command(capsys, "replay", folder, "--json", "-o", target)
    assert (outcome.code, outcome.out) == (0, "")
    assert len(json.loads(target.read_text())["history"]) == 3
    before = target.read_bytes()
    (folder / "run-abc12345.wandb").write_bytes(b"no log at all, but something else entirely")
    assert wandb_command(capsys, "replay", folder, "--json", "-o", target).code == 1
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_the_document_of_a_live_run_agrees_with_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run_folder(tmp_path)
    with writer(folder) as child:
        child.read_count(100)
        document = wandb_command(capsys, "replay", folder, "--json").json()
        assert document["run"]["state"] == "running"
        assert [row["count"] for row in document["history"]] == list(range(document["rows"]))
        assert document["summary"]["count"] == document["rows"] - 1


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with Log.create(folder, "abc12345") as log:
        log.append(start())
        for step in range(8_000):
            log.append_row({"loss": step / 8, "note": f"{step} " * 1000}, step, START_TIME + step, COMMIT)
            if step % 100 == 0:
                log.flush()  # small blocks, however slow the disk is
    run = Replay(folder)
    tracemalloc.start()
    try:
        assert sum(1 for _ in run.history()) == 8_000
        run.story()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 << 20, "a few of the reader's batches; all rows together take twice as much"


def test_columns_are_the_history_and_the_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows: List[Any] = [{"loss": 1 / (row + 1), "step": row} for row in range(40)]
    rows[20:20] = ROWS
    folder = write_run(run_folder(tmp_path), rows, Exit(code=0))
    run = Replay(folder)
    history = list(run.history())
    found = [row for batch in run.columns() for row in batch.dicts()]
    assert repr([{key: row[key] for key in sorted(row)} for row in found]) == repr(
        [{key: row[key] for key in sorted(row)} for row in history]
    )
    document = wandb_command(capsys, "replay", folder, "--csv", "--keys", "step,count")
    assert list(csv.reader(io.StringIO(document.out))) == [
        ["_step", "step", "count"],
        *(
            [str(row["_step"]), str(row.get("step", "")), str(row.get("count", ""))]
            for row in history
            if "step" in row or "count" in row
        ),
    ]


def test_columns_as_of_an_earlier_step(tmp_path: Path) -> None:
    run = Replay(write_run(run_folder(tmp_path), [{"loss": float(row)} for row in range(60)], Exit(code=0)))
    (batch,) = run.at(step=30).columns(["loss"])
    assert list(batch.columns["_step"].values) == list(range(31))
    assert set(batch.columns) == {"_step", "loss"}
