"""What a run's program wrote to its terminal."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Dict, Optional

from ...errors import CommError
from .._source import Source
from ..paginator import Page, Paginator

if TYPE_CHECKING:
    from .runs import Run

_PAGE = """
query RunConsoleLogPage($entity: String!, $project: String!, $runName: String!, $first: Int, $after: String) {
  project(name: $project, entityName: $entity) {
    run(name: $runName) {
      logLineCount
      logLines(first: $first, after: $after, useImprovedPagination: true) {
        edges { node { number timestamp level label line } }
        pageInfo { endCursor hasNextPage }
      }
    }
  }
}
"""

_TAIL = """
query RunConsoleLogTail($entity: String!, $project: String!, $runName: String!, $last: Int!) {
  project(name: $project, entityName: $entity) {
    run(name: $runName) { logLineCount logLines(last: $last) { edges { node { number timestamp level label line } } } }
  }
}
"""


@dataclasses.dataclass(frozen=True)
class ConsoleLogLine:
    """A line that the program wrote.

    `number` counts from 0; `timestamp` is in UTC, None where it isn't known; `level` is "error" for stderr and empty
    for stdout; `label` names the process where several wrote to the run.

    >>> line = wandb.Api().runs("digits")[0].console_logs()[0]
    >>> line.number, line.content
    (0, 'training')
    """

    number: int
    timestamp: Optional[datetime]
    level: str
    label: str
    content: str


class ConsoleLogs(Paginator[ConsoleLogLine]):
    """The lines of a run's console, the oldest first, fetched page by page; with `last`, only that many at the end.

    >>> [line.content for line in wandb.Api().runs("digits")[0].console_logs(last=1)]
    ['done']
    """

    def __init__(self, source: Source, run: Run, per_page: int = 1000, last: Optional[int] = None) -> None:
        super().__init__(per_page)
        self.run = run
        self._source, self._tail = source, last

    def _fetch(self, cursor: Optional[str], count: int) -> Page[ConsoleLogLine]:
        variables: Dict[str, Any] = {"entity": self.run.entity, "project": self.run.project, "runName": self.run.id}
        if self._tail is None:
            answer = self._source.execute(_PAGE, {**variables, "first": count, "after": cursor})
        else:
            answer = self._source.execute(_TAIL, {**variables, "last": self._tail})
        run = (answer.get("project") or {}).get("run")
        if run is None:
            raise CommError(f"there is no run {'/'.join(self.run.path)} any more")
        lines = [_line(edge["node"]) for edge in run["logLines"]["edges"]]
        page = run["logLines"].get("pageInfo") or {"endCursor": None, "hasNextPage": False}
        return Page(lines, page["endCursor"], page["hasNextPage"])

    def __repr__(self) -> str:
        return f"<ConsoleLogs {'/'.join(self.run.path)}>"


def _line(node: Dict[str, Any]) -> ConsoleLogLine:
    return ConsoleLogLine(
        node["number"], _moment(node.get("timestamp")), node.get("level") or "", node.get("label") or "", node["line"]
    )


def _moment(text: Optional[str]) -> Optional[datetime]:
    """A server's time, which is UTC even where it doesn't say so."""
    whole, _, fraction = (text or "").rstrip("Zz").partition(".")
    try:
        moment = datetime.fromisoformat(f"{whole}.{fraction[:6].ljust(6, '0')}" if fraction else whole)
    except ValueError:
        return None
    return moment.replace(tzinfo=timezone.utc) if moment.tzinfo is None else moment.astimezone(timezone.utc)
