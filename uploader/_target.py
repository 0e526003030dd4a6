"""Sending a run elsewhere than its log says, or a part of it: what `wandb sync` may be asked for."""

from __future__ import annotations

import hashlib
import json
from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

# Between a run folder's name and the target, in the name of a cursor. No run id holds it.
SEPARATOR = "#"
# How many fields of a target say where it is.
_PLACE = 5


class Target(NamedTuple):
    """Another id, project or entity, other labels, and the steps that are wanted. Each target has a cursor of its own,
    so that asking for the same again goes on where it stopped."""

    run_id: Optional[str] = None
    project: Optional[str] = None
    entity: Optional[str] = None
    from_step: Optional[int] = None
    to_step: Optional[int] = None  # the last one wanted
    job_type: Optional[str] = None
    renamed_tags: Tuple[Tuple[str, str], ...] = ()  # (old, new)

    @property
    def suffix(self) -> str:
        """What tells its cursor from the run's own; empty for the run as it is."""
        if self == Target():
            return ""
        # Labels came later than the place: without them a target keeps the name that it had.
        told = self if self[_PLACE:] != Target()[_PLACE:] else self[:_PLACE]
        return SEPARATOR + hashlib.sha256(json.dumps(told).encode()).hexdigest()[:12]

    def tags(self, tags: Sequence[str]) -> List[str]:
        """A run's tags under their names there."""
        names = dict(self.renamed_tags)
        return list(dict.fromkeys(names.get(tag, tag) for tag in tags))

    def wants(self, row: Mapping[str, Any]) -> bool:
        step = row["_step"]
        return (self.from_step is None or step >= self.from_step) and (self.to_step is None or step <= self.to_step)


AS_LOGGED = Target()
