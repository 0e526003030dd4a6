"""A run in a notebook: its name as a link, the course of its metrics and its summary. Plain HTML, no widget."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, List, Sequence, Tuple

from ._history_sample import sparkline
from ._report import history_shown, summary_shown

if TYPE_CHECKING:
    from .wandb_run import Run


def run_html(run: Run) -> str:
    """The run as it is now."""
    return f"<div>{_heading(run)}{tables_html(run)}</div>"


def start_html(run: Run) -> str:
    """What `init` shows."""
    return f"<div>{_heading(run)}<br/>Run data is saved locally in <code>{escape(run.sync_dir)}</code></div>"


def tables_html(run: Run) -> str:
    """History and summary."""
    history, more_history = history_shown(run)
    summary, more_summary = summary_shown(run)
    courses = [(key, sparkline(values)) for key, values in history]
    return _table("Run history", courses, more_history) + _table("Run summary", summary, more_summary)


def link_html(address: str) -> str:
    """A page of a server."""
    shown = escape(address, quote=True)
    return f'<a href="{shown}" target="_blank" rel="noopener">{shown}</a>'


def _heading(run: Run) -> str:
    name = f"<strong>{escape(run.name or run.id)}</strong>"
    if run.disabled:
        return f"Run {name} (disabled: nothing is recorded)"
    url = run.url
    if url:
        return f"View run {name} at: {link_html(url)}"
    where = "logged offline" if run.offline else f"on its way to {escape(run.settings.base_url)}"
    return f"Run {name} of project <strong>{escape(run.project or '')}</strong>, {where}"


def _table(title: str, rows: Sequence[Tuple[str, str]], more: int) -> str:
    if not rows:
        return ""
    lines: List[str] = [f"<tr><td>{escape(key)}</td><td>{escape(value)}</td></tr>" for key, value in rows]
    if more:
        lines.append(f"<tr><td>+{more} …</td><td></td></tr>")
    return f"<h4>{title}</h4><table>{''.join(lines)}</table>"
