"""Logging the calls of a library: what is logged, of which calls, and what the program notices of it."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Optional, Tuple

import pytest
from logged import values_of
from own_place import own_place as own_place

import wandb
from wandb.integration._autolog import Autolog


class Pipeline:
    """A library's class, as those of Transformers and Diffusers are."""

    def __call__(self, text: str) -> str:
        if text == "fail":
            raise ValueError(text)
        return text.upper()


class Twice(Pipeline):
    def __call__(self, text: str) -> str:
        return super().__call__(text) * 2


def describe(
    arguments: Tuple[Any, ...], named: Dict[str, Any], answer: Any, seconds: float
) -> Optional[Dict[str, Any]]:
    if answer == "ODD":
        raise KeyError("odd")
    return {"asked": arguments[1], "answer": answer}


@pytest.fixture
def autolog(monkeypatch: pytest.MonkeyPatch) -> Iterator[Autolog]:
    monkeypatch.setenv("WANDB_MODE", "offline")
    log = Autolog("texts", lambda: [Pipeline, Twice], describe)
    yield log
    log.disable()


def test_a_call_is_logged_and_answers_as_before(autolog: Autolog) -> None:
    autolog({"project": "texts", "config": {"mine": 1}})
    run = wandb.run
    assert run is not None
    assert (Pipeline()("a"), Twice()("b")) == ("A", "BB")
    autolog.disable()
    assert wandb.run is None
    assert Pipeline()("c") == "C"
    rows = values_of(run)
    assert [(row["asked"], row["answer"]) for row in rows] == [
        ("a", "A"),
        ("b", "BB"),
    ]  # one call within another is one


def test_the_active_run_is_used_and_goes_on(autolog: Autolog) -> None:
    with wandb.init() as run:
        autolog()
        Pipeline()("a")
        autolog.disable()
        assert wandb.run is run
    assert [row["asked"] for row in values_of(run)] == ["a"]


def test_what_a_call_raises_comes_through(autolog: Autolog) -> None:
    autolog()
    with pytest.raises(ValueError, match="fail"):
        Pipeline()("fail")
    assert Pipeline()("a") == "A"


def test_what_cannot_be_described_is_told_and_hinders_nothing(
    autolog: Autolog, capsys: pytest.CaptureFixture[str]
) -> None:
    autolog()
    assert Pipeline()("odd") == "ODD"
    assert "texts autolog: a call could not be logged: KeyError('odd')" in capsys.readouterr().err


def test_a_run_that_has_ended_ends_the_logging_of_calls(autolog: Autolog) -> None:
    autolog()
    wandb.finish()
    assert Pipeline()("a") == "A"
