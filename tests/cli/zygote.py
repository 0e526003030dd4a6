"""Runs the `wandb` command again and again, each time in a fork of this process, which has imported it already.

A test of what the command does needs no new interpreter. One JSON document a line comes in on stdin (arguments, folder,
environment) and one goes out (exit code, stdout, stderr). This process has one thread, so forking it is safe.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import traceback
from typing import Any, Dict

# What most commands load. None of it reads the environment when it is imported.
_LOADED = (
    "requests", "rich.console", "rich.table", "wandb.cli.replay", "wandb.cli.status", "wandb.cli.sync", "wandb.replay",
    "wandb.sdk.wandb_init", "wandb.sdk.wandb_settings", "wandb_uploader._upload", "wandb_uploader._status",
)  # fmt: skip


def run(asked: Dict[str, Any]) -> Dict[str, Any]:
    """Run one command."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if not child:
            _be_command(asked, out.fileno(), err.fileno())
        _, status = os.waitpid(child, 0)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    return {"code": os.waitstatus_to_exitcode(status), "out": texts[0], "err": texts[1]}


def _be_command(asked: Dict[str, Any], out: int, err: int) -> None:
    code = 70
    try:
        os.chdir(asked["folder"])
        os.environ.clear()
        os.environ.update(asked["environment"])
        with open(os.devnull, "rb") as nothing:
            os.dup2(nothing.fileno(), 0)
        os.dup2(out, 1)
        os.dup2(err, 2)
        # Streams of its own: those of this process are where the tests are answered.
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - ends with the process
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115
        sys.argv = ["wandb", *asked["arguments"]]
        from wandb.cli import main

        main(asked["arguments"], prog_name="wandb")
    except SystemExit as exit:
        code = exit.code if isinstance(exit.code, int) else 0 if exit.code is None else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for name in _LOADED:
        importlib.import_module(name)
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
