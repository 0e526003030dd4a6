"""Every operation, tried by every role: what a role may not do leaves no trace, and what it may works."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Dict

import pytest
from operations import MUTATIONS, QUERIES, Operation, document_of, may, roles_to_try
from sqlalchemy import Connection, event
from world import World

from wandb.server._auth import ACCESSES
from wandb.server._graphql import GraphQLExecutor
from wandb.server._services import OWN_TRANSACTION, RequestContext


@pytest.fixture(scope="module", params=ACCESSES)
def any_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world") / "data", request.param) as made:
        yield made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world") / "data") as made:
        yield made


class _Undo(Exception):
    """Nothing of what was tried stays."""


class _RowsWritten:
    """Counts the rows that a connection writes, in whatever database."""

    def __init__(self, connection: Connection) -> None:
        self.count = 0
        event.listen(connection, "after_cursor_execute", self._add)

    def _add(self, connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if not statement.lstrip().upper().startswith("SELECT"):
            self.count += max(cursor.rowcount, 0)


def tried(world: World, role: str, kind: str, name: str, operation: Operation) -> Dict[str, Any]:
    """The response to an operation, which is then undone: `changes` says how many rows it had written."""
    server = world.server
    executor = server.app.state.executor
    assert isinstance(executor, GraphQLExecutor)
    document = document_of(kind, operation)
    response: Dict[str, Any] = {}
    user = world.user(role)
    database = server.services.database
    try:
        with database.read() if name in OWN_TRANSACTION else database.write() as connection:
            written = _RowsWritten(connection)
            changes = bool(executor.mutations(document))
            context = RequestContext(server.services, connection, user, server.url, server.clock(), changes)
            response = executor.execute(document, world.ids, None, context)
            response["changes"] = written.count
            raise _Undo
    except _Undo:
        return response


def test_every_operation_of_the_schema_is_tried(world: World) -> None:
    schema = world.server.app.state.executor.schema
    assert set(QUERIES) == set(schema.query_type.fields)
    assert set(MUTATIONS) == set(schema.mutation_type.fields)


@pytest.mark.parametrize("name", sorted(QUERIES))
def test_who_may_ask(any_world: World, name: str) -> None:
    for role in roles_to_try(any_world.access):
        response = tried(any_world, role, "query", name, QUERIES[name])
        found = (response["data"] or {}).get(name)
        # A list is an answer, empty or not.
        seen = "errors" not in response and found is not None
        assert seen == may(role, name, any_world.access), (role, response)


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_who_may_change(any_world: World, name: str) -> None:
    for role in roles_to_try(any_world.access):
        response = tried(any_world, role, "mutation", name, MUTATIONS[name])
        done = "errors" not in response
        assert done == may(role, name, any_world.access), (role, response)
        assert done or not response["changes"], (role, response)


def ask(world: World, role: str, query: str, **variables: Any) -> Any:
    """What a role is answered over HTTP."""
    with world.session(role) as session:
        body = {"query": query, "variables": {**world.ids, **variables}}
        return session.post(f"{world.server.url}/graphql", json=body, timeout=30).json()


@pytest.mark.parametrize(("role", "shown"), [("viewer", False), ("member", True), ("service", True), ("root", True)])
def test_only_who_may_change_a_run_is_told_where_its_bytes_go(world: World, role: str, shown: bool) -> None:
    query = """{ project(name: "demo", entityName: "crew") { run(name: "r1") {
        files(names: ["a.txt", "new.txt"]) { edges { node { name directUrl uploadUrl url(upload: true) } } } } } }"""
    edges = ask(world, role, query)["data"]["project"]["run"]["files"]["edges"]
    assert [edge["node"]["name"] for edge in edges] == ["a.txt", "new.txt"]
    for edge in edges:
        assert (edge["node"]["uploadUrl"] is not None) == shown
        assert (edge["node"]["url"] is not None) == shown
        assert edge["node"]["directUrl"]


def test_what_a_viewer_may_read_is_read_only_to_him(world: World) -> None:
    query = """{ project(name: "demo", entityName: "crew") { readOnly run(name: "r1") { readOnly } } }"""
    for role, read_only in (("viewer", True), ("member", False)):
        found = ask(world, role, query)["data"]["project"]
        assert [found["readOnly"], found["run"]["readOnly"]] == [read_only, read_only]


LINK = """mutation L($artifact: ID!, $entity: String) { linkArtifact(input: {artifactID: $artifact, entityName: $entity,
    projectName: "own", artifactPortfolioName: "p"}) { versionIndex } }"""
USE = """mutation U($artifact: ID!, $entity: String) { useArtifact(input: {artifactID: $artifact, entityName: $entity,
    projectName: "own", runName: "mine"}) { artifact { id } } }"""


def test_what_one_may_not_read_doesnt_come_into_the_own_entity(world: World) -> None:
    """By a link, as an input of a run of one's own, as the base of a version of one's own."""
    upsert = 'mutation { upsertBucket(input: {name: "mine", modelName: "own"}) { inserted } }'
    create = """mutation C { createArtifact(input: {projectName: "own", artifactTypeName: "t",
        artifactCollectionName: "c", digest: "%s"}) { artifact { id } } }""" % ("1" * 32)
    manifest = """mutation M($own: ID!, $base: ID!) { createArtifactManifest(input: {artifactID: $own,
        baseArtifactID: $base, name: "m", digest: "", type: INCREMENTAL}) { artifactManifest { id } } }"""
    for role, readable in (("outsider", False), ("viewer", True)):
        assert "errors" not in ask(world, role, upsert)
        given = {"artifact": world.ids["artifactId"], "entity": role}
        assert ("errors" not in ask(world, role, LINK, **given)) == readable, role
        assert ("errors" not in ask(world, role, USE, **given)) == readable, role
        own = ask(world, role, create)["data"]["createArtifact"]["artifact"]["id"]
        answer = ask(world, role, manifest, own=own, base=world.ids["artifactId"])
        assert ("errors" not in answer) == readable, (role, answer)


def test_what_is_ones_own_doesnt_come_into_an_entity_that_one_may_not_change(world: World) -> None:
    own = world.make_artifact("of-viewer", commit=True, entity="viewer")
    link = """mutation L($own: ID!) { linkArtifact(input: {artifactID: $own, entityName: "crew", projectName: "demo",
        artifactPortfolioName: "reg"}) { versionIndex } }"""
    alias = """mutation A($own: ID!) { addAliases(input: {artifactID: $own, aliases: [{entityName: "crew",
        projectName: "demo", artifactCollectionName: "ds", alias: "evil"}]}) { success } }"""
    for query in (link, alias):
        assert "errors" in ask(world, "viewer", query, own=own)


def test_the_keys_of_others_are_nobodys_business(world: World) -> None:
    query = """{ project(name: "demo", entityName: "crew") { run(name: "r1") { user { username email admin apiKeys {
        edges { node { id } } } teams { edges { node { name } } } } } } }"""
    user = ask(world, "member", query)["data"]["project"]["run"]["user"]
    assert user["apiKeys"]["edges"] == []
    assert user["email"] == ""
