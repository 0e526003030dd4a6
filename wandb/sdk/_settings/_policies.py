"""What the server's policies say of settings, as the uploader fetched it the last time."""

from __future__ import annotations

from typing import Any, Iterator, List, Mapping, Optional, Tuple

from ._layered import Given
from ._sources import SCOPES, is_enforced, policy

Entry = Tuple[str, Given]


def cached_entries(base_url: str, entity: Optional[str], project: Optional[str]) -> Tuple[List[Entry], List[Entry]]:
    """What the policies for a project advise and what they enforce, each (setting, value) in the order in which they
    are applied. Empty where nothing was fetched yet."""
    from wandb_uploader import cached_policies

    entries = [entry for one in cached_policies(base_url, entity, project) for entry in _entries(one)]
    rank = {policy(scope, enforced): number for enforced in (False, True) for number, scope in enumerate(SCOPES)}
    entries.sort(key=lambda entry: rank[entry[1].source])
    advised = [entry for entry in entries if not is_enforced(entry[1].source)]
    enforced = [entry for entry in reversed(entries) if is_enforced(entry[1].source)]
    return advised, enforced


def _entries(document: Mapping[str, Any]) -> Iterator[Entry]:
    """What doesn't have the agreed form says nothing: it comes from a server that agrees on another one."""
    scope, settings = document.get("scope"), document.get("settings")
    if scope not in SCOPES or not isinstance(settings, Mapping):
        return
    for name, entry in settings.items():
        if isinstance(entry, Mapping) and entry.get("value") is not None:
            source = policy(scope, enforced=entry.get("enforced") is True)
            yield name, Given(entry["value"], source, str(document.get("name") or ""))
