"""The story of a run, for a person at a terminal or reading a file."""

from __future__ import annotations

import fnmatch
import io
import json
from typing import Any, Dict, Iterable, Iterator, List, Optional, Tuple

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ._cells import cell_len, cut, left
from ._ended import session_end
from ._history_table import history_table
from ._picture import Picture
from ._plot_panels import plot_panels, sparklines
from ._replay import Replay
from ._scan import Listeners, Scan
from ._uploads import upload_line, uploads_of
from ._words import clean, console_text, count, duration, moment, number, size, value_text

STATE_STYLES = {
    "running": ("●", "bold blue"), "finished": ("✔", "bold green"), "failed": ("✖", "bold red"),
    "crashed": ("✖", "bold red"), "unknown": ("?", "bold yellow"),
}  # fmt: skip
_LEVEL_STYLES = {"ERROR": "red", "WARN": "yellow", "INFO": "cyan"}
_LABEL_WIDTH = 10
_CONFIG_LINES_MAX = 60
_SUMMARY_MAX = 60
_LISTED_MAX = 10  # sessions, files, alerts
_INDENT = 2
# Of the machine's samples, by rank.
_MACHINE = (
    "gpu.[0-9].gpu", "gpu.[0-9].memoryAllocated", "gpu.[0-9].powerWatts", "cpu", "memory_percent", "proc.memory.rssMB",
)  # fmt: skip


def print_story(replay: Replay, console: Console) -> None:
    """Write the story to a terminal or a file."""
    picture = Picture()
    found = replay.scan(Listeners(picture.take_columns, picture.take_console, picture.take_system))
    for part in _parts(replay, found, picture, console.width):
        console.print(part)


def plain_story(replay: Replay, width: int) -> str:
    """The story as text without colours."""
    file = io.StringIO()
    print_story(replay, Console(file=file, width=width, no_color=True, force_terminal=False, highlight=False))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _parts(replay: Replay, found: Scan, picture: Picture, width: int) -> Iterator[RenderableType]:
    yield _headline(replay, width)
    yield _identity(replay, found, width)
    yield from _section("config", _config(_shown(replay.config), width - _INDENT))
    yield from _section(_changes_title(found), _config_steps(found, width - _INDENT))
    yield from _section("summary", _summary(replay.summary, width - _INDENT))
    steps = (found.first_step or 0, found.last_step or 0)
    yield from _section("metrics", plot_panels(picture.series, steps, width - _INDENT))
    table = history_table(_columns(replay), picture, replay.rows, width - _INDENT)
    yield from _section(_history_title(found), table)
    yield from _section("machine", _machine(picture, width - _INDENT))
    yield from _section("files", _files(replay.files, width - _INDENT))
    yield from _section("artifacts", _artifacts(replay, width - _INDENT))
    yield from _section("alerts", _alerts(replay, width - _INDENT))
    yield from _section(_console_title(found), _console(picture, width - _INDENT))


def overview(replay: Replay, width: int) -> RenderableType:
    """Who the run is, its config, summary, files and alerts: what a story tells without its rows."""
    found = replay.scan()
    parts: List[RenderableType] = [_headline(replay, width), _identity(replay, found, width)]
    parts += _section("config", _config(_shown(replay.config), width - _INDENT))
    parts += _section(_changes_title(found), _config_steps(found, width - _INDENT))
    parts += _section("summary", _summary(replay.summary, width - _INDENT))
    parts += _section("files", _files(replay.files, width - _INDENT))
    parts += _section("artifacts", _artifacts(replay, width - _INDENT))
    parts += _section("alerts", _alerts(replay, width - _INDENT))
    return Group(*parts)


def _section(title: str, body: Optional[RenderableType]) -> Iterator[RenderableType]:
    if body is not None:
        yield Text()
        yield Text(title, style="bold")
        yield Padding(body, (0, 0, 0, _INDENT))


# --- who and how ------------------------------------------------------------------------------------------------------


def _headline(replay: Replay, width: int) -> Text:
    mark, style = STATE_STYLES[replay.state]
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(f"{mark} {replay.state}", style=style)
    name = replay.name
    line.append("  ")
    line.append(clean(name or replay.run_id), style="bold")
    path = "/".join(clean(part) for part in (replay.start.entity, replay.start.project) if part)
    about = " · ".join(part for part in (path, f"id {clean(replay.run_id)}" if name else "") if part)
    if about:
        line.append(f"  {about}", style="dim")
    line.truncate(width, overflow="ellipsis")
    return line


def _identity(replay: Replay, found: Scan, width: int) -> Table:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=_LABEL_WIDTH, style="dim", no_wrap=True)
    grid.add_column(ratio=1, overflow="fold")
    for label, text in _facts(replay, found):
        grid.add_row(label, text)
    if len(replay.sessions) > 1:
        grid.add_row("sessions", _sessions(replay))
    grid.add_row("log", _log_facts(replay, found))
    for one in uploads_of(replay):
        grid.add_row("uploaded", upload_line(one, found.last_sequence))
    if found.damage is not None:
        grid.add_row("damage", Text(clean(str(found.damage)), style="bold red"))
    grid.width = width
    return grid


