"""One Kubernetes Job, as a process: it makes the Job, prints what its pod prints, has its exit code, and removes the
Job when it is asked to end.

    python -m wandb.superagent._kubernetes MANIFEST.json [OPTIONS OF KUBECTL]
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from types import FrameType
from typing import Any, Dict, List, Optional, Sequence

from .._wake import Wake

_LOOK_SECONDS = 2.0
# A pod that waits for a machine is fine; an image that can't be had is not.
_HOPELESS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError"})
_FAILURES_MAX = 30
_ENDED, _REMOVED, _UNREACHABLE = 1, 143, 75


class KubernetesJob:
    """A Job in a cluster, by `kubectl`."""

    def __init__(self, manifest: Dict[str, Any], options: Sequence[str], look_seconds: float = _LOOK_SECONDS) -> None:
        self._manifest, self._kubectl = manifest, ["kubectl", *options]
        self._name = str(manifest["metadata"]["name"])
        self._look_seconds = look_seconds
        self._wake = Wake()
        self._asked = False
        self._logs: Optional[subprocess.Popen[bytes]] = None

    def run(self) -> int:
        """Run it to its end; returns its exit code."""
        signal.signal(signal.SIGTERM, self._on_signal)
        made = subprocess.run(
            [*self._kubectl, "create", "-f", "-"], input=json.dumps(self._manifest).encode(), check=False
        )  # fmt: skip
        if made.returncode:
            return made.returncode
        try:
            return self._watch()
        finally:
            self._follow_to_the_end()
            self._remove()

    def _watch(self) -> int:
        failures = 0
        while not self._asked:
            pod = self._pod()
            failures = failures + 1 if pod is None else 0
            if failures > _FAILURES_MAX:
                _say("the cluster doesn't answer")
                return _UNREACHABLE
            code = self._look_at(pod or {})
            if code is not None:
                return code
            self._wake.wait(self._look_seconds)
        return _REMOVED

    def _look_at(self, pod: Dict[str, Any]) -> Optional[int]:
        status = pod.get("status") or {}
        containers = status.get("containerStatuses") or ()
        state = (containers[0].get("state") if containers else None) or {}
        if ("running" in state or "terminated" in state) and self._logs is None:
            name = str(pod["metadata"]["name"])
            self._logs = subprocess.Popen([*self._kubectl, "logs", "--follow", name])
        if "terminated" in state:
            return int(state["terminated"].get("exitCode", _ENDED))
        reason = (state.get("waiting") or {}).get("reason")
        if reason in _HOPELESS:
            _say(f"{reason}: {state['waiting'].get('message', '')}")
            return _ENDED
        return _ENDED if status.get("phase") == "Failed" else None  # evicted, or out of time

    def _pod(self) -> Optional[Dict[str, Any]]:
        """The Job's pod; an empty one before there is any, None where the cluster doesn't answer."""
        words = [*self._kubectl, "get", "pods", f"--selector=job-name={self._name}", "--output=json"]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=False)
        if done.returncode:
            return None
        try:
            found: List[Dict[str, Any]] = json.loads(done.stdout)["items"]
            return found[-1] if found else {}
        except (ValueError, KeyError, TypeError):
            return None

    def _follow_to_the_end(self) -> None:
        if self._logs is not None:
            if self._asked:
                self._logs.terminate()
            self._logs.wait()

    def _remove(self) -> None:
        words = [*self._kubectl, "delete", "job", self._name, "--wait=false", "--ignore-not-found"]
        subprocess.run(words, check=False, stdout=subprocess.DEVNULL)

    def _on_signal(self, number: int, frame: Optional[FrameType]) -> None:
        self._asked = True
        self._wake.set()


def _say(text: str) -> None:
    sys.stdout.write(f"wandb: {text}\n")
    sys.stdout.flush()


def main(arguments: Optional[Sequence[str]] = None) -> None:
    """The process."""
    path, *options = arguments or sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        manifest = json.load(file)
    sys.exit(KubernetesJob(manifest, options).run())
