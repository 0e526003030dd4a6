"""The same media and tables, made by the official client 0.31.0 and here: the same objects and the same bytes.

`media_cases.py` says how `official_media.json` is made.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
from logged import state_of
from media_cases import MEDIA, TABLES, outcome
from peer import peer_python

import wandb
from wandb_uploader._config_wire import wire_config

HERE = Path(__file__).parent
OFFICIAL: Dict[str, Any] = json.loads((HERE / "official_media.json").read_text())

# What these need beside the client, in the releases that made the list.
_LIBRARIES = ["numpy", "pillow", "soundfile"]


@pytest.fixture
def run() -> Iterator[wandb.Run]:
    with wandb.init(mode="offline", settings={"silent": True}) as run:
        yield run


def log(run: wandb.Run, row: Dict[str, Any]) -> Dict[str, Any]:
    run.log(row, step=7)
    return run.summary.as_dict()


@pytest.mark.parametrize("name", list(MEDIA))
def test_a_medium_is_the_same(name: str, run: wandb.Run, tmp_path: Path) -> None:
    assert outcome(MEDIA[name], run, log, tmp_path / "files") == OFFICIAL["media"][name]


@pytest.mark.parametrize("name", list(TABLES))
def test_a_table_is_the_same_in_a_run_and_in_an_artifact(name: str, run: wandb.Run) -> None:
    table, expected = TABLES[name](), OFFICIAL["tables"][name]
    entry = wandb.Artifact("cases", "dataset").add(table, "t")
    assert entry.local_path is not None
    assert Path(entry.local_path).read_text() == json.dumps(expected["artifact"], sort_keys=True)
    held = expected["artifact"]
    run.log({"t": table}, step=7)
    value = run.summary.as_dict()["t"]
    digest, text = expected["run"]
    assert (Path(run.dir) / value["path"]).read_text() == text
    assert value["sha256"] == digest
    assert value["path"] == f"media/table/t_7_{digest[:20]}.table.json"
    assert (value["_type"], value["log_mode"]) == ("table-file", "IMMUTABLE")
    assert (value["ncols"], value["nrows"]) == (held["ncols"], held["nrows"])


def test_the_names_of_classes_are_the_same_in_the_config(run: wandb.Run, tmp_path: Path) -> None:
    for number, (name, make) in enumerate(MEDIA.items()):
        if "layers" in name:
            outcome(make, run, log, tmp_path / str(number))
    run.finish()
    internal = wire_config(state_of(run))["_wandb"]["value"]
    assert {kind: internal[kind] for kind in OFFICIAL["labels"]} == OFFICIAL["labels"]


@pytest.mark.peer
def test_the_list_is_what_the_official_client_makes(tmp_path: Path) -> None:
    said = subprocess.run(
        [str(peer_python("0.31.0", *_LIBRARIES)), str(HERE / "media_cases.py")], capture_output=True, text=True,
        check=True, cwd=tmp_path, env={"HOME": str(tmp_path), "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"},
    )  # fmt: skip
    assert json.loads(said.stdout) == OFFICIAL
