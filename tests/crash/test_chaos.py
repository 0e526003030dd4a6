"""The short form of the uploader's campaign."""

from __future__ import annotations

from pathlib import Path

import chaos_plans

SEED = 1


def test_killed_uploaders_on_a_bad_way_to_a_server_bring_every_row_once(tmp_path: Path) -> None:
    tried = chaos_plans.kills(tmp_path / "kills", 8, SEED, runs=2)
    assert tried["kills"] == 8
    assert tried["rows"] > 100


def test_refusals_of_all_kinds_drop_nothing(tmp_path: Path) -> None:
    assert chaos_plans.refusals(tmp_path, 3, SEED)["parked"]


def test_a_killed_server_costs_no_row(tmp_path: Path) -> None:
    assert chaos_plans.server_deaths(tmp_path / "server", 1, SEED, runs=2)["rows"] > 100


def test_a_large_file_is_gone_on_with_by_the_next_uploader(tmp_path: Path) -> None:
    assert chaos_plans.large_file(tmp_path / "file", 200 << 20, 3, SEED)["in the file"]


def test_hours_without_a_server_end_with_everything_there(tmp_path: Path) -> None:
    assert chaos_plans.outage(tmp_path, 0.25, SEED)["attempts"] > 100


def test_a_full_filesystem_costs_no_row(tmp_path: Path) -> None:
    assert chaos_plans.disk_full(tmp_path, SEED)["rows"] == 20_000
