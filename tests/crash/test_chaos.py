"""The short form of the uploader's campaign."""

from __future__ import annotations

from pathlib import Path

import chaos

SEED = 1


def test_killed_uploaders_on_a_bad_way_to_a_server_bring_every_row_once(tmp_path: Path) -> None:
    tried = chaos.kills(tmp_path / "kills", 8, SEED, runs=2)
    assert tried["kills"] == 8
    assert tried["rows"] > 100


def test_hours_without_a_server_end_with_everything_there(tmp_path: Path) -> None:
    assert chaos.outage(tmp_path, 0.25, SEED)["attempts"] > 100


def test_a_disk_that_takes_no_cursor_costs_no_row(tmp_path: Path) -> None:
    assert chaos.disk_full(tmp_path, SEED)["rows"] == 20_000
