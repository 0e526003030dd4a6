"""The base of `Api`: which server or folder it reads, and as whom."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional, Tuple, Union

from ...errors import UsageError
from ...sdk.wandb_login import ask_for_key
from ...sdk.wandb_settings import merged
from .._errors import RequestError
from .._paths import RunPath, parse_path, parse_project_path
from .users import VIEWER, User

if TYPE_CHECKING:
    from .._client import Client
    from .._local import LocalLogs
    from .._source import Source

# What an Api may be told besides settings, by older names.
_OVERRIDES = {"entity": "entity", "project": "project", "base_url": "base_url", "run": "run_id", "username": "entity"}

PathLike = Union[str, "os.PathLike[str]"]


class Connection:
    """What all parts of the Api have in common."""

    def __init__(
        self,
        overrides: Optional[Mapping[str, Any]] = None,
        timeout: Optional[int] = None,
        api_key: Optional[str] = None,
        local: Union[bool, PathLike] = False,
    ) -> None:
        chosen = {
            name: (overrides or {}).get(given) for given, name in _OVERRIDES.items() if given in (overrides or {})
        }
        self.chosen = merged(("Api()", chosen))  # all settings
        # What defaults are taken from, and may be changed.
        self.settings: Dict[str, Optional[str]] = {
            "entity": self.chosen.entity, "project": self.chosen.project,
            "base_url": self.chosen.base_url, "run": (overrides or {}).get("run"),
        }  # fmt: skip
        self._given_key = api_key
        self._timeout = timeout or self.chosen.x_graphql_timeout_seconds
        self._local = local
        self._client: Optional[Client] = None
        self._logs: Optional[LocalLogs] = None
        self._viewer: Optional[User] = None

    @property
    def is_local(self) -> bool:
        """Whether logs of this machine are read, and no server."""
        return self._local is not False

    @property
    def source(self) -> Source:
        """What the Api reads: the server, or the logs of a folder. Raises UsageError where a server has no key."""
        return self.local_logs if self.is_local else self.client

    @property
    def client(self) -> Client:
        """The server. Raises UsageError where there is no API key for it."""
        if self._client is None:
            from .._client import client_for

            client = client_for(self.chosen, self._given_key, self._timeout)
            if not client.key and not _can_ask(client.base_url):
                raise UsageError(
                    f"there is no API key for {client.base_url}: run `wandb login`, or set WANDB_API_KEY; "
                    "wandb.Api(local=True) reads the runs of this machine without a server"
                )
            self._client = client
        return self._client

    @property
    def local_logs(self) -> LocalLogs:
        """The logs on this machine."""
        if self._logs is None:
            from .._local import LocalLogs

            root = None if isinstance(self._local, bool) else Path(self._local)
            self._logs = LocalLogs(self.chosen, root)
        return self._logs

    # --- who asks -----------------------------------------------------------------------------------------------------

    @property
    def api_key(self) -> Optional[str]:
        """The key that requests carry; None where there is none."""
        return None if self.is_local else self.client.key

    @property
    def user_agent(self) -> str:
        """As what requests introduce themselves."""
        return "wandb-api"

    @property
    def viewer(self) -> User:
        """Whose key it is. Raises CommError."""
        if self._viewer is None:
            found = self.source.execute(VIEWER).get("viewer")
            if not found:
                raise RequestError(
                    f"{self.source.base_url} doesn't know whose API key this is; run `wandb login --relogin`"
                )
            self._viewer = User(self.source, found)
        return self._viewer

    @property
    def default_entity(self) -> Optional[str]:
        """The user or team that is meant where none is named."""
        entity = self.settings["entity"] or getattr(self.viewer, "entity", None)
        return entity or getattr(self.viewer, "username", None)

    def flush(self) -> None:
        """Forget what is known of whoever asks. Lists and runs ask afresh with each call anyway."""
        self._viewer = None

    # --- paths --------------------------------------------------------------------------------------------------------

    def parse_path(self, path: str) -> RunPath:
        """The run or sweep that a path means. Raises ValueError."""
        return parse_path(path, lambda: self.default_entity, self.settings["project"])

    def parse_project_path(self, path: Optional[str]) -> Tuple[str, str]:
        """The (entity, project) that a path means; by default the project of the settings. Raises ValueError."""
        return parse_project_path(path, lambda: self.default_entity, self.settings["project"] or "uncategorized")

    def entity_or_default(self, entity: Optional[str]) -> str:
        """Raises ValueError where there is neither."""
        found = entity or self.default_entity
        if not found:
            raise RequestError("no entity is named; pass entity=, or set WANDB_ENTITY")
        return found


def _can_ask(base_url: str) -> bool:
    """Whether somebody who sits at the terminal gave a key."""
    return sys.stdin is not None and sys.stdin.isatty() and ask_for_key(base_url, reading=True)
