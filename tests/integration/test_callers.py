"""Libraries that are too large to run here: what their code of today imports of wandb and calls, call by call.

Each test is named for a library, and does what its logger does, in its order, with its arguments. The runs are offline:
what a log holds is what a server is sent.
"""

from __future__ import annotations

import copy
import math
import os
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
import pytest
from logged import state_of, values_of
from own_place import own_place as own_place
from packaging.version import Version

import wandb

PICTURE = np.zeros((4, 4, 3), np.uint8)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")


@pytest.fixture
def model_file(tmp_path: Path) -> Path:
    path = tmp_path / "model.pt"
    path.write_bytes(b"weights")
    return path


def active() -> wandb.Run:
    run = wandb.run
    assert run is not None
    return run


def artifacts_of(run: wandb.Run) -> Dict[str, str]:
    """Type by name of what a run has logged."""
    return {artifact.name: artifact.type for artifact in state_of(run).artifacts}


def test_ultralytics(tmp_path: Path, model_file: Path) -> None:
    arguments = {"name": "train", "epochs": 3, "project": None, "resume": True}
    picture = tmp_path / "results.png"
    wandb.Image(PICTURE).image.save(picture)
    assert not wandb.run
    wandb.init(
        project="Ultralytics",
        name="train",
        config=arguments,
        id="train_20260105_120000",
        resume=None,
        dir=str(tmp_path),
    )
    run = active()
    for prefix in ("train", "lr", "metrics", "val"):
        run.define_metric(f"{prefix}/*", step_metric="epoch")
    run.config.setdefaults({**arguments, "epochs": 9, "late": 1})
    run.log({"train/loss": 0.5, "epoch": 1}, commit=False)
    run.log({"lr/pg0": 0.01}, commit=False)
    run.log({picture.stem: wandb.Image(str(picture))}, commit=False)
    run.log({"metrics/mAP50": 0.1, "epoch": 1}, commit=True)
    artifact = wandb.Artifact(type="model", name=f"run_{run.id}_model")
    artifact.add_file(model_file)
    run.log_artifact(artifact, aliases=["best"])
    table = wandb.Table(data=[["a", 0.5, 1.0]], columns=["class", "y", "x"])
    chart = wandb.plot_table(
        "wandb/area-under-curve/v0",
        table,
        fields={"x": "x", "y": "y", "class": "class"},
        string_fields={"title": "PR", "x-axis-title": "Recall", "y-axis-title": "Precision"},
    )
    wandb.log({"curves/PR": chart}, commit=False)
    run.log({"epoch": 1}, commit=True)
    wandb.finish()
    wandb.finish(exit_code=1)  # its teardown, when the run has ended already
    found = max((tmp_path / "wandb").glob("*run-*/run-*.wandb"), key=lambda file: file.stat().st_mtime)
    assert found.stem[4:] == run.id == "train_20260105_120000"
    first, second = values_of(run)
    assert (first["train/loss"], first["lr/pg0"], first["metrics/mAP50"], first["results"]["_type"]) == (
        0.5, 0.01, 0.1, "image-file",
    )  # fmt: skip
    assert second["epoch"] == 1
    assert (state_of(run).config["epochs"], state_of(run).config["late"]) == (3, 1)
    assert artifacts_of(run)[f"run_{run.id}_model"] == "model"


def test_lm_eval(tmp_path: Path) -> None:
    from wandb.sdk.lib.printer import new_printer

    assert Version(wandb.__version__) >= Version("0.13.6.dev0")
    assert wandb.run is None
    run = wandb.init(project="lm-eval-harness-integration", job_type="eval")
    run.config.update({"limit": 2})
    new_printer().display("evaluated")
    run.config.update({"task_configs": {"arc": {"num_fewshot": 0}}}, allow_val_change=False)
    run.summary.update({"arc/alias": "arc"})
    run.log({"arc/acc": 0.5}, step=None)
    table = wandb.Table(columns=["Tasks", "Version", "Value"])
    table.add_data("arc", "1", "0.5")
    run.log({"evaluation/eval_results": table}, step=None)
    artifact = wandb.Artifact("results", type="eval_results")
    with artifact.new_file("results.json", mode="w", encoding="utf-8") as file:
        file.write("{}")
    run.log_artifact(artifact)
    run.finish()
    assert values_of(run)[0]["arc/acc"] == 0.5
    assert run.summary["arc/alias"] == "arc"
    assert artifacts_of(run)["results"] == "eval_results"


