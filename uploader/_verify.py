"""Asking a server whose an API key is."""

from __future__ import annotations

import os
from typing import Mapping, Optional

from ._destination import connection
from ._documents import VIEWER
from ._errors import CredentialsRefused


def verify_api_key(base_url: str, key: Optional[str] = None, environment: Mapping[str, str] = os.environ) -> str:
    """The name of the user to whom the server gave the key; without `key`, that of the environment or netrc, or its
    identity token.

    Raises CredentialError where there is no key or the server doesn't know it, TransientError where the server can't
    be asked, Refused where it isn't a W&B server.
    """
    with connection(base_url, environment, key) as transport:
        viewer = transport.graphql("Viewer", VIEWER, {}).get("viewer")
    if not isinstance(viewer, dict):
        raise CredentialsRefused(
            f"{transport.base_url} doesn't know the API key; copy it again from the server's page for keys"
        )
    return str(viewer.get("username") or viewer.get("entity") or viewer.get("email") or viewer.get("id"))
