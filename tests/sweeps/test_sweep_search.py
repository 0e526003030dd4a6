"""What a sweep tries next, and which of its runs are stopped."""

from __future__ import annotations

import itertools
import json
import math
import random
from pathlib import Path
from typing import Any, Dict, List, Mapping, Tuple

import pytest

from wandb.sweeps import (
    Parameter,
    SweepConfigError,
    Trial,
    check_config,
    grid_size,
    nested,
    next_values,
    runs_expected,
    runs_to_stop,
    values_of,
)
from wandb.sweeps._config import KINDS
from wandb.sweeps._distributions import place_of, value_at

SPECS: Mapping[str, Dict[str, Any]] = {
    "constant": {"value": "x"},
    "categorical": {"values": ["a", "b", None]},
    "categorical_w_probabilities": {"values": ["a", "b"], "probabilities": [0.2, 0.8]},
    "int_uniform": {"min": -2, "max": 3},
    "uniform": {"min": -1, "max": 3},
    "q_uniform": {"min": 0, "max": 1, "q": 0.25},
    "log_uniform": {"min": -3, "max": 1},
    "q_log_uniform": {"min": 0, "max": 5, "q": 2},
    "inv_log_uniform": {"min": -1, "max": 3},
    "log_uniform_values": {"min": 1e-4, "max": 1},
    "q_log_uniform_values": {"min": 1, "max": 100, "q": 5},
    "inv_log_uniform_values": {"min": 1e-4, "max": 1},
    "normal": {"mu": 2, "sigma": 0.5},
    "q_normal": {"mu": 2, "sigma": 3, "q": 1},
    "log_normal": {"mu": 0, "sigma": 0.5},
    "q_log_normal": {"mu": 1, "sigma": 0.5, "q": 0.5},
    "beta": {"a": 2, "b": 5},
    "q_beta": {"a": 2, "b": 5, "q": 0.1},
}


def test_every_distribution_is_tried_here() -> None:
    assert set(SPECS) == set(KINDS)


@pytest.mark.parametrize("kind", SPECS)
def test_values_rise_with_their_place_and_lead_back_to_it(kind: str) -> None:
    parameter = Parameter(("p",), kind, {**KINDS[kind].defaults, **SPECS[kind]})
    places = [(number + 0.5) / 50 for number in range(50)]
    values = [value_at(parameter, place) for place in places]
    if "value" in SPECS[kind] or "values" in SPECS[kind]:
        assert set(values) <= {SPECS[kind].get("value"), *SPECS[kind].get("values", [])}
        return
    assert values == sorted(values)
    if "q" not in SPECS[kind] and kind != "int_uniform":
        assert [place_of(parameter, value) for value in values] == pytest.approx(places, abs=1e-6)
    if "q" in SPECS[kind]:
        assert all(abs(value / SPECS[kind]["q"] - round(value / SPECS[kind]["q"])) < 1e-9 for value in values)


def test_an_even_draw_follows_the_distribution() -> None:
    parameter = Parameter(("p",), "categorical_w_probabilities", SPECS["categorical_w_probabilities"])
    source = random.Random(1)
    drawn = [value_at(parameter, source.random()) for _ in range(2000)]
    assert 0.15 < drawn.count("a") / len(drawn) < 0.25


QUANTIZED = {"distribution": "q_uniform", "min": 0, "max": 1}


def test_a_grid_is_tried_whole_and_once() -> None:
    config = check_config(
        {
            "method": "grid",
            "parameters": {
                "a": {"values": [1, 2]},
                "b": {
                    "parameters": {"c": {"min": 0, "max": 2}, "d": {"distribution": "q_uniform", "min": 0, "max": 1}}
                },
            },
        }
    )
    trials: List[Trial] = []
    while (values := next_values("s", config, trials)) is not None:
        trials.insert(0, Trial(values, "running"))  # whatever the order in which the runs come
    assert len(trials) == grid_size(config.parameters) == runs_expected(config) == 2 * 3 * 2
    assert len({tuple(trial.values.values()) for trial in trials}) == len(trials)


def test_a_grid_needs_an_end() -> None:
    config = check_config({"method": "grid", "parameters": {"lr": {"min": 0.0, "max": 1.0}}})
    with pytest.raises(SweepConfigError, match=r"parameters\.lr: a grid needs"):
        next_values("s", config, [])


def test_a_run_cap_and_a_target_end_a_sweep() -> None:
    base = {"method": "random", "parameters": {"lr": {"min": 0.0, "max": 1.0}}}
    capped = check_config({**base, "run_cap": 1})
    assert next_values("s", capped, [Trial({}, "running")]) is None
    aimed = check_config({**base, "metric": {"name": "accuracy", "goal": "maximize", "target": 0.9}})
    assert next_values("s", aimed, [Trial({}, "finished", [0.95, 0.2])]) is None
    assert next_values("s", aimed, [Trial({}, "finished", [0.8])]) is not None


def test_values_become_arguments_and_come_back() -> None:
    config = check_config(
        {"method": "random", "parameters": {"lr": {"value": 1}, "o": {"parameters": {"name": {"value": "sgd"}}}}}
    )
    values = next_values("s", config, [])
    assert values is not None
    assert values_of(config.parameters, nested(values)) == values
    assert values_of(config.parameters, {"lr": 1, "o": {"name": "sgd"}}) == values


def _bowl(values: Mapping[Any, Any]) -> float:
    return float((values[("x",)] - 0.3) ** 2 + (math.log10(values[("lr",)]) + 2) ** 2 + (values[("kind",)] != "good"))


BOWL = {
    "method": "bayes",
    "metric": {"name": "loss"},
    "parameters": {
        "x": {"min": 0.0, "max": 1.0},
        "lr": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1},
        "kind": {"values": ["bad", "good", "ugly"]},
        "fixed": {"value": 7},
    },
}


