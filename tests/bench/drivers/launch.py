"""Run one job of one client: launch.py CLIENT JOB PARAMETERS RESULT.

PARAMETERS is JSON; the job's result is written as JSON to the file RESULT, since clients print what they like.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path


def main() -> None:
    client, job, parameters, result = sys.argv[1:5]
    # This folder must not stand in front of the client's own packages, and this package is found behind them.
    sys.path[0:1] = []
    sys.path.append(str(Path(__file__).resolve().parent.parent))
    jobs = importlib.import_module("drivers._jobs")
    module = importlib.import_module(f"drivers.{client}")
    Path(result).write_text(json.dumps(jobs.JOBS[job](module.Client(), **json.loads(parameters))))


if __name__ == "__main__":
    main()
