"""The main promise, shown: a training run is killed, and nothing that it logged is lost.

Starts `wandb server` on a free loopback port, trains `digits.py` against it, kills the training with SIGKILL, counts
what its log holds against the script's own count, waits until the uploader has brought the killed run to the server,
resumes the run to its end, and checks that the server holds each row exactly once. Exits 0 only if all of that held.

On a terminal the server stays up until Ctrl-C. Everything stands in one folder, `.demo` unless `--folder` says
otherwise; your own settings and keys are not touched.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import requests

EXAMPLE = Path(__file__).with_name("digits.py")
MOMENTS = ("halfway", "start", "first-second", "commit", "end")
WAIT_SECONDS = 90.0


class Failed(Exception):
    """A claim of the demo did not hold."""


def say(text: str) -> None:
    print(f"\033[1m▸ {text}\033[0m" if sys.stdout.isatty() else f"> {text}", flush=True)


def wait_for(what: str, condition: Callable[[], Any], process: Optional[subprocess.Popen[bytes]] = None) -> Any:
    """Poll until `condition` gives something. Raises Failed when it takes too long, or when `process` has ended."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        if process is not None and process.poll() is not None:
            raise Failed(f"{what}: the process ended with {process.returncode}")
        time.sleep(0.002)
    raise Failed(f"{what}: nothing for {WAIT_SECONDS:.0f} s")


@contextlib.contextmanager
def running_server(folder: Path, environment: Dict[str, str]) -> Iterator[Dict[str, str]]:
    """`wandb server` on a free port; its address and the API key of its first user."""
    ready = folder / "server-ready.json"
    command = [sys.executable, "-m", "wandb", "server", "--port", "0", "--data", str(folder / "server")]
    with open(folder / "server.log", "w") as output:
        server = subprocess.Popen(
            [*command, "--ready-file", str(ready)], env=environment, stdout=output, stderr=output,
            start_new_session=True,
        )  # fmt: skip
    try:
        wait_for("the server starts", ready.exists, server)
        yield json.loads(ready.read_text())
    finally:
        server.terminate()
        server.wait(timeout=30)


