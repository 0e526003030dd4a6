"""Projects to read back."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Dict

import wandb


def log_project(project: str, runs: int, mode: str = "online") -> None:
    """Runs with what is hard to read back."""
    noise = random.Random(7)
    for number in range(runs):
        config = {"number": number, "opt": {"name": f"o{number}"}, "list": [1, [2.5, None]], "flag": True}
        with wandb.init(
            project=project, name=f"run-{number}", config=config, notes=f"n{number}", group="g", job_type="train",
            tags=["even"] if number % 2 == 0 else ["odd"], mode=mode,
        ) as run:  # fmt: skip
            for step in range(12):
                row: Dict[str, Any] = {
                    "loss": noise.random() / (number + 1),
                    "nested": {"x": step},
                    "text": "é",
                    "n": 1,
                }
                if step % 3 == 0:
                    row["every third"] = step
                if step == 5:
                    row.update(odd=float("nan"), infinite=float("-inf"), large=2**53 + 1)
                run.log(row, step=step if step < 10 else step * 100)
            Path("extra.txt").write_text("extra")
            run.save("extra.txt", policy="now")
            print("one\ntwo\nthree")
            if number == 0:
                for version in range(2):
                    run.log_artifact(dataset(version), aliases=["best"] if version == 0 else []).wait()
            elif number == 1:
                run.use_artifact("digits:best")


def dataset(version: int) -> wandb.Artifact:
    """A version of the data set of the runs."""
    made = wandb.Artifact("digits", type="dataset", metadata={"version": version}, description="digits in words")
    for name in ("labels.txt", "deep/more.txt"):
        with made.new_file(name) as file:
            file.write(f"{name} of {version}")
    return made


def differences(own: Any, other: Any, ignored: Any = (), where: str = "") -> Dict[str, Any]:
    """Place -> (own, other) where they differ."""
    found: Dict[str, Any] = {}
    if isinstance(own, dict) and isinstance(other, dict):
        for key in {*own, *other} - set(ignored):
            missing = "missing"
            found.update(differences(own.get(key, missing), other.get(key, missing), ignored, f"{where}.{key}"))
        return found
    if isinstance(own, list) and isinstance(other, list) and len(own) == len(other):
        for place, (one, two) in enumerate(zip(own, other)):
            found.update(differences(one, two, ignored, f"{where}[{place}]"))
        return found
    same = own == other or (own != own and other != other)
    return {} if same else {where: (own, other)}
