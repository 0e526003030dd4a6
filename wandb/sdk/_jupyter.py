"""Notebooks: what `init` and `finish` show there, the magics `%wandb` and `%%wandb`, and the notebook saved as code.

IPython is never imported here: where it isn't loaded there is no notebook.

    %wandb                       the active run
    %wandb entity/project/run    a link to a page of the server
    %%wandb                      run the cell, and show the run that it started
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Callable, List, Optional

from .._terminal import termwarn

if TYPE_CHECKING:
    from .wandb_run import Run
    from .wandb_settings import Settings

_HISTORY_NAME = "_session_history.ipynb"
_BYTES_MAX = 10 << 20


def ipython() -> Optional[Any]:
    """The shell of an IPython session, in a terminal or a notebook."""
    module = sys.modules.get("IPython")
    return module.get_ipython() if module is not None else None


def notebook() -> Optional[Any]:
    """The shell of a notebook; None elsewhere."""
    shell = ipython()
    return shell if getattr(shell, "kernel", None) is not None else None


def display_html(html: str) -> None:
    """Show something below the cell."""
    with contextlib.suppress(Exception):  # a kernel that is about to end may not take it any more
        shown = importlib.import_module("IPython.display")
        shown.display(shown.HTML(html))


def display_live_html(html: str) -> Callable[[str], None]:
    """Show something below the cell; what is returned puts something else in its place."""
    shown: Any = None
    with contextlib.suppress(Exception):
        shown = importlib.import_module("IPython.display")
        handle = shown.display(shown.HTML(html), display_id=True)

    def update(other: str) -> None:
        with contextlib.suppress(Exception):  # a kernel that is about to end may not take it any more
            handle.update(shown.HTML(other))

    return update


def on_each_cell(call: Callable[..., None]) -> contextlib.ExitStack:
    """Call something before each cell of IPython, until what is returned is closed."""
    shell, stack = ipython(), contextlib.ExitStack()
    if shell is not None:
        shell.events.register("pre_run_cell", call)
        stack.callback(_unregister, shell.events, call)
    return stack


def _unregister(events: Any, call: Callable[..., None]) -> None:
    with contextlib.suppress(ValueError):  # a shell that was reset has forgotten it
        events.unregister("pre_run_cell", call)


# --- the magics -------------------------------------------------------------------------------------------------------


def load_ipython_extension(shell: Any) -> None:
    """Give a shell the magics: `%load_ext wandb`. `import wandb` in a session does it too."""
    shell.register_magic_function(_magic, "line_cell", "wandb")


# While a cell with the magic runs: the runs that it has started.
_started: Optional[List[Run]] = None


def _magic(line: str, cell: Optional[str] = None) -> None:
    from . import _globals

    started = _run_cell(cell) if cell is not None else []
    run = started[-1] if started else _globals.active_run()
    path = _path_of(line)
    if path:
        _display_link(path, run)
    elif run is not None:
        from ._html import run_html

        display_html(run_html(run))
    else:
        termwarn("there is no active run; call wandb.init() first, or name a page: %wandb entity/project/runs/id")


def _run_cell(cell: str) -> List[Run]:
    """Run a cell. Returns the runs that it started."""
    global _started
    shell = ipython()
    assert shell is not None
    _started = []
    try:
        shell.run_cell(cell)
        return _started
    finally:
        _started = None


def _path_of(line: str) -> str:
    """The page that the line names. A height, which callers of the official client give, says nothing here."""
    words = iter(line.split())
    path = ""
    for word in words:
        if word in ("-h", "--height"):
            next(words, None)
        elif not word.startswith("-"):
            path = word
    return path


def _display_link(path: str, run: Optional[Run]) -> None:
    from wandb_uploader import app_url

    from ._html import link_html
    from .wandb_settings import merged

    base_url = run.settings.base_url if run is not None else merged().base_url
    display_html(link_html(f"{app_url(base_url)}/{path.lstrip('/')}"))


# --- what runs show ---------------------------------------------------------------------------------------------------


def show_start(run: Run) -> bool:
    """Show a run that begins; False outside of notebooks."""
    if notebook() is None:
        return False
    from ._html import start_html

    if _started is not None:
        _started.append(run)
    display_html(start_html(run))
    return True


def show_tables(run: Run) -> bool:
    """Show the history and the summary of a run that ends; False outside of notebooks."""
    if notebook() is None:
        return False
    from ._html import tables_html

    tables = tables_html(run)
    if tables:
        display_html(tables)
    return True


# --- the notebook as code ---------------------------------------------------------------------------------------------


def notebook_path(settings: Settings) -> str:
    """The notebook's file, as settings, the server that started the kernel or the editor tell it; empty if nobody
    does."""
    shell = notebook()
    if shell is None:
        return ""
    told = (settings.notebook_name, os.environ.get("JPY_SESSION_NAME"), shell.user_ns.get("__vsc_ipynb_file__"))
    return next((str(name) for name in told if name), "")


def save_notebook(settings: Settings, files: Path) -> List[str]:
    """Keep the cells that were run, and the notebook's file where it is known. Returns the paths among the files."""
    shell = notebook()
    if shell is None:
        return []
    folder = files / "code"
    wanted = {_HISTORY_NAME: _as_notebook(shell.history_manager.input_hist_raw[1:])}
    with contextlib.suppress(OSError, ValueError):
        source = Path(notebook_path(settings))
        if source.is_file() and source.stat().st_size <= _BYTES_MAX:
            wanted[source.name] = json.loads(source.read_bytes())
    saved = []
    with contextlib.suppress(OSError):  # the log comes first
        folder.mkdir(exist_ok=True)
        for name, content in wanted.items():
            text = json.dumps(_without_secrets(content), indent=1)
            if len(text) <= _BYTES_MAX:
                (folder / name).write_text(text, encoding="utf-8")
                saved.append(f"code/{name}")
    return saved


def _without_secrets(value: Any) -> Any:
    """A notebook's JSON, its texts as code that is saved."""
    from ._run_code import redacted

    if isinstance(value, str):
        return redacted(value.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")
    if isinstance(value, list):
        return [_without_secrets(one) for one in value]
    return {key: _without_secrets(one) for key, one in value.items()} if isinstance(value, dict) else value


def _as_notebook(cells: List[str]) -> Any:
    """Cells that were run, without what they put out."""
    return {
        "nbformat": 4,
        "nbformat_minor": 4,
        "metadata": {"language_info": {"name": "python"}, "saved": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())},
        "cells": [
            {
                "cell_type": "code", "execution_count": number, "metadata": {}, "outputs": [],
                "source": cell.splitlines(keepends=True),
            }
            for number, cell in enumerate(cells, 1)
        ],
    }  # fmt: skip
