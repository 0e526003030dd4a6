"""A run's config in the form that W&B servers keep, as JSON and as the YAML of `config.yaml`.

`{"<key>": {"value": ...}, "_wandb": {"value": {...}}}`, where `_wandb` says who wrote it (`cli_version`,
`python_version`, and again in the telemetry object `t`) and which metrics are defined (`m`). The numbers in `t` and `m`
are the server's. A server takes a run for one that really started only if `t` is there.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from typing import Any, Dict, Iterable, List, Mapping, Optional

from wandb_storage import MetricDefinition, RunStart, RunState

_PYTHON, _CLI, _CORE, _PLATFORM, _FEATURES = "4", "5", "12", "13", "3"
_NAME, _GLOB, _STEP_INDEX, _OPTIONS, _SUMMARY, _GOAL = "1", "2", "5", "6", "7", "8"
_LABELS = frozenset({"visualize", "viz", "mask/class_labels", "bounding_box/class_labels"})
_STEP_SYNC, _HIDDEN, _EXPLICIT = 1, 2, 3
_SUMMARY_NUMBERS = {"min": 1, "max": 2, "mean": 3, "best": 4, "last": 5, "none": 6, "copy": 7, "first": 8}
_GOAL_NUMBERS = {"min": 1, "minimize": 1, "max": 2, "maximize": 2}


def wire_config(state: RunState, earlier: Optional[Mapping[str, Any]] = None, writer_id: str = "") -> Dict[str, Any]:
    """The whole config. `earlier` is what the server holds of sessions that this log doesn't have. `writer_id`: of one
    among several writers, whose surroundings stand beside those of the others."""
    result: Dict[str, Any] = {key: value for key, value in (earlier or {}).items() if key != "_wandb"}
    result.update((key, {"value": value}) for key, value in state.config.items())
    held = (earlier or {}).get("_wandb")
    kept = held.get("value") if isinstance(held, dict) else None
    internal: Dict[str, Any] = dict(kept) if isinstance(kept, dict) else {}
    environment = read_environment(state)
    python = str(environment.get("python") or platform.python_version()).rpartition(" ")[2]
    version = state.start.version
    internal.update(
        cli_version=version,
        python_version=python,
        t={_FEATURES: [], _PYTHON: python, _CLI: version, _CORE: version, _PLATFORM: _platform_name()},
        m=metric_definitions(state.metrics.definitions.values()) or internal.get("m") or [],
    )
    _merge_telemetry(internal["t"], state.telemetry)
    if writer_id:
        internal["e"] = {writer_id: {**environment, "writerId": writer_id}}
    _merge_labels(internal, state.telemetry)
    if begins_at_server(state.start):
        internal["branch_point"] = {"run_id": state.start.branch_run, "step": state.start.branch_step}
    if state.sessions > 1 or state.crashes:
        # The log's own story, for the run's page: sessions, and after which crash it was recovered.
        internal["log"] = state.story
    if "pinned_keys" in state.telemetry:
        internal["pinned_keys"] = state.telemetry["pinned_keys"]
    result["_wandb"] = {"value": internal}
    return result


def read_environment(state: RunState) -> Dict[str, Any]:
    """What the run's metadata says; empty where there is none."""
    try:
        value = json.loads(state.start.environment or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def begins_at_server(start: RunStart) -> bool:
    """Whether the rows before the branch are not in the log: the server has them, and gives them to the run."""
    return start.branch_run is not None and start.first_step == start.branch_step + 1


def metric_definitions(definitions: Iterable[MetricDefinition]) -> List[Dict[str, Any]]:
    """`define_metric` calls as the list `m`: a step metric is named by its place in the list, counted from 1."""
    ordered = list(definitions)
    places = {definition.name: index for index, definition in enumerate(ordered, 1)}
    # A step metric that nobody defined stands at the end, so that it has a place.
    implied = sorted({one.step_metric for one in ordered if one.step_metric and one.step_metric not in places})
    places.update({name: index for index, name in enumerate(implied, len(ordered) + 1)})
    result = []
    for one in ordered:
        entry: Dict[str, Any] = {_GLOB if "*" in one.name else _NAME: one.name}
        if one.step_metric:
            entry[_STEP_INDEX] = places[one.step_metric]
        options = [number for on, number in ((one.step_sync, _STEP_SYNC), (one.hidden, _HIDDEN)) if on]
        entry[_OPTIONS] = [*options, _EXPLICIT]
        entry[_SUMMARY] = [_SUMMARY_NUMBERS[name] for name in one.summary if name in _SUMMARY_NUMBERS]
        if one.goal in _GOAL_NUMBERS:
            entry[_GOAL] = _GOAL_NUMBERS[one.goal]
        result.append(entry)
    return result + [{_NAME: name, _OPTIONS: [], _SUMMARY: []} for name in implied]


def _platform_name() -> str:
    return f"{'macosx' if sys.platform == 'darwin' else sys.platform}-{platform.machine()}".lower()


def _merge_telemetry(wire: Dict[str, Any], logged: Mapping[str, Any]) -> None:
    """Telemetry that the log holds under the server's numbers goes along; what has other names is for us alone."""
    for key, value in logged.items():
        if key.isdigit() and key not in (_PYTHON, _CLI, _CORE, _PLATFORM):
            wire[key] = value


def _merge_labels(internal: Dict[str, Any], logged: Mapping[str, Any]) -> None:
    """How charts are drawn and what classes are called: `kind:key` in the log, one object a kind on the server."""
    for name, value in logged.items():
        kind, colon, key = name.partition(":")
        if colon and kind in _LABELS:
            internal[kind] = {**internal.get(kind, {}), key: value}


# --- YAML -------------------------------------------------------------------------------------------------------------

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_YAML_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "none"}


