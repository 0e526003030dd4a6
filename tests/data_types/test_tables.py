"""Tables: how they are made, what they take and refuse, how they are logged and changed."""

from __future__ import annotations

import datetime
import json
import math
from pathlib import Path
from typing import Any, Dict, List

import matplotlib
import numpy as np
import pandas as pd
import polars as pl
import pytest
from logged import values_of
from matplotlib import pyplot as plt
from PIL import Image as Pillow

import wandb
from wandb.errors import DataError

matplotlib.use("agg")


@pytest.fixture
def run() -> wandb.Run:
    return wandb.init(mode="offline", settings={"silent": True})


def file_of(run: wandb.Run, value: Dict[str, Any]) -> Any:
    return json.loads((Path(run.dir) / value["path"]).read_text())


FRAME = pd.DataFrame({
    "i": [1, 2],
    "f": [1.5, math.nan],
    "s": ["a", None],
    "b": [True, False],
    "d": pd.to_datetime(["2026-01-01", None]),
    "c": pd.Categorical(["x", "y"]),
    "n": pd.array([1, None], "Int64"),
})  # fmt: skip


@pytest.mark.parametrize("how", ["dataframe", "data", "log"])
def test_a_frame_is_a_table(how: str, run: wandb.Run) -> None:
    if how == "log":
        run.log({"t": FRAME})
        value = dict(run.summary["t"])
        assert (value["_type"], value["ncols"], value["nrows"]) == ("table-file", 7, 2)
        assert file_of(run, value)["columns"] == list("ifsbdcn")
        return
    table = wandb.Table(dataframe=FRAME) if how == "dataframe" else wandb.Table(data=FRAME)
    assert table.columns == list("ifsbdcn")
    assert table.data[0] == [1, 1.5, "a", True, pd.Timestamp("2026-01-01"), "x", 1]
    assert [cell for cell in table.data[1] if cell == cell] == [2, None, False, None, "y", None]


def test_a_frame_comes_back(run: wandb.Run) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    assert wandb.Table(dataframe=frame).get_dataframe().equals(frame)


def test_a_frame_of_polars_is_a_table() -> None:
    table = wandb.Table(dataframe=pl.DataFrame({"a": [1, None], "b": ["x", "y"]}))
    assert (table.columns, table.data) == (["a", "b"], [[1, "x"], [None, "y"]])


def test_columns_of_several_levels_are_refused() -> None:
    with pytest.raises(DataError, match=r"unlike \('a', 'x'\); rename"):
        wandb.Table(dataframe=pd.DataFrame({("a", "x"): [1]}))


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (np.arange(4).reshape(2, 2), [[0, 1], [2, 3]]),
        (np.array([["a", "b"]]), [["a", "b"]]),
        ([(1, 2)], [[1, 2]]),
        (iter([[1, 2]]), [[1, 2]]),
        ([], []),
    ],
)
def test_rows_come_from_arrays_and_iterables(data: Any, rows: List[Any]) -> None:
    table = wandb.Table(columns=["a", "b"], data=data)
    assert table.data == rows
    assert all(type(cell) in (int, str) for row in table.data for cell in row)


