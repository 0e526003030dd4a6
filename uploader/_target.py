"""Sending a run elsewhere than its log says, or a part of it: what `wandb sync` may be asked for."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Mapping, NamedTuple, Optional

# Between a run folder's name and the target, in the name of a cursor. No run id holds it.
SEPARATOR = "#"


class Target(NamedTuple):
    """Another id, project or entity, and the steps that are wanted. Each target has a cursor of its own, so that
    asking for the same again goes on where it stopped."""

    run_id: Optional[str] = None
    project: Optional[str] = None
    entity: Optional[str] = None
    from_step: Optional[int] = None
    to_step: Optional[int] = None  # the last one wanted

    @property
    def suffix(self) -> str:
        """What tells its cursor from the run's own; empty for the run as it is."""
        if self == Target():
            return ""
        return SEPARATOR + hashlib.sha256(json.dumps(self).encode()).hexdigest()[:12]

    def wants(self, row: Mapping[str, Any]) -> bool:
        step = row["_step"]
        return (self.from_step is None or step >= self.from_step) and (self.to_step is None or step <= self.to_step)


AS_LOGGED = Target()
