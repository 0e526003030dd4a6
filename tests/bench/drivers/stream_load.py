"""Sends the run stream requests of many runs to a server, at once or at a pace, and says how long each took.

    python -m tests.bench.drivers.stream_load URL KEY '{"runs": 10, "rows": 1000, "batch": 100, "metrics": 10}'

With `interval` each run sends a request every so many seconds, counted from the moment when it was due: a server that
falls behind shows it in every later one.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import random
import sys
import threading
import time
import urllib.parse
from typing import Any, Dict, List

_UPSERT = """mutation U($name: String, $config: JSONString) {
    upsertBucket(input: {name: $name, modelName: "bench", config: $config}) {
        bucket { project { entity { name } } } } }"""


class Connection:
    """One client's connection."""

    def __init__(self, url: str, key: str) -> None:
        self._connection = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=300)
        self._connection.connect()
        credential = base64.b64encode(f"api:{key}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credential}", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: bytes = b"") -> bytes:
        self._connection.request(method, path, body or None, self._headers)
        reply = self._connection.getresponse()
        answer = reply.read()
        if reply.status != 200:
            raise RuntimeError(f"{method} {path}: {reply.status} {answer[:300]!r}")
        return answer

    def make_run(self, name: str, config: str = "{}") -> str:
        """The entity that the run is of."""
        variables = {"name": name, "config": config}
        answer = json.loads(
            self.ask("POST", "/graphql", json.dumps({"query": _UPSERT, "variables": variables}).encode())
        )
        return str(answer["data"]["upsertBucket"]["bucket"]["project"]["entity"]["name"])


def bodies(rows: int, batch: int, metrics: int) -> List[bytes]:
    """The requests of a run, random doubles."""
    source = random.Random(1)
    pool = [repr(source.random()) for _ in range(10_007)]
    made = []
    for first in range(0, rows, batch):
        content = [_row(step, metrics, pool) for step in range(first, min(rows, first + batch))]
        files = {
            "wandb-history.jsonl": {"offset": first, "content": content},
            "wandb-summary.json": {"offset": 0, "content": [content[-1]]},
        }
        made.append(json.dumps({"files": files}).encode())
    return made


def _row(step: int, metrics: int, pool: List[str]) -> str:
    values = ",".join(f'"m{number}":{pool[(step * 7 + number * 13) % len(pool)]}' for number in range(metrics))
    return f'{{{values},"_step":{step},"_runtime":{step / 10},"_timestamp":{1.8e9 + step / 10}}}'


def load(url: str, key: str, runs: int, rows: int, batch: int, metrics: int, interval: float = 0.0) -> Dict[str, Any]:
    tag = os.urandom(3).hex()
    requests = bodies(rows, batch, metrics)
    connections = [Connection(url, key) for _ in range(runs)]
    paths = [
        f"/files/{connection.make_run(f'{tag}-{number}')}/bench/{tag}-{number}/file_stream"
        for number, connection in enumerate(connections)
    ]
    took: List[float] = []
    failures: List[str] = []
    begin = threading.Event()

    def send(number: int) -> None:
        begin.wait()
        # Runs don't send at the same instant.
        due = started[0] + interval * number / runs
        try:
            for body in requests:
                if interval:
                    time.sleep(max(0.0, due - time.perf_counter()))
                else:
                    due = time.perf_counter()
                connections[number].ask("POST", paths[number], body)
                took.append(time.perf_counter() - due)
                due += interval
        except (OSError, RuntimeError) as error:
            failures.append(str(error))

    started = [0.0]
    threads = [threading.Thread(target=send, args=(number,)) for number in range(runs)]
    for thread in threads:
        thread.start()
    started[0] = time.perf_counter()
    begin.set()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - started[0]
    if failures:
        raise RuntimeError(failures[0])
    took.sort()
    return {
        "seconds": seconds, "rows_per_second": runs * rows / seconds, "requests_per_second": len(took) / seconds,
        "p50_ms": took[len(took) // 2] * 1e3, "p99_ms": took[int(len(took) * 0.99)] * 1e3, "max_ms": took[-1] * 1e3,
        "runs": [path.split("/")[4] for path in paths], "entity": paths[0].split("/")[2],
    }  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(load(sys.argv[1], sys.argv[2], **json.loads(sys.argv[3]))))