@pytest.mark.filterwarnings("default")
def test_composer(model_file: Path) -> None:
    import wandb.errors

    wandb.init(project="p", name="run-rank0", group="run", entity=None, tags=["a"])
    run = active()
    assert [str(run.entity), str(run.project)][1] == "p"
    assert run.dir
    assert run.get_url() is None  # offline
    wandb.config.update({"batch": 8})
    wandb.log(copy.deepcopy({"loss": 0.5}), 3)
    wandb.log({"Table": wandb.Table(columns=["a"], rows=[[1]])}, step=4)
    masks = {"ground truth": {"mask_data": np.zeros((4, 4), np.uint8), "class_labels": {0: "none"}}}
    wandb.log({"Images": [wandb.Image(PICTURE, masks=masks)]}, step=5)
    artifact = wandb.Artifact(name="ep1-ba4-rank0.pt", type="model", metadata={"timestamp/epoch": 1})
    artifact.add_file(os.path.abspath(model_file))
    wandb.log_artifact(artifact, aliases=["latest", "ep1-ba4"])
    wandb.finish(0)
    assert [row["_step"] for row in values_of(run)] == [3, 4, 5]


def test_deepchem() -> None:
    run = wandb.init(name=None, project=None, entity=None, mode="offline", id=None, resume=None, anonymous="never")
    run.log({"train/loss": 0.5}, step=1)
    run.log({"train/loss": 0.25}, step=2)
    run.config.update({"batch_size": 8})
    history = run.history._data
    run.finish()
    assert history["train/loss"] == 0.25
    assert [row["train/loss"] for row in values_of(run)] == [0.5, 0.25]


def test_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wandb.sdk.data_types.base_types.wb_value import WBValue
    from wandb.sdk.data_types.image import Image
    from wandb.sdk.data_types.video import Video
    from wandb.util import json_dumps_safer
    from wandb.wandb_run import Run

    assert isinstance(wandb.Image(PICTURE), (Image, Video, WBValue))
    assert json_dumps_safer({"a": np.float32(0.5)}) == '{"a": 0.5}'
    wandb.ensure_configured()
    assert not wandb.api.api_key
    # An actor lives in the folder of its trial.
    trial = tmp_path / "trial"
    trial.mkdir()
    monkeypatch.chdir(trial)
    monkeypatch.setenv("WANDB_START_METHOD", "thread")
    run = wandb.init(
        id="trial_1", name="trial", resume=True, reinit=True, allow_val_change=True, config={"lr": 0.1},
        project="ray", group="tune",
    )  # fmt: skip
    assert isinstance(run, Run)
    run.config.trial_log_path = str(trial)
    for step in (1, 2):
        wandb.config.update({"lr": 0.1 * step}, allow_val_change=True)
        wandb.log({"episode_reward": step, "training_iteration": step}, step=step)
    checkpoint = trial / "checkpoint"
    checkpoint.mkdir()
    (checkpoint / "state").write_bytes(b"1")
    artifact = wandb.Artifact(name="checkpoint_trial", type="model")
    artifact.add_dir(str(checkpoint))
    wandb.log_artifact(artifact)
    wandb.finish()
    assert Path(run.sync_dir).is_relative_to(trial)
    assert state_of(run).config["lr"] == 0.2
    assert artifacts_of(run) == {"checkpoint_trial": "model"}
    # Workers of other ranks get a run that logs nowhere.
    with wandb.init(mode="disabled") as disabled:
        assert isinstance(disabled, Run)
        disabled.log({"x": 1})


def test_ignite() -> None:
    """Its logger hands every attribute on to the module."""
    wandb.init(project="ignite", name="one", config={"max_epochs": 2}, tags=["ignite"])
    logger: Any = wandb
    logger.log({"training/loss": 0.5}, step=1, sync=None)
    logger.config.update({"lr": 0.1}, allow_val_change=True)
    assert logger.run.dir
    run = active()
    logger.finish()
    assert values_of(run) == [{"training/loss": 0.5, "_step": 1}]


