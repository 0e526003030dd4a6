"""Parts of lists, in the form in which servers answer."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

from ..._filters import sortable_time

Variables = Mapping[str, Any]
Answer = Dict[str, Any]


def page_of(
    edges: List[Dict[str, Any]], variables: Variables, cursor: str = "cursor", count: str = "perPage"
) -> Answer:
    """The part of a list that variables ask for; cursors are places in it."""
    start = int(variables.get(cursor) or 0)
    shown = edges[start : start + (variables.get(count) or len(edges) or 1)]
    end = start + len(shown)
    placed = [{**edge, "cursor": str(start + place)} for place, edge in enumerate(shown, 1)]
    return {"edges": placed, "pageInfo": {"endCursor": str(end), "hasNextPage": end < len(edges)}}


def iso_time(seconds: float) -> str:
    """A moment as servers write it."""
    return sortable_time(seconds)[:19] + "Z"
