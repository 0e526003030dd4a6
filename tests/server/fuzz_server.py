"""Requests of all kinds to every route and every operation, most of them nonsense: an answer each time, no failure.

    python tests/server/fuzz_server.py --requests 100000 --seed 1

What an outsider sends, however it is put together out of ids and names that are real, leaves the team's data as it was.
"""

from __future__ import annotations

import argparse
import collections
import functools
import json
import random
import string
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Counter, Dict, List, Tuple
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parent))  # as a program of its own

import requests
from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLScalarType,
    get_named_type,
    is_leaf_type,
)
from sqlalchemy import MetaData, select
from starlette.routing import BaseRoute, Mount, Route
from world import World

SECONDS_MAX = 20.0
_NASTY = [
    "", " ", "..", "../../etc/passwd", "/etc/passwd", "a/../../b", "a\x00b", "\ud800", "ü" * 300, "x" * 5000, "%2e%2e",
    "'; DROP TABLE runs; --", "%", "_", "*", "{}", "[]", "null", "NaN", "1e999", "-1", "0", str(2**63), str(10**30),
    "true", "\r\nX: y", "<script>alert(1)</script>", "${7*7}", "demo", "crew", "r1", "ds:v0", "ds:latest", "a.txt",
    '{"$and": [{"config.x": {"$gt": 1}}]}', '{"keys": ["loss"], "samples": 10}', '{"$or": ' * 50, "+created_at",
    "method: random\nparameters: {lr: {min: 0.0, max: 1.0}}", "a: &a [*a, *a]", "\u202e", "\ufeff",
]  # fmt: skip
_NUMBERS = [0, 1, -1, 2, 50, 1000, 10**6, 2**31 - 1, 2**31, -(2**31), 2**53, 2**63 - 1, 2**63, -(2**63) - 1, 10**40]