def _facts(replay: Replay, found: Scan) -> Iterator[Tuple[str, Text]]:
    start, state = replay.start, found.state
    mark_style = STATE_STYLES[replay.state][1]
    label = "now" if replay.state == "running" else "ended"
    if found.stopped:
        label = "then"
    yield label, Text(replay.ended.evidence, style=mark_style.replace("bold ", ""))
    began = state.session_start and (found.sessions[0].start.time if found.sessions else state.session_start)
    yield "started", Text(f"{moment(began or found.created)}, lasted {duration(state.runtime)}")
    where = clean(start.host) + (f", process {start.pid}" if start.pid else "")
    if where:
        yield "host", Text(where)
    program = _program(start.program, start.environment)
    if program:
        yield "program", Text(program)
    labels = (("group", start.group), ("job type", start.job_type), ("sweep", start.sweep_id), ("notes", start.notes))
    for name, value in labels:
        if value:
            yield name, Text(clean(value))
    if start.tags:
        yield "tags", Text(", ".join(clean(tag) for tag in start.tags))


def _program(program: str, environment: str) -> str:
    """The command line, the interpreter and the revision, as far as the run recorded them."""
    try:
        known = json.loads(environment or "{}")
    except ValueError:
        known = {}
    if not isinstance(known, dict):
        known = {}
    arguments = known.get("args")
    command = [program, *(str(argument) for argument in arguments)] if isinstance(arguments, list) else [program]
    git = known.get("git")
    commit = str(git.get("commit") or "")[:10] if isinstance(git, dict) else ""
    parts = [" ".join(command).strip(), str(known.get("python") or ""), f"git {commit}" if commit else ""]
    return clean(" · ".join(part for part in parts if part))


def _sessions(replay: Replay) -> Text:
    sessions = replay.sessions
    lines = []
    for index, session in enumerate(sessions):
        last = index + 1 == len(sessions)
        resumed = f" from step {session.start.first_step}" if session.start.first_step else ""
        lines.append(
            f"{index + 1}. {moment(session.start.time)}{resumed}, process {session.start.pid}, "
            f"{count(session.rows, 'row')}: {session_end(session, last, replay.ended)}"
        )
    if len(lines) > _LISTED_MAX:
        lines = [*lines[:2], f"… {len(lines) - _LISTED_MAX} more", *lines[2 - _LISTED_MAX :]]
    return Text("\n".join(clean(line) for line in lines))


def _log_facts(replay: Replay, found: Scan) -> Text:
    text = Text(clean(replay.origin or str(replay.folder)))
    records = found.last_sequence - found.first_sequence + 1
    text.append(f" · {count(records, 'record')}")
    if found.first_sequence > 1:
        text.append(f" · {_removed(found)}", style="yellow")
    for warning in _losses(found):
        text.append(" · ")
        text.append(warning, style="yellow")
    return text


def _removed(found: Scan) -> str:
    """What is no longer in the log, though its sum is."""
    rows = f", and with them {count(found.removed_rows, 'row')} of the history" if found.removed_rows else ""
    return f"records before {found.first_sequence:,} were uploaded and have been removed to make room{rows}"


def _losses(found: Scan) -> List[str]:
    torn = found.torn_bytes + sum(s.writer_lost.torn_bytes for s in found.sessions if s.writer_lost is not None)
    # While the writer lives, what looks torn is a record that is being written.
    told = [f"a last record was cut off in the middle: {size(torn)}"] if torn and found.writer is None else []
    if found.state.lost_records:
        told.append(f"{count(found.state.lost_records, 'record')} lost, as after a power loss")
    if found.unknown_kinds:
        told.append(f"{count(found.unknown_kinds, 'record')} of a kind that only later versions know")
    return told


# --- config and summary -----------------------------------------------------------------------------------------------


def _shown(values: Dict[str, Any]) -> Dict[str, Any]:
    """Without what clients keep for themselves."""
    return {key: value for key, value in values.items() if not key.startswith("_")}


