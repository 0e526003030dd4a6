"""The short form of the failing calls campaign."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CASES, SEED = 200, 1


def test_a_call_that_fails_takes_nothing_that_is_not_counted() -> None:
    """A sample of all calls, errors and durations: append never raises nor blocks, and what is missing is counted."""
    command = [sys.executable, str(Path(__file__).with_name("failing_calls.py")), "--cases", str(CASES)]
    done = subprocess.run([*command, "--seed", str(SEED)], capture_output=True, text=True, check=False)
    if "the shim can't be compiled" in done.stdout:
        pytest.skip(done.stdout)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(f"failing calls: {CASES} failures at ")
