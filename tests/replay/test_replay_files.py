"""What other programs open: Parquet, SQLite, event files of TensorBoard, notebooks. Each is read by its real reader."""

from __future__ import annotations

import dataclasses
import json
import math
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List

import nbformat
import polars
import pyarrow.parquet
import pytest
from written_runs import COMMIT, START_TIME, run_folder, start, wandb_command, write_run

import wandb.replay._tensorboard as tensorboard_module
from wandb_storage import Alert, Console, Exit, FileSaved, Log, SystemMetrics

BIG = 2**53 + 1
HISTOGRAM = {"_type": "histogram", "values": [1, 3, 2], "bins": [0.0, 1.0, 2.0, 3.0]}
ROWS: List[Dict[str, Any]] = [
    {"loss": 0.25, "count": BIG, "ok": True, "weights": HISTOGRAM},
    {"loss": math.nan, "Loss": 2, "text": "a'b"},
    {"loss": math.inf, "count": 3, "nested": {"x": 1}, 'odd "name"': 1.5},
]


def two_runs(folder: Path) -> Path:
    records = [
        Console(time=START_TIME, stream=0, text="hello\n"),
        Console(time=START_TIME, stream=1, text="oh\n"),
        SystemMetrics(time=START_TIME + 1, json='{"cpu": 12.5}'),
        Alert(title="flat", text="no progress", level="WARN", time=START_TIME + 2),
        FileSaved(path="model.npz", policy="now"),
        Exit(code=0),
    ]
    home = folder / "wandb"
    write_run(run_folder(home), ROWS, *records, config={"lr": 0.1, "opt": {"name": "adam"}}, name="noisy-hill-3")
    second = run_folder(home, "second", "20260105_130000")
    write_run(second, [{"loss": 1, "other": "x"}], Exit(code=1), run_id="second", project="digits")
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return two_runs(tmp_path_factory.mktemp("runs"))


