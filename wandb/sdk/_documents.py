"""`config.yaml` and `wandb-summary.json` in the files of a run that has ended, for those who look there.

The server's are made from the log; these say the same of the session's end.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wandb_storage import MetricRules, RunStart, RunState, dump_json

if TYPE_CHECKING:
    from .wandb_run import Run


def write_documents(run: Run) -> None:
    """A disk that refuses doesn't matter: the log has it all."""
    from wandb import __version__
    from wandb_uploader import config_document

    environment = dump_json({"python": sys.version.split()[0]})
    start = RunStart(version=__version__, environment=environment)
    labels = run._media.labels if run._media is not None else {}
    state = RunState(start=start, config=run.config.as_dict(), metrics=run._metrics or MetricRules(), telemetry=labels)
    runtime = run._runtime()
    summary = {**dict(run.summary.items()), "_runtime": runtime, "_wandb": {"runtime": int(runtime)}}
    files = Path(run.dir)
    with contextlib.suppress(OSError):
        (files / "config.yaml").write_text(config_document(state), encoding="utf-8")
        (files / "wandb-summary.json").write_text(dump_json(summary), encoding="utf-8")
