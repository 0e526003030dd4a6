"""A whole history from a server, in pages of steps.

Servers answer for a range of steps, and may answer with a sample where a range holds more rows than a page. So ranges
are as many steps as a page has rows, and grow only while they come back all but empty: a history that was logged every
thousand steps doesn't take a request for each empty page. A range that had grown and then comes back fuller than
expected is asked for again in small ones. Where the first range is empty, the server is asked where the history begins.
"""

from __future__ import annotations

import json
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Deque, Dict, Iterator, List, NamedTuple, Optional, Protocol, Sequence, Tuple

from ._errors import TooMuchError
from ._paths import RunPath

# Requests that are under way while the rows before are taken: the server works while the caller does.
AHEAD = 2
# A range grows while it brings less than this part of a page, and was too large beyond the other.
_SPARSE, _FULL = 8, 2
_GROWTH, _GROWN_MAX = 4, 64

# The files that a server has made of a history, and the rows that are in none of them.
EXPORTS = """
query RunParquetHistory($entity: String!, $project: String!, $run: String!, $liveKeys: [String!]!) {
  project(name: $project, entityName: $entity) {
    run(name: $run) { parquetHistory(liveKeys: $liveKeys) { parquetUrls liveData } }
  }
}
"""

_ROWS = """
query HistoryPage($entity: String!, $project: String!, $run: String!, $minStep: Int64!, $maxStep: Int64!,
    $pageSize: Int!) {
  project(name: $project, entityName: $entity) {
    run(name: $run) { history(minStep: $minStep, maxStep: $maxStep, samples: $pageSize) }
  }
}
"""

_VALUES = """
query SampledHistoryPage($entity: String!, $project: String!, $run: String!, $spec: JSONString!) {
  project(name: $project, entityName: $entity) { run(name: $run) { sampledHistory(specs: [$spec]) } }
}
"""

Row = Dict[str, Any]

# JSON has no numbers for these, so that servers spell them where they answer with values instead of lines.
_SPELLED = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


class Asks(Protocol):
    """What a scan needs of a server."""

    def execute(self, document: str, variables: Dict[str, Any]) -> Dict[str, Any]: ...


class _Range(NamedTuple):
    start: int
    stop: int


class _Answer(NamedTuple):
    rows: List[Row]
    came: int  # rows, of which some may lack keys


def scan_pages(
    server: Asks, run: RunPath, keys: Optional[Sequence[str]], min_step: int, stop_step: int, page_size: int
) -> Iterator[Row]:
    """See `Source.scan`."""
    ask = _Ask(server, run, keys)
    pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="history")
    try:
        first = _Range(min_step, min(min_step + page_size, stop_step))
        rows = list(_ranges(ask, pool, first, page_size))
        yield from rows
        behind = first.stop if rows else max(first.stop, ask.first_step())
        yield from _ranges(ask, pool, _Range(behind, stop_step), page_size)
    finally:
        pool.shutdown(wait=False)


def _ranges(ask: _Ask, pool: ThreadPoolExecutor, whole: _Range, size: int) -> Iterator[Row]:
    width, start = size, whole.start
    waiting: Deque[Tuple[_Range, Future[_Answer]]] = deque()
    while waiting or start < whole.stop:
        while len(waiting) < AHEAD and start < whole.stop:
            asked = _Range(start, min(start + width, whole.stop))
            waiting.append((asked, pool.submit(ask, asked)))
            start = asked.stop
        asked, future = waiting.popleft()
        steps = asked.stop - asked.start
        try:
            rows, came = future.result()
        except TooMuchError:
            if steps < 2:
                raise
            yield from _ranges(ask, pool, asked, max(1, size // _GROWTH))
            continue
        if steps > size and came * _FULL >= size:
            yield from _ranges(ask, pool, asked, size)
            width = size
            continue
        yield from rows
        sparse = came * _SPARSE < size
        width = min(max(width, steps * _GROWTH), size * _GROWN_MAX) if sparse else size


class _Ask:
    """Asks for the rows of a range, in order of step."""

    def __init__(self, server: Asks, run: RunPath, keys: Optional[Sequence[str]]) -> None:
        self._server, self._keys = server, keys
        self._variables = {"entity": run.entity, "project": run.project, "run": run.id}

    def __call__(self, asked: _Range) -> _Answer:
        if self._keys:
            return self._values(asked, self._keys)
        # The range as a whole fits: there are hardly more rows than steps.
        page = {"minStep": asked.start, "maxStep": asked.stop, "pageSize": asked.stop - asked.start}
        lines = self._run(_ROWS, page)["history"]
        rows: List[Row] = json.loads(f"[{','.join(lines)}]")
        return _Answer(rows, len(rows))

    def _values(self, asked: _Range, keys: Sequence[str]) -> _Answer:
        spec = {
            "keys": list(dict.fromkeys((*keys, "_step"))), "minStep": asked.start, "maxStep": asked.stop - 1,
            "samples": asked.stop - asked.start,
        }  # fmt: skip
        found = self._run(_VALUES, {"spec": json.dumps(spec)})["sampledHistory"][0]
        rows = [numbers_read({key: row[key] for key in keys}) for row in found if all(key in row for key in keys)]
        return _Answer(rows, len(found))

    def first_step(self) -> int:
        """Where the history begins, as far as the server tells; 0 where it doesn't."""
        found = self._run(EXPORTS, {"liveKeys": ["_step"]}).get("parquetHistory") or {}
        live = found.get("liveData") or ()
        step = live[0].get("_step") if live and not found.get("parquetUrls") else None
        return step if isinstance(step, int) else 0

    def _run(self, document: str, page: Dict[str, Any]) -> Dict[str, Any]:
        answer = self._server.execute(document, {**self._variables, **page})
        run: Optional[Dict[str, Any]] = (answer.get("project") or {}).get("run")
        return run or {"history": [], "sampledHistory": [[]]}  # deleted meanwhile


def numbers_read(row: Row) -> Row:
    """A row with numbers where a server spells out what JSON has no number for."""
    return {
        key: _SPELLED[value] if isinstance(value, str) and value in _SPELLED else value for key, value in row.items()
    }