class Fuzzer:
    """Makes requests for one world. Everything follows from the seed."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.chance = world, random.Random(seed)
        self.schema = world.server.app.state.executor.schema
        self.known = [value for value in world.ids.values() if isinstance(value, str)]
        self.routes = [
            (method, route.path)
            for route in _flat(world.server.app.routes)
            for method in sorted(route.methods or ())
            if route.path not in ("/login", "/logout")  # tests of their own
        ]

    def text(self) -> str:
        dice = self.chance.random()
        if dice < 0.4:
            return self.chance.choice(self.known)
        if dice < 0.85:
            return self.chance.choice(_NASTY)
        return "".join(self.chance.choices(string.printable, k=self.chance.randrange(30)))

    def value(self, depth: int = 0) -> Any:
        """Any JSON value."""
        kind = self.chance.randrange(8 if depth < 3 else 6)
        if kind < 3:
            return self.text()
        if kind == 3:
            return self.chance.choice(_NUMBERS)
        if kind == 4:
            return self.chance.choice([None, True, False, 0.5, -1e308])
        if kind == 5:
            return self.chance.choice([[], {}])
        if kind == 6:
            return [self.value(depth + 1) for _ in range(self.chance.randrange(4))]
        return {self.text(): self.value(depth + 1) for _ in range(self.chance.randrange(4))}

    # --- GraphQL ------------------------------------------------------------------------------------------------------

    def operation(self) -> Tuple[str, Dict[str, Any]]:
        """A document with one field, and its variables."""
        root = self.chance.choice([self.schema.query_type, self.schema.mutation_type, self.schema.mutation_type])
        name = self.chance.choice(sorted(root.fields))
        variables: Dict[str, Tuple[str, Any]] = {}
        call = self._call(name, root.fields[name], variables, 0)
        declared = ", ".join(f"${key}: {kind}" for key, (kind, _) in variables.items())
        kind = "query" if root is self.schema.query_type else "mutation"
        values = {key: value for key, (_, value) in variables.items()}
        return f"{kind} Fuzz{f'({declared})' if declared else ''} {{ {call} }}", values

    def _call(self, name: str, field: GraphQLField, variables: Dict[str, Tuple[str, Any]], depth: int) -> str:
        given = []
        for argument, described in field.args.items():
            if isinstance(described.type, GraphQLNonNull) or self.chance.random() < 0.6:
                key = f"v{len(variables)}"
                variables[key] = (str(described.type), self._of(described.type, 0))
                given.append(f"{argument}: ${key}")
        arguments = f"({', '.join(given)})" if given else ""
        return f"{name}{arguments}{self._selection(field, variables, depth)}"

    def _selection(self, field: GraphQLField, variables: Dict[str, Tuple[str, Any]], depth: int) -> str:
        kind = get_named_type(field.type)
        if is_leaf_type(kind):
            return ""
        if not isinstance(kind, GraphQLObjectType) or depth > 6:
            return " { __typename }"
        names = self.chance.sample(sorted(kind.fields), k=min(len(kind.fields), self.chance.randrange(1, 5)))
        return f" {{ {' '.join(self._call(name, kind.fields[name], variables, depth + 1) for name in names)} }}"

    def _of(self, kind: Any, depth: int) -> Any:
        """A value of a type, or now and then of another."""
        if self.chance.random() < 0.05:
            return self.value()
        if isinstance(kind, GraphQLNonNull):
            return self._of(kind.of_type, depth)
        if isinstance(kind, GraphQLList):
            return [self._of(kind.of_type, depth) for _ in range(self.chance.randrange(3))]
        if isinstance(kind, GraphQLEnumType):
            return self.chance.choice(sorted(kind.values))
        if isinstance(kind, GraphQLInputObjectType):
            return {
                name: self._of(described.type, depth + 1)
                for name, described in kind.fields.items()
                if isinstance(described.type, GraphQLNonNull) or self.chance.random() < (0.6 if depth < 4 else 0.0)
            }
        assert isinstance(kind, GraphQLScalarType)
        if kind.name in ("Int", "Int64", "Float", "Duration"):
            return self.chance.choice(_NUMBERS)
        if kind.name == "Boolean":
            return self.chance.random() < 0.5
        if kind.name == "JSON":
            return self.value()
        if kind.name == "JSONString" and self.chance.random() < 0.5:
            return json.dumps(self.value())
        return self.text()

    # --- everything else ----------------------------------------------------------------------------------------------

    def send(self, session: requests.Session) -> Tuple[str, requests.Response]:
        """What was tried, and the answer."""
        if self.chance.random() < 0.6:
            query, variables = self.operation()
            body = json.dumps({"query": query, "variables": variables}).encode()
            return f"{query} {variables}", self._request(session, "POST", "/graphql", body)
        method, path = self.chance.choice(self.routes)
        filled = "/".join(self._part(part) for part in path.split("/"))
        if self.chance.random() < 0.5:
            filled += "?" + "&".join(f"{quote(self.chance.choice(_PARAMETERS))}={self._quoted()}" for _ in range(3))
        stream = path.endswith("file_stream") and self.chance.random() < 0.8
        body = json.dumps(self._stream() if stream else self.value()).encode() if method in ("POST", "PUT") else b""
        return f"{method} {filled} {body[:300]!r}", self._request(session, method, filled, body)

    def _part(self, part: str) -> str:
        if not part.startswith("{") or self.chance.random() < 0.02:
            return part
        name = part.strip("{}").partition(":")[0]
        if self.chance.random() < 0.6:
            real = {"entity": "crew", "project": "demo", "run": "r1", "name": "a.txt", "sweep": self.world.ids["sweep"]}
            return quote(real.get(name, "1"))
        return self._quoted()

    def _quoted(self) -> str:
        return quote(self.text().encode("utf-8", "surrogatepass"), safe="/" if self.chance.random() < 0.3 else "")

    def _stream(self) -> Dict[str, Any]:
        files = {}
        for name in self.chance.sample(_FILES, k=self.chance.randrange(1, 4)):
            lines = [self.chance.choice([json.dumps(self.value()), self.text(), self.value()]) for _ in range(3)]
            files[name] = {
                "offset": self.chance.choice([*_NUMBERS, None, "1"]),
                "content": self.chance.choice([lines, "x", None]),
            }
        more = {
            key: self.value() for key in self.chance.sample(["complete", "exitcode", "uploaded", "preempting"], k=1)
        }
        return {"files": files, **(more if self.chance.random() < 0.3 else {})}

    def _request(self, session: requests.Session, method: str, path: str, body: bytes) -> requests.Response:
        headers = {"Content-Type": "application/json"}
        dice = self.chance.random()
        if dice < 0.02:
            headers["Content-Encoding"] = self.chance.choice(["gzip", "zstd", "x"])
        elif dice < 0.05:
            headers[self.chance.choice(_HEADERS)] = self.chance.choice(
                ["x", "bytes */10", "bytes 0-1/5", "bytes=5-1", "1"]
            )
        return session.request(
            method, self.world.server.url + path, data=body, headers=headers, timeout=SECONDS_MAX, allow_redirects=False
        )


_FILES = ["wandb-history.jsonl", "wandb-events.jsonl", "wandb-summary.json", "output.log", "../x", ""]
_HEADERS = [
    "Range",
    "If-None-Match",
    "Content-Range",
    "X-WANDB-Upload-ID",
    "X-WANDB-USE-ASYNC-FILESTREAM",
    "Cookie",
    "Origin",
]
_PARAMETERS = [
    "stream", "x", "keys", "from", "to", "search", "runs", "filters", "order", "columns", "first", "offset", "with",
    "points", "run", "artifact", "key", "line", "network", "expires", "signature", "next", "token", "types",
]  # fmt: skip


def _flat(routes: List[BaseRoute]) -> List[Route]:
    found: List[Route] = []
    for route in routes:
        if isinstance(route, Mount):
            found += [] if route.path else _flat(route.routes)
        elif isinstance(route, Route):
            found.append(route)
    return found


# What the server derives by itself, in the background.
_DERIVED = ("alembic_version", "tickets", "api_keys", "users")


class Kept:
    """All rows of a world's database, and whether they are still there and nothing new belongs to them."""

    def __init__(self, world: World) -> None:
        self._rows = self._read(world)

    def check(self, world: World) -> None:
        after = self._read(world)
        for table, rows in self._rows.items():
            lost = set(rows) - set(after[table])
            assert not lost, f"{table}: changed or removed: {lost}"
        for table, rows in after.items():
            new = [row for text, row in rows.items() if text not in self._rows[table]]
            for row in new:
                for column, (target, place) in self._references[table].items():
                    held = {other[place] for other in self._rows.get(target, {}).values()}
                    assert row[column] is None or row[column] not in held, f"{table}: {row} belongs to the team"

    def _read(self, world: World) -> Dict[str, Dict[str, Dict[str, Any]]]:
        found = {}
        self._references: Dict[str, Dict[str, Tuple[str, str]]] = {}
        with world.server.services.database.read() as connection:
            reflected = MetaData()
            reflected.reflect(connection)
            for table in reflected.sorted_tables:
                if table.name in _DERIVED or "block" in table.name:
                    continue
                rows = [dict(row._mapping) for row in connection.execute(select(table))]
                found[table.name] = {repr(row): row for row in rows}
                self._references[table.name] = {
                    key.parent.name: (key.column.table.name, key.column.name) for key in table.foreign_keys
                }
        return found


