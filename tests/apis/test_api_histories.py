"""Histories from a server: every row once, in order, with few requests and little memory."""

from __future__ import annotations

import json
import math
import threading
import tracemalloc
from typing import Any, Dict, Iterator, List, Mapping, Optional

import pandas
import polars
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from live_server import LiveServer

import wandb
from wandb._sampling import evenly
from wandb.apis._client import Client
from wandb.apis._errors import TooMuchError
from wandb.apis._paths import RunPath
from wandb.apis._scan import AHEAD, scan_pages
from wandb.apis.public import HistoryScan, IncompleteRunHistoryError, Run

RUN = RunPath("e", "p", "r")


class Sampler:
    """Answers for pages as a server that never sends more rows than were asked for: a sample where there are more.

    It stands for W&B's own service, which can't be asked here.
    """

    def __init__(self, steps: List[int], most: int = 10_000, rows_max: int = 1 << 30) -> None:
        self.steps, self.asked, self.most, self.rows_max = steps, 0, most, rows_max
        self._lock = threading.Lock()

    def execute(self, document: str, variables: Dict[str, Any]) -> Dict[str, Any]:
        with self._lock:
            self.asked += 1
        if "parquetHistory" in document:
            live = [{"_step": self.steps[0]}] if self.steps else []
            return {"project": {"run": {"parquetHistory": {"parquetUrls": [], "liveData": live}}}}
        if "sampledHistory" in document:
            spec = json.loads(variables["spec"])
            rows = self._rows(spec["minStep"], spec["maxStep"] + 1, spec["samples"])
            chosen = [{key: row[key] for key in spec["keys"] if key in row} for row in rows]
            return {"project": {"run": {"sampledHistory": [chosen]}}}
        rows = self._rows(variables["minStep"], variables["maxStep"], variables["pageSize"])
        return {"project": {"run": {"history": [json.dumps(row) for row in rows]}}}

    def _rows(self, first: int, stop: int, samples: int) -> List[Dict[str, Any]]:
        found = [step for step in self.steps if first <= step < stop]
        found = list(evenly(found, min(samples, self.most)))
        if len(found) > self.rows_max:
            raise TooMuchError("too long")
        return [{"_step": step, "loss": step / 2, **({"third": 1} if step % 3 == 0 else {})} for step in found]


gaps = st.lists(st.one_of(st.just(1), st.integers(1, 5), st.integers(1, 3000)), max_size=60)


@settings(max_examples=150, deadline=None)
@given(
    gaps=gaps, first=st.integers(0, 5000), size=st.integers(1, 40), keys=st.sampled_from([None, ["loss"], ["third"]])
)
@example([1, 253, 1, 1, 1, 1, 2], 254, 1, ["third"])
def test_every_row_comes_once_and_in_order(gaps: List[int], first: int, size: int, keys: Optional[List[str]]) -> None:
    steps = [first + sum(gaps[:place]) for place in range(len(gaps) + 1)]
    server = Sampler(steps, most=4 * size)
    rows = list(scan_pages(server, RUN, keys, 0, steps[-1] + 1, size))
    if keys == ["third"]:
        assert len(rows) == len([step for step in steps if step % 3 == 0])
    else:
        assert [row["loss"] * 2 for row in rows] == steps


def test_gaps_take_few_requests() -> None:
    steps = [1_700_000_000 + step for step in range(100)] + [1_700_500_000 + 7 * step for step in range(1000)]
    server = Sampler(steps)
    rows = list(scan_pages(server, RUN, None, 0, steps[-1] + 1, 1000))
    assert [row["_step"] for row in rows] == steps
    assert server.asked < 40


def test_an_answer_that_is_too_long_is_asked_for_in_parts() -> None:
    server = Sampler(list(range(100)), rows_max=9)
    assert len(list(scan_pages(server, RUN, None, 0, 100, 50))) == 100
    with pytest.raises(TooMuchError):
        list(scan_pages(Sampler([0], rows_max=0), RUN, None, 0, 1, 50))


def test_pages_are_asked_for_ahead_and_no_further() -> None:
    server = Sampler(list(range(10_000)))
    rows = scan_pages(server, RUN, None, 0, 10_000, 100)
    for _ in range(150):
        next(rows)
    assert server.asked <= 2 + AHEAD + 1
    rows.close()  # type: ignore[attr-defined]
    assert server.asked <= 2 + AHEAD + 1


# --- of the real server -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def history(shared_server: LiveServer) -> LiveServer:
    shared_server.upsert("r1", "demo")
    rows: List[Dict[str, Any]] = [{"_step": step, "loss": step / 10, "_timestamp": 100.0 + step} for step in range(50)]
    rows[7].update(loss=math.nan, word="NaN is a number here")
    rows[8]["loss"] = -math.inf
    rows += [{"_step": 100_000 + step, "late": step} for step in range(5)]
    shared_server.rows(rows)
    events = [json.dumps({"system.cpu": float(step), "_timestamp": 1.0 + step, "_wandb": True}) for step in range(4)]
    shared_server.stream({"files": {"wandb-events.jsonl": {"offset": 0, "content": events}}})
    return shared_server