def test_fastai(model_file: Path) -> None:
    wandb.init()
    run = active()
    assert run.step - 1 == -1
    assert (0 if not run.step else math.ceil(run.summary["epoch"])) == 0
    wandb.config.update({"Learner": {"lr": 0.1, "loss": None}}, allow_val_change=True)
    for step in range(2):
        wandb.log({"epoch": step / 2, "train_loss": 1.0, "raw_loss": 1.0, "lr_0": 0.1}, step=step)
        wandb.log({"train_samples_per_sec": 8.0}, step=step)
    table = wandb.Table(columns=["Input Image", "Ground_Truth", "Predictions"])
    classes = wandb.Classes([{"name": "cat", "id": 1}])
    mask = {"mask_data": np.ones((4, 4), np.uint8)}
    picture = wandb.Image(PICTURE)
    table.add_data(
        picture,
        wandb.Image(PICTURE, masks={"Ground_Truth": mask}, classes=classes),
        wandb.Image(PICTURE, masks={"Prediction": mask}, classes=classes),
    )
    wandb.log({"Prediction_Samples": table}, step=1)
    wandb.log({"epoch": 1}, step=1)
    wandb.log({})  # so that the last step is complete
    artifact = wandb.Artifact(
        name=f"run-{run.id}-model", type="model", metadata={"path": str(model_file)}, description="d"
    )
    with artifact.new_file("model.pth", mode="wb") as file:
        file.write(b"weights")
    run.log_artifact(artifact)
    data = wandb.Artifact(name="data", type="dataset", metadata={}, description=None)
    data.add_file(str(model_file), name="model.pt")
    run.use_artifact(data)
    run.finish()
    rows = values_of(run)
    assert rows[0] == {
        "epoch": 0.0,
        "train_loss": 1.0,
        "raw_loss": 1.0,
        "lr_0": 0.1,
        "train_samples_per_sec": 8.0,
        "_step": 0,
    }
    assert (rows[1]["epoch"], rows[1]["Prediction_Samples"]["nrows"]) == (1, 1)


def test_langchain() -> None:
    from wandb import Settings
    from wandb.sdk.data_types import trace_tree
    from wandb.sdk.data_types.trace_tree import Trace
    from wandb.sdk.lib.paths import StrPath
    from wandb.wandb_run import Run

    path: StrPath = "x"
    assert isinstance(path, str)
    assert issubclass(Settings, object)
    arguments: Dict[str, Any] = {"settings": {"silent": True}}
    wandb.init(**arguments)
    run = active()
    assert isinstance(run, Run)
    wandb.termlog(f"Streaming LangChain activity to {run.settings.run_url}")
    run._label(repo="langchain")
    chain = trace_tree.Trace(
        name="chain", kind="chain", status_code="success", start_time_ms=1, end_time_ms=3, metadata={"order": 1},
        inputs={"question": "?"}, outputs={"answer": "!"},
    )  # fmt: skip
    chain.add_child(Trace(name="model", kind="llm", status_code="success", start_time_ms=1, end_time_ms=2, metadata={}))
    chain._model_dict = {"id": "model"}
    chain.log("langchain_trace")
    wandb.finish()
    (row,) = values_of(run)
    assert row["langchain_trace"]["_type"] == "wb_trace_tree"


def test_rsl_rl(tmp_path: Path, model_file: Path) -> None:
    wandb.init(project="legs", entity=None, name="first", config={"log_dir": str(tmp_path)})
    run = active()
    wandb.config.update({"train_cfg": {"algorithm": {"gamma": 0.9}}})
    wandb.log({"Loss/value": 0.5}, step=0)
    wandb.log({"Loss/surrogate": 0.1}, step=0)
    wandb.save(str(model_file), base_path=os.path.dirname(model_file))
    wandb.finish()
    assert values_of(run) == [{"Loss/value": 0.5, "Loss/surrogate": 0.1, "_step": 0}]
    assert "model.pt" in state_of(run).files


def test_skrl_and_trl() -> None:
    wandb.init(project="agents", sync_tensorboard=True, config={"seed": 1}, save_code=False)
    run = active()
    assert f"{run.entity}/{run.project}".endswith("/agents")
    wandb.log({"completions": wandb.Table(columns=["prompt"], data=[["?"]])})
    wandb.log({"profiling/Time taken: step": 0.5})
    wandb.finish()
    keys = [key for row in values_of(run) for key in row]
    assert {"completions", "profiling/Time taken: step"} <= set(keys)


