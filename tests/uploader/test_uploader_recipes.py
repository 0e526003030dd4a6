"""The recipes of docs/uploader.md are what systemd and Kubernetes take, and say what the command knows."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import textwrap
from pathlib import Path
from typing import Any, Dict, List

import pytest
import yaml

from wandb_uploader.__main__ import run

DOCUMENT = Path(__file__).parent.parent.parent / "docs" / "uploader.md"


def recipe(heading: str) -> str:
    """The indented block behind a heading."""
    section = DOCUMENT.read_text().partition(f"## {heading}\n")[2].partition("\n## ")[0]
    block = re.search(r"(?:^(?: {4}.*)?\n)*^ {4}.*$", section, re.MULTILINE)
    assert block is not None
    return textwrap.dedent(block.group()).strip() + "\n"


def known(arguments: List[str]) -> Dict[str, Any]:
    """What `wandb-uploader run` makes of its arguments; an error where it doesn't know one."""
    return run.make_context("run", list(arguments)).params


def test_the_unit_starts_a_service_that_stays(tmp_path: Path) -> None:
    (start,) = re.findall(r"^ExecStart=(.*)$", recipe("As a systemd user unit"), re.MULTILINE)
    command, subcommand, *arguments = shlex.split(start)
    assert (Path(command).name, subcommand) == ("wandb-uploader", "run")
    options = known(arguments)
    assert options["stay"]
    stop_seconds = int(re.findall(r"^TimeoutStopSec=(\d+)$", recipe("As a systemd user unit"), re.MULTILINE)[0])
    assert 0 < options["drain"] < stop_seconds


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd isn't installed here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "wandb-uploader.service"
    unit.write_text(recipe("As a systemd user unit"))
    program = tmp_path / "venv" / "bin" / "wandb-uploader"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", str(unit)], capture_output=True, text=True, check=False,
        env={**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    told = [line for line in done.stderr.splitlines() if "wandb-uploader" in line]
    assert (done.returncode, told) == (0, []), done.stderr


def test_the_sidecar_ends_with_the_job_and_has_time_for_what_is_left() -> None:
    spec = yaml.safe_load(recipe("As a Kubernetes sidecar"))["spec"]
    (sidecar,), (trainer,) = spec["initContainers"], spec["containers"]
    assert sidecar["restartPolicy"] == "Always"
    command, subcommand, *arguments = sidecar["command"]
    assert (command, subcommand) == ("wandb-uploader", "run")
    options = known(arguments)
    assert options["stay"]
    assert 0 < options["drain"] < spec["terminationGracePeriodSeconds"]
    (place,) = {mount["mountPath"] for one in (sidecar, trainer) for mount in one["volumeMounts"]}
    environment = {one["name"]: one.get("value") for one in trainer["env"]}
    assert options["wandb_dir"] == Path(str(environment["WANDB_DIR"])) / "wandb"
    assert environment["WANDB_DIR"] == place
