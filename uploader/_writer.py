"""Who writes a log: perhaps one of several writers of a run, each with a log and an uploader of its own.

What a writer is stands in the first record of its log, so what is sent still follows from the log alone. A server tells
writers apart by the identity of their logs, and numbers the lines of each by themselves.
"""

from __future__ import annotations

import fnmatch
import functools
import json
import re
from typing import Any, Dict, Mapping, NamedTuple, Tuple

from wandb_storage import RunStart


class Writer(NamedTuple):
    """A writer of a run."""

    shared: bool = False  # others write the run too
    label: str = ""  # tells its system metrics and console lines from theirs
    primary: bool = True  # brings the files that the client makes itself: one writer's metadata, config, summary
    ends: bool = True  # says how the run ended
    ignored: Tuple[str, ...] = ()  # patterns of the paths of files that stay where they are

    def headers(self, log_uuid: str) -> Mapping[str, str]:
        """With which each request to the run's stream goes, or one that makes or changes the run."""
        if not self.shared:
            return {}
        return {
            "X-WANDB-USE-ASYNC-FILESTREAM": "true", "X-WANDB-ASYNC-CLIENT-ID": log_uuid, "X-WANDB-CLIENT-ID": log_uuid,
        }  # fmt: skip

    def labelled(self, row: Dict[str, Any]) -> Dict[str, Any]:
        """A row of system metrics under names of this writer's own."""
        if not self.label:
            return row
        own = f"/l:{self.label}"
        return {f"{name}{own}" if name.startswith("system.") else name: value for name, value in row.items()}

    def wants(self, path: str) -> bool:
        """Whether a file goes to the server."""
        return not any(fnmatch.fnmatchcase(path, pattern) for pattern in self.ignored)

    def line(self, text: str) -> str:
        """A console line that says whose it is."""
        return f"[{self.label}] {text}" if self.label else text

    @property
    def output_file(self) -> str:
        """The file of its console lines."""
        own = re.sub(r"[^\w.-]", "_", self.label)
        return f"output_{own}.log" if own else "output.log"


def writer_of(start: RunStart) -> Writer:
    """The writer of a log, by the first record of it."""
    return _parsed(start.settings)


@functools.lru_cache(maxsize=256)
def _parsed(settings: str) -> Writer:
    try:
        values = json.loads(settings or "{}")
        return Writer(
            values.get("shared") is True, str(values.get("x_label") or ""), values.get("x_primary") is not False,
            values.get("x_update_finish_state") is not False, tuple(map(str, values.get("ignore_globs") or ())),
        )  # fmt: skip
    except (ValueError, AttributeError, TypeError):
        return Writer()
