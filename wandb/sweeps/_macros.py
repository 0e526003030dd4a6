"""The command that runs a trial: `command` of a sweep's configuration with its macros filled in.

| macro | becomes |
|---|---|
| `${env}` | `/usr/bin/env` |
| `${interpreter}` | the Python that the agent runs in |
| `${program}` | the sweep's program |
| `${args}` | `--name=value` for each parameter |
| `${args_no_equals}` | `--name value` |
| `${args_no_hyphens}` | `name=value` |
| `${args_no_boolean_flags}` | `--name=value`; `--name` for true, nothing for false |
| `${args_append_hydra}`, `${args_override_hydra}` | `+name=value`, `++name=value` |
| `${args_json}` | all of them as one JSON object |
| `${args_json_file}` | the path of a file with that |
| `${envvar:NAME}` | the variable of the agent's environment; its name where there is none |
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from ..errors import UsageError

DEFAULT_COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")
_VARIABLE = re.compile(r"\$\{envvar:([A-Za-z0-9_]*)\}")


def trial_command(
    command: Optional[Sequence[Any]],
    program: Optional[str],
    arguments: Mapping[str, Any],
    json_file: Callable[[str], str],
    environment: Mapping[str, str] = os.environ,
) -> List[str]:
    """The words of the command line.

    arguments: `{"lr": {"value": 0.1}}`, as a sweep hands them out. json_file: writes a text and returns its path.
    Raises UsageError where the command needs a program and the sweep has none.

    >>> trial_command(["run", "${args}"], None, {"lr": {"value": 0.1}}, str)
    ['run', '--lr=0.1']
    """
    values = {name: entry["value"] for name, entry in arguments.items()}
    words: List[str] = []
    for part in command or DEFAULT_COMMAND:
        text = _VARIABLE.sub(lambda found: environment.get(found[1], found[1]), str(part))
        if text == "${program}":
            if not program:
                raise UsageError("the sweep has no 'program', and its command needs one: add it to its configuration")
            words.append(program)
        elif text == "${args_json_file}":
            words.append(json_file(json.dumps(values)))
        elif text in _MACROS:
            words += _MACROS[text](values)
        else:
            words.append(text)
    return words


def _without_booleans(values: Mapping[str, Any]) -> List[str]:
    flags = []
    for name, value in values.items():
        if value is not False:
            flags.append(f"--{name}" if value is True else f"--{name}={value}")
    return flags


_MACROS: Dict[str, Callable[[Mapping[str, Any]], List[str]]] = {
    "${env}": lambda values: ["/usr/bin/env"],
    "${interpreter}": lambda values: [sys.executable or "python"],
    "${args}": lambda values: [f"--{name}={value}" for name, value in values.items()],
    "${args_no_equals}": lambda values: [word for name, value in values.items() for word in (f"--{name}", str(value))],
    "${args_no_hyphens}": lambda values: [f"{name}={value}" for name, value in values.items()],
    "${args_no_boolean_flags}": _without_booleans,
    "${args_append_hydra}": lambda values: [f"+{name}={value}" for name, value in values.items()],
    "${args_override_hydra}": lambda values: [f"++{name}={value}" for name, value in values.items()],
    "${args_json}": lambda values: [json.dumps(values)],
}
