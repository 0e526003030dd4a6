"""Histories of the public Api: samples of one, and all rows of one."""

from __future__ import annotations

import dataclasses
import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Union
from urllib.parse import quote

from ..._new_file import new_file
from ..._terminal import termwarn
from ...errors import CommError, UsageError
from .._errors import RequestError
from .._paths import RunPath
from .._scan import EXPORTS, numbers_read
from .._source import Row, Source

if TYPE_CHECKING:
    import pandas
    import polars

STREAMS = {"default": "history", "system": "events"}

_SAMPLE = """
query RunFullHistory($project: String!, $entity: String!, $name: String!, $samples: Int) {
  project(name: $project, entityName: $entity) { run(name: $name) { STREAM(samples: $samples) } }
}
"""

_SAMPLE_OF_KEYS = """
query RunSampledHistory($project: String!, $entity: String!, $name: String!, $specs: [JSONString!]!) {
  project(name: $project, entityName: $entity) { run(name: $name) { sampledHistory(specs: $specs) } }
}
"""


class IncompleteRunHistoryError(CommError):
    """A run has rows that the server hasn't exported yet.

    >>> run = wandb.Api().runs("digits")[0]
    >>> try:
    ...     found = run.download_history_exports("exports").paths
    ... except IncompleteRunHistoryError:
    ...     found = list(run.scan_history())
    >>> len(found)
    1
    """


class HistoryScan(Iterator[Row]):
    """All rows of a history, fetched in pages while they are taken.

    Each `for` loop over it starts at the beginning. Memory is that of a few pages, for any number of rows.

    >>> scan = wandb.Api().runs("digits")[0].scan_history(keys=["_step", "loss"], min_step=1)
    >>> list(scan)
    [{'_step': 1, 'loss': 0.25}]
    """

    def __init__(
        self,
        source: Source,
        run: RunPath,
        min_step: int,
        stop_step: int,
        keys: Optional[Sequence[str]] = None,
        page_size: int = 1000,
    ) -> None:
        if page_size < 1:
            raise RequestError(f"page_size must be at least 1, not {page_size}")
        self.run = run
        self.min_step = min_step
        self.keys = keys
        self.page_size = page_size
        self._source, self._stop = source, stop_step
        self._rows = self._start()

    @property
    def max_step(self) -> int:
        """The highest step that a row can have."""
        return self._stop - 1

    def _start(self) -> Iterator[Row]:
        return self._source.scan(self.run, self.keys, self.min_step, self._stop, self.page_size)

    def __iter__(self) -> HistoryScan:
        self._rows = self._start()
        return self

    def __next__(self) -> Row:
        return next(self._rows)

    def __repr__(self) -> str:
        return f"<HistoryScan of {self.run}, steps {self.min_step} to {self.max_step}>"


def read_history(
    source: Source, run: RunPath, samples: int, keys: Optional[Sequence[str]], x_axis: str, stream: str
) -> List[Row]:
    """At most `samples` rows, evenly chosen. With `keys` the rows that have all of them, and `x_axis` before them.

    Raises ValueError for what isn't to be had.
    """
    check_keys(keys)
    if stream not in STREAMS:
        raise RequestError(f"stream is {' or '.join(map(repr, STREAMS))}, not {stream!r}")
    variables: Dict[str, Any] = {"entity": run.entity, "project": run.project, "name": run.id}
    if keys and stream == "default":
        spec = {"keys": [x_axis, *(key for key in keys if key != x_axis)], "samples": samples}
        answer = source.execute(_SAMPLE_OF_KEYS, {**variables, "specs": [json.dumps(spec)]})
        return [numbers_read(row) for row in _of_run(answer, run)["sampledHistory"][0]]
    node = STREAMS[stream]
    lines = _of_run(source.execute(_SAMPLE.replace("STREAM", node), {**variables, "samples": samples}), run)[node]
    rows: List[Row] = json.loads(f"[{','.join(lines)}]")
    if not keys:
        return rows
    wanted = ["_timestamp" if x_axis == "_step" else x_axis, *keys]  # rows of the machine have no step
    return [{key: row[key] for key in wanted} for row in rows if all(key in row for key in wanted)]


def check_keys(keys: Optional[Sequence[str]]) -> None:
    """Raises ValueError for what are no keys."""
    if keys is not None and not isinstance(keys, (list, tuple)):
        raise RequestError("keys must be specified in a list")
    if keys and not all(isinstance(key, str) for key in keys):
        raise RequestError("keys argument must be a list of strings")


def last_step(source: Source, run: RunPath, document: str) -> int:
    """The highest step of a history; -1 where it has no rows."""
    variables = {"entity": run.entity, "project": run.project, "name": run.id}
    keys = _of_run(source.execute(document, variables), run).get("historyKeys") or {}
    step = keys.get("lastStep", -1)
    return step if isinstance(step, int) else -1


def _of_run(answer: Dict[str, Any], run: RunPath) -> Dict[str, Any]:
    found: Optional[Dict[str, Any]] = (answer.get("project") or {}).get("run")
    if found is None:
        raise CommError(f"there is no run {run} any more")
    return found


# --- for other libraries ----------------------------------------------------------------------------------------------


def as_pandas(rows: List[Row]) -> pandas.DataFrame:
    """Rows as a table. Raises UsageError where pandas is missing."""
    table: pandas.DataFrame = _library("pandas").DataFrame.from_records(rows)
    return table


def as_pandas_if_possible(rows: List[Row]) -> Union[List[Row], pandas.DataFrame]:
    """Rows as a table; as they are, with a warning, where pandas is missing."""
    try:
        return as_pandas(rows)
    except UsageError as error:
        termwarn(f"{error}, or call history(pandas=False): here are the rows as a list", repeat=False)
        return rows


def as_polars(rows: List[Row]) -> polars.DataFrame:
    """Rows as a table. Raises UsageError where polars is missing."""
    library = _library("polars")
    # Columns of which the first rows have nothing, or integers, may have anything later.
    table: polars.DataFrame = library.from_dicts(rows, infer_schema_length=None) if rows else library.DataFrame()
    return table


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise UsageError(f"{name} is not installed: pip install {name}") from None


# --- exports ----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class DownloadHistoryResult:
    """What `Run.download_history_exports` brought.

    >>> run = wandb.Api().runs("digits")[0]
    >>> run.download_history_exports("exports", require_complete_history=False).contains_live_data
    False
    """

    paths: List[Path]
    contains_live_data: bool  # whether the run has rows that are in none of the files
    errors: Optional[Dict[Path, str]] = None  # why files are missing


def download_exports(source: Source, run: RunPath, folder: Path, complete: bool) -> DownloadHistoryResult:
    """Fetch the Parquet files that the server has made of a history. Raises IncompleteRunHistoryError, CommError."""
    variables = {"entity": run.entity, "project": run.project, "run": run.id, "liveKeys": ["_step"]}
    found = _of_run(source.execute(EXPORTS, variables), run)["parquetHistory"]
    live = bool(found["liveData"])
    if live and complete:
        raise IncompleteRunHistoryError(
            f"{source.base_url} has not exported all rows of {run}; read them with scan_history(), "
            "or take what there is with require_complete_history=False"
        )
    folder.mkdir(parents=True, exist_ok=True)
    result = DownloadHistoryResult([], live)
    for number, url in enumerate(found["parquetUrls"]):
        path = folder / f"{quote(run.id, safe='')}_{number}.parquet"
        try:
            with new_file(path) as file:
                source.fetch(url, path.name, file.write)
            result.paths.append(path)
        except CommError as error:
            result.errors = {**(result.errors or {}), path: str(error)}
    return result
