"""Where artifacts came from and went: runs and versions around one of them, as a graph."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from ._artifacts import (
    Artifact,
    artifact_by_id,
    artifacts_of_run,
    artifacts_used_by_run,
    collection_by_id,
    memberships_of,
    runs_using,
)
from ._auth import User
from ._limits import LINEAGE_DISTANCE_MAX, LINEAGE_NODES_MAX
from ._store import Run, find_run_by_id

# A node is a run or a version of an artifact, by its number.
Node = tuple[str, int]
RUN, ARTIFACT = "run", "artifact"


def lineage(connection: Connection, user: User, middle: Node) -> dict[str, Any]:
    """The nodes up to some distance from one, the edges between them, and whether there are more."""
    views: dict[Node, dict[str, Any]] = {}
    edges: dict[tuple[Node, Node], None] = {}
    waiting: list[tuple[Node, int]] = [(middle, 0)]
    cut = False
    for node, distance in waiting:
        if node in views:
            continue
        view = _view(connection, user, node)
        if view is None:
            continue
        if len(views) >= LINEAGE_NODES_MAX:
            cut = True
            break
        views[node] = view
        for edge in _edges(connection, node):
            edges[edge] = None
            other = edge[0] if edge[1] == node else edge[1]
            if distance < LINEAGE_DISTANCE_MAX:
                waiting.append((other, distance + 1))
            else:
                cut = cut or other not in views
    known = [edge for edge in edges if edge[0] in views and edge[1] in views]
    return {
        "nodes": [{"id": _name(node), "kind": node[0], **view} for node, view in views.items()],
        "edges": [[_name(start), _name(end)] for start, end in known],
        "middle": _name(middle),
        "cut": cut,
    }


def _name(node: Node) -> str:
    return f"{node[0]} {node[1]}"


def _edges(connection: Connection, node: Node) -> list[tuple[Node, Node]]:
    """From what was there before to what came of it."""
    kind, number = node
    if kind == RUN:
        made = [(node, (ARTIFACT, artifact.id)) for artifact in artifacts_of_run(connection, number)]
        return made + [((ARTIFACT, artifact.id), node) for artifact in artifacts_used_by_run(connection, number)]
    artifact = artifact_by_id(connection, number)
    maker = [] if artifact is None or artifact.run_id is None else [((RUN, artifact.run_id), node)]
    return maker + [(node, (RUN, run)) for run in runs_using(connection, number)]


def _view(connection: Connection, user: User, node: Node) -> dict[str, Any] | None:
    """What the page shows of a node; None where the user may not see it."""
    kind, number = node
    if kind == RUN:
        run = find_run_by_id(connection, number)
        return None if run is None or not user.may_see(run) else _run_view(run)
    artifact = artifact_by_id(connection, number)
    return None if artifact is None else _artifact_view(connection, user, artifact)


def _run_view(run: Run) -> dict[str, Any]:
    names = {"entity": run.entity, "project": run.project, "run": run.name, "name": run.display_name}
    return {**names, "job_type": run.job_type}


def _artifact_view(connection: Connection, user: User, artifact: Artifact) -> dict[str, Any] | None:
    home = collection_by_id(connection, artifact.collection_id)
    if home is None or not user.may_see(home):
        return None
    own = [place.version for place in memberships_of(connection, artifact) if place.collection.id == home.id]
    if not own:
        return None
    return {"entity": home.entity, "project": home.project, "type": home.type, "name": f"{home.name}:v{own[0]}"}
