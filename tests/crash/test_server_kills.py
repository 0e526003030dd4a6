"""The short form of the campaign of killed servers."""

from __future__ import annotations

import server_kills
import spread


def test_a_killed_server_loses_nothing_that_it_acknowledged() -> None:
    """Killed, one of two killed, its PostgreSQL restarted, its disk full, each under load."""
    with spread.scratch_folder() as scratch:
        tried, wrong = server_kills.campaign(scratch, 3, 1, 1)
    assert not wrong
    assert tried["kills"] == 3
    assert tried["acknowledged"] > 50
