"""Jobs of a test that wait in a queue, agents that take them, and what has become of them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from live_server import LiveServer

from wandb.superagent import QueueServer, Superagent
from wandb.superagent._agent import connect

QUICK: Dict[str, Any] = {"beat_seconds": 0.05, "poll_seconds": 0.05}
_AGENT = """
import sys
from wandb.superagent import Superagent
from wandb.superagent._agent import connect
sys.exit(Superagent(connect(None, sys.argv[1]), beat_seconds=0.05, poll_seconds=0.05).run())
"""


class WaitingJobs:
    """A queue `q` of a project, and a folder in which its jobs run."""

    def __init__(self, server: LiveServer, project: str, place: Path) -> None:
        self.live, self.project, self.place = server, project, place
        self.server: QueueServer = connect(None, project)
        self.server.create("q")

    def push(self, *words: str, queue: str = "q", priority: Optional[int] = None, **spec: Any) -> str:
        """A job that runs a command line in the test's folder, unless its code is elsewhere."""
        if not {"git", "job", "image"} & set(spec):
            spec.setdefault("directory", str(self.place))
        overrides = {"entry_point": list(words), **spec.pop("overrides", {})}
        whole = {"entity": self.live.user, "project": self.project, "overrides": overrides, **spec}
        return self.server.push(queue, whole, priority)

    def push_script(self, script: str, **spec: Any) -> str:
        return self.push("${interpreter}", "-c", script, **spec)

    def run_all(self, queues: Sequence[str] = (), **options: Any) -> int:
        """An agent that ends when nothing waits any more."""
        return Superagent(self.server, queues, drain=True, **{**QUICK, **options}).run()

    def start_agent(self, **options: Any) -> subprocess.Popen[str]:
        """An agent in a process of its own, which serves until it is told to end."""
        command = [sys.executable, "-c", _AGENT, self.project]
        return subprocess.Popen(command, cwd=self.place, text=True, **options)

    def item(self, item: str, queue: str = "q") -> Dict[str, Any]:
        (found,) = [each for each in self.server.items(queue) if each["id"] == item]
        return found

    def states(self, queue: str = "q") -> List[str]:
        return [each["state"] for each in self.server.items(queue)]

    def happened(self, item: str) -> List[str]:
        return [event["what"] for event in self.item(item)["events"]]

    @property
    def folders(self) -> List[Path]:
        """Those of jobs, in the agent's folder."""
        return sorted((self.place / "wandb" / "superagent").glob("*/jobs/*"))

    def output(self, number: int = 0) -> str:
        """What a job has printed."""
        return (self.folders[number] / "output.log").read_text()