def test_bayesian_search_comes_close_and_can_be_taken_up_again() -> None:
    config = check_config(BOWL)
    trials: List[Trial] = []
    for number in range(20):
        values = next_values("s", config, trials)
        assert values is not None
        assert values[("fixed",)] == 7
        if number == 12:  # another controller, that knows the runs alone, proposes the same
            assert next_values("s", config, list(trials)) == values
        trials.append(Trial(values, "finished", [_bowl(values)]))
    assert min(trial.metric[-1] for trial in trials) < 0.01


def test_runs_under_way_are_not_proposed_again() -> None:
    config = check_config(BOWL)
    source = random.Random(3)
    trials = []
    for _ in range(10):
        values: Dict[Tuple[str, ...], Any] = {
            ("x",): source.random(),
            ("lr",): 10 ** source.uniform(-5, 0),
            ("kind",): "good",
            ("fixed",): 7,
        }
        trials.append(Trial(values, "finished", [_bowl(values)]))
    proposed = []
    for _ in range(3):
        found = next_values("s", config, trials)
        assert found is not None
        proposed.append(found)
        trials.append(Trial(found, "running"))
    distances = [
        abs(a[("x",)] - b[("x",)]) + abs(math.log10(a[("lr",)] / b[("lr",)])) + (a[("kind",)] != b[("kind",)])
        for a, b in itertools.combinations(proposed, 2)
    ]
    assert min(distances) > 1e-4


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_failed_runs_count_as_the_worst(goal: str) -> None:
    config = check_config({**BOWL, "metric": {"name": "loss", "goal": goal}})
    trials = [Trial(next_values("s", config, []) or {}, "crashed") for _ in range(8)]
    assert next_values("s", config, trials) is not None
    trials.append(Trial(trials[0].values, "finished", [float("nan")]))
    trials += [Trial(trials[0].values, "finished", [1.0]), Trial(trials[0].values, "finished", [1.0])]
    assert next_values("s", config, trials) is not None


def _stopped(rule: Dict[str, Any], *histories: List[float], goal: str = "minimize") -> List[int]:
    config = check_config(
        {
            "method": "random",
            "metric": {"name": "loss", "goal": goal},
            "parameters": {"lr": {"value": 1}},
            "early_terminate": rule,
        }
    )
    return [stop.trial for stop in runs_to_stop(config, [Trial({}, "running", history) for history in histories])]


def test_hyperband_stops_what_is_not_among_the_best_at_its_bracket() -> None:
    rule = {"type": "hyperband", "min_iter": 2, "eta": 2}
    histories: List[List[float]] = [[10, 4], [10, 7], [10, 6], [10, 5], [10]]
    assert _stopped(rule, *histories) == [1]
    assert _stopped(rule, *([-value for value in history] for history in histories), goal="maximize") == [1]
    assert _stopped({**rule, "min_iter": 3}, *histories) == []


def test_runs_are_stopped_that_are_stopped_officially() -> None:
    """Histories made at random, each with what the official package `sweeps` 0.3.0 stops of them by hyperband, and the
    official client 0.10.12 by its envelope."""
    different = []
    for line in Path(__file__).with_name("official_stops.jsonl").read_text().splitlines():
        case = json.loads(line)
        config = check_config(
            {
                "method": "random",
                "metric": {"name": "loss", "goal": case["goal"]},
                "parameters": {"lr": {"value": 1}},
                "early_terminate": case["rule"],
            }
        )
        trials = [
            Trial({}, state, [math.nan if value is None else value for value in values])
            for state, values in case["runs"]
        ]
        if [stop.trial for stop in runs_to_stop(config, trials)] != case["stopped"]:
            different.append(case)
    assert not different


def test_hyperband_counts_back_from_its_last_iteration() -> None:
    rule = {"type": "hyperband", "max_iter": 8, "s": 2, "eta": 2}  # at 2 and at 4
    assert _stopped(rule, [9, 9], [9, 1], [9, 1]) == [0]
    assert _stopped(rule, [9], [1], [1]) == []


def test_without_strictness_a_run_is_judged_by_its_best() -> None:
    rule = {"type": "hyperband", "min_iter": 2, "eta": 2}
    histories: List[List[float]] = [[1, 9], [9, 2], [9, 2]]
    assert _stopped({**rule, "strict": True}, *histories) == [0]
    assert _stopped({**rule, "strict": False}, *histories) == []


def test_an_envelope_stops_what_was_never_as_good_as_the_best_were_by_then() -> None:
    config = check_config(
        {
            "method": "random",
            "metric": {"name": "loss"},
            "parameters": {"lr": {"value": 1}},
            "early_terminate": {"type": "envelope", "min_runs": 2, "start_iter": 1},
        }
    )
    finished = [Trial({}, "finished", history) for history in ([5, 3, 1], [4, 2], [9, 9, 9])]
    running = [Trial({}, "running", history) for history in ([9], [9, 3], [9, 2.5], [4, 2.5, 2.5], [8, 7, 6, 2])]
    assert [stop.trial for stop in runs_to_stop(config, [*running, *finished])] == [1, 3, 4]
    assert runs_to_stop(config, [*running, finished[0]]) == []


def test_only_running_runs_are_stopped() -> None:
    config = check_config(
        {
            "method": "random",
            "metric": {"name": "loss"},
            "parameters": {"lr": {"value": 1}},
            "early_terminate": {"type": "hyperband", "min_iter": 1},
        }
    )
    trials = [Trial({}, "finished", [9]), Trial({}, "running", [1]), Trial({}, "running", [])]
    assert runs_to_stop(config, trials) == []
