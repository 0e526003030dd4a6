"""Runs in a notebook: in a real kernel, through nbclient."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any, Dict, List

import pytest
from own_server import stop_uploader

from wandb_storage import Exit, Reader, RunState

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
# The libraries of a notebook's client warn of their own future, which is not what is tested.
pytestmark = pytest.mark.filterwarnings("ignore")


def executed(*cells: str) -> List[Any]:
    """The cells after a kernel has run them and has ended."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()
    done: List[Any] = notebook.cells
    return done


def html_of(cell: Any) -> str:
    return "".join(output["data"].get("text/html", "") for output in cell.outputs if "data" in output)


def text_of(cell: Any) -> str:
    return "".join(output.get("text", "") for output in cell.outputs if output["output_type"] == "stream")


def states(folder: Path) -> Dict[str, RunState]:
    """The runs that were logged in a folder, by name."""
    found = {}
    for path in (folder / "wandb").glob("offline-run-*"):
        state = RunState()
        with Reader(path) as reader:
            for entry in reader.entries():
                state.apply(entry.record)
        found[state.start.name or ""] = state
    return found


@pytest.fixture
def notebook_runs(own_place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WANDB_MODE", "offline")
    return own_place


def test_a_notebook_with_several_runs(notebook_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each init finishes the run before, and the end of the kernel the last one; all is shown without widgets."""
    (notebook_runs / "analysis.ipynb").write_text('{"cells": []}')
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook_runs / "analysis.ipynb"))
    cells = executed(
        "import wandb",
        "%wandb",
        "api_key = 'not for others'\nrun = wandb.init(project='p', name='<first>', save_code=True)",
        "print('printed in a cell')\nfor step in range(9):\n    run.log({'loss': 1 / (step + 1)})",
        "run",
        "%wandb",
        "%%wandb -h 400\nsecond = wandb.init(project='p', name='second')\nsecond.log({'acc': 0.5})",
        "%wandb me/p/runs/abc",
        "third = wandb.init(project='p', name='third')\nthird.log({'a': 1})\nthird.config.lr = 1\nthird.config.lr = 2",
    )
    assert "no active run" in text_of(cells[1])
    assert "&lt;first&gt;" in html_of(cells[2])
    assert "<first>" not in html_of(cells[2])
    for cell in (cells[4], cells[5], cells[6]):
        assert "loss" in html_of(cell)
        assert "█" in html_of(cell)
    assert "acc" in html_of(cells[6])
    assert 'href="http://127.0.0.1:8080/me/p/runs/abc"' in html_of(cells[7])
    runs = states(notebook_runs)
    assert {name: run.rows for name, run in runs.items()} == {"<first>": 9, "second": 1, "third": 1}
    assert all(isinstance(run.exit, Exit) and run.exit.code == 0 for run in runs.values())
    assert runs["third"].config == {"lr": 2}
    first = runs["<first>"]
    assert first.console.count == 1  # what was printed in the cell
    assert set(first.files) == {"code/_session_history.ipynb", "code/analysis.ipynb"}
    assert first.start.program.endswith("analysis.ipynb")
    (folder,) = (path for path in (notebook_runs / "wandb").glob("*-run-*") if path.name.endswith(first.start.run_id))
    history = nbformat.reads((folder / "files" / "code" / "_session_history.ipynb").read_text(), as_version=4)
    nbformat.validate(history)
    assert history.cells[0].source == "import wandb"
    assert history.cells[2].source.startswith("api_key = 'REDACTED'")
    assert json.loads((folder / "files" / "wandb-metadata.json").read_text())["codePath"] == "analysis.ipynb"


def test_a_quiet_notebook_shows_nothing(notebook_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SILENT", "true")
    cells = executed("import wandb\nrun = wandb.init()\nrun.log({'a': 1})\nrun.finish()", "%load_ext wandb\n%wandb")
    assert [cell.outputs for cell in cells] == [[], []]


def test_an_upload_is_followed_below_the_cell(own_place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    monkeypatch.setenv("WANDB_FINISH_TIMEOUT", "inf")
    shown: List[str] = []

    class Following(nbclient.NotebookClient):  # type: ignore[misc, name-defined]
        def process_message(self, message: Any, *place: Any) -> Any:
            html = message["content"].get("data", {}).get("text/html", "none")
            shown.append(html)
            if [html] == [bar for bar in shown if "no connection" in bar]:
                os.kill(self.km.provisioner.pid, signal.SIGINT)  # the user has seen enough
            return super().process_message(message, *place)

    cell = nbformat.v4.new_code_cell("import wandb\nwith wandb.init() as run:\n    run.log({'a': 1})")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    Following(notebook, timeout=60, kernel_name="python3").execute()
    stop_uploader(own_place, "http://127.0.0.1:9")
    bars = [html for html in shown if "<progress" in html]
    assert any("no connection" in html for html in bars), bars
    assert shown.index(bars[0]) < shown.index(""), "the bar is taken away"
    assert "The upload goes on in the background" in text_of(notebook.cells[0])