@pytest.fixture
def run(history: LiveServer, server: LiveServer) -> Run:
    return wandb.Api().run("demo/r1")


def test_a_scan_starts_again_with_each_loop(run: Run) -> None:
    scan = run.scan_history(page_size=20)
    assert isinstance(scan, HistoryScan)
    assert (scan.min_step, scan.max_step) == (0, 100_004)
    assert [len(list(scan)), len(list(scan))] == [55, 55]
    started = iter(scan)
    assert [next(started)["_step"], next(scan)["_step"]] == [0, 1]


def test_a_part_of_a_history(run: Run) -> None:
    assert [row["_step"] for row in run.scan_history(min_step=45)][-6:] == [49, *range(100_000, 100_005)]
    assert [row["_step"] for row in run.scan_history(min_step=45, max_step=47)] == [45, 46]
    assert list(run.scan_history(min_step=10, max_step=10)) == []
    assert [row["late"] for row in run.scan_history(keys=["late"])] == [0, 1, 2, 3, 4]
    assert list(run.beta_scan_history(keys=("late", "loss"))) == []


def test_what_is_no_number_in_json_is_one_here(run: Run) -> None:
    by_step = {row["_step"]: row["loss"] for row in run.scan_history(keys=["_step", "loss"])}
    assert math.isnan(by_step[7])
    assert by_step[8] == -math.inf
    (sampled,) = run.history(keys=["word"], pandas=False)
    assert sampled == {"_step": 7, "word": "NaN is a number here"}


def test_histories_as_tables(run: Run) -> None:
    table = run.history()
    assert isinstance(table, pandas.DataFrame)
    assert (len(table), list(table["late"].dropna())) == (55, [0, 1, 2, 3, 4])
    assert list(run.history(samples=2)["_step"]) == [0, 100_004]
    assert list(run.history(keys=["loss"], x_axis="_timestamp").columns) == ["_timestamp", "loss"]
    system = run.history(stream="system")
    assert list(system["system.cpu"]) == [0, 1, 2, 3]
    assert run.history(keys=["system.cpu"], stream="system", pandas=False)[-1] == {"_timestamp": 4.0, "system.cpu": 3.0}


def test_histories_of_several_runs(history: LiveServer, server: LiveServer) -> None:
    server.upsert("r2", "demo")
    server.rows([{"_step": 0, "loss": 5, "other": "x"}], name="r2")
    runs = wandb.Api().runs("demo", {"name": {"$in": ["r1", "r2"]}})
    rows = runs.histories(samples=3)
    assert [(row["run_id"], row["_step"]) for row in rows] == [("r1", 0), ("r1", 27), ("r1", 100_004), ("r2", 0)]
    table = runs.histories(samples=3, format="pandas")
    assert isinstance(table, pandas.DataFrame)
    frame = runs.histories(samples=3, format="polars")
    assert isinstance(frame, polars.DataFrame)
    columns = ["_step", "_timestamp", "late", "loss", "other", "run_id"]
    assert list(table.columns) == frame.columns == columns
    assert list(table["run_id"]) == frame["run_id"].to_list() == ["r1", "r1", "r1", "r2"]
    assert wandb.Api().runs("demo", {"name": "none"}).histories(format="polars").is_empty()


@pytest.mark.parametrize("options", [{"keys": "loss"}, {"keys": [1]}, {"stream": "other"}])
def test_what_makes_no_sense_is_refused(run: Run, options: Dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"keys|stream"):
        run.history(**options)


def test_exports_are_fetched_where_the_server_has_some(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("exports")
    with pytest.raises(IncompleteRunHistoryError, match="scan_history"):
        run.download_history_exports(folder)
    result = run.download_history_exports(folder, require_complete_history=False)
    assert (result.paths, result.contains_live_data, result.errors) == ([], True, None)


class Exporting(Client):
    """A server that has made a file of the history, as this one doesn't."""

    def execute(
        self, document: str, variables: Optional[Mapping[str, Any]] = None, repeatable: bool = True
    ) -> Dict[str, Any]:
        if "parquetHistory" not in document:
            return super().execute(document, variables, repeatable)
        urls = [f"{self.base_url}/healthz", f"{self.base_url}/files/nothing"]
        return {"project": {"run": {"parquetHistory": {"parquetUrls": urls, "liveData": []}}}}


def test_a_file_that_cannot_be_fetched_is_told(run: Run, server: LiveServer, tmp_path_factory: Any) -> None:
    exporting = Run(Exporting(server.url), server.user, "demo", "r1")
    result = exporting.download_history_exports(tmp_path_factory.mktemp("exports"))
    assert [path.name for path in result.paths] == ["r1_0.parquet"]
    assert result.paths[0].stat().st_size > 0
    assert [path.name for path in result.errors or {}] == ["r1_1.parquet"]


def test_a_scan_takes_the_memory_of_a_few_pages() -> None:
    def peak(rows: Iterator[Dict[str, Any]]) -> int:
        tracemalloc.start()
        for _ in rows:
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    short, long = Sampler(list(range(2_000))), Sampler(list(range(8_000)))
    few = peak(scan_pages(short, RUN, None, 0, 2_000, 200))
    assert peak(scan_pages(long, RUN, None, 0, 8_000, 200)) < 2 * few
