"""Paths of runs, sweeps and projects, in the forms that users write and copy from the address line of a browser."""

from __future__ import annotations

from typing import Callable, List, NamedTuple, Optional, Tuple
from urllib.parse import unquote, urlsplit

from ._errors import RequestError

Entity = Callable[[], Optional[str]]

# Between the project and the id in the addresses of pages.
_KINDS = ("runs", "sweeps")
# Behind the project in the address of one of its pages.
_PAGES = (*_KINDS, "workspace", "overview", "table", "artifacts", "reports", "jobs")


class RunPath(NamedTuple):
    """Where a run or a sweep is."""

    entity: str
    project: str
    id: str

    def __str__(self) -> str:
        return "/".join(self)


def parse_path(path: str, entity: Entity, project: Optional[str]) -> RunPath:
    """The run or sweep that a path means. What it leaves out is taken from `entity` and `project`.

    >>> parse_path("digits/1a2b", lambda: "me", None)
    RunPath(entity='me', project='digits', id='1a2b')
    >>> parse_path("https://wandb.example.com/me/digits/runs/1a2b?nw=x", lambda: None, None)
    RunPath(entity='me', project='digits', id='1a2b')

    Raises ValueError for what is no path, or lacks a part that nothing else gives.
    """
    parts = _parts(path)
    if parts and ":" in parts[-1] and len(parts) < 3:
        parts[-1:] = parts[-1].split(":", 1)
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise RequestError(f"{path!r} is no path; it looks like entity/project/id, project/id or id")
    found_project = parts[-2] if len(parts) > 1 else project
    if not found_project:
        raise RequestError(f"{path!r} names no project; write project/id, or set WANDB_PROJECT")
    return RunPath(_entity(parts, 2, path, entity), found_project, parts[-1])


def parse_project_path(path: Optional[str], entity: Entity, project: Optional[str]) -> Tuple[str, str]:
    """The (entity, project) that a path means.

    >>> parse_project_path("digits", lambda: "me", None)
    ('me', 'digits')

    Raises ValueError as `parse_path`.
    """
    parts = _parts(path or project or "")
    if not 1 <= len(parts) <= 2 or not all(parts):
        raise RequestError(f"{path!r} is no project; it looks like entity/project or project")
    return _entity(parts, 1, path, entity), parts[-1]


def _parts(path: str) -> List[str]:
    """The parts of a path, entity, project and id, as far as it has them."""
    address = "://" in path
    parts = [part.strip() for part in (unquote(urlsplit(path).path) if address else path).strip("/ ").split("/")]
    for kind in _KINDS:
        if kind in parts[:-1] and (address or len(parts) < 5):
            place = len(parts) - 1 - parts[::-1].index(kind)
            # An address may start with where the pages are, and end with which of a run's pages it is.
            return parts[max(0, place - 2) : place] + parts[place + 1 : place + 2]
    if address and parts[-1] in _PAGES:
        del parts[-1]
    return parts if parts != [""] else []


def _entity(parts: List[str], behind: int, path: Optional[str], entity: Entity) -> str:
    found = parts[-behind - 1] if len(parts) > behind else entity()
    if not found:
        raise RequestError(f"{path!r} names no entity; write entity/project/…, or set WANDB_ENTITY")
    return found