def config_document(state: RunState) -> str:
    """`config.yaml` of a run whose every session is in its log."""
    return config_yaml(wire_config(state))


def config_yaml(config: Mapping[str, Any]) -> str:
    """`config.yaml`: the same tree, keys sorted."""
    return "".join(f"{line}\n" for line in _yaml_lines(dict(sorted(config.items())), "")) or "{}\n"


def _yaml_lines(value: Any, indent: str) -> List[str]:
    lines: List[str] = []
    if isinstance(value, dict):
        for key, inner in value.items():
            lines += _yaml_entry(f"{indent}{_yaml_key(str(key))}:", inner, indent)
    else:
        for inner in value:
            lines += _yaml_entry(f"{indent}-", inner, indent)
    return lines


def _yaml_entry(head: str, value: Any, indent: str) -> List[str]:
    if isinstance(value, (dict, list)) and value:
        return [head, *_yaml_lines(value, indent + "    ")]
    return [f"{head} {_yaml_scalar(value)}"]


def _yaml_key(key: str) -> str:
    plain = _PLAIN_KEY.fullmatch(key) and key.lower() not in _YAML_WORDS
    return key if plain else _yaml_text(key)


def _yaml_scalar(value: Any) -> str:
    if isinstance(value, str):
        return _yaml_text(value)
    if isinstance(value, float):
        if value != value:
            return ".nan"
        if value in (float("inf"), float("-inf")):
            return ".inf" if value > 0 else "-.inf"
        text = repr(value)
        # YAML 1.1 takes 1e-05 for a string.
        return text.replace("e", ".0e") if "e" in text and "." not in text else text
    return json.dumps(value)


def _yaml_text(text: str) -> str:
    """In double quotes, as in JSON; what YAML doesn't take literally is escaped."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(
        char if " " <= char <= "~" or ("\u00a0" <= char <= "\ud7ff" and char not in "\u2028\u2029") or char > "\uffff"
        else f"\\u{ord(char):04x}"
        for char in quoted
    )  # fmt: skip
