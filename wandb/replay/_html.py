"""Runs as one page that opens anywhere: charts, config, summary, machine, console. Nothing is loaded from elsewhere.

Each curve has at most `BUCKETS` points, with the lowest and the highest value around each; the page of a run of any
length is therefore bounded. It draws with the modules of the server's dashboard, which are put into it.
"""

from __future__ import annotations

import base64
import collections
import hashlib
import html
import re
import time
from pathlib import Path
from typing import IO, Any, Deque, Dict, List, Sequence, Tuple

from wandb_storage import ConsoleLine, LogDamaged, disk_use

from ._curves import MILLISECONDS, Curves
from ._json import strict_json
from ._replay import Replay
from ._selection import Selection
from ._series import Series
from ._words import console_text

BUCKETS = 512
CONSOLE_LINES = 2000
_DIGITS = 7  # of a point: more than a screen has pixels
_HERE = Path(__file__).parent
_STYLE = _HERE.parent / "server" / "static" / "style.css"
_IMPORT = re.compile(r'^import \{(?P<names>[^}]*)\} from "(?P<path>[^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?P<rest>(?:async )?(?:function|class|const|let) (?P<name>\w+))", re.MULTILINE)
# What the page adds to the dashboard's style.
_MORE_STYLE = """
.panels { display: grid; gap: 10px; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); margin: 8px 0; }
details.section { margin: 12px 0; } summary h2 { display: inline; }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 6px; }
.console-text { white-space: pre-wrap; overflow-wrap: anywhere; max-height: 70vh; overflow: auto; }
.section td { white-space: normal; overflow-wrap: anywhere; }
.section td:first-child { white-space: nowrap; width: 1%; }
.run-head .facts span { overflow-wrap: anywhere; }
"""


def write_html(replays: Sequence[Replay], selection: Selection, file: IO[str]) -> None:
    """Write the page."""
    data = {"made": time.time(), "runs": [_run(replay, selection) for replay in replays]}
    script, style = bundle(_HERE / "report.js"), _STYLE.read_text(encoding="utf-8") + _MORE_STYLE
    title = html.escape(", ".join(replay.name or replay.run_id for replay in replays))
    policy = f"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src '{_digest(script)}'"
    file.write(
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{title}</title>\n'
        f"<style>\n{style}</style>\n</head>\n<body>\n<main></main>\n"
        f'<script type="application/json" id="data">{_embedded(strict_json(data))}</script>\n'
        f'<script type="module">{script}</script>\n</body>\n</html>\n'
    )


def _embedded(text: str) -> str:
    """JSON that can't end the element it stands in."""
    return text.replace("<", "\\u003c")


def _digest(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


# --- the script -------------------------------------------------------------------------------------------------------


def bundle(entry: Path) -> str:
    """A module and what it imports as one script: each module a function that returns what it exports."""
    parts: List[str] = []
    names: Dict[Path, str] = {}
    _add(entry.resolve(), names, parts)
    return "\n".join(parts)


def _add(path: Path, names: Dict[Path, str], parts: List[str]) -> None:
    source = path.read_text(encoding="utf-8")
    head: List[str] = []
    for match in _IMPORT.finditer(source):
        imported = (path.parent / match["path"]).resolve()
        if imported not in names:
            _add(imported, names, parts)
        head.append(f"const {{{match['names'].replace(' as ', ': ')}}} = {names[imported]};")
    exported = [match["name"] for match in _EXPORT.finditer(source)]
    body = _EXPORT.sub(r"\g<rest>", _IMPORT.sub("", source))
    names[path] = f"module{len(names)}"
    parts.append(
        f"const {names[path]} = (() => {{\n" + "\n".join(head) + f"\n{body}\nreturn {{{', '.join(exported)}}};\n}})();"
    )


# --- the data ---------------------------------------------------------------------------------------------------------


def _run(replay: Replay, selection: Selection) -> Dict[str, Any]:
    curves = Curves(BUCKETS)
    if selection.keys is not None:  # the axis of time is drawn, whatever is wanted
        selection = selection._replace(keys=[*selection.keys, "_runtime"])
    for batch in selection.batches(replay):
        curves.take_columns(batch)
    try:
        for sample in replay.system:
            curves.take_system([sample])
    except LogDamaged:
        pass  # the caller tells of it when what is readable is out
    start, found, ended = replay.start, replay.scan(), replay.ended
    return {
        "id": replay.run_id, "name": replay.name or replay.run_id, "project": start.project, "tags": list(start.tags),
        "notes": start.notes, "group": start.group, "job_type": start.job_type, "host": start.host,
        "program": start.program, "started": start.time, "runtime": found.state.runtime, "rows": replay.rows,
        "steps": None if found.first_step is None else [found.first_step, found.last_step],
        "ended": {"state": ended.state, "evidence": ended.evidence},
        "folder": replay.origin or replay.folder.name, "bytes": 0 if replay.origin else disk_use(replay.folder).total,
        "config": replay.config, "summary": replay.summary,
        "config_steps": [step._asdict() for step in replay.config_steps],
        "metrics": {
            name: {"steps": _points(curve.steps, 1), "times": _points(curve.times, MILLISECONDS)}
            for name, curve in curves.metrics.items()
        },
        "system": {name: {"times": _points(curve.times, MILLISECONDS)} for name, curve in curves.system.items()},
        "alerts": [
            {"time": one.time, "level": one.level, "title": one.title, "text": one.text} for one in replay.alerts
        ],
        "files": list(replay.files),
        "artifacts": [{"name": one.name, "type": one.type, "used": one.used} for one in replay.artifacts],
        "console": _console(replay),
    }  # fmt: skip


def _console(replay: Replay) -> Dict[str, Any]:
    last: Deque[ConsoleLine] = collections.deque(maxlen=CONSOLE_LINES)
    try:
        last.extend(replay.console)
    except LogDamaged:
        pass  # what stands before the damage is all there is
    count = replay.scan().state.console.count
    return {"count": count, "lines": [(line.stream, console_text(line.text)) for line in last]}


def _points(series: Series, scale: int) -> Dict[str, Any]:
    """A curve as the charts take it: of each bucket its place, its last value, and the extremes of several."""
    points: List[Tuple[float, Any, Any, Any]] = []
    marks: List[Tuple[float, str]] = []
    for index, bucket in enumerate(series.buckets):
        if bucket is None:
            continue
        place = min(series.last_step, series.first_step + index * series.width + series.width // 2) / scale
        if bucket:
            points.append((place, bucket[3], bucket[1], bucket[2]))
        else:
            points.append((place, None, None, None))
            marks.append((place, "not finite"))
    x, last, low, high = ([_rounded(value) for value in column] for column in zip(*points)) if points else ([],) * 4
    curve: Dict[str, Any] = {"x": x, "last": last, "marks": marks}
    if series.width > 1:
        curve.update(low=low, high=high)
    return curve


def _rounded(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else float(f"{value:.{_DIGITS}g}")
