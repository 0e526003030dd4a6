"""The short form of the campaigns of killed agents."""

from __future__ import annotations

import server_sweep_kills
import spread
import sweep_kills


def test_no_trial_is_lost_or_run_twice_when_agents_are_killed() -> None:
    with spread.scratch_folder() as scratch:
        tried, wrong = sweep_kills.campaign(scratch, 8, 4, 2)
    assert not wrong
    assert tried["runs"] == 8


def test_a_server_loses_no_trial_and_hands_none_out_twice_when_agents_are_killed_and_itself() -> None:
    with spread.scratch_folder() as scratch:
        tried, wrong = server_sweep_kills.campaign(scratch, trials=3, kills=2, seed=2, agents=2)
    assert not wrong
    assert tried["runs"] == 3
