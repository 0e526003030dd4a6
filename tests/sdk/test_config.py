"""The config: every form in which callers have it, its protection, and its dictionaries within dictionaries."""

from __future__ import annotations

import dataclasses
import enum
import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest
from absl import flags
from logged import state_of

import wandb


@dataclasses.dataclass
class Optimizer:
    lr: float
    betas: Any = (0.9, 0.99)


class Scheduler(enum.Enum):
    COSINE = "cosine"


class Model:
    """Like a pydantic model."""

    def model_dump(self) -> Any:
        return {"width": 64}


def offline(**arguments: Any) -> wandb.Run:
    return wandb.init(mode="offline", settings={"silent": True}, **arguments)


def test_a_namespace_a_dataclass_and_another_runs_config_are_configs() -> None:
    first = offline(config=Namespace(lr=0.1, nested=Namespace(a=1)))
    assert first.config.as_dict() == {"lr": 0.1, "nested": {"a": 1}}
    first.finish()
    assert offline(config=first.config, reinit=True).config.as_dict() == {"lr": 0.1, "nested": {"a": 1}}
    assert offline(config=Optimizer(0.1), reinit=True).config.as_dict() == {"lr": 0.1, "betas": [0.9, 0.99]}
    assert offline(config=Model(), reinit=True).config.as_dict() == {"width": 64}


def test_the_flags_of_absl_are_a_config_without_those_of_absl_itself() -> None:
    values = flags.FlagValues()  # type: ignore[no-untyped-call]  # absl says nothing of its own types
    flags.DEFINE_integer("epochs", 3, "how long", flag_values=values)
    flags.DEFINE_string("model", "resnet", "which", flag_values=values)
    values.mark_as_parsed()
    assert offline(config=values).config.as_dict() == {"epochs": 3, "model": "resnet"}


def test_yaml_files_hold_configs_plain_or_as_runs_keep_them(tmp_path: Path) -> None:
    (tmp_path / "plain.yaml").write_text("lr: 1.0e-3\nlayers: [1, 2]\n")
    (tmp_path / "kept.yaml").write_text("wandb_version: 1\nlr:\n  desc: null\n  value: 0.5\n_wandb:\n  value: {}\n")
    assert offline(config="plain.yaml").config.as_dict() == {"lr": 0.001, "layers": [1, 2]}
    assert offline(config=tmp_path / "kept.yaml", reinit=True).config.as_dict() == {"lr": 0.5}


@pytest.mark.parametrize(("text", "says"), [("a: [", "no valid YAML"), ("- 1", "holds list"), (None, "can't be read")])
def test_a_config_file_that_is_none_is_an_error_that_names_it(tmp_path: Path, text: Any, says: str) -> None:
    if text is not None:
        (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(wandb.errors.ConfigError, match=rf"bad\.yaml.*{says}"):
        offline(config="bad.yaml")


def test_defaults_files_arguments_and_the_environment_are_stronger_in_that_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config-defaults.yaml").write_text("a: {value: defaults}\nb: {value: defaults}\nc: {value: defaults}\n")
    (tmp_path / "more.yaml").write_text("b: more\nc: more\nd: more\n")
    monkeypatch.setenv("WANDB_CONFIG_PATHS", "more.yaml")
    monkeypatch.setenv("WANDB_CONFIG", json.dumps({"d": "environment"}))
    run = offline(config={"c": "argument", "d": "argument"})
    assert run.config.as_dict() == {"a": "defaults", "b": "more", "c": "argument", "d": "environment"}


def test_a_malformed_config_in_the_environment_is_said_and_passed_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_CONFIG", "{oops")
    assert wandb.init(mode="disabled", config={"a": 1}).config.as_dict() == {"a": 1}
    assert "WANDB_CONFIG is no JSON object" in capsys.readouterr().err


def test_keys_are_included_or_excluded_not_both() -> None:
    keys = {"a": 1, "b": 2, "c": 3}
    assert offline(config=keys, config_include_keys=["a", "b"]).config.keys() == {"a", "b"}
    assert offline(config=keys, config_exclude_keys=["a"], reinit=True).config.keys() == {"b", "c"}
    with pytest.raises(wandb.UsageError, match="exclude each other"):
        offline(config=keys, config_include_keys=["a"], config_exclude_keys=["b"], reinit=True)


def test_parameters_that_are_objects_become_data_or_their_text(capsys: pytest.CaptureFixture[str]) -> None:
    run = wandb.init(mode="offline")
    run.config.update(
        {"opt": Optimizer(0.1), "schedule": Scheduler.COSINE, "data": Path("a/b"), "tags": {"y", "x"}, "loss": len},
    )
    run.config["device"] = slice(1, 2)
    assert state_of(run).config == {
        "opt": {"lr": 0.1, "betas": [0.9, 0.99]}, "schedule": "cosine", "data": "a/b", "tags": ["x", "y"],
        "loss": "len", "device": "slice(1, 2, None)",
    }  # fmt: skip
    assert capsys.readouterr().err.count("device is of type slice") == 1


def test_a_change_within_a_dictionary_is_recorded_however_deep() -> None:
    run = offline(config={"model": {"head": {"width": 1}, "name": "a"}})
    run.config.model.head.width = 2
    run.config["model"]["head"].update(depth=Optimizer(0.5))
    del run.config["model"]["name"]
    held = {"model": {"head": {"width": 2, "depth": {"lr": 0.5, "betas": [0.9, 0.99]}}}}
    assert run.config.as_dict() == held == state_of(run).config
    assert json.loads(json.dumps(run.config["model"])) == held["model"]
    with pytest.raises(AttributeError, match="absent"):
        _ = run.config.model.absent


def test_what_a_sweep_locks_stays_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    run = wandb.init(mode="offline", config={"lr": 1})
    run.config.update_locked({"lr": 0.5}, "sweep")
    run.config.update({"lr": 3, "epochs": 2}, allow_val_change=True)
    run.config.merge_locked({"lr": 4, "width": 8})
    assert run.config.as_dict() == {"lr": 0.5, "epochs": 2, "width": 8} == state_of(run).config
    assert "lr is locked by sweep" in capsys.readouterr().err


def test_dictionaries_are_merged_and_locked() -> None:
    run = wandb.init(mode="offline", config={"model": {"layers": 2, "head": {"width": 3}}})
    run.config.merge_locked({"model": {"head": {"depth": 1}}, "lr": 4})
    run.config.update({"lr": 5}, allow_val_change=True)
    held = {"model": {"layers": 2, "head": {"width": 3, "depth": 1}}, "lr": 4}
    assert run.config.as_dict() == held == state_of(run).config


def test_config_static_is_a_copy_that_nobody_changes() -> None:
    run = offline(config={"lr": 1})
    static = run.config_static
    with pytest.raises(wandb.errors.ConfigError, match="lr"):
        static.lr = 2
    run.config.epochs = 1
    assert "epochs" not in static


def test_a_refused_change_is_in_neither_the_config_nor_the_log() -> None:
    run = offline(config={"a": 1})
    with pytest.raises(wandb.errors.ConfigError):
        run.config.update({"b": 2, "a": 3})
    run.finish()
    with pytest.raises(wandb.UsageError, match="finished"):
        run.config.late = 1
    assert run.config.as_dict() == {"a": 1} == state_of(run).config
