"""Lists of runs: filters, orders, pages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from live_server import LiveServer

RUNS = """
query Runs($filters: JSONString, $order: String, $after: String, $first: Int) {
  project(name: "demo") {
    runCount(filters: $filters)
    runs(filters: $filters, order: $order, after: $after, first: $first) {
      edges { node { name } cursor }
      pageInfo { endCursor hasNextPage }
    }
  }
}
"""


@pytest.fixture
def runs(server: LiveServer) -> LiveServer:
    for index, name in enumerate(("a", "b", "c")):
        entries = {"lr": {"value": 10**-index}, "opt": {"value": {"name": f"o{index}"}}}
        server.upsert(name, config=json.dumps(entries), tags=["even"] if index % 2 == 0 else [])
        server.clock.advance(1)
    server.stream({"files": {"wandb-summary.json": {"offset": 0, "content": ['{"loss":0.5,"n":{"x":1}}']}}}, name="a")
    server.stream({"files": {"wandb-summary.json": {"offset": 0, "content": ['{"loss":0.1}']}}}, name="b")
    server.stream({"complete": True, "exitcode": 0}, name="b")
    return server


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ({}, "abc"),
        ({"state": "finished"}, "b"),
        ({"config.lr": 0.1}, "b"),
        ({"config.lr.value": 0.1}, "b"),
        ({"config.lr": {"$gt": 0.05, "$lt": 0.5}}, "b"),
        ({"config.opt.name": "o2"}, "c"),
        ({"config.opt.value.name": {"$in": ["o0", "o2"]}}, "ac"),
        ({"summary_metrics.loss": {"$gte": 0.1}}, "ab"),
        ({"summary_metrics.n.x": 1}, "a"),
        ({"summary_metrics.loss": {"$exists": False}}, "c"),
        ({"summary_metrics.loss": None}, "c"),
        ({"tags": "even"}, "ac"),
        ({"tags": {"$nin": ["even"]}}, "b"),
        ({"$or": [{"name": "a"}, {"state": "finished"}]}, "ab"),
        ({"$and": [{"tags": "even"}, {"name": {"$ne": "a"}}]}, "c"),
        ({"$not": {"name": {"$regex": "[ab]"}}}, "c"),
        ({"config.lr": {"$not": {"$gt": 0.05}}}, "c"),
        ({"config.lr": {"$gt": "text"}}, ""),
        ({"created_at": {"$gt": "2027-01-15T08:00:01"}}, "bc"),
    ],
)
def test_filters_choose_runs(runs: LiveServer, expression: dict[str, Any], expected: str) -> None:
    project = runs.execute(RUNS, filters=json.dumps(expression))["project"]
    assert "".join(edge["node"]["name"] for edge in project["runs"]["edges"]) == expected
    assert project["runCount"] == len(expected)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (None, "abc"),
        ("+created_at", "abc"),
        ("-created_at", "cba"),
        ("+config.lr.value", "cba"),
        ("-summary_metrics.loss", "abc"),
        ("+summary_metrics.loss", "bac"),
    ],
)
def test_runs_are_ordered_with_missing_values_last(runs: LiveServer, order: str | None, expected: str) -> None:
    edges = runs.execute(RUNS, order=order)["project"]["runs"]["edges"]
    assert "".join(edge["node"]["name"] for edge in edges) == expected


def test_pages_continue_after_the_last_cursor(runs: LiveServer) -> None:
    first = runs.execute(RUNS, first=2)["project"]["runs"]
    assert first["pageInfo"] == {"endCursor": first["edges"][-1]["cursor"], "hasNextPage": True}
    rest = runs.execute(RUNS, first=2, after=first["pageInfo"]["endCursor"])["project"]["runs"]
    assert [edge["node"]["name"] for edge in rest["edges"]] == ["c"]
    assert rest["pageInfo"]["hasNextPage"] is False


@pytest.mark.parametrize("text", ["[", "[]", '{"$what": 1}', '{"name": {"$near": 1}}', '{"name": {"$regex": "("}}'])
def test_filters_that_make_no_sense_are_errors(runs: LiveServer, text: str) -> None:
    answer = runs.post("/graphql", {"query": RUNS, "variables": {"filters": text}}).json()
    assert answer["errors"]
