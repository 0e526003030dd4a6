"""The short form of the campaign of killed agents."""

from __future__ import annotations

import spread
import sweep_kills


def test_no_trial_is_lost_or_run_twice_when_agents_are_killed() -> None:
    with spread.scratch_folder() as scratch:
        tried, wrong = sweep_kills.campaign(scratch, 8, 4, 2)
    assert not wrong
    assert tried["runs"] == 8