def test_parquet_is_read_by_arrow_and_polars(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.parquet"
    outcome = wandb_command(capsys, "replay", "abc12345", "--dir", home, "--parquet", "-o", path)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    table = pyarrow.parquet.read_table(path)
    assert table.column("count").to_pylist() == [BIG, None, 3]
    assert table.column("loss").to_pylist()[2] == math.inf
    assert polars.read_parquet(path)["text"].to_list() == [None, "a'b", None]


def test_several_runs_are_one_parquet_file(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs.parquet"
    assert wandb_command(capsys, "replay", home, "--parquet", "--keys", "loss,other", "-o", path).code == 0
    frame = polars.read_parquet(path)
    assert frame.columns == ["run_id", "_step", "loss", "other"]
    assert frame["run_id"].to_list() == ["abc12345"] * 3 + ["second"]
    assert frame["loss"].to_list()[3] == 1.0, "an integer among doubles"


def test_sqlite_has_everything(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs.db"
    assert wandb_command(capsys, "replay", home, "--sqlite", path).code == 0
    with sqlite3.connect(path) as database:

        def ask(query: str) -> Any:
            return database.execute(query).fetchall()

        assert ask("SELECT run_id, name, state, exit_code, rows FROM runs") == [
            ("abc12345", "noisy-hill-3", "finished", 0, 3),
            ("second", None, "failed", 1, 1),
        ]
        assert ask("SELECT _step, loss, count, ok, text FROM history WHERE run_id = 'abc12345' ORDER BY row") == [
            (0, 0.25, BIG, 1, None),
            (1, None, None, None, "a'b"),
            (2, math.inf, 3, None, None),
        ]
        assert ask("SELECT row, key FROM not_a_number") == [(1, "loss")]
        assert ask("SELECT min(loss) FROM history") == [(0.25,)]
        assert ask("SELECT \"Loss (2)\" FROM history WHERE row = 1 AND run_id = 'abc12345'") == [(2,)]
        assert ask("SELECT column FROM keys WHERE key = 'Loss'") == [("Loss (2)",)]
        assert ask('SELECT "odd ""name""" FROM history WHERE row = 2') == [(1.5,)]
        assert ask("SELECT value FROM config WHERE key = 'lr'") == [(0.1,)]
        assert json.loads(ask("SELECT value FROM config WHERE key = 'opt'")[0][0]) == {"name": "adam"}
        assert ask("SELECT metric, value FROM system") == [("system.cpu", 12.5)]
        assert ask("SELECT stream, text FROM console") == [("stdout", "hello"), ("stderr", "oh")]
        assert ask("SELECT path, policy FROM files") == [("model.npz", "now")]
        assert ask("SELECT title FROM alerts") == [("flat",)]
    database.close()


def test_more_keys_than_sqlite_has_columns_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_run(run_folder(tmp_path), [{f"k{number}": 1 for number in range(2500)}])
    refused = wandb_command(capsys, "replay", folder, "--sqlite", tmp_path / "x.db")
    assert refused.code == 1
    assert "1,990 columns, and these are 2,503 keys; choose with --keys" in refused.err
    assert not (tmp_path / "x.db").exists()
    assert wandb_command(capsys, "replay", folder, "--sqlite", tmp_path / "x.db", "--keys", "k1").code == 0


# TensorBoard's own reader, in a process of its own: its libraries warn about each other.
_READER = """
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "histograms": 0})
events.Reload()
scalars = {tag: [(one.step, one.wall_time, repr(one.value)) for one in events.Scalars(tag)] for tag in
           events.Tags()["scalars"]}
histograms = {tag: [(one.histogram_value.num, one.histogram_value.min, one.histogram_value.max,
                     list(one.histogram_value.bucket)) for one in events.Histograms(tag)] for tag in
              events.Tags()["histograms"]}
texts = {tag: events.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in events.Tags()["tensors"]}
print(json.dumps([scalars, histograms, texts]))
"""


def test_tensorboard_reads_its_event_file(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "events"
    assert wandb_command(capsys, "replay", home, "--tensorboard", folder).code == 0
    assert sorted(path.name for path in folder.iterdir()) == ["abc12345", "second"]
    command = [sys.executable, "-W", "ignore", "-c", _READER, str(folder / "abc12345")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    scalars, histograms, texts = json.loads(done.stdout)
    times = [START_TIME + step for step in range(3)]
    assert scalars["loss"] == [[0, times[0], "0.25"], [1, times[1], "nan"], [2, times[2], "inf"]]
    assert scalars["count"] == [[0, times[0], repr(float(2**53))], [2, times[2], "3.0"]]
    assert scalars["ok"] == [[0, times[0], "1.0"]]
    assert set(scalars) == {"loss", "count", "ok", "Loss", 'odd "name"'}
    assert histograms["weights"] == [[6.0, 0.0, 3.0, [0.0, 1.0, 3.0, 2.0]]]
    assert json.loads(texts["config"]) == {"lr": 0.1, "opt": {"name": "adam"}}


def test_the_checksum_is_the_one_that_was_published() -> None:
    assert tensorboard_module._crc32c(b"123456789") == 0xE3069283, "RFC 3720"


def test_a_notebook_runs(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "run.ipynb"
    outcome = wandb_command(
        capsys, "replay", "abc12345", "--dir", home, "--notebook", "--from-step", 1, "--keys", "loss,text", "-o", path
    )
    assert outcome.code == 0
    notebook: Any = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(notebook)
    names: Dict[str, Any] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and ".plot(" not in cell.source:
            exec(cell.source, names)
    assert names["run"].run_id == "abc12345"
    assert list(names["history"].columns) == ["_step", "loss", "text"]
    assert names["history"]["_step"].tolist() == [1, 2]
    stories = [cell.outputs[0].text for cell in notebook.cells if cell.cell_type == "code" and cell.outputs]
    assert "noisy-hill-3" in stories[0]


def test_csv_and_json_of_several_runs(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = wandb_command(capsys, "replay", home, "--csv", "--keys", "loss,other").out.splitlines()
    assert lines[:2] == ["run_id,_step,loss,other", "abc12345,0,0.25,"]
    assert lines[-1] == "second,0,1,x"
    documents = wandb_command(capsys, "replay", "abc12345", "sec*", "--dir", home, "--json").json()
    assert [document["run"]["id"] for document in documents] == ["abc12345", "second"]


def test_ranges_choose_rows(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = wandb_command(capsys, "replay", "abc12345", "--dir", home, "--csv", "--keys", "loss", "--from-step", 1)
    assert outcome.out == "_step,loss\n1,nan\n2,inf\n"
    timed = ("--csv", "--keys", "loss", "--from-time", "+1s", "--to-time", START_TIME + 1)
    assert wandb_command(capsys, "replay", "abc12345", "--dir", home, *timed).out == "_step,loss\n1,nan\n"


def test_a_range_behind_the_start_is_each_runs_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, run_id in enumerate(("one", "two")):
        with Log.create(run_folder(tmp_path, run_id), run_id) as log:
            log.append(dataclasses.replace(start(run_id), time=START_TIME + 1000 * number))
            for step in range(4):
                log.append_row({"a": step}, step, START_TIME + 1000 * number + step, COMMIT)
    both = ("one", "two", "--dir", tmp_path)
    outcome = wandb_command(capsys, "replay", *both, "--csv", "--keys", "a", "--from-time", "+1s", "--to-time", "-1s")
    assert outcome.out == "run_id,_step,a\none,1,1\none,2,2\ntwo,1,1\ntwo,2,2\n"
    late = wandb_command(capsys, "replay", "--dir", tmp_path, "--diff", "one", "two", "--from-time", "+3s", "--json")
    assert (late.json()["compared"], late.json()["values"]) == (1, {})


def test_a_key_that_no_row_has_is_said(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = wandb_command(capsys, "replay", "abc12345", "--dir", home, "--csv", "--keys", "los", "--to-step", 0)
    assert (outcome.code, outcome.out) == (0, "_step,los\n")
    assert "WARNING no row has los; there are loss\n" in outcome.err


def test_a_file_that_cant_be_written_is_named(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "nowhere" / "a.csv"
    outcome = wandb_command(capsys, "replay", "abc12345", "--dir", home, "--csv", "-o", place)
    assert (outcome.code, f"{place}: No such file or directory" in outcome.err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--csv", "--sqlite", "x.db"], "--sqlite and --csv exclude each other"),
        (["--sqlite", "x.db", "-o", "y"], "--sqlite has its own place"),
        (["--csv", "--from-step", "10", "--to-step", "5"], "--from-step 10 is behind --to-step 5"),
        (["--keys", "loss"], "--keys goes with a form"),
        (["--at-time", "soon"], "'soon' is none: a time is 2026-01-05T12:30"),
        (["--at-time", "+10"], "'+10' is none: a time is"),
        (["--at-time", "nan"], "'nan' is none: a time is"),
        (["--at-time", "29:30"], "'29:30' is none: a time is"),
    ],
)
def test_what_makes_no_sense_is_said(capsys: pytest.CaptureFixture[str], arguments: List[str], said: str) -> None:
    outcome = wandb_command(capsys, "replay", "latest", *arguments)
    assert outcome.code == 2
    assert said in " ".join(outcome.err.split())