def test_without_columns_there_are_three() -> None:
    assert wandb.Table(rows=[["a", "b", "c"]]).columns == ["Input", "Output", "Expected"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"columns": ["a"], "data": [[1, 2]]}, "expects 1 columns"),
        ({"columns": ["a"], "data": [1, 2]}, "rows of cells"),
        ({"columns": "ab"}, "columns is a list"),
        ({"columns": [1.5]}, "columns is a list"),
        ({"columns": ["a", "a"]}, "a name of its own"),
        ({"columns": ["a"], "data": np.arange(3)}, "rows and columns"),
        ({"columns": ["a"], "log_mode": "NEVER"}, "log_mode is one of"),
        ({"columns": ["a"], "dtype": [int, str]}, "2 entries for 1 columns"),
        ({"dataframe": [[1]]}, "is a frame"),
    ],
)
def test_what_makes_no_table_is_refused(arguments: Dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        wandb.Table(**arguments)


def test_a_cell_of_another_type_is_refused_and_says_why() -> None:
    table = wandb.Table(columns=["a", "b"], data=[[1, "x"]])
    with pytest.raises(DataError) as caught:
        table.add_data("y", "y")
    assert "Key 'a':\n\tString not assignable to None or Number" in str(caught.value)
    assert len(table.data) == 1
    table.add_data(None, None)
    assert wandb.Table(columns=["a"], data=[[1], ["x"]], allow_mixed_types=True).data == [[1], ["x"]]


def test_cells_that_are_nested_too_deep_are_refused(run: wandb.Run) -> None:
    endless: List[Any] = []
    endless.append(endless)
    with pytest.raises(DataError, match="contain itself"):
        wandb.Table(columns=["a"], data=[[endless]])
    deep: List[Any] = [1]
    for _ in range(40):
        deep = [deep]
    table = wandb.Table(columns=["a"], data=[[deep]])
    with pytest.raises(DataError, match="nested more than 32 deep"):
        run.log({"t": table})


def test_nan_is_none_where_there_are_no_numbers() -> None:
    strict = wandb.Table(columns=["a"], data=[[1.0]], optional=False)
    strict.add_data(2.0)
    with pytest.raises(DataError, match="incompatible"):
        strict.add_data(math.nan)
    texts = wandb.Table(columns=["a"], data=[["x"]])
    texts.add_data(math.nan)
    assert len(texts.data) == 2


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        (int, 1, "x"),
        (str, "x", 1),
        (bool, True, 1),
        (datetime.datetime, datetime.datetime.now(), 1),
        ([int], [1, 2], ["x"]),
        ({"x": int}, {"x": 1}, {"x": "y"}),
        ([int, str], "x", True),
        ("one", "one", "two"),
        (wandb.Html, wandb.Html("x"), "x"),
        (wandb.Classes([{"id": 1, "name": "car"}]), 1, 2),
    ],
)
def test_columns_are_held_to_their_type(dtype: Any, good: Any, bad: Any) -> None:
    given = [dtype] if isinstance(dtype, list) else dtype
    table = wandb.Table(columns=["a"], data=[[good]], dtype=given)
    with pytest.raises(DataError):
        table.add_data(bad)


def test_columns_are_added_and_computed() -> None:
    table = wandb.Table(columns=["a"], data=[[1], [2]])
    table.add_column("b", np.array([0.5, 1.5]))
    table.add_computed_columns(lambda index, row: {"sum": row["a"] + row["b"], "index": index})
    assert table.data == [[1, 0.5, 1.5, 0], [2, 1.5, 3.5, 1]]
    for values, name in (([1], "c"), ([1, "x"], "c"), ([1, 2], "a")):
        with pytest.raises(DataError):
            table.add_column(name, values)
    assert (table.columns, len(table.data[0])) == (["a", "b", "sum", "index"], 4)
    empty = wandb.Table(columns=[])
    empty.add_column("first", [1, 2])
    assert empty.data == [[1], [2]]


def test_a_column_is_a_list_or_an_array() -> None:
    table = wandb.Table(columns=["a", "image"], data=[[1, wandb.Image(np.zeros((2, 2), np.uint8))]])
    assert table.get_column("a") == [1]
    assert table.get_column("image", convert_to="numpy").shape == (1, 2, 2)
    with pytest.raises(DataError, match="no column 'z'"):
        table.get_column("z")


def test_tables_are_equal_by_what_they_hold() -> None:
    def make() -> wandb.Table:
        return wandb.Table(columns=["a", "v"], data=[[1, np.arange(3)], [2, np.ones(3)]])

    assert make() == make()
    other = make()
    other.data[1][1] = np.zeros(3)
    assert make() != other
    with pytest.raises(AssertionError, match="row 1, column 'v'"):
        make()._eq_debug(other, should_assert=True)


def test_pictures_and_figures_in_cells_become_media() -> None:
    class Matrix(np.ndarray):
        """An array of another library's."""

    figure = plt.figure()
    row = [Pillow.new("L", (3, 2)), figure, np.zeros((2, 2)).view(Matrix), np.array(0.5)]
    table = wandb.Table(columns=list("abcd"), data=[row])
    plt.close(figure)
    assert [type(cell).__name__ for cell in table.data[0][:3]] == ["Image", "Image", "ndarray"]


def test_rows_link_to_rows_of_other_tables() -> None:
    users = wandb.Table(columns=["name"], data=[["ann"], ["bob"]])
    users.set_pk("name")
    posts = wandb.Table(columns=["author", "index"], data=[["ann", users.get_index()[1]]])
    posts.set_fk("author", users, "name")
    posts.add_data("bob", users.get_index()[0])
    assert posts.data[0][1].get_row() == {"name": "bob"}
    assert posts.data[1][0]._table is users
    wide = wandb.Table(columns=["a", "b"], data=[["x", "y"]])
    wide.set_pk("a")
    with pytest.raises(wandb.UsageError, match="one primary key"):
        wide.set_pk("b")
    with pytest.raises(wandb.UsageError, match="can't link to itself"):
        users.set_fk("name", users, "name")


