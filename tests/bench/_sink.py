"""A server that takes everything and keeps nothing: what a client needs without any server's own work.

    python -m tests.bench._sink READY_FILE

It knows the operations that bringing a run to a server takes, of this client and of the official one.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Dict

KEY = "local-" + "0123456789abcdef" * 3
_PIECE_BYTES = 1 << 20


def answer(operation: str, variables: Dict[str, Any], url: str) -> Dict[str, Any]:
    """The `data` of a GraphQL reply; empty for what only some clients ask, and can do without."""
    if operation == "Viewer":
        return {"viewer": {"id": "u", "username": "me", "entity": "me", "flags": "{}", "teams": {"edges": []}}}
    if operation == "ServerFeaturesQuery":
        return {"serverInfo": {"features": []}}
    if operation == "UpsertBucket":
        name = variables["name"]
        place = {"id": "p", "name": variables["project"] or "p", "entity": {"id": "e", "name": "me"}}
        bucket = {
            "id": f"id-{name}", "name": name, "displayName": name, "description": None, "config": "{}",
            "sweepName": None, "project": place, "historyLineCount": 0,
        }  # fmt: skip
        return {"upsertBucket": {"bucket": bucket, "inserted": True}}
    if operation == "RunResumeStatus":
        return {"model": None}
    if operation == "CreateRunFiles":
        files = [
            {"name": name, "uploadUrl": f"{url}/storage/{number}"} for number, name in enumerate(variables["files"])
        ]
        return {"createRunFiles": {"runID": "x", "uploadHeaders": [], "files": files}}
    return {}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on the terminal."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        reply = b'{"exitcode":null,"limits":{}}'
        if self.path == "/graphql":
            asked = json.loads(body)
            url = f"http://{self.headers['Host']}"
            data = answer(asked.get("operationName") or "", asked.get("variables") or {}, url)
            reply = json.dumps({"data": data}).encode()
        self._reply(reply)

    def do_PUT(self) -> None:
        left = int(self.headers["Content-Length"])
        while left:
            left -= len(self.rfile.read(min(left, _PIECE_BYTES)))
        self._reply(b"")

    def _reply(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def main() -> None:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        Path(sys.argv[1]).write_text(
            json.dumps({"url": f"http://127.0.0.1:{server.server_address[1]}", "api_key": KEY})
        )
        server.serve_forever()


if __name__ == "__main__":
    main()
