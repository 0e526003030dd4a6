"""Lists of runs: of a project, and of an agent."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Iterator,
    List,
    Literal,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
    overload,
)

from ..._sampling import SAMPLES_DEFAULT
from ...errors import CommError
from .._errors import RequestError
from .._source import Row, Source
from ..paginator import Page, SizedPaginator
from ._run_documents import LIGHT_FIELDS, runs_document
from .history import as_pandas, as_polars
from .runs import Run

if TYPE_CHECKING:
    import pandas
    import polars

    from .sweeps import Sweep

ORDER_DEFAULT = "+created_at"
# Histories that are asked for at once: most of the time is the server's.
_AT_ONCE = 4

_AGENT_RUNS = """
query GetAgentRuns($agentID: String!, $sweep: String!, $entity: String, $project: String, $after: String, $first: Int,
    $order: String) {
  project(name: $project, entityName: $entity) {
    sweep(sweepName: $sweep) {
      agent(agentName: $agentID) {
        runs(after: $after, first: $first, order: $order) {
          edges { node { FIELDS } cursor }
          pageInfo { endCursor hasNextPage }
        }
      }
    }
  }
}
""".replace("FIELDS", LIGHT_FIELDS)


class Runs(SizedPaginator[Run]):
    """The runs of a project that a filter leaves, in an order, fetched page by page.

    Without `lazy` each page comes with config, summary, system metrics and keys of its runs; otherwise these come when
    one of them is first used, then for all runs of the page at once.

    >>> runs = wandb.Api().runs("digits", filters={"config.lr": {"$lt": 1}}, order="-created_at")
    >>> len(runs), [run.name for run in runs[:2]]
    (1, ['first'])
    >>> runs.histories(keys=["loss"], samples=10)
    [{'_step': 0, 'loss': 0.5, 'run_id': 'r1'}, {'_step': 1, 'loss': 0.25, 'run_id': 'r1'}]
    """

    def __init__(
        self,
        source: Source,
        entity: str,
        project: str,
        filters: Optional[Mapping[str, Any]] = None,
        order: str = ORDER_DEFAULT,
        per_page: int = 50,
        include_sweeps: bool = False,
        lazy: bool = True,
    ) -> None:
        super().__init__(per_page)
        self.entity, self.project = entity, project
        self.filters = dict(filters or {})
        self.order = order or ORDER_DEFAULT
        self._source, self._lazy, self._include_sweeps = source, lazy, include_sweeps
        self._sweeps: Dict[str, Optional[Sweep]] = {}

    def _fetch(self, cursor: Optional[str], count: int) -> Page[Run]:
        project = self._ask(not self._lazy, self.filters, cursor, count)
        edges = project["runs"]["edges"]
        page = _PageOfRuns(self)
        for edge in edges:
            node = edge["node"]
            page.runs.append(
                Run(self._source, self.entity, self.project, node["name"], node, lazy=self._lazy, load_more=page.load)
            )
        if self._include_sweeps:
            self._add_sweeps(page.runs)
        end = project["runs"]["pageInfo"]["endCursor"] or (edges[-1]["cursor"] if edges else None)
        return Page(page.runs, end, project["runs"]["pageInfo"]["hasNextPage"], project.get("runCount"))

    def _ask(self, full: bool, filters: Mapping[str, Any], cursor: Optional[str], count: int) -> Dict[str, Any]:
        variables = {
            "entity": self.entity, "project": self.project, "filters": json.dumps(filters), "order": self.order,
            "cursor": cursor, "perPage": count,
        }  # fmt: skip
        found: Optional[Dict[str, Any]] = self._source.execute(runs_document(full), variables).get("project")
        if found is None:
            raise RequestError(f"there is no project {self.entity}/{self.project} at {self._source.base_url}")
        return found

    def load_full(self, runs: Sequence[Run]) -> None:
        """Load config, summary and so on of runs of this list with one request."""
        wanted = {run.id: run for run in runs}
        project = self._ask(True, {"name": {"$in": list(wanted)}}, None, len(wanted))
        for edge in project["runs"]["edges"]:
            if edge["node"]["name"] in wanted:
                wanted[edge["node"]["name"]].fill_in(edge["node"])

    def _add_sweeps(self, runs: Sequence[Run]) -> None:
        from .sweeps import find_sweep

        for run in runs:
            name = run.sweep_name
            if name and name not in self._sweeps:
                self._sweeps[name] = find_sweep(self._source, self.entity, self.project, name)
            run.know_sweep(self._sweeps[name] if name else None)

    def upgrade_to_full(self) -> None:
        """Load what `lazy` left out, of the runs that are here and with every later page."""
        self._lazy = False
        for start in range(0, len(self.objects), self.per_page):
            missing = [run for run in self.objects[start : start + self.per_page] if not run.loaded_fully]
            if missing:
                self.load_full(missing)

    # --- histories ----------------------------------------------------------------------------------------------------

    @overload
    def histories(
        self,
        samples: int = ...,
        keys: Optional[Sequence[str]] = ...,
        x_axis: str = ...,
        format: Literal["default"] = ...,
        stream: str = ...,
    ) -> List[Row]: ...

    @overload
    def histories(
        self,
        samples: int = ...,
        keys: Optional[Sequence[str]] = ...,
        x_axis: str = ...,
        *,
        format: Literal["pandas"],
        stream: str = ...,
    ) -> pandas.DataFrame: ...

    @overload
    def histories(
        self,
        samples: int = ...,
        keys: Optional[Sequence[str]] = ...,
        x_axis: str = ...,
        *,
        format: Literal["polars"],
        stream: str = ...,
    ) -> polars.DataFrame: ...

    def histories(
        self,
        samples: int = SAMPLES_DEFAULT,
        keys: Optional[Sequence[str]] = None,
        x_axis: str = "_step",
        format: str = "default",
        stream: str = "default",
    ) -> Union[List[Row], pandas.DataFrame, polars.DataFrame]:
        """The sampled histories of all runs of the list, one below the other, each row with its `run_id`.

        format: `"default"` for a list of dictionaries, `"pandas"` or `"polars"` for a DataFrame, whose columns are
        sorted. The others as in `Run.history`. Raises ValueError, CommError, and UsageError where a library is missing.
        """
        if format not in ("default", "pandas", "polars"):
            raise RequestError(f"format is 'default', 'pandas' or 'polars', not {format!r}")
        rows = [
            {**row, "run_id": run.id}
            for run, history in self._histories(samples, keys, x_axis, stream)
            for row in history
        ]
        if format == "default":
            return rows
        table: Any = as_pandas(rows) if format == "pandas" else as_polars(rows)
        return table[sorted(table.columns)]

    def _histories(
        self, samples: int, keys: Optional[Sequence[str]], x_axis: str, stream: str
    ) -> Iterator[Tuple[Run, List[Row]]]:
        def read(run: Run) -> List[Row]:
            return run.history(samples, keys, x_axis, pandas=False, stream=stream)

        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="histories") as pool:
            runs = list(self)
            yield from zip(runs, pool.map(read, runs))

    def __repr__(self) -> str:
        return f"<Runs {self.entity}/{self.project}>"


class _PageOfRuns:
    """Runs that were listed together, and get what a list leaves out together."""

    def __init__(self, listed: Runs) -> None:
        self.runs: List[Run] = []
        self._list = listed
        self._lock = threading.Lock()

    def load(self) -> None:
        with self._lock:
            missing = [run for run in self.runs if not run.loaded_fully]
            if missing:
                self._list.load_full(missing)


class AgentRuns(SizedPaginator[Run]):
    """The runs that an agent of a sweep has started, fetched page by page.

    >>> [agent] = wandb.Api().project("digits").sweeps()[0].agents()
    >>> len(agent.runs())
    0
    """

    def __init__(
        self,
        source: Source,
        entity: str,
        project: str,
        sweep_id: str,
        agent_key: str,
        *,
        total_runs: int,
        order: str = ORDER_DEFAULT,
        per_page: int = 50,
    ) -> None:
        super().__init__(per_page)
        self.entity, self.project, self.order = entity, project, order
        self._source, self._total = source, total_runs
        self._variables = {
            "entity": entity, "project": project, "sweep": sweep_id, "agentID": agent_key, "order": order
        }  # fmt: skip

    def _fetch(self, cursor: Optional[str], count: int) -> Page[Run]:
        answer = self._source.execute(_AGENT_RUNS, {**self._variables, "after": cursor, "first": count})
        agent = ((answer.get("project") or {}).get("sweep") or {}).get("agent")
        if agent is None:
            raise CommError(f"there is no agent {self._variables['agentID']} of {self._variables['sweep']} any more")
        edges, page = agent["runs"]["edges"], agent["runs"]["pageInfo"]
        runs = [Run(self._source, self.entity, self.project, edge["node"]["name"], edge["node"]) for edge in edges]
        end = page["endCursor"] or (edges[-1]["cursor"] if edges else None)
        return Page(runs, end, page["hasNextPage"], self._total)

    def __repr__(self) -> str:
        return f"<AgentRuns {self.entity}/{self.project} agent={self._variables['agentID']!r}>"
