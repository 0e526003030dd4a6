"""A run in a notebook: its page in a frame, or what there is to say without one."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .wandb_run import Run


def run_html(run: Run, height: int, hidden: bool) -> str:
    """The run's page as HTML; with `hidden`, behind a button."""
    url = run.url
    if url is None:
        where = "disabled: nothing is recorded" if run.disabled else f"kept in <code>{html.escape(run.sync_dir)}</code>"
        return f"<p>Run <b>{html.escape(run.name or run.id)}</b>, {where}</p>"
    style = "border:none;width:100%"
    frame = f'<iframe src="{html.escape(url)}?jupyter=true" style="{style};height:{int(height)}px"></iframe>'
    if not hidden:
        return frame
    return f"<details><summary>Show run {html.escape(run.name or run.id)}</summary>{frame}</details>"


def display(run: Run, height: int, hidden: bool) -> bool:
    """Show the run in the notebook that runs this; False where there is none."""
    import sys

    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return False
    ipython.display.display(ipython.display.HTML(run_html(run, height, hidden)))
    return True
