"""The short form of the power loss campaign."""

from __future__ import annotations

import subprocess

import power_loss
import pytest
import spread

STATES, SEED = 2000, 1


def test_power_loss_takes_nothing_that_was_promised() -> None:
    """Whatever of the unsynced writes a disk has done: a beginning of what was written, at least what was synced."""
    with spread.scratch_folder() as scratch:
        try:
            power_loss.compile_shim(scratch)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"the shim can't be compiled: {error}")
        tried, wrong = power_loss.campaign(STATES, SEED, scratch, jobs=spread.cores())
    assert not wrong
    assert tried["states"] == STATES
