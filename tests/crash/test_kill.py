"""The short form of the process death campaign."""

from __future__ import annotations

import kill
import spread

KILLS, SEED = 200, 1


def test_a_killed_writer_takes_nothing_that_append_returned_for() -> None:
    """SIGKILL at 200 random instants: each acknowledged record once, in order, and at most one more for each thread."""
    with spread.scratch_folder() as scratch:
        tried, wrong = kill.campaign(KILLS, SEED, scratch, jobs=spread.cores())
    assert not wrong
    assert tried["kills"] == KILLS
    assert tried["appends"] > 10_000
