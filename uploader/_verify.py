"""Asking a server whose an API key is."""

from __future__ import annotations

import contextlib
from typing import Optional

from ._credentials import find_api_key
from ._documents import VIEWER
from ._errors import CredentialError, CredentialsRefused
from ._home import normalize_url
from ._transport import Transport


def verify_api_key(base_url: str, key: Optional[str] = None) -> str:
    """The name of the user to whom the server gave the key; without `key`, that of the environment or netrc.

    Raises CredentialError where there is no key or the server doesn't know it, TransientError where the server can't
    be asked, Refused where it isn't a W&B server.
    """
    base_url = normalize_url(base_url)
    key = key or find_api_key(base_url)
    if not key:
        raise CredentialError(f"there is no API key for {base_url}; run `wandb login` or set WANDB_API_KEY")
    with contextlib.closing(Transport(base_url, lambda: key)) as transport:
        viewer = transport.graphql("Viewer", VIEWER, {}).get("viewer")
    if not isinstance(viewer, dict):
        raise CredentialsRefused(f"{base_url} doesn't know the API key; copy it again from the server's page for keys")
    return str(viewer.get("username") or viewer.get("entity") or viewer.get("email") or viewer.get("id"))
