"""Fetching what a server's policies say of the settings of later runs, beside the upload and never in its way.

A server is asked once for each project, and again when the answer is old. Nothing is tried twice: a server that fails
is asked again when the next uploader starts, and one that doesn't know policies is left alone for a day.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Set, Tuple

from ._documents import SETTINGS_POLICIES, VIEWER
from ._errors import Refused, UploadError
from ._policy_cache import read_policies, write_policies
from ._transport import Transport

# How old an answer may be before the server is asked again.
FRESH_SECONDS = 600.0
UNKNOWN_SECONDS = 86_400.0

Key = Tuple[Optional[str], Optional[str]]
_log = logging.getLogger("wandb_uploader")


class PolicyFetcher:
    """One server. Safe between threads; `transport` gives each its own connection."""

    def __init__(
        self, base_url: str, transport: Callable[[], Transport], clock: Callable[[], float] = time.time
    ) -> None:
        self._base_url = base_url
        self._transport = transport
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: Set[Key] = set()

    def look(self, named: Key, path: Key) -> None:
        """See to it that the policies of a project are known; return at once.

        named: (entity, project) as the run's program spelt them, by which the next one looks the answer up.
        path: what the server made of it.
        """
        with self._lock:
            if named in self._asked:
                return
            self._asked.add(named)
        if not self._is_fresh(named):
            threading.Thread(target=self._fetch, args=(named, path), name="policies", daemon=True).start()

    def _fetch(self, named: Key, path: Key) -> None:
        transport = self._transport()
        try:
            policies = self._ask(transport, path)
            known = policies is not None
            write_policies(self._base_url, *named, self._clock(), known, policies or self._flags(transport, known))
        except UploadError as error:
            _log.info("the policies of %s/%s can't be fetched: %s", *path, error)
        finally:
            transport.close()

    def _is_fresh(self, named: Key) -> bool:
        found = read_policies(self._base_url, *named)
        age_max = FRESH_SECONDS if found is None or found.known else UNKNOWN_SECONDS
        return found is not None and 0 <= self._clock() - found.time < age_max

    def _ask(self, transport: Transport, path: Key) -> Optional[List[Dict[str, Any]]]:
        """The policies, or None of a server that doesn't know what they are."""
        variables = {"entity": path[0], "project": path[1]}
        try:
            found = transport.graphql("SettingsPolicies", SETTINGS_POLICIES, variables).get("settingsPolicies")
        except Refused:
            return None
        if not isinstance(found, list):
            return None
        return [policy for policy in map(_policy, found) if policy is not None]

    def _flags(self, transport: Transport, known: bool) -> List[Dict[str, Any]]:
        """What the official protocol has instead: the user's wish about saving code."""
        if known:
            return []
        try:
            viewer = transport.graphql("Viewer", VIEWER, {}).get("viewer") or {}
            saving = json.loads(viewer.get("flags") or "{}").get("code_saving_enabled")
        except (UploadError, ValueError, AttributeError, TypeError):
            return []
        if not isinstance(saving, bool):
            return []
        name = str(viewer.get("username") or "")
        return [{"scope": "user", "name": name, "settings": {"save_code": {"value": saving, "enforced": False}}}]


def _policy(value: Any) -> Optional[Dict[str, Any]]:
    try:
        return {"scope": value["scope"].lower(), "name": value["name"], "settings": json.loads(value["document"])}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return None