def send_many(world: World, count: int, seed: int, role: str) -> Counter[str]:
    """So many requests of a role. Raises AssertionError at the first that the server fails at."""
    tried: Counter[str] = collections.Counter()
    fuzzer = Fuzzer(world, seed)
    with world.session(role) as session:
        for number in range(count):
            what, answer = fuzzer.send(session)
            tried[str(answer.status_code)] += 1
            told = f"request {number} of seed {seed}: {what}\n{answer.status_code} {answer.text[:500]}"
            assert answer.status_code < 500, told
            if answer.headers.get("Content-Type", "").startswith("application/json") and answer.content:
                json.loads(answer.content, parse_constant=functools.partial(_no_json, told))
        assert session.get(f"{world.server.url}/healthz", timeout=SECONDS_MAX).status_code == 200
    return tried


def _no_json(told: str, token: str) -> None:
    raise AssertionError(f"{token} is no JSON: {told}")


def member(data: Path, count: int, seed: int) -> Counter[str]:
    """So many requests of somebody who may change what is there."""
    with World(data, requests_per_second=1e9) as world:
        return send_many(world, count, seed, "member")


def outsider(data: Path, count: int, seed: int) -> Counter[str]:
    """So many requests of somebody with no rights at all in the team, whose data stays as it was."""
    with World(data, requests_per_second=1e9) as world:
        kept = Kept(world)
        tried = send_many(world, count, seed, "outsider")
        kept.check(world)
    return tried


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    arguments = parser.parse_args()
    start, wrong = time.monotonic(), ""
    tried: Counter[str] = collections.Counter()
    try:
        for plan in (outsider, member):
            with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
                tried.update(plan(Path(scratch) / "data", arguments.requests // 2, arguments.seed))
    except AssertionError as error:
        wrong = str(error)
    statuses = ", ".join(f"{count:,} x {status}" for status, count in sorted(tried.items()))
    print(
        f"hostile requests: {sum(tried.values()):,} to every route and operation ({statuses}), seed {arguments.seed}, "
        f"{time.monotonic() - start:.0f} s: {'WRONG: ' + wrong if wrong else '0 failures'}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
