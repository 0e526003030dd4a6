"""The short form of the fuzzing campaign: without a guide, so that it runs wherever the tests do."""

from __future__ import annotations

import fuzz

INPUTS, SEED = 5000, 1


def test_decoders_raise_only_what_they_name() -> None:
    """Valid inputs, and changed copies of them."""
    fuzz.mutations(INPUTS, SEED)
