"""What a sweep's configuration may say, and how errors name what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict

import pytest
from click.testing import CliRunner

from wandb.cli import main
from wandb.sweeps import SweepConfigError, check_config

# Configurations made at random from right and wrong parts, each with what the validator of the official package
# `sweeps` 0.3.0 says of it (its advice about exponents left out, which is a warning here).
VERDICTS = [json.loads(line) for line in Path(__file__).with_name("official_verdicts.jsonl").read_text().splitlines()]


def test_accepted_and_refused_are_what_they_are_officially() -> None:
    different = []
    for verdict in VERDICTS:
        try:
            check_config(verdict["config"])
            accepted = True
        except SweepConfigError:
            accepted = False
        if accepted != verdict["accepted"]:
            different.append(verdict)
    assert not different


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "gird"}, "sweep config, method: is 'gird'; choose 'grid', 'random', 'bayes' or 'custom'"),
        ({"metod": "grid"}, "sweep config, metod: is not known; did you mean 'method'?"),
        (
            {"parameters": {"optimizer": {"parameters": {"lr": {"min": 0.1, "max": 0.01}}}}},
            "sweep config, parameters.optimizer.parameters.lr.min: is 0.1, not less than max, 0.01",
        ),
        (
            {"parameters": {"lr": {"values": [1, 2], "probabilities": [0.5, 0.6]}}},
            "sweep config, parameters.lr.probabilities: adds up to 1.1, not to 1",
        ),
        (
            {"parameters": {"lr": 0.1}},
            "sweep config, parameters.lr: must be an object such as {'value': 1} or {'values': [1, 2]}, not float",
        ),
        (
            {"parameters": {"lr": {"distribution": "log_uniform_values", "min": 0, "max": 1}}},
            "sweep config, parameters.lr.min: is 0; a logarithm needs it to be above 0",
        ),
        ({"run_cap": 0}, "sweep config, run_cap: is 0; it must be at least 1"),
    ],
)
def test_an_error_names_the_path_and_the_remedy(change: Dict[str, Any], message: str) -> None:
    config = {"method": "random", "parameters": {"lr": {"value": 1}}, **change}
    with pytest.raises(SweepConfigError) as caught:
        check_config(config)
    assert str(caught.value) == message


def test_exponents_are_warned_of() -> None:
    parameters = {"lr": {"distribution": "log_uniform", "min": -3, "max": 0}}
    (warning,) = check_config({"method": "random", "parameters": parameters}).warnings
    assert "log_uniform_values" in warning
    assert "e^-3" in warning


def test_nesting_has_an_end() -> None:
    inner: Dict[str, Any] = {"value": 1}
    for _ in range(1000):
        inner = {"parameters": {"p": inner}}
    with pytest.raises(SweepConfigError, match="nested deeper"):
        check_config({"method": "random", "parameters": {"p": inner}})


def test_a_command_tells_what_is_wrong_and_nothing_else(own_place: Path) -> None:
    text = "method: grid\nprogram: train.py\nparameters: {lr: {min: 0.0, max: 1.0}}\n"
    (own_place / "sweep.yaml").write_text(text)
    made = CliRunner().invoke(main, ["sweep", "sweep.yaml"])
    assert made.exit_code == 1
    assert made.output == (
        "wandb: ERROR sweep config, parameters.lr: a grid needs 'value', 'values' or whole numbers, not 'uniform'\n"
    )
