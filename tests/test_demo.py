"""The demo's claims hold whenever the training is killed, not only halfway."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_DEMO = Path(__file__).parents[1] / "examples" / "demo.py"


@pytest.mark.parametrize("moment", ["start", "first-second", "commit", "halfway", "end"])
def test_nothing_is_lost_when_the_training_is_killed(tmp_path: Path, moment: str) -> None:
    command = [sys.executable, str(_DEMO), "--folder", str(tmp_path / "demo"), "--kill-at", moment, "--steps", "300"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the server holds each row exactly once: 300 rows, steps 0 to 299" in done.stdout
