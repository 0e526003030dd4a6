"""Sweeps of this machine: a server's are known by their runs, offline ones also by the folder that agents share."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ._pages import Answer, Variables, iso_time, page_of
from ._run import PROJECT_DEFAULT, LocalRun

if TYPE_CHECKING:
    from ...sweeps import OfflineSweep
    from ._logs import LocalLogs


class LocalSweep(NamedTuple):
    """A sweep with what is here of it."""

    name: str
    entity: str
    project: str
    runs: List[LocalRun]
    offline: Optional[OfflineSweep]

    def node(self) -> Answer:
        """As servers describe it."""
        states = {run.replay.state for run in self.runs}
        times = [run.replay.scan().state.last_time for run in self.runs]
        started = [run.started for run in self.runs]
        facts: Dict[str, Any] = {"state": "RUNNING" if "running" in states else "FINISHED", "config": "{}"}
        if self.offline is not None:
            facts = _facts(self.offline)
            started.append(os.stat(self.offline.folder / "sweep.yaml").st_mtime)
        return {
            "id": self.name, "name": self.name, "displayName": None, "method": None, "description": None,
            "bestLoss": None, "runCount": len(self.runs), "runCountExpected": None,
            "createdAt": iso_time(min(started)), "updatedAt": iso_time(max(times or started)), **facts,
        }  # fmt: skip


def _facts(sweep: OfflineSweep) -> Dict[str, Any]:
    import yaml

    from ...sweeps import SweepConfigError, check_config, runs_expected

    config = sweep.config
    expected = None
    with contextlib.suppress(SweepConfigError):  # edited by hand, and its agents say what is wrong
        expected = runs_expected(check_config(config))
    return {
        "config": yaml.safe_dump(config, sort_keys=False), "state": sweep.state(), "method": config.get("method"),
        "description": config.get("description"), "displayName": config.get("name"),
        "runCountExpected": expected,
    }  # fmt: skip


def sweeps_of(logs: LocalLogs, variables: Variables) -> List[LocalSweep]:
    """Those of a project, the oldest first."""
    trials: Dict[str, List[LocalRun]] = {}
    for run in logs.runs():
        if run.replay.start.sweep_id:
            trials.setdefault(run.replay.start.sweep_id, []).append(run)
    offline = _offline(logs.directory)
    found = []
    for name in {**trials, **offline}:
        runs, sweep = trials.get(name, []), offline.get(name)
        owner, project = (runs[0].entity, runs[0].project) if runs else _home(logs, sweep)
        if (owner, project) == (variables["entity"], variables["project"]):
            found.append(LocalSweep(name, owner, project, runs, sweep))
    return found


def _offline(directory: Path) -> Dict[str, OfflineSweep]:
    folders = sorted(file.parent for file in directory.glob("sweep-*/sweep.yaml"))
    if not folders:
        return {}
    from ...sweeps import OfflineSweep

    return {sweep.id: sweep for sweep in map(OfflineSweep, folders)}


def _home(logs: LocalLogs, sweep: Optional[OfflineSweep]) -> Tuple[str, str]:
    """The entity and the project of a sweep that no run has begun of: where one would begin now."""
    config: Mapping[str, Any] = {} if sweep is None else sweep.config
    return config.get("entity") or logs.owner.entity, config.get("project") or logs.project or PROJECT_DEFAULT


def _one(logs: LocalLogs, document: str, variables: Variables) -> Answer:
    found = next((sweep for sweep in sweeps_of(logs, variables) if sweep.name == variables["name"]), None)
    return {"project": {"sweep": None if found is None else found.node()}}


def _all(logs: LocalLogs, document: str, variables: Variables) -> Answer:
    edges = [{"node": sweep} for sweep in sweeps_of(logs, variables)]
    page = page_of(edges, variables)
    for edge in page["edges"]:
        edge["node"] = edge["node"].node()
    return {"project": {"totalSweeps": len(edges), "sweeps": page}}


ANSWERS: Dict[str, Callable[[LocalLogs, str, Variables], Answer]] = {"GetSweep": _one, "GetSweeps": _all}
