"""The promises in the package's docstring name what proves them, and that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wandb_storage

TESTS = Path(__file__).parent.parent
_PROMISES = (wandb_storage.__doc__ or "").partition("What is promised")[2].partition("The shape of it")[0]
_PROOFS = sorted(set(re.findall(r"`(\w+/\w+\.py(?:::\w+)?)`", _PROMISES)))


def test_each_promise_has_a_proof() -> None:
    promises = _PROMISES.split("\n* ")[1:]
    assert len(promises) > 5
    assert all("Proof: `" in promise for promise in promises)


@pytest.mark.parametrize("proof", _PROOFS)
def test_a_proof_is_there(proof: str) -> None:
    """A campaign, or a test of that name."""
    path, _, name = proof.partition("::")
    source = (TESTS / path).read_text()
    assert f"def {name or 'main'}(" in source or (not name and path.rpartition("/")[2].startswith("test_"))


@pytest.mark.parametrize("sentence", wandb_storage.PROMISES.values())
def test_the_promise_of_each_durability_stands_there_word_for_word(sentence: str) -> None:
    """The campaigns print the same sentences."""
    assert sentence in " ".join(_PROMISES.split())