class Demo:
    def __init__(self, folder: Path, moment: str, steps: int) -> None:
        self.folder, self.moment, self.steps = folder, moment, steps
        self.count_file = folder / "rows-logged"
        self.environment = {
            **os.environ,
            "WANDB_DIR": str(folder),
            "WANDB_CONFIG_DIR": str(folder / "config"),
            "NETRC": str(folder / "netrc"),
        }
        for name in ("WANDB_MODE", "WANDB_RUN_ID", "WANDB_PROJECT", "WANDB_ENTITY", "WANDB_RESUME"):
            self.environment.pop(name, None)
        self.server: Dict[str, str] = {}

    # --- the script ---------------------------------------------------------------------------------------------------

    def train(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, str(EXAMPLE), "--steps", str(self.steps), "--count", str(self.count_file)]
        return subprocess.Popen([*command, *arguments], env=self.environment)

    def count(self) -> int:
        """The script's own count of rows, one byte each."""
        return self.count_file.stat().st_size if self.count_file.exists() else 0

    def run_folder(self) -> Optional[Path]:
        """The run's folder, as soon as its log is there."""
        return next((path.parent for path in self.folder.glob("*wandb/run-*/run-*.wandb")), None)

    def wait_for_moment(self, process: subprocess.Popen[bytes]) -> None:
        """Return at the instant at which the script is to be killed."""
        folder = wait_for("the run starts", self.run_folder, process)
        if self.moment == "halfway":
            wait_for("half of the rows", lambda: self.count() >= self.steps // 2, process)
        elif self.moment == "first-second":
            wait_for("a first row", self.count, process)
        elif self.moment == "commit":
            # The script's log has just grown on disk: a commit is under way.
            wait_for("a first row", self.count, process)
            segment = next(folder.glob("run-*.wandb"))
            size = segment.stat().st_size
            wait_for("a commit", lambda: segment.stat().st_size != size, process)
        elif self.moment == "end":
            wait_for("the log is sealed", lambda: self.count() >= self.steps and not list(folder.glob("*.tail-*")))

    # --- what others hold ---------------------------------------------------------------------------------------------

    def replayed(self, run: str) -> Dict[str, Any]:
        command = [sys.executable, "-m", "wandb", "replay", run, "--json"]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"wandb replay: {done.stderr.strip()}")
        document: Dict[str, Any] = json.loads(done.stdout)
        return document

    def steps_at_server(self, run: str) -> List[int]:
        """The steps of the run's rows at the server, as it holds them; empty while it doesn't know the run."""
        query = """query Rows($entity: String, $project: String!, $run: String!) {
            project(name: $project, entityName: $entity) { run(name: $run) { history(samples: 1000000) } }
        }"""
        reply = requests.post(
            f"{self.server['url']}/graphql",
            json={"query": query, "variables": {"entity": None, "project": "digits", "run": run}},
            auth=("api", self.server["api_key"]),
            timeout=30,
        )
        reply.raise_for_status()
        data = reply.json().get("data") or {}
        found = (data.get("project") or {}).get("run") or {}
        return [int(json.loads(row)["_step"]) for row in found.get("history") or []]

    # --- the story ----------------------------------------------------------------------------------------------------

    def play(self) -> str:
        """The whole demo; returns the run's id. Raises Failed."""
        with contextlib.suppress(FileNotFoundError):
            self.count_file.unlink()
        say(f"training examples/digits.py, {self.steps} steps, to be killed: {self.moment}")
        process = self.train()
        try:
            self.wait_for_moment(process)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        folder = wait_for("the run's folder", self.run_folder)
        run: str = folder.name.rpartition("-")[2]
        logged = self.count()
        say(f"killed with SIGKILL after {logged} rows by the script's own count; what does the log hold?")
        self.check_log(run, logged)
        self.check_server(run, "the uploader brings the killed run to the server", logged)
        say("resuming the run to its end")
        if self.train("--id", run).wait() != 0:
            raise Failed("the resumed run failed")
        self.check_server(run, "the server holds each row exactly once", self.steps, exactly=True)
        return run

    def check_log(self, run: str, logged: int) -> None:
        subprocess.run([sys.executable, "-m", "wandb", "replay", run], env=self.environment, check=False)
        rows = [row["_step"] for row in self.replayed(run)["history"]]
        # The kill may have come between a row and the script's count of it.
        if rows != list(range(len(rows))) or len(rows) - logged not in (0, 1):
            raise Failed(f"the script logged {logged} rows, and the log holds {len(rows)}")
        say(f"every row is there: {logged} counted by the script, {len(rows)} in the log")

    def stop_uploader(self) -> None:
        """The server goes away for good, and an uploader would wait for it to come back."""
        for folder in self.folder.glob("*wandb"):
            command = [sys.executable, "-m", "wandb_uploader", "stop", "--dir", str(folder), "--url"]
            subprocess.run([*command, self.server["url"]], env=self.environment, capture_output=True, check=False)

    def check_server(self, run: str, what: str, rows: int, exactly: bool = False) -> None:
        steps: List[int] = []

        def arrived() -> bool:
            steps[:] = self.steps_at_server(run)
            time.sleep(0.1)
            return len(steps) >= rows

        wait_for(what, arrived)
        if steps != list(range(len(steps))) or (exactly and len(steps) != rows):
            raise Failed(f"the server's rows are not each there once: {len(steps)} rows, {len(set(steps))} steps")
        say(f"{what}: {len(steps)} rows, steps 0 to {len(steps) - 1}" if steps else f"{what}: no rows yet")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path(".demo"), help="(default: %(default)s, made anew)")
    parser.add_argument("--kill-at", choices=MOMENTS, default="halfway", help="(default: %(default)s)")
    parser.add_argument("--steps", type=int, default=600, help="(default: %(default)s)")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    folder = arguments.folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    demo = Demo(folder, arguments.kill_at, arguments.steps)
    try:
        say("starting `wandb server` on a free loopback port")
        with running_server(folder, demo.environment) as server:
            demo.server = server
            demo.environment.update(WANDB_BASE_URL=server["url"], WANDB_API_KEY=server["api_key"])
            try:
                run = demo.play()
                say(f"the run's page: {sign_in_link(server, run)}")
                if sys.stdout.isatty() and sys.stdin.isatty():
                    say("the server stays up until Ctrl-C")
                    with contextlib.suppress(KeyboardInterrupt):
                        signal.pause()
            finally:
                demo.stop_uploader()
    except Failed as failure:
        print(f"the demo failed: {failure}\nits files: {folder}", file=sys.stderr)
        return 1
    return 0


def sign_in_link(server: Dict[str, str], run: str) -> str:
    """The run's page, behind a link that signs a browser in once."""
    auth = ("api", server["api_key"])
    viewer = requests.post(
        f"{server['url']}/graphql", json={"query": "query Viewer { viewer { entity } }"}, auth=auth, timeout=30
    )
    entity = viewer.json()["data"]["viewer"]["entity"]
    reply = requests.post(
        f"{server['url']}/api/sign-in-link", json={"next": f"/{entity}/digits/runs/{run}"}, auth=auth, timeout=30
    )
    reply.raise_for_status()
    return str(reply.json()["url"])


if __name__ == "__main__":
    sys.exit(main())
