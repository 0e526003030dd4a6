"""The short form of the fuzzer of the server (`fuzz_server`)."""

from __future__ import annotations

from pathlib import Path

import fuzz_server

REQUESTS, SEED = 400, 1


def test_nonsense_of_an_outsider_is_answered_and_changes_nothing_of_others(tmp_path: Path) -> None:
    tried = fuzz_server.outsider(tmp_path / "data", REQUESTS, SEED)
    assert sum(tried.values()) == REQUESTS
    assert len(tried) > 3


def test_nonsense_of_a_member_is_answered(tmp_path: Path) -> None:
    assert fuzz_server.member(tmp_path / "data", REQUESTS, SEED)["200"] > 50
