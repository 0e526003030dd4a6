"""Children that may mount filesystems for themselves alone, to fill them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any, List

import pytest


def in_a_namespace(script: str, *arguments: Any) -> List[str]:
    """What a child prints that may mount filesystems for itself alone; skips where the system doesn't let it."""
    for unshare in (["unshare", "--mount"], ["unshare", "--map-root-user", "--mount"]):
        try:
            probe = [*unshare, "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]
            subprocess.run(probe, check=True, capture_output=True)
            break
        except (OSError, subprocess.CalledProcessError):
            continue
    else:
        pytest.skip("nobody here may mount a filesystem of his own")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    command = [*unshare, sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()
