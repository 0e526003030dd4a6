"""A history as rows, in columns, and as a table of pandas, polars and Arrow: the same values, each exact."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Dict, List

import pytest
from written_runs import COMMIT, START_TIME, run_folder, start, write_damaged, write_run

from wandb.errors import Error
from wandb.replay import Replay
from wandb.replay._needs import need
from wandb_storage import Exit, Log, LogDamaged, RowFlag

BIG = 2**53 + 1
ROWS: List[Dict[str, Any]] = [
    {"loss": 0.1, "count": BIG, "ok": True, "text": "a", "mixed": 1, "nested": {"x": [1, math.inf]}},
    {"loss": math.nan, "ok": None, "text": None, "mixed": "one", "whole": 1, "part": 1},
    {"loss": -math.inf, "count": 3, "text": "ü\n", "mixed": None, "whole": 2, "part": 0.5},
    {"huge": 2**70},
]
CLOCKS = ["_runtime", "_timestamp"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Replay:
    return Replay(write_run(run_folder(tmp_path_factory.mktemp("runs")), ROWS, Exit(code=0)))


def test_types_are_those_that_hold_every_value(run: Replay) -> None:
    assert run.history().types() == {
        "_step": "integer", "loss": "double", "count": "integer", "ok": "truth", "text": "text", "mixed": "json",
        "nested": "json", "whole": "integer", "part": "double", "huge": "json", "_runtime": "double",
        "_timestamp": "double",
    }  # fmt: skip
    assert list(run.history(["text", "nowhere", "loss"]).types()) == ["_step", "text", "loss"]


def test_an_integer_that_no_double_holds_is_not_rounded(tmp_path: Path) -> None:
    rows: List[Dict[str, Any]] = [{"a": 0.5}, {"a": BIG}]
    history = Replay(write_run(run_folder(tmp_path), rows)).history(["a"])
    assert history.types()["a"] == "json"
    assert history.to_arrow().column("a").to_pylist() == ["0.5", str(BIG)]


def test_arrow_has_a_column_a_key(run: Replay) -> None:
    table = run.history().to_arrow()
    assert table.num_rows == len(ROWS)
    found = {name: table.column(name).to_pylist() for name in table.column_names}
    assert found["_step"] == [0, 1, 2, 3]
    assert found["count"] == [BIG, None, 3, None]
    assert found["ok"] == [True, None, None, None]
    assert found["text"] == ["a", None, "ü\n", None]
    assert found["mixed"] == ["1", '"one"', None, None]
    assert found["nested"] == ['{"x": [1, "Infinity"]}', None, None, None]
    assert (found["whole"], found["part"]) == ([None, 1, 2, None], [None, 1.0, 0.5, None])
    assert found["huge"] == [None, None, None, str(2**70)]
    assert math.isnan(found["loss"][1])
    assert (found["loss"][0], found["loss"][2:]) == (0.1, [-math.inf, None])
    assert found["_timestamp"][3] == START_TIME + 3
    assert [str(table.schema.field(name).type) for name in ("loss", "count", "ok", "text")] == [
        "double", "int64", "bool", "string",
    ]  # fmt: skip


def test_pandas_keeps_integers_and_truths_of_which_rows_lack_some(run: Replay) -> None:
    frame = run.history().to_pandas()
    dtypes = {name: str(dtype) for name, dtype in frame.dtypes.items()}
    assert dtypes["_step"] == "int64"
    assert (dtypes["count"], dtypes["ok"], dtypes["loss"]) == ("Int64", "boolean", "float64")
    assert (frame["count"][0], frame["count"].isna().tolist()) == (BIG, [False, True, False, True])
    assert frame["mixed"].tolist() == [1, "one", None, None]
    assert frame["nested"][0] == {"x": [1, math.inf]}
    assert frame["huge"][3] == 2**70
    assert frame["part"].tolist()[1:3] == [1.0, 0.5]


def test_polars_has_what_arrow_has(run: Replay) -> None:
    frame = run.history(["count", "text"], to_step=2).to_polars()
    assert frame.to_dict(as_series=False) == {"_step": [0, 1, 2], "count": [BIG, None, 3], "text": ["a", None, "ü\n"]}


def test_a_range_has_both_ends(run: Replay) -> None:
    assert [row["_step"] for row in run.history(from_step=1, to_step=2)] == [1, 2]
    timed = run.history(["loss"], from_time=START_TIME + 1, to_time=START_TIME + 2)
    assert [row["_step"] for row in timed] == [1, 2]
    assert set(next(iter(timed))) == {"_step", "loss"}, "and no key that only the choice needed"
    assert [row["_step"] for row in run.history(from_step=9)] == []
    assert run.history(from_step=9).to_pandas().shape == (0, 12)
    assert run.history(from_step=9).to_arrow().num_rows == 0


def test_a_range_of_rows_that_came_late(tmp_path: Path) -> None:
    folder = run_folder(tmp_path)
    with Log.create(folder, "abc12345") as log:
        log.append(start())
        for number, step in enumerate([*range(40), 11, 3, 12]):
            log.append_row({"a": number, "b": number % 2 == 0}, step, START_TIME, COMMIT | RowFlag.EXPLICIT)
    (batch,) = Replay(folder).history(from_step=10, to_step=13).columns()
    assert list(batch.columns["a"].values) == [10, 11, 12, 13, 40, 42]
    assert batch.columns["b"].objects() == [True, False, True, False, True, True]


def test_a_range_ends_before_what_comes_behind_it_is_read(tmp_path: Path) -> None:
    run = Replay(write_damaged(run_folder(tmp_path)).parent)
    with pytest.raises(LogDamaged):
        list(run.history(from_step=90))
    read: List[int] = []
    batches = run.history(["a"], from_step=90, to_step=95).columns(read.append)
    assert [list(batch.columns["a"].values) for batch in batches] == [[*range(90, 96)]]
    assert sum(read) <= 100


def test_an_empty_history_is_an_empty_table(tmp_path: Path) -> None:
    history = Replay(write_run(run_folder(tmp_path), [])).history()
    assert (list(history), history.types()) == ([], {})
    assert history.to_arrow().num_rows == 0
    assert history.to_pandas().empty
    assert history.to_polars().is_empty()


def test_a_moment_bounds_what_is_told(run: Replay) -> None:
    then = run.at(time=START_TIME + 1.5)
    assert (then.rows, then.state, then.summary["mixed"]) == (2, "running", "one")
    assert [row["_step"] for row in then.history()] == [0, 1]
    assert "the run still went on" in then.ended.evidence
    assert run.at(time=START_TIME + 1e6).state == "finished"


def test_a_library_that_is_missing_is_named_with_the_line_that_installs_it() -> None:
    with pytest.raises(Error, match="a table needs no_such_library: run `pip install no-such-library`"):
        need("no_such_library", "no-such-library", "a table")