def test_simpletransformers() -> None:
    assert not wandb.setup().settings.sweep_id
    wandb.init(project="texts", config={"epochs": 1})
    run = active()
    run._label(repo="simpletransformers")
    truth: List[int] = [0, 1, 1]
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    wandb.log({"roc": wandb.plot.roc_curve(truth, scores, ["no", "yes"])})
    wandb.log({"pr": wandb.plot.pr_curve(truth, scores, ["no", "yes"])})
    wandb.log({"Training loss": 0.5, "lr": 0.1, "global_step": 50})
    wandb.finish()
    assert [sorted(set(row) - {"_step"}) for row in values_of(run)][2] == ["Training loss", "global_step", "lr"]


@pytest.mark.filterwarnings("default")
def test_spacy_loggers(tmp_path: Path) -> None:
    from wandb import init, join, log  # noqa: F401

    folder = tmp_path / "pipeline"
    folder.mkdir()
    (folder / "meta.json").write_text("{}")
    run = wandb.init(project="pipes", config={"nlp": {"lang": "en"}}, entity=None, reinit=True)
    active().name = "named"
    wandb.log({"score": 0.5})
    wandb.log({"loss_tagger": 1.5})
    artifact = wandb.Artifact(f"pipeline_{run.id}", type="checkpoint", metadata={"epoch": 1})
    artifact.add_dir(str(folder), name=f"pipeline_{run.id}")
    wandb.log_artifact(artifact, aliases=["epoch 1 step 2", "latest", ""])
    wandb.join()
    assert run.name == "named"
    assert [row.get("score") for row in values_of(run)] == [0.5, None]


def test_skorch(model_file: Path) -> None:
    run = wandb.init(anonymous="allow")
    run.config.update({"learning rate": 1e-3})
    run.log({"train_loss": 0.5, "epoch": 1, "dur": 0.1})
    (Path(run.dir) / "best_model.pth").write_bytes(model_file.read_bytes())
    run.finish()
    assert run.config["learning rate"] == 1e-3


def test_optuna() -> None:
    """Its callback wants a run of this class."""
    run = wandb.init(name="trial/0", group="study")
    assert isinstance(run, wandb.sdk.wandb_run.Run)
    run.name = f"trial/0/{run.name}"
    run.tags = (*(run.tags or ()), "a")
    run.finish()
    assert run.name == "trial/0/trial/0"


def test_transformers() -> None:
    import importlib.util

    from wandb.sdk.lib.config_util import ConfigError

    assert importlib.util.find_spec("wandb") is not None
    assert hasattr(wandb, "run")
    run = wandb.init(project="huggingface", name="one")
    run.config.update({"a": 1}, allow_val_change=True)
    with pytest.raises(ConfigError):
        wandb.config["a"] = 2
    wandb.config["model/num_parameters"] = 10
    assert vars(wandb.config)["_items"]["a"] == 1
    wandb.define_metric("train/global_step")
    wandb.define_metric("*", step_metric="train/global_step", step_sync=True)
    run._label(code="transformers_trainer")
    run.summary["eval/loss"] = 0.5
    assert dict(wandb.summary)["eval/loss"] == 0.5
    wandb.termwarn("once", repeat=False)
    wandb.env.set_entity("e", env={})
    run.finish()


def test_lightning() -> None:
    import importlib.metadata

    from wandb.sdk.lib import RunDisabled
    from wandb.wandb_run import Run

    assert Version(importlib.metadata.version("wandb")) >= Version("0.12.10")
    wandb.require("service")
    run = wandb.init(name=None, project="lightning_logs", dir=".", id=None, resume="allow", anonymous=None)
    assert isinstance(run, (Run, RunDisabled))
    assert wandb._attach(run._attach_id) is run
    run.define_metric("trainer/global_step")
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    run.log({"loss": 0.5, "trainer/global_step": 3})
    run.finish()
    assert values_of(run) == [{"loss": 0.5, "trainer/global_step": 3, "_step": 0}]