def _config(config: Dict[str, Any], width: int) -> Optional[RenderableType]:
    if not config:
        return None
    lines = list(_tree(config, 0))
    label = min(max(cell_len(name) for name, _ in lines), width // 2)
    shown = [
        Text.assemble((left(name, label), "cyan"), "  ", cut(value, width - label - 2))
        for name, value in lines[:_CONFIG_LINES_MAX]
    ]
    return Group(*shown, *_more(len(lines) - _CONFIG_LINES_MAX, "line"))


def _changes_title(found: Scan) -> str:
    return f"config changes  {found.config_changes:,}"


def _config_steps(found: Scan, width: int) -> Optional[RenderableType]:
    """How the config changed while the run went on."""
    lines = []
    for change in found.config_steps[:_LISTED_MAX]:
        for key in {**change.old, **change.new}:
            old = value_text(change.old[key], width // 4) if key in change.old else "(none)"
            new = value_text(change.new[key], width // 4) if key in change.new else "(removed)"
            line = Text.assemble((f"step {change.step:,}", "dim"), "  ", (clean(key), "cyan"), f"  {old} → {new}")
            line.truncate(width, overflow="ellipsis")
            lines.append(line)
    return Group(*lines, *_more(found.config_changes - _LISTED_MAX, "change")) if lines else None


def _tree(values: Dict[str, Any], depth: int) -> Iterator[Tuple[str, Any]]:
    for key, value in values.items():
        name = "  " * depth + clean(str(key))
        if isinstance(value, dict) and value and "_type" not in value:
            yield name, ""
            yield from _tree(value, depth + 1)
        else:
            yield name, value_text(value, 400)


def _summary(summary: Dict[str, Any], width: int) -> Optional[RenderableType]:
    pairs = [(clean(key), _summary_value(value)) for key, value in _shown(summary).items()]
    if not pairs:
        return None
    shown = pairs[:_SUMMARY_MAX]
    name = min(max(cell_len(key) for key, _ in shown), width // 2)
    value_width = min(max(cell_len(value) for _, value in shown), width - name - 2)
    columns = max(1, (width + 4) // (name + value_width + 6)) if len(shown) > 4 else 1
    per_column = -(-len(shown) // columns)
    lines = []
    for row in range(per_column):
        line = Text()
        for at in range(row, len(shown), per_column):
            key, value = shown[at]
            line.append("    " if line else "").append(left(key, name), style="cyan")
            line.append("  " + left(value, value_width))
        line.rstrip()
        lines.append(line)
    return Group(*lines, *_more(len(pairs) - _SUMMARY_MAX, "key"))


def _summary_value(value: Any) -> str:
    if isinstance(value, dict) and value and all(isinstance(part, (int, float)) for part in value.values()):
        return " ".join(f"{clean(name)} {number(part)}" for name, part in value.items())  # min, max, mean, …
    return value_text(value, 400)


def _more(many: int, noun: str) -> Iterator[Text]:
    if many > 0:
        yield Text(f"… and {count(many, noun)} more; --json has them all", style="dim")


# --- history, files, alerts, console ----------------------------------------------------------------------------------


def _history_title(found: Scan) -> str:
    state = found.state
    title = f"history  {count(state.rows - found.removed_rows, 'row')}"
    if found.first_step is not None:
        title += f", steps {found.first_step:,} to {found.last_step:,}"
    if state.late_rows:
        title += f", {state.late_rows:,} late: for steps that were already complete"
    return title


def _columns(replay: Replay) -> List[str]:
    # Seconds since 1970 tell a person nothing; `_runtime` is there, too.
    return [key for key in replay.keys if key != "_timestamp"]


def _files(files: Dict[str, str], width: int) -> Optional[RenderableType]:
    if not files:
        return None
    names = [Text(cut(clean(path), width)) for path in files]
    return Group(*names[:_LISTED_MAX], *_more(len(names) - _LISTED_MAX, "file"))


def _artifacts(replay: Replay, width: int) -> Optional[RenderableType]:
    """Which artifacts the run logged and used."""
    if not replay.artifacts:
        return None
    lines = [
        Text(cut(clean(f"{'used' if one.used else 'logged'}  {one.name}  {one.type}  {' '.join(one.aliases)}"), width))
        for one in replay.artifacts[:_LISTED_MAX]
    ]
    return Group(*lines, *_more(len(replay.artifacts) - _LISTED_MAX, "artifact"))


def _machine(picture: Picture, width: int) -> Optional[RenderableType]:
    """The course of what tells most about a machine; --view has all of it."""
    chosen = [
        (name.partition(".")[2], picture.system[name])
        for pattern in _MACHINE
        for name in picture.system
        if fnmatch.fnmatch(name, f"system.{pattern}") and not picture.system[name].flat
    ][:_LISTED_MAX]
    if not chosen:
        return None
    times = (min(one.first_step for _, one in chosen), max(one.last_step for _, one in chosen))
    return Group(*sparklines(chosen, times, width))


def _alerts(replay: Replay, width: int) -> Optional[RenderableType]:
    if not replay.alerts:
        return None
    lines = []
    for alert in replay.alerts[-_LISTED_MAX:]:
        style = _LEVEL_STYLES.get(alert.level.upper(), "")
        text = f": {alert.text}" if alert.text else ""
        line = Text.assemble((moment(alert.time), "dim"), " ", (clean(alert.level), style), " ")
        line.append(cut(clean(f"{alert.title}{text}"), max(20, width - line.cell_len)))
        lines.append(line)
    return Group(*_more(len(replay.alerts) - _LISTED_MAX, "alert"), *lines)


def _console_title(found: Scan) -> str:
    lines = found.state.console.count
    return f"console  the last of {count(lines, 'line')}" if lines > 1 else "console"


def _console(picture: Picture, width: int) -> Optional[RenderableType]:
    lines: Iterable[Text] = [
        Text(cut(console_text(line.text), width), style="red" if line.stream else "", no_wrap=True)
        for line in picture.console
    ]
    return Group(*lines) if picture.console else None
