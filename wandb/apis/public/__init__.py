"""The public Api: what `wandb.Api` gives, and the classes of it.

    api.py                `Api`; its parts: `_connection`, `_api_artifacts`, `_api_queues`
    runs.py               `Run`; `_run_parts`, what belongs to it; `run_lists`, `Runs`; `_run_documents`
    history.py, files.py, console_logs.py, summary.py      what a run holds
    artifacts.py, artifact_collections.py, projects.py, sweeps.py, users.py, teams.py, jobs.py

The modules have the names under which callers of the official client import from them. A document of GraphQL stands
beside the class that sends it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Api
    from .artifact_collections import (
        ArtifactCollection,
        ArtifactCollections,
        ArtifactType,
        ArtifactTypes,
        ProjectArtifactCollections,
    )
    from .artifacts import ArtifactFile, ArtifactFiles, Artifacts, RunArtifacts
    from .console_logs import ConsoleLogLine, ConsoleLogs
    from .files import File, Files
    from .history import DownloadHistoryResult, HistoryScan, IncompleteRunHistoryError
    from .jobs import QueuedRun, RunQueue
    from .projects import Project, Projects
    from .run_lists import AgentRuns, Runs
    from .runs import Run, RunNotFoundError
    from .summary import HTTPSummary
    from .sweeps import Agent, Sweep, Sweeps
    from .teams import Member, Team
    from .users import User

__all__ = [
    "Agent",
    "AgentRuns",
    "Api",
    "ArtifactCollection",
    "ArtifactCollections",
    "ArtifactFile",
    "ArtifactFiles",
    "ArtifactType",
    "ArtifactTypes",
    "Artifacts",
    "ConsoleLogLine",
    "ConsoleLogs",
    "DownloadHistoryResult",
    "File",
    "Files",
    "HTTPSummary",
    "HistoryScan",
    "IncompleteRunHistoryError",
    "Member",
    "Project",
    "ProjectArtifactCollections",
    "Projects",
    "QueuedRun",
    "Run",
    "RunArtifacts",
    "RunNotFoundError",
    "RunQueue",
    "Runs",
    "Sweep",
    "Sweeps",
    "Team",
    "User",
]

_HOMES = {
    "api": ("Api",),
    "artifact_collections": (
        "ArtifactCollection",
        "ArtifactCollections",
        "ArtifactType",
        "ArtifactTypes",
        "ProjectArtifactCollections",
    ),
    "artifacts": ("ArtifactFile", "ArtifactFiles", "Artifacts", "RunArtifacts"),
    "console_logs": ("ConsoleLogLine", "ConsoleLogs"),
    "files": ("File", "Files"),
    "history": ("DownloadHistoryResult", "HistoryScan", "IncompleteRunHistoryError"),
    "jobs": ("QueuedRun", "RunQueue"),
    "projects": ("Project", "Projects"),
    "run_lists": ("AgentRuns", "Runs"),
    "runs": ("Run", "RunNotFoundError"),
    "summary": ("HTTPSummary",),
    "sweeps": ("Agent", "Sweep", "Sweeps"),
    "teams": ("Member", "Team"),
    "users": ("User",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return importlib.import_module(f".{name}", __name__)
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f".{_HOME_OF[name]}", __name__), name)
    globals()[name] = value
    return value