def test_the_runs_file_has_the_first_rows_and_all_are_counted(run: wandb.Run) -> None:
    run.log({"t": wandb.Table(columns=["a"], data=[[n] for n in range(10_005)])})
    value = dict(run.summary["t"])
    assert value["nrows"] == 10_005
    assert file_of(run, value)["data"][-1] == [9_999]


def test_media_in_cells_are_named_in_the_runs_file(run: wandb.Run) -> None:
    row = [wandb.Html("x"), [wandb.Html("y")], {"k": np.arange(2)}, datetime.date(2026, 1, 2), np.float32(0.5)]
    run.log({"t": wandb.Table(columns=list("abcde"), data=[row])})
    assert file_of(run, dict(run.summary["t"]))["data"] == [["Html", ["Html"], {"k": [0, 1]}, "2026-01-02", 0.5]]


def test_an_immutable_table_is_logged_once(run: wandb.Run, capsys: pytest.CaptureFixture[str]) -> None:
    table = wandb.Table(columns=["a"], data=[[1]])
    run.log({"t": table})
    table.add_data(2)
    run.log({"t": table})
    run.finish()
    first, second = (row["t"] for row in values_of(run))
    assert first["path"] == second["path"]
    assert file_of(run, second)["data"] == [[1]]


def test_a_mutable_table_is_logged_in_each_state(run: wandb.Run) -> None:
    table = wandb.Table(columns=["a"], data=[[1]], log_mode="MUTABLE")
    run.log({"t": table})
    table.add_data(2)
    table.add_column("b", ["x", "y"])
    run.log({"t": table})
    run.finish()
    first, second = (row["t"] for row in values_of(run))
    assert file_of(run, first)["data"] == [[1]]
    assert file_of(run, second)["data"] == [[1, "x"], [2, "y"]]
    assert (second["log_mode"], second["nrows"]) == ("MUTABLE", 2)


def test_an_incremental_table_is_logged_by_what_is_new(run: wandb.Run) -> None:
    table = wandb.Table(columns=["a"], log_mode="INCREMENTAL")
    for number in range(3):
        table.add_data(number)
        table.add_data(10 * number)
        run.log({"t": table})
    with pytest.raises(wandb.UsageError, match="only gets rows"):
        table.add_column("b", [1] * 6)
    run.finish()
    values = [row["t"] for row in values_of(run)]
    assert [file_of(run, value)["data"] for value in values] == [[[0], [0]], [[1], [10]], [[2], [20]]]
    assert [value["_type"] for value in values] == ["incremental-table-file"] * 3
    assert [value["nrows"] for value in values] == [2, 4, 6]


def test_what_is_logged_is_what_the_table_was_then(run: wandb.Run) -> None:
    table = wandb.Table(columns=["a"], data=[[[1, 2]]])
    run.log({"t": table})
    table.data[0][0].append(3)
    assert file_of(run, dict(run.summary["t"]))["data"] == [[[1, 2]]]


def test_a_joined_table_needs_tables_and_keys() -> None:
    table = wandb.Table(columns=["id", "x"], data=[[1, "a"], [2, "b"]])
    other = wandb.Table(columns=["key", "y"], data=[[2, "c"], [2, "d"]])
    joined = wandb.JoinedTable(table, other, ["id", "key"])
    assert [(row["x"], row["y"]) for row in joined.rows()] == [("b", "c"), ("b", "d")]
    for arguments in ((table, "other.txt", "id"), (table, other, ["id"]), (1, other, "id")):
        with pytest.raises(DataError):
            wandb.JoinedTable(*arguments)


def test_an_evaluation_has_roles_and_scores(run: wandb.Run) -> None:
    table = wandb.EvalTable(
        columns=["q", "a", "ok"], input_columns=["q"], score_columns=["ok"], data=[["1", "2", True]]
    )
    run.log({"eval": table})
    value = run.summary.as_dict()["eval"]
    assert (value["input_columns"], value["output_columns"], value["scores"]) == (["q"], ["a"], {"ok": 1.0})
    with pytest.raises(DataError, match="no column 'z'"):
        wandb.EvalTable(columns=["q"], score_columns=["z"])
