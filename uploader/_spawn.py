"""Starting the uploader process, so that it outlives whoever starts it and nothing of theirs disturbs it.

The process has a session of its own, no terminal, `/` as its working directory, and none of the caller's files. It is
nobody's child: a training script that waits for its children must not meet one that it doesn't know, and a shell that
ends at once costs two milliseconds.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, List, Mapping

from ._credentials import find_api_key
from ._errors import CredentialError
from ._home import Home, lock_holder

# Below Python 3.11 there is no -P, and `-m` would import a user's queue.py from the working directory.
_RUN_SAFELY = (
    "import sys; sys.path[:] = [entry for entry in sys.path if entry]; "
    "import runpy; runpy.run_module('wandb_uploader', run_name='__main__', alter_sys=True)"
)
# The shell ends at once, and the process that it leaves behind ignores the terminal's interrupt from its first moment.
_DETACH = 'trap "" INT HUP; "$@" &'


def start(wandb_dir: Path, base_url: str, environment: Mapping[str, str] = os.environ) -> Path:
    """See to it that a process uploads the runs of a wandb directory to a server.

    Call this when the run's log exists; calling it again at any time is cheap and harmless. A process that waits
    because the server refused its API key is replaced where the caller has another. `environment` is that of a process
    which this call starts, its key and its proxies. Returns at once, without a look at the network, where the process
    writes its log. Raises OSError where no process can be started, NotUploadable for what is no server's address.
    """
    home = Home(wandb_dir, base_url)
    arguments = ["run", "--dir", str(home.wandb_dir), "--url", home.base_url]
    holder = lock_holder(home.lock_path)
    if holder is not None:
        if not _end_without_key(home, holder, environment):
            return home.log_path
        arguments.append("--take-over")
    home.create()
    # What Python prints at its end is all that goes there; the log proper is written, and bounded, by the process.
    with open(home.log_path, "ab") as log:
        subprocess.run(
            ["/bin/sh", "-c", _DETACH, "sh", *python_command(), *arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=True, cwd="/", env=_environment(environment),
            start_new_session=True, check=True,
        )  # fmt: skip
    return home.log_path


def _end_without_key(home: Home, holder: Dict[str, Any], environment: Mapping[str, str]) -> bool:
    """Where the process that holds the lock has no key that the server takes, and the caller has one that it hasn't
    tried: end that process. Its environment is not the caller's, so it can't get the key in another way."""
    try:
        refused = set(json.loads(home.paused_path.read_bytes()))
        if find_api_key(home.base_url, environment, refused) is None:
            return False
    except (OSError, ValueError, TypeError, CredentialError):
        return False
    if holder.get("host") != os.uname().nodename or not isinstance(holder.get("pid"), int):
        return False
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(holder["pid"], signal.SIGTERM)
    return True


def python_command() -> List[str]:
    """How to run `wandb_uploader` without looking for modules in the working directory."""
    if sys.version_info >= (3, 11):
        return [sys.executable, "-P", "-m", "wandb_uploader"]
    return [sys.executable, "-c", _RUN_SAFELY]


def _environment(given: Mapping[str, str]) -> Dict[str, str]:
    """The caller's, with module search paths that don't depend on the working directory."""
    environment = dict(given)
    paths = environment.get("PYTHONPATH", "")
    if paths:
        environment["PYTHONPATH"] = os.pathsep.join(os.path.abspath(path) for path in paths.split(os.pathsep) if path)
    return environment
